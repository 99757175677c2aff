"""Tidy figures: one row a cell, condition and metric, in memory and as Parquet."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from components.studies.cells import CellOutcome

PROTOCOL = "paper"


@dataclass(frozen=True)
class Row:
    """One figure of one cell; ``value`` is None where the metric is undefined."""

    station: str
    detector: str  # the name of a model: a file of params/models, or a kind
    kind: str  # what that file fits
    backbone: str
    image_size_px: int
    variant: str
    condition: str
    seed: int
    num_train: int
    num_test: int
    metric: str
    value: float | None
    fingerprint: str
    protocol: str = PROTOCOL


def rows_of(outcomes: Iterable[CellOutcome]) -> tuple[Row, ...]:
    """Return every figure of finished cells; costs stand under the clean condition alone."""
    return tuple(
        Row(
            station=outcome.key.station,
            detector=outcome.key.detector,
            kind=outcome.fitted.detector,
            backbone=outcome.key.backbone,
            image_size_px=int(outcome.fitted.params["image_size_px"]),
            variant=outcome.key.variant,
            condition=condition,
            seed=outcome.key.seed,
            num_train=outcome.num_train,
            num_test=outcome.num_test,
            metric=metric,
            value=value,
            fingerprint=outcome.fitted.fingerprint,
        )
        for outcome in outcomes
        for condition in outcome.evaluations
        for metric, value in outcome.figures(condition).items()
    )


def write_rows(rows: Sequence[Row], path: Path) -> Path:
    """Write rows as Parquet, atomically."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"int": pa.int64(), "float | None": pa.float64()}
    types = {f.name: str(getattr(f.type, "__name__", f.type)) for f in fields(Row)}
    schema = pa.schema({name: kinds.get(kind, pa.string()) for name, kind in types.items()})
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    pq.write_table(pa.Table.from_pylist([asdict(row) for row in rows], schema=schema), part)
    return part.replace(path)
