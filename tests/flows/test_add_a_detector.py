"""The guide to a new detector, followed to the letter in a copy of the project that lacks it."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.factories import ROOT, command_environment, workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("add_a_detector")]

GUIDE = (ROOT / "docs/add-a-detector.md").read_text(encoding="utf-8")
FIGURE = re.compile(r"\d\.\d{3}")
CLOSE = 0.02  # figures of other processors may differ by a rank or two


def fenced(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


(CODE,) = fenced("python")
(FILE,) = re.findall(r"`(components/models/\w+\.py)` — the name of the file is the kind", GUIDE)
CONTRACT, STATION = fenced("console")
MODEL_FILE, STATION_FILE = fenced("yaml")


def ran(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the guide in the copy, whose packages win over those of this project."""
    kept = {k: v for k, v in command_environment(root).items() if not k.startswith("PYTEST")}
    return subprocess.run(
        words, cwd=root, env=kept | {"PYTHONPATH": str(root)}, capture_output=True, text=True
    )


def commands(block: str) -> list[tuple[list[str], list[str]]]:
    """Split a block into commands and the lines that are shown of each."""
    found = []
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *shown = part.splitlines()
        found.append((shlex.split(command), shown))
    return found


def says(printed: str, shown: str) -> bool:
    """Whether a line holds another, its figures being close."""
    pattern = r"(\d\.\d{3})".join(map(re.escape, FIGURE.split(shown)))
    found = re.search(pattern, printed)
    figures = zip(FIGURE.findall(shown), found.groups() if found else (), strict=False)
    return found is not None and all(abs(float(a) - float(b)) <= CLOSE for a, b in figures)


def follow(root: Path, block: str) -> None:
    """Run the commands of a block; every line that is shown is printed, in this order."""
    for words, shown in commands(block):
        done = ran(root, *words)
        assert done.returncode == 0, done.stdout + done.stderr
        printed = iter(done.stdout.splitlines())
        for line in shown:
            assert any(says(other, line) for other in printed), f"{line}\n\n{done.stdout}"


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project."""
    root = workspace(tmp_path_factory.mktemp("guide") / "plant")
    shutil.copytree(ROOT / "tests", root / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


@pytest.fixture(scope="module")
def unknown(plant: Path) -> subprocess.CompletedProcess[str]:
    """What the copy says of the new kind before it has the file."""
    settings = ("models=[mean_image]", "profiles.quick.models=null")
    words = [word for setting in settings for word in ("--set", setting)]
    return ran(plant, "defectloop", "doctor", "elpv", *words)


@pytest.fixture(scope="module")
def written(plant: Path, unknown: subprocess.CompletedProcess[str]) -> Path:
    """The copy with the guide's one file in it."""
    (plant / FILE).write_text(CODE, encoding="utf-8")
    return plant


def test_without_the_file_nothing_knows_the_kind(
    unknown: subprocess.CompletedProcess[str],
) -> None:
    assert unknown.returncode == 2
    assert "E241 No detector mean_image" in unknown.stderr
    assert not (ROOT / FILE).exists()


def test_the_commands_run_the_copys_code(plant: Path) -> None:
    program = "import components, flows, tests.factories as t\n" + (
        "print(components.__file__, flows.__file__, t.__file__, sep='\\n')"
    )
    places = ran(plant, "python", "-c", program).stdout.split()
    assert [Path(place).is_relative_to(plant) for place in places] == [True] * 3
    assert shutil.which("defectloop", path=os.fspath(Path(sys.executable).parent))


def test_the_file_is_as_tidy_as_the_project(written: Path) -> None:
    for check in (("check", "--no-cache"), ("format", "--check", "--no-cache")):
        done = ran(written, "ruff", *check, FILE)
        assert done.returncode == 0, done.stdout


def test_the_contract_holds_and_the_kind_is_listed(written: Path) -> None:
    follow(written, CONTRACT)


def test_a_station_tunes_it_as_it_is_and_with_the_values_of_a_file_or_of_knobs(
    written: Path,
) -> None:
    follow(written, STATION)
    (page,) = written.glob("runs/*-tune-parts/report.html")
    assert "mean_image" in page.read_text(encoding="utf-8")
    for block in (MODEL_FILE, STATION_FILE):
        path = written / block.splitlines()[0].removeprefix("# ")
        values = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
        path.write_text(yaml.safe_dump(merged(values, yaml.safe_load(block))), encoding="utf-8")
    program = (
        "from pathlib import Path\n"
        "from components.search import configurations\n"
        "from components.station import load_station\n"
        "config = load_station(Path('params'), 'parts')\n"
        "models = config.models_of(config.station.profiles['quick'])\n"
        "spanned = configurations(config.station.search, models)\n"
        "cells = {v.get('mean_image.cell_px') for v in spanned} - {None}\n"
        "print(list(models), sorted(cells), config.models['mean_image_fine'].name, sep='\\n')\n"
    )
    done = ran(written, "python", "-c", program)
    assert done.stdout.splitlines() == [
        "['padim', 'mean_image']",
        "[4, 8, 16]",
        "mean_image/none·320·σ0·cell_px=4",
    ], done.stderr


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return a mapping with the values of another in it, key by key at every depth."""
    both = {
        key: merged(old[key], value)
        for key, value in new.items()
        if isinstance(value, dict) and isinstance(old.get(key), dict)
    }
    return old | new | both
