"""How today's images differ from the last accepted version, in units of that version's spread."""

import statistics
from collections import Counter
from collections.abc import Iterable

from components.records import Check, ImageRecord, Manifest, Record

STATISTICS = ("brightness", "contrast", "sharpness")
MAD_TO_SIGMA = 1.4826  # of a normal distribution
_SMALLEST = 1e-6


class Spread(Record):
    """Median and robust standard deviation (1.4826 · MAD) of one statistic."""

    median: float
    sigma: float


class DataSummary(Record):
    """What is kept of an accepted version: statistics of its normals, and its images by type."""

    statistics: dict[str, Spread]  # empty where there were no normals
    counts: dict[str, int]  # defect type, or good -> number of images
    labels: dict[str, str]  # image id -> defect type, or good


def spread_of(values: Iterable[float]) -> Spread:
    """Return median and robust standard deviation; at least one value."""
    known = list(values)
    median = statistics.median(known)
    deviations = [abs(value - median) for value in known]
    return Spread(median=median, sigma=MAD_TO_SIGMA * statistics.median(deviations))


def summarise(manifest: Manifest) -> DataSummary:
    """Return what a later version is compared with; synthetic images do not count."""
    real = [r for r in manifest.records if r.origin == "real"]
    normals = [r for r in real if r.gt_label == 0]
    return DataSummary(
        statistics={
            name: spread_of(getattr(r, name) for r in normals) for name in STATISTICS if normals
        },
        counts=dict(Counter(r.defect_type for r in real)),
        labels={r.image_id: r.defect_type for r in real},
    )


def drift(
    manifest: Manifest, reference: DataSummary, *, max_sigma: float = 1.0
) -> tuple[Check, ...]:
    """Compare with an accepted version: shifts of the normals' medians, and which images changed.

    A shift above ``max_sigma`` fails its check, as a warning; changed images never fail.
    """
    now = summarise(manifest)
    shifts = [
        _shift(name, now.statistics[name], before, max_sigma)
        for name, before in reference.statistics.items()
        if name in now.statistics
    ]
    return (*shifts, _changes(now, reference, manifest.records))


def _shift(name: str, now: Spread, before: Spread, max_sigma: float) -> Check:
    sigmas = (now.median - before.median) / max(before.sigma, _SMALLEST)
    return Check(
        name=f"drift of {name}",
        severity="warning",
        passed=abs(sigmas) <= max_sigma,
        observed=f"{name} {sigmas:+.1f} σ",
        expected=f"median within ±{max_sigma:g} σ of the accepted {before.median:.3g}",
    )


def _changes(now: DataSummary, before: DataSummary, records: Iterable[ImageRecord]) -> Check:
    added = Counter(kind for key, kind in now.labels.items() if key not in before.labels)
    removed = sum(key not in now.labels for key in before.labels)
    relabelled = {k for k, kind in now.labels.items() if before.labels.get(k, kind) != kind}
    parts = [f"+{count} {kind}" for kind, count in sorted(added.items())]
    parts += [f"{len(relabelled)} relabelled", f"{removed} removed"]
    return Check(
        name="changed images",
        severity="warning",
        passed=True,
        observed=", ".join(parts),
        expected="for information",
        failing_image_ids=tuple(sorted(relabelled)),
        failing_paths=tuple(sorted(r.image_path for r in records if r.image_id in relabelled)),
    )
