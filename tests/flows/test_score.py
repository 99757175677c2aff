"""``defectloop score`` as a person and as another program see it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from components.metrics.image import TNRS
from components.metrics.localisation import LIMITS
from components.scoring.layouts import LAYOUTS
from components.scoring.score import BUDGET_PX
from flows.cli import main, parser
from flows.score import rates
from tests.components.scoring.drawing import AUPRO, AUSPRO, draw_maps, draw_truth

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    return [str(draw_maps(tmp_path / "maps")), str(draw_truth(tmp_path / "truth"))]


def test_json_is_one_document_with_the_figures_keyed_by_limit(folders, capsys) -> None:
    assert main(["score", *folders, "--json"]) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert printed.err == ""
    assert found["auspro"] == pytest.approx(AUSPRO)
    assert found["aupro"] == pytest.approx(AUPRO)
    assert found["tpr_at_tnr"] == {"0.99": 1, "0.95": 1, "0.90": 1}
    for name in ("pixel_auroc", "pixel_ap", "pixel_f1_max"):
        assert 0 < found[name] < 1
    assert [found[f"image_{name}"] for name in ("auroc", "ap", "f1_max")] == [1, 1, 1]
    assert (found["num_images"], found["num_regions"], found["notes"]) == (2, 2, [])


def test_a_person_reads_an_aligned_table(folders, capsys) -> None:
    assert main(["score", *folders, "--limits", "0.05,1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("layout     autovi: masks an instance")
    assert lines[1] == "images     1 normal · 1 anomalous · 2 regions"
    assert lines[2] == "score      maximum of the map as stored"
    for line in (
        "image       AUROC      AP  F1-max  TPR@TNR 0.99  TPR@TNR 0.95  TPR@TNR 0.90",
        "pixel       AUROC      AP  F1-max",
        "FPR up to    0.05       1",
        "AUsPRO     0.7500  0.9750",
        "AUPRO      0.3500  0.9350",
        "hoop            1        2       1.0000",
    ):
        assert line in lines


def test_a_streamed_set_says_so(folders, capsys) -> None:
    assert main(["score", *folders, "--budget-px", "0", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["streamed"]
    assert found["auspro"] == pytest.approx(AUSPRO)


def test_an_undefined_figure_is_null_and_printed_as_such(tmp_path, folders, capsys) -> None:
    (tmp_path / "maps/good/000.png").unlink()
    bare = str(draw_truth(tmp_path / "bare", tested=False))
    assert main(["score", folders[0], bare, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["image_auroc"] is None
    assert main(["score", folders[0], bare]) == 0
    lines = capsys.readouterr().out.splitlines()
    below = lines[next(i for i, line in enumerate(lines) if line.startswith("image  ")) + 1]
    assert below.split() == ["n/a"] * 6


def test_bad_maps_end_with_the_code_of_bad_data_and_name_the_file(folders, capsys) -> None:
    (Path(folders[0]) / "hoop" / "000.png").unlink()
    assert main(["score", *folders, "--json"]) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "E213" in printed.err
    assert "hoop/000: the map is missing" in printed.err


@pytest.mark.parametrize("limits", ["0", "1.01", "abc", "0.1,,0.2", "nan", ""])
def test_a_limit_that_is_none_is_wrong_usage(folders, capsys, limits: str) -> None:
    assert main(["score", *folders, "--limits", limits]) == 2
    assert "E210 --limits" in capsys.readouterr().err


def test_a_rate_given_twice_counts_once() -> None:
    assert rates(" 0.3, 0.05,0.30", "--limits") == (0.3, 0.05)


def test_the_command_line_offers_what_the_components_do() -> None:
    options = parser().parse_args(["score", "maps", "truth"])
    assert rates(options.limits, "--limits") == LIMITS
    assert rates(options.tnr, "--tnr") == TNRS
    assert options.budget_px == BUDGET_PX
    for layout in LAYOUTS:
        assert parser().parse_args(["score", "a", "b", "--layout", layout]).layout == layout


def test_scoring_needs_no_workspace_and_imports_nothing_heavy(tmp_path, folders) -> None:
    program = (
        "import sys\n"
        "from flows.cli import main\n"
        f"assert main(['score', *{folders!r}, '--json']) == 0\n"
        "libraries = {'torch', 'prefect', 'mlflow', 'anomalib', 'optuna', 'pandas', 'scipy'}\n"
        "heavy = libraries & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )
    assert done.returncode == 0, done.stderr
