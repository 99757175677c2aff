"""What the name of a model stands for, wherever a station or a study gives one."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from components.errors import ParamsError
from components.models import KINDS
from components.models.backbones import BACKBONES
from components.params import read_yaml, validate
from components.train import TrainParams


def load_models(params_dir: Path, names: Iterable[str], hint: str = "") -> dict[str, TrainParams]:
    """Return each name's params: the file ``models/<name>.yaml``, else the kind with its defaults.

    ``hint``: what else may be done about a name that stands for nothing.

    Raises:
        ParamsError: E241 names that are neither (all of them, with the files and kinds that there
            are); E013 a bad value in a file.
    """
    asked, files = tuple(names), _files(params_dir)
    unknown = [name for name in asked if name not in files and name not in KINDS]
    if unknown:
        plain = [kind for kind in KINDS if kind not in files]
        kinds = f" Kinds without a file: {', '.join(plain)}." if plain else ""
        raise ParamsError(
            "E241",
            f"No detector {', '.join(unknown)}: no file in {params_dir / 'models'}, and no kind.",
            f"Files: {', '.join(files) or 'none'}.{kinds} {hint}".rstrip(),
        )
    return {
        name: _read(files[name]) if name in files else _with_its_defaults(name) for name in asked
    }


def is_model(params_dir: Path, name: str) -> bool:
    """Whether a name stands for a model."""
    return name in KINDS or name in _files(params_dir)


def _files(params_dir: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted((params_dir / "models").glob("*.yaml"))}


def _read(path: Path) -> TrainParams:
    return validate(TrainParams, read_yaml(path), str(path))


def _with_its_defaults(kind: str) -> TrainParams:
    fixed = BACKBONES[KINDS[kind].model_fields["backbone"].default].image_size_px
    values: dict[str, Any] = {"detector": {"kind": kind}}
    values |= {} if fixed is None else {"image_size_px": fixed}
    return validate(TrainParams, values, f"{kind} with its defaults")
