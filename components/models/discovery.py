"""Which modules of a package are detectors: each that defines one, found by being there."""

import inspect
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import get_args

from components.models.detector import DetectorParams


def detectors_in(package: str, folders: Iterable[str]) -> dict[str, type[DetectorParams]]:
    """Import the modules of a package, its sub-packages left out; return its detectors by kind.

    In alphabetical order. ``folders``: the package's ``__path__``.

    Raises:
        TypeError: a module defines a detector that is none, or several; its file is named.
    """
    names = [found.name for found in iter_modules(folders) if not found.ispkg]
    modules = {name: _imported(package, name) for name in sorted(names)}
    found = {name: _detector_of(module) for name, module in modules.items()}
    return {kind: detector for kind, detector in found.items() if detector is not None}


def _imported(package: str, name: str) -> ModuleType:
    """Import a module; a class that states no facts cannot be made, and its file is named."""
    try:
        return import_module(f"{package}.{name}")
    except TypeError as error:
        raise TypeError(f"{package}.{name}: {error}") from error


def _detector_of(module: ModuleType) -> type[DetectorParams] | None:
    """Return the detector that a module defines; None for one that merely uses them."""
    members = dict.fromkeys(filter(inspect.isclass, vars(module).values()))  # each class once
    defined = [
        member
        for member in members
        if issubclass(member, DetectorParams)
        and member is not DetectorParams
        and member.__module__ == module.__name__
    ]
    file = Path(str(module.__file__))
    for detector in defined:
        complaint = _complaint(detector, file)
        if complaint:
            raise TypeError(f"{file}: {detector.__name__} {complaint}.")
    if len(defined) > 1:
        names = " and ".join(detector.__name__ for detector in defined)
        raise TypeError(f"{file} defines {names}: a file holds one detector.")
    return defined[0] if defined else None


def _complaint(detector: type[DetectorParams], file: Path) -> str:
    """Return why a class is no detector; "" where it is one."""
    kind, field = file.stem, detector.model_fields["kind"]
    if get_args(field.annotation) != (field.default,):
        return f'states no kind: write kind: Literal["{kind}"] = "{kind}"'
    if field.default != kind:
        return f"is of kind {field.default!r}, and a detector's file is named after it"
    if detector.build is DetectorParams.build:
        return "has no build(store, image_size_px, seed) that returns its network"
    return ""
