"""The papers' printed figures, and ours beside them where the images are the same."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import Field, ValidationError

from components.errors import ParamsError
from components.metrics.seeds import Spread, spread
from components.metrics.welch import welch
from components.params import read_yaml
from components.records import Record
from components.studies.rows import Row

STATIONS_FILE = "stations.yaml"
ALPHA = 0.05  # as the papers test


class Printed(Record):
    """One figure as a paper prints it, in our units: shares 0..1, seconds, milliseconds."""

    paper: str
    table: str
    dataset: str
    detector: str  # the kind, as params/models writes it
    backbone: str  # "" where the paper does not say
    variant: str
    condition: str
    metric: str
    mean: float = Field(allow_inf_nan=False)
    std: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    num_seeds: int | None = Field(default=None, ge=1)
    source: str = Field(min_length=1)
    note: str = ""


class AgainstPaper(Record):
    """Our figure beside a printed one; ``p_value`` is Welch's, None where it cannot be tested."""

    station: str
    detector: str
    backbone: str
    variant: str
    condition: str
    metric: str
    mean: float
    std: float
    num_seeds: int
    printed: Printed
    difference: float  # ours minus theirs
    p_value: float | None = None

    @property
    def within_noise(self) -> bool | None:
        """Whether the difference may be chance at 5 %; None where a spread is missing."""
        return None if self.p_value is None else self.p_value >= ALPHA

    @property
    def verdict(self) -> str:
        """The difference in words."""
        if self.within_noise is None:
            return "no spread printed" if self.printed.std is None else "one seed: not testable"
        return f"{'within' if self.within_noise else 'beyond'} the noise (p {self.p_value:.2g})"

    @property
    def same_backbone(self) -> bool:
        """Whether the paper names the backbone that ours has."""
        return self.printed.backbone == self.backbone


def read_papers(folder: Path) -> tuple[Printed, ...]:
    """Read every CSV of printed figures.

    Raises:
        ParamsError: E244 a row that is none; file, line and field are named.
    """
    return tuple(printed for path in sorted(folder.glob("*.csv")) for printed in _read(path))


def _read(path: Path) -> list[Printed]:
    found = []
    with path.open(encoding="utf-8", newline="") as stream:
        for line, row in enumerate(csv.DictReader(stream), start=2):
            values = {k: v for k, v in row.items() if v or k in ("table", "backbone")}
            try:
                found.append(Printed.model_validate(values))
            except ValidationError as error:
                first = error.errors()[0]
                field = ".".join(map(str, first["loc"]))
                raise ParamsError(
                    "E244", f"{path}, line {line}, {field}: {first['msg']}.", "Mend the row."
                ) from None
    return found


def datasets_of(folder: Path, stations: Iterable[str]) -> dict[str, str]:
    """Return station -> the data set that it shares with the papers, for those that do.

    Raises:
        ParamsError: E244 the mapping does not list stations by data set.
    """
    path = folder / STATIONS_FILE
    known: dict[str, str] = {}
    for dataset, names in read_yaml(path).items():
        if not isinstance(names, list):
            raise ParamsError("E244", f"{path}: {dataset} is no list of stations.", "Write [].")
        known |= {str(name): dataset for name in names}
    return {name: known[name] for name in stations if name in known}


def against_papers(
    rows: Sequence[Row], printed: Sequence[Printed], datasets: Mapping[str, str]
) -> tuple[AgainstPaper, ...]:
    """Return each of our figures that a paper prints too, over our seeds.

    Detector kind, variant, condition and metric must agree. Where a paper prints the very
    backbone, other backbones of it are left out; else each of them stands there, named.
    """
    groups: dict[tuple[str, str, str, str, str, str, str], list[float]] = {}
    for row in rows:
        if row.station in datasets and row.value is not None:
            name = (row.station, row.detector, row.kind, row.backbone)
            groups.setdefault((*name, row.variant, row.condition, row.metric), []).append(row.value)
    found = []
    for key, values in groups.items():
        station, detector, kind, backbone, variant, condition, metric = key
        wanted = (datasets[station], kind, variant, condition, metric)
        alike = [p for p in printed if _key(p) == wanted]
        exact = [p for p in alike if p.backbone == backbone]
        for theirs in exact or alike:
            ours = spread(values)
            found.append(
                AgainstPaper(
                    station=station,
                    detector=detector,
                    backbone=backbone,
                    variant=variant,
                    condition=condition,
                    metric=metric,
                    mean=ours.mean,
                    std=ours.std,
                    num_seeds=ours.n,
                    printed=theirs,
                    difference=ours.mean - theirs.mean,
                    p_value=_p_value(ours, theirs),
                )
            )
    return tuple(found)


def _key(printed: Printed) -> tuple[str, ...]:
    return (
        printed.dataset,
        printed.detector,
        printed.variant,
        printed.condition,
        printed.metric,
    )


def _p_value(ours: Spread, theirs: Printed) -> float | None:
    if theirs.std is None or (theirs.num_seeds or 0) < 2 or ours.n < 2:
        return None
    return welch(ours.mean, ours.std, ours.n, theirs.mean, theirs.std, theirs.num_seeds or 0)
