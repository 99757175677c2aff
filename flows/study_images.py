"""The images of a study: DVC's prepared ones under the papers' protocol, and cuts of raw ones."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from components.data.manifest import read_manifest, write_manifest
from components.data.prepare import prepare
from components.errors import ParamsError
from components.params import digest_of
from components.records import DataVersion, Manifest, Split
from components.station import Station, StationConfig
from components.stores.raw import adopt
from components.studies.params import StudyParams
from components.studies.plan import StudySet
from components.studies.protocol import hold_out, listed_splits, paper_sets, station_sets
from components.studies.summary import StationImages
from components.studies.variants import WindowSpec, place
from flows.console import Step
from flows.preflight import external_folder, locate_data
from flows.settings import Settings
from flows.tasks import materialize_task

FILE = "study.parquet"

Sets = dict[tuple[str, str], StudySet | str]  # by station and window name; a reason where absent


@dataclass(frozen=True)
class StudyImages:
    """What all stations of a study gave."""

    sets: Sets
    versions: dict[str, DataVersion]
    images: tuple[StationImages, ...]


def gather(
    settings: Settings, study: StudyParams, stations: Mapping[str, StationConfig], step: Step
) -> StudyImages:
    """Bring every station's images up to date and lay out its sets, one for each window.

    A station whose images are nowhere is left out with the reason.

    Raises:
        DataError: images that are there and cannot be used.
    """
    windows = {v.window.name if v.window else "": v.window for v in study.axes.variants}
    sets: Sets = {}
    versions: dict[str, DataVersion] = {}
    found: list[StationImages] = []
    step.total(len(stations))
    for name, config in stations.items():
        try:
            locate_data(settings, config)
        except ParamsError as error:
            sets |= dict.fromkeys(((name, window) for window in windows), str(error))
            continue
        made = _Station(settings, config.station, study, *_versions(settings, config))
        versions[name] = made.version
        sets |= {(name, words): made.set_of(spec) for words, spec in windows.items()}
        found.append(made.summary(config))
        step.advance(name)
    return StudyImages(sets, versions, tuple(found))


def _versions(settings: Settings, config: StationConfig) -> tuple[DataVersion, DataVersion]:
    name = config.station.name
    outside = external_folder(settings, config)
    if outside is not None and outside.is_dir():
        adopt(settings.root, name, outside)
    ingested, _ = materialize_task.submit(settings.root, name, "ingest", _silent).result()
    prepared, _ = materialize_task.submit(settings.root, name, "prepare", _silent).result()
    return ingested, prepared


def _silent(done: int, total: int) -> None:
    """A study's bar counts stations."""


class _Station:
    """One station's manifests, as ingested and as prepared."""

    def __init__(
        self,
        settings: Settings,
        station: Station,
        study: StudyParams,
        ingested: DataVersion,
        version: DataVersion,
    ) -> None:
        self.version, self._raw_version = version, ingested
        self._station, self._study = station, study
        raw = settings.data("raw", station.name)
        self._ingested = read_manifest(
            settings.data("ingest", station.name) / "manifest.parquet", raw
        )
        self._listed = listed_splits(station.source.entries(raw).entries)
        root = settings.data("prepare", station.name)
        self.prepared = self._placed(read_manifest(root / "manifest.parquet", root))
        self._folder = settings.state / "sets" / station.name / version.content_hash[:16]
        self._folder /= study.sets

    def _placed(self, images: Manifest) -> Manifest:
        if self._study.sets == "station":
            return station_sets(images)
        return paper_sets(self._ingested, images, self._listed)

    def set_of(self, spec: WindowSpec | None) -> StudySet | str:
        """Return the station's images for one window, or why there are none."""
        if spec is None:
            return self._laid_out(self.prepared, self._folder / FILE, self.version.content_hash)
        sizes = {(r.height_px, r.width_px) for r in self._ingested.records}
        if spec.size_px is not None and len(sizes) > 1:
            return f"its images are of {len(sizes)} sizes: give the window as a share"
        height, width = max(sizes)
        window = place(spec, self._station.synthesize.regions, height, width)
        if window is None:
            return f"the {spec.name} is larger than its images ({width}×{height} px)"
        mark = digest_of([self._raw_version.content_hash, self.version.content_hash, window])
        folder = self._folder / f"window-{mark[:16]}"
        if not (folder / FILE).is_file():
            _cut(self._ingested, window, folder)
        return self._laid_out(
            self._placed(read_manifest(folder / FILE, folder)), folder / "sets.parquet", mark
        )

    def _laid_out(self, manifest: Manifest, path: Path, data_version: str) -> StudySet:
        write_manifest(manifest, path)
        return StudySet(
            manifest=path,
            root=manifest.root,
            data_version=data_version,
            num_train=len(self._learning(manifest)),
            num_test=len(manifest.of(Split.TEST)),
            megapixels=sum(r.height_px * r.width_px for r in manifest.records)
            / max(1, len(manifest.records))
            / 1e6,
        )

    def _learning(self, manifest: Manifest) -> tuple[object, ...]:
        normals = manifest.of(Split.TRAIN, label=0)
        return hold_out(normals, self._study.held_out)[1]

    def summary(self, config: StationConfig) -> StationImages:
        """Return what a reader is told about the station's images."""
        normals = self.prepared.of(Split.TRAIN, label=0)
        return StationImages(
            station=config.station.name,
            title=config.station.title,
            licence=config.station.licence,
            num_train=len(normals),
            num_held_out=len(normals) - len(self._learning(self.prepared)),
            num_test_normal=len(self.prepared.of(Split.TEST, label=0)),
            num_test_anomalous=len(self.prepared.of(Split.TEST, label=1)),
            data_version=self.version.content_hash,
            notes=self.prepared.notes,
        )


def _cut(ingested: Manifest, window: tuple[float, float, float, float], folder: Path) -> None:
    """Write the raw images cut to a window, whole or not at all."""
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    write_manifest(prepare(ingested, window, part), part / FILE)
    shutil.rmtree(folder, ignore_errors=True)
    part.replace(folder)
