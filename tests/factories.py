"""Makers of small real things: images of parts, folders of them, and whole workspaces."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
SIZE_PX = 96


def part_image(seed: int, *, defective: bool = False) -> NDArray[np.uint8]:
    """A grey part: a lit plate with a dark slot and sensor noise; a defect is a bright scratch.

    Light and noise differ so much between parts that no single image statistic tells defects.
    """
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:SIZE_PX, 0:SIZE_PX]
    light = 110 + 25 * np.sin(rows / 30 + rng.uniform(0, 0.3)) + rng.uniform(-30, 30)
    slot = np.abs(columns - 48 - rng.uniform(-2, 2)) < 8
    image = np.where(slot, light * 0.5, light) + rng.normal(
        0, rng.uniform(2, 9), (SIZE_PX, SIZE_PX)
    )
    if defective:
        top, left = rng.integers(15, 60, 2)
        image[top : top + 14, left : left + 6] += 70
    return np.clip(image, 0, 255).astype(np.uint8)


def part_folder(folder: Path, *, num_normal: int = 40, num_defective: int = 16) -> Path:
    """A ``good``/``scratch`` folder as a user would bring it."""
    for name, count, defective in (("good", num_normal, False), ("scratch", num_defective, True)):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            seed = index + 10_000 * defective
            Image.fromarray(part_image(seed, defective=defective)).save(
                folder / name / f"{index}.png"
            )
    return folder


def workspace(folder: Path) -> Path:
    """A fresh git and DVC repository with the project's code, params and pipeline, without data."""
    folder.mkdir(parents=True)
    for name in ("components", "flows", "params"):
        skip = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=skip)
    for name in ("dvc.yaml", "requirements.lock", ".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, folder / name)
    run = {"cwd": folder, "check": True, "capture_output": True}
    subprocess.run(["git", "init", "-q"], **run)
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q"], **run)
    subprocess.run(["git", "add", "-A"], **run)
    who = ["-c", "user.name=tester", "-c", "user.email=tester@example.org"]
    subprocess.run(["git", *who, "commit", "-qm", "workspace"], **run)
    _calibrate(folder)
    return folder


def _calibrate(root: Path) -> None:
    """Keep a calibration of round numbers: measuring one takes 15 s, and has tests of its own."""
    from components.costs.pace import hardware_digest
    from tests.components.costs.test_forecast import PACE

    pace = root / ".defectloop/pace" / f"{hardware_digest()}.json"
    pace.parent.mkdir(parents=True)
    backbones = dict.fromkeys(("lite0", "lite2"), PACE.backbones["lite0"])
    PACE.model_copy(update={"backbones": backbones}).save(pace)


def defectloop(root: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a workspace, as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *words],
        cwd=root,
        env=command_environment(root) | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def command_environment(root: Path) -> dict[str, str]:
    """The environment of a command in a workspace: its own state, one thread of arithmetic."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DEFECTLOOP_", "PREFECT_"))}
    scripts = str(Path(sys.executable).parent)
    return kept | {
        "PATH": os.pathsep.join([scripts, os.environ["PATH"]]),
        "DEFECTLOOP_HOME": str(root),
        "DEFECTLOOP_WORKERS": "1",
        "PREFECT_HOME": str(root / ".defectloop" / "prefect"),
    }


def edit_station(root: Path, name: str, **changes: Any) -> Path:
    """Change top-level sections of a station file; a dict is merged into its section."""
    path = root / "params" / "stations" / f"{name}.yaml"
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    for key, value in changes.items():
        merged = isinstance(value, dict) and isinstance(values.get(key), dict)
        values[key] = values[key] | value if merged else value
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return path


def tiny_study(root: Path, name: str) -> None:
    """Shrink a station's study to what a test can wait for."""
    size = {"num_trials": 2, "num_seeds": 2, "num_finalists": 2, "stress_images": 8}
    edit_station(
        root,
        name,
        models=["patchcore", "padim"],
        search={
            "backbone": ["lite0"],
            "image_size_px": [64],
            "input_noise": {"low": 0.0, "high": 0.05},
            "coreset_ratio": [0.05],
            "layers": [["blocks.2", "blocks.4"]],
        },
        synthesize={"num_per_kind": 3},
        calibrate={"folds": 2},
        evaluate={
            "bootstrap": 100,
            "latency_runs": 10,
            "stress": {"defocus": [2.0], "iso_noise": [0.3], "rotate": [10.0]},
        },
        profiles={"quick": size, "full": size},
    )


if __name__ == "__main__":  # python -m tests.factories FOLDER: parts to try a station on
    part_folder(Path(sys.argv[1]))
