"""The guides: what they show is what their commands print."""

import re
from pathlib import Path

import pytest
import yaml

from components.agreement import SyntheticDemand
from components.metrics.evidence import escape_upper_bound, needed_sentence
from components.search import SearchSpace
from flows.cli import main

ROOT = Path(__file__).parents[2]
SELECT = (ROOT / "docs/select.md").read_text(encoding="utf-8")
EVALUATE = (ROOT / "docs/evaluate.md").read_text(encoding="utf-8")


def blocks(guide: str) -> list[str]:
    return re.findall(r"```console\n(.*?)```", guide, re.DOTALL)


BLOCKS = [*blocks(SELECT), *blocks(EVALUATE)]


def commands(block: str) -> list[tuple[list[str], list[str]]]:
    """Split a block into commands and the lines that are shown of each."""
    found = []
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *shown = part.splitlines()
        found.append((command.split()[1:], [line for line in shown if line]))
    return found


def test_the_guides_show_something() -> None:
    assert (len(blocks(SELECT)), len(blocks(EVALUATE))) == (6, 1)


def test_what_the_guide_says_of_evidence_is_so() -> None:
    said = " ".join(EVALUATE.split())
    assert "at most 22.6 % escapes may be claimed" in needed_sentence(39, 219, 0.2)
    assert "you need 30 more defective parts" in needed_sentence(39, 219, 0.2)
    assert f"{100 * escape_upper_bound(0, 30):.1f} %" in said


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("/")[-1].split()[0])
def test_every_line_that_is_shown_is_printed(
    block: str, capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    monkeypatch.chdir(tmp_path)
    for arguments, shown in commands(block):
        assert main(arguments) == 0
        printed = iter(capsys.readouterr().out.splitlines())
        for line in shown:
            # in this order, each of them somewhere below the one before
            assert any(line in other for other in printed), line


def test_the_criteria_in_the_guide_to_selection_are_read() -> None:
    import yaml

    from components.select.params import TableParams

    (text,) = re.findall(r"```yaml\n(.*?)```", SELECT, re.DOTALL)
    params = TableParams.model_validate(yaml.safe_load(text))
    assert [c.name for c in params.criteria] == ["inference_ms", "image_auroc", "pixel_f1"]


def test_its_pictures_are_those_of_the_example(tmp_path: Path) -> None:
    example = ROOT / "docs/examples/paper003"
    arguments = [str(example / "table.csv"), "--criteria", str(example / "criteria_stated.yaml")]
    assert main(["select", *arguments, "--plots", str(tmp_path)]) == 0
    for name in ("front.svg", "parallel.svg", "stability.svg"):
        kept = (ROOT / "docs/images/select" / name).read_text(encoding="utf-8")
        drawn = (tmp_path / name).read_text(encoding="utf-8")
        words = re.compile(r"<text[^>]*>([^<]*)</text>")
        assert words.findall(kept) == words.findall(drawn)
        assert "<script" not in kept and kept.startswith("<svg xmlns=")


def test_every_setting_of_the_tuning_guide_is_a_valid_one() -> None:
    guide = (ROOT / "docs/tune.md").read_text(encoding="utf-8")
    search, demand = (yaml.safe_load(b) for b in re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL))
    space = SearchSpace.model_validate(search["search"])
    assert set(space.detectors) == {"patchcore", "padim", "stfpm"}
    assert SyntheticDemand.model_validate(demand["synthetic_evidence"]).min == 0.5
