"""A station's raw bytes: folders from outside, and the list of stations in ``dvc.yaml``."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import yaml

from components.errors import StoreError
from components.params import digest_of, read_yaml
from components.stores.versions import PIPELINE, require_git, track


def adopt(root: Path, station: str, folder: Path) -> bool:
    """Copy an outside folder to ``data/raw/<station>`` and track it; skip it when unchanged.

    Unchanged is judged by names, sizes and times, which costs no reading. Hidden files stay out.

    Returns:
        Whether anything was copied.

    Raises:
        StoreError: no such folder, or no repository.
    """
    if not folder.is_dir():
        raise StoreError(
            "E164",
            f"Raw images of station {station}: {folder} is not a folder.",
            "Give the folder's path, or set DEFECTLOOP_DATA.",
        )
    require_git(root)
    raw, seen = root / "data/raw" / station, root / ".defectloop/adopted" / f"{station}.txt"
    signature = _signature(folder)
    tracked = raw.with_name(f"{station}.dvc").exists() and raw.is_dir()
    if tracked and seen.exists() and seen.read_text() == signature + _signature(raw):
        return False
    if folder.resolve() != raw.resolve():
        _replace_folder(folder, raw)
    track(root, raw)
    seen.parent.mkdir(parents=True, exist_ok=True)
    seen.write_text(signature + _signature(raw))
    return True


def register_station(root: Path, station: str) -> bool:
    """Add a station to ``params/pipeline.yaml``; return whether it was new."""
    path = root / PIPELINE
    values = read_yaml(path)
    if station in values["stations"]:
        return False
    values["stations"] = [*values["stations"], station]
    head = [line for line in path.read_text().splitlines() if line.startswith("#")]
    part = path.with_name(f".{path.name}.part")
    part.write_text("\n".join([*head, yaml.safe_dump(values, sort_keys=False)]))
    part.replace(path)
    return True


def _signature(folder: Path) -> str:
    files = sorted(_visible(folder))
    return digest_of(
        [
            [f.relative_to(folder).as_posix(), s.st_size, s.st_mtime_ns]
            for f in files
            for s in (f.stat(),)
        ]
    )


def _visible(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [f for f in folders if not f.startswith(".")]
        yield from (Path(parent, n) for n in names if not n.startswith("."))


def _replace_folder(source: Path, target: Path) -> None:
    """Copy beside the target, then swap: a killed copy leaves the old bytes in place."""
    part, old = (target.with_name(f".{target.name}.{word}") for word in ("part", "old"))
    for leftover in (part, old):
        shutil.rmtree(leftover, ignore_errors=True)
    hidden = shutil.ignore_patterns(".*")
    shutil.copytree(source, part, ignore=hidden)
    if target.exists():
        target.rename(old)
    part.rename(target)
    shutil.rmtree(old, ignore_errors=True)
