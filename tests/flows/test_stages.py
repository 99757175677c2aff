"""The DVC stages: dvc.yaml names all code they run, they tell their errors, a tiny station runs."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.data.sections import WRITTEN_OUT, load_sections
from components.errors import ParamsError
from components.params import read_yaml
from components.records import Check, ValidationReport
from components.stores.channel import VARIABLE, StageChannel
from flows.stages import STAGES, run_stage

ROOT = Path(__file__).parents[2]
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def source(module: str) -> Path | None:
    stem = ROOT / module.replace(".", "/")
    found = (stem.with_suffix(".py"), stem / "__init__.py")
    return next((path for path in found if path.is_file()), None)


def closure(modules: Iterator[str] | list[str]) -> set[str]:
    """All files of components/ that the modules import, at any depth; empty files do not count."""
    seen: set[Path] = set()
    waiting = [m for m in modules if m.startswith("components")]
    while waiting:
        module = waiting.pop()
        path = source(module)
        if path is None or path in seen:
            continue
        seen.add(path)
        parts = module.split(".")
        waiting += [".".join(parts[:i]) for i in range(1, len(parts))]
        waiting += [m for m in imported(ast.parse(path.read_text())) if m.startswith("components")]
    return {p.relative_to(ROOT).as_posix() for p in seen if p.read_text().strip()}


def code_of(stage: str) -> set[str]:
    """What flows/stages.py imports at its top and inside the stage's own function."""
    tree = ast.parse((ROOT / "flows/stages.py").read_text())
    top = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    (function,) = (n for n in tree.body if getattr(n, "name", "") == f"_{stage}")
    return closure([m for node in (*top, function) for m in imported(node)])


@pytest.mark.parametrize("stage", sorted(PIPELINE))
def test_deps_cover_all_code_that_a_stage_imports(stage: str) -> None:
    deps = PIPELINE[stage]["do"]["deps"]
    missing = {
        f for f in code_of(stage) if not any(f == dep or f.startswith(f"{dep}/") for dep in deps)
    }
    assert missing == set()
    assert "flows/stages.py" in deps


def test_every_stage_of_dvc_yaml_can_be_run_and_back() -> None:
    assert set(PIPELINE) == set(STAGES)
    for name, stage in PIPELINE.items():
        assert stage["do"]["cmd"] == f"defectloop stage {name} --station ${{item}}"


@pytest.mark.parametrize("path", sorted((ROOT / "params/stations").glob("*.yaml")), ids=str)
def test_a_shipped_station_writes_out_every_section_that_dvc_watches(path: Path) -> None:
    watched = {
        section
        for stage in PIPELINE.values()
        for entry in stage["do"]["params"]
        for section in entry["params/stations/${item}.yaml"]
    }
    assert watched == {*WRITTEN_OUT, "synthesize"}
    assert watched <= set(read_yaml(path))
    assert load_sections(ROOT / "params", path.stem).name == path.stem


def test_a_section_left_to_its_default_is_named(tmp_path: Path) -> None:
    (tmp_path / "stations").mkdir()
    (tmp_path / "stations/a.yaml").write_text("name: a\nsource: {kind: folder}\n")
    with pytest.raises(ParamsError, match=r"E015 .*a\.yaml leaves out images, masks, group"):
        load_sections(tmp_path, "a")


def test_an_unknown_stage_names_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_stage("train", "elpv", ROOT) == 2
    assert "E016" in capsys.readouterr().err


def test_prepare_refuses_what_validation_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = Check(name="size", severity="critical", passed=False, observed="1", expected="0")
    report = ValidationReport(station="a", suite="default", checks=(failed,), num_rows=1)
    report.save(tmp_path / "data/validate/a/report.json")
    assert run_stage("prepare", "a", tmp_path) == 3
    assert "E110" in capsys.readouterr().err
    assert not (tmp_path / "data/prepare").exists()


def tiny_station(root: Path) -> None:
    """40 normal and 6 defective pictures of 48×48 px in good/ and scratch/."""
    import numpy as np

    from components.data.images import write_png

    rng = np.random.default_rng(0)
    for i in range(46):
        picture = rng.normal(120, 8, (48, 48)).clip(0, 255).astype(np.uint8)
        kind = "good" if i < 40 else "scratch"
        if kind == "scratch":
            picture[20:24, 8:40] = 250
        (root / f"data/raw/tiny/{kind}").mkdir(parents=True, exist_ok=True)
        write_png(root / f"data/raw/tiny/{kind}/{i}.png", picture)
    values: dict[str, Any] = read_yaml(ROOT / "params/stations/elpv.yaml")
    values |= {"name": "tiny", "source": {"kind": "folder"}, "masks": "none", "group": None}
    values["synthesize"] = {"num_per_kind": 2, "kinds": [{"kind": "cutpaste"}]}
    (root / "params/stations").mkdir(parents=True)
    (root / "params/stations/tiny.yaml").write_text(yaml.safe_dump(values))
    (root / "params/expectations").mkdir()
    suite = (ROOT / "params/expectations/default.yaml").read_text()
    (root / "params/expectations/default.yaml").write_text(suite)


def test_the_stages_of_a_tiny_station_write_what_the_map_says(tmp_path: Path) -> None:
    from components.data.manifest import read_manifest

    tiny_station(tmp_path)
    for stage in ("ingest", "validate", "prepare", "synthesize"):
        assert run_stage(stage, "tiny", tmp_path) == 0, stage
    data = tmp_path / "data"
    assert ValidationReport.load(data / "validate/tiny/report.json").passed
    assert (data / "validate/tiny/docs/index.html").is_file()
    prepared = read_manifest(data / "prepare/tiny/manifest.parquet", data / "prepare/tiny")
    assert len(prepared.records) == 46
    assert all(prepared.path(record).is_file() for record in prepared.records)
    drawn = read_manifest(data / "synthesize/tiny/manifest.parquet", data / "synthesize/tiny")
    assert [(r.origin, r.split) for r in drawn.records] == [("synthetic", "tune")] * 2
    before = (data / "prepare/tiny/manifest.parquet").read_bytes()
    assert run_stage("prepare", "tiny", tmp_path) == 0
    assert (data / "prepare/tiny/manifest.parquet").read_bytes() == before


def test_a_channel_carries_progress_and_the_error_itself(tmp_path: Path) -> None:
    channel = StageChannel(tmp_path, "ingest", "a")
    channel.clear()
    assert (channel.progress(), channel.error(), channel.tail()) == (None, None, "")
    channel.report(3, 7)
    channel.fail(ParamsError("E013", "a.yaml: no.", "Mend it."))
    assert channel.progress() == (3, 7)
    told = channel.error()
    assert isinstance(told, ParamsError)
    assert (told.code, told.message, told.remedy) == ("E013", "a.yaml: no.", "Mend it.")
    assert VARIABLE.startswith("DEFECTLOOP_")
