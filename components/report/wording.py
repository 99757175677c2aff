"""How figures are written: one place for digits, units, signs and the word ``n/a``."""

from collections.abc import Iterable

from components.records import MetricResult

NOT_DEFINED = "n/a"

_LABELS = {
    "image_auroc": "image AUROC",
    "image_ap": "average precision",
    "image_f1_max": "F1-max",
    "escape_rate": "escape rate (FNR)",
    "overkill_rate": "overkill rate (FPR)",
    "pixel_auroc": "pixel AUROC",
    "pixel_ap": "pixel average precision",
    "aupro": "AUPRO (limit 0.3)",
    "latency_ms": "p95 latency, ms",
    "fit_s": "fit, s",
}
_SHORT = {"image_auroc": "AUROC", "image_ap": "AP", "image_f1_max": "F1-max", "aupro": "AUPRO"}


def label(metric: str) -> str:
    """Return the name of a metric as a person would say it."""
    origin, slash, bare = metric.partition("/")
    if slash:
        return f"{label(bare)} ({origin})"
    if metric.startswith("tpr_at_tnr_"):
        return f"TPR at TNR {metric.removeprefix('tpr_at_tnr_')}"
    return _LABELS.get(metric, metric.replace("_", " "))


def short_label(metric: str) -> str:
    """Return a metric's name for a narrow column."""
    return _SHORT.get(metric, label(metric))


def number(value: float | None, digits: int = 3) -> str:
    """Return a figure with a true minus sign, or ``n/a``."""
    if value is None:
        return NOT_DEFINED
    return f"{value:.{digits}f}".replace("-", "−")


def signed(value: float | None, digits: int = 3) -> str:
    """Return a difference with its sign always written."""
    if value is None:
        return NOT_DEFINED
    return f"{value:+.{digits}f}".replace("-", "−")


def compact(value: float) -> str:
    """Return a raw score or time with three significant digits."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return number(value, digits)


def interval(low: float | None, high: float | None, *, plus: bool = False) -> str:
    """Return ``[low, high]``, or nothing where either end is unknown."""
    if low is None or high is None:
        return ""
    write = signed if plus else number
    return f"[{write(low)}, {write(high)}]"


def with_interval(result: MetricResult | None) -> str:
    """Return a figure and its interval, or ``n/a`` and the note that says why."""
    if result is None:
        return "–"
    if result.value is None:
        return f"{NOT_DEFINED} ({result.note})" if result.note else NOT_DEFINED
    return f"{number(result.value)} {interval(result.ci_low, result.ci_high)}".rstrip()


def in_table(result: MetricResult | None) -> str:
    """Return a figure and its interval for a narrow cell: an undefined one is ``n/a`` alone."""
    if result is not None and result.value is None:
        return NOT_DEFINED
    return with_interval(result)


def why_undefined(results: Iterable[MetricResult | None]) -> tuple[str, ...]:
    """Return one sentence for each undefined figure that has a reason."""
    words = (f"{label(r.name)}: n/a, {r.note}" for r in results if r and r.value is None and r.note)
    return tuple(dict.fromkeys(words))


def spread(mean: float | None, std: float | None) -> str:
    """Return ``mean ± std`` over seeds, or the mean alone where one seed was run."""
    if mean is None or std is None:
        return number(mean)
    return f"{number(mean)} ± {number(std)}"


def percent(share: float | None) -> str:
    """Return a share (0..1) as a percentage; below 10 % with one decimal."""
    if share is None:
        return NOT_DEFINED
    value = 100 * share
    digits = 1 if 0 < value < 9.95 and abs(value - round(value)) >= 0.05 else 0
    return f"{value:.{digits}f} %"


def milliseconds(value: float | None) -> str:
    """Return a time in ms: whole from 10 on, one decimal below."""
    if value is None:
        return NOT_DEFINED
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def duration(seconds: float) -> str:
    """Return a wall time: ``0.8 s``, ``42 s``, ``1:31 min`` or ``2:05 h``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"


def size(num_bytes: int | None) -> str:
    """Return a size in decimal units."""
    if num_bytes is None:
        return NOT_DEFINED
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if num_bytes >= scale:
            return f"{num_bytes / scale:.1f} {unit}"
    return f"{num_bytes} B"


def shorten(text: str, length: int) -> str:
    """Return the text cut in its middle to ``length`` characters, so that both ends can be read."""
    if len(text) <= length:
        return text
    head = (length - 1) // 2
    return f"{text[:head]}…{text[len(text) - (length - 1 - head) :]}"


def listing(items: Iterable[str], most: int) -> str:
    """Return items joined by commas; beyond ``most`` of them, how many were left out."""
    every = list(items)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def plural(count: int, noun: str) -> str:
    """Return ``1 image`` or ``3 images``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
