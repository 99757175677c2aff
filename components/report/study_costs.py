"""What each model of a study costs: latency of the exported model, its size, and the trade."""

from collections.abc import Sequence

from components.metrics.seeds import spread
from components.report.blocks import Block, Cell, Plot, Section, Table, Text, row
from components.report.plots.study import Timed, quality_and_latency
from components.report.wording import compact, size
from components.studies.formats import metric_label
from components.studies.params import LOWER_IS_BETTER
from components.studies.rows import Row
from components.studies.summary import ModelLatency, StudySummary
from components.studies.variants import CLEAN, PLAIN

_HEAD = (
    "model",
    "batch",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "pre ms",
    "post ms",
    "images/s",
    "ONNX",
    "alone",
)


def costs(summary: StudySummary, rows: Sequence[Row]) -> Section:
    """Return latency of the exported models, batch by batch, and quality against it."""
    if not summary.latencies:
        return Section("costs", "Latency", ())
    first = summary.latencies[0].measured[0]
    words = (
        f"Milliseconds per image of the exported model ({first.runtime}, "
        f"{first.num_threads} thread) on {first.hardware}, after warm-up, one model at a time "
        "after all cells. p50 to p99 are the model alone; pre- and post-processing are medians "
        "apart; images/s counts all three."
    )
    lines = [cells for latency in summary.latencies for cells in _rows(latency)]
    blocks: list[Block] = [Text(words), Table(_HEAD, "lrrrrrrrrl", tuple(lines))]
    if not all(latency.alone for latency in summary.latencies):
        blocks.append(
            Text("Not alone: other processes used the machine meanwhile; such times are too long "
                 "and are measured again by the next run.", "warn")
        )  # fmt: skip
    metric = summary.study.metrics[0]
    if metric not in LOWER_IS_BETTER:
        blocks += _plots(summary, rows, metric)
    return Section("costs", "Latency", tuple(blocks))


def _rows(model: ModelLatency) -> list[tuple[Cell, ...]]:
    name = f"{model.detector}/{model.backbone} · {model.image_size_px} px"
    found = []
    for i, m in enumerate(model.measured):
        per_image = m.p50_ms + m.pre_ms + m.post_ms
        times = (m.p50_ms, m.p95_ms, m.p99_ms, m.pre_ms, m.post_ms)
        found.append(
            row(
                "" if i else name,
                str(m.batch),
                *map(compact, times),
                f"{1000 / per_image:.0f}",
                "" if i else size(model.size_bytes),
                Cell("yes") if m.alone else Cell("not alone", "warn"),
            )
        )
    return found


def _plots(summary: StudySummary, rows: Sequence[Row], metric: str) -> list[Block]:
    """Return quality against batch-1 latency, a plot a station, of the untouched variant."""
    times = {
        (m.detector, m.backbone): latency.p50_ms
        for m in summary.latencies
        for latency in m.measured
        if latency.batch == 1
    }
    blocks: list[Block] = []
    for station in summary.study.stations:
        values: dict[tuple[str, str], list[float]] = {}
        for r in rows:
            plain = r.condition == CLEAN and r.variant == PLAIN and r.metric == metric
            if plain and r.station == station and r.value is not None:
                values.setdefault((r.detector, r.backbone), []).append(r.value)
        models = [
            Timed("/".join(label), spread(v).mean, spread(v).std, times[label])
            for label, v in values.items()
            if label in times
        ]
        if len(models) > 1:
            svg = quality_and_latency(models, metric_label(metric), station)
            blocks.append(Plot(svg, "In full ink: no other model is better and faster."))
    return blocks
