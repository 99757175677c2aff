"""Synthetic against real: one point a candidate, and the line on which both would agree."""

from typing import Any

from components.records import SyntheticCheck
from components.report.evidence import detector_of
from components.report.plots.canvas import FAINT, NORMAL, draw, series


def agreement(check: SyntheticCheck) -> str:
    """Return the figures of the candidates on synthetic defects against those on real ones."""
    assert check.pairs, "a plot of candidates needs one"
    looks = series([detector_of(name) for name in check.pairs])

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        every = [value for pair in check.pairs.values() for value in pair]
        pad = max(0.08 * (max(every) - min(every)), 0.005)
        ends = (min(every) - pad, max(every) + pad)
        axes.plot(ends, ends, color=FAINT, linewidth=1)
        said: set[str] = set()
        for name, (synthetic, real) in check.pairs.items():
            detector = detector_of(name)
            colour, marker = looks.get(detector, (NORMAL, "o"))
            label = None if detector in said else detector
            said.add(detector)
            axes.plot(synthetic, real, marker, color=colour, markersize=6, label=label, ls="none")
        axes.legend(frameon=False, fontsize=8, loc="best")
        axes.set(
            xlim=ends, ylim=ends, xlabel="on synthetic defects", ylabel="on real defects",
            title=f"{check.metric} of each candidate, tune set",
        )  # fmt: skip

    return draw("agreement", f"synthetic against real, {len(check.pairs)} candidates", 3.4, paint)
