"""The last lines of `defectloop tune`, as plain text."""

from components.records import TrialRecord
from components.report.wording import interval, number, percent, plural, signed
from components.tune.front import best_of
from components.tune.summary import TuneSummary

MOST = 5


def closing_lines(summary: TuneSummary, page: str) -> list[str]:
    """Return the best trials, the gain over the default, what decided it, and what comes next."""
    lines = [*_best(summary), f"BEST     {headline(summary)}"]
    lines += _important(summary)
    lines.append(synthetic_line(summary))
    lines.append(f"Report   {page}")
    lines.append(f"Next     defectloop run {summary.station} --profile {summary.profile}")
    return lines


def headline(summary: TuneSummary) -> str:
    """Return the best trial against the untuned default, in one sentence."""
    best, default = best_of(summary.trials), default_of(summary)
    if best is None:
        return "none: no trial was finished"
    words = f"{best.candidate}  {number(best.objective)}"
    if default is None or default.objective is None or best.objective is None:
        return f"{words} (the default was not measured)"
    if best.number == default.number:
        return f"{words}: the untuned default; nothing tried was better"
    gain = signed(best.objective - default.objective)
    return f"{words}, {gain} over the untuned default on the tune set"


def default_of(summary: TuneSummary) -> TrialRecord | None:
    """Return the trial of the untuned default, or None where it was not measured."""
    return next(
        (t for t in summary.trials if t.candidate == summary.default and t.state == "complete"),
        None,
    )


def synthetic_line(summary: TuneSummary) -> str:
    """Return what synthetic defects are worth here, in one line."""
    check = summary.tuning.synthetic
    if check is None or not check.pairs:
        return "Synthetic against real: not known, the tune set has no real defect"
    found = check.of("spearman")
    words = f"Synthetic against real: Spearman {number(found.value, 2)}"
    return f"{words} {interval(found.ci_low, found.ci_high)}".rstrip() + (
        f" over {plural(found.num_candidates, 'candidate')}"
    )


def _best(summary: TuneSummary) -> list[str]:
    done = [t for t in summary.trials if t.state == "complete" and t.objective is not None]
    done.sort(key=lambda t: (-(t.objective or 0.0), t.number))
    names = summary.tuning.objectives
    rows = [("trial", "candidate", *names)]
    rows += [
        (str(t.number), t.candidate, *(number(t.objectives.get(name)) for name in names))
        for t in done[:MOST]
    ]
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    return [
        (" " + "  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True))).rstrip() for r in rows
    ]


def _important(summary: TuneSummary) -> list[str]:
    shares = list(summary.tuning.importances.items())[:3]
    if not shares:
        return []
    return ["Decided by " + ", ".join(f"{name} {percent(share)}" for name, share in shares)]
