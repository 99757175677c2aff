"""How well the model judges: scores, curves, recall by type, real and synthetic apart."""

from components.records import EvaluationReport, MetricResult, Prediction, RunSummary
from components.report.blocks import Block, Cell, Heading, Plot, Section, Table, Text, absent, row
from components.report.evidence import (
    Calls,
    calls,
    evaluated,
    headline,
    is_synthetic,
    over_seeds,
    real,
    recalls,
    type_of,
)
from components.report.plots.curves import recall_by_type, roc_and_pr
from components.report.plots.scores import scores_by_type
from components.report.wording import (
    compact,
    in_table,
    label,
    listing,
    percent,
    plural,
    spread,
    why_undefined,
    with_interval,
)

MOST_TYPES = 20


def scores(summary: RunSummary) -> Section:
    """Return the scores of the first evaluated model, its threshold and what it let through."""
    judged = evaluated(summary)
    if not judged or not judged[0][2].predictions:
        blocks: tuple[Block, ...] = (absent("No scores: no model was judged on the report set."),)
    else:
        blocks = tuple(_scores(judged[0][1], judged[0][2]))
    return Section("scores", "Scores by defect type", blocks, summary.profile_note)


def _scores(name: str, report: EvaluationReport) -> list[Block]:
    calibration = report.calibration
    if calibration is None:
        return [absent(f"No plot: {name} has no threshold to set its scores against.")]
    came_from = (
        f"The threshold is {compact(calibration.image_threshold)} in raw score units, set by the "
        f"rule “{calibration.rule}” on {plural(calibration.num_scores, 'score')} of the "
        f"{calibration.split} set"
    )
    if calibration.cross_fit_folds:
        came_from += f", cross-fitted in {calibration.cross_fit_folds} folds"
    blocks: list[Block] = [Text(f"{came_from}. No image of the report set had a say in it.")]
    seen = calls(report)
    if seen:
        blocks.append(Text(_counted(seen)))
    if calibration.transfer:
        moved = [f"{k.replace('_', ' ')} {compact(v)}" for k, v in calibration.transfer.items()]
        blocks.append(absent(f"From cross-fit to the refitted model: {listing(moved, 8)}."))
    blocks += _declared(report)
    svg = scores_by_type(report.predictions, calibration.image_threshold)
    blocks.append(Plot(svg, f"Raw scores of {name}. Outlined dots are on the wrong side."))
    return blocks


def _declared(report: EvaluationReport) -> list[Block]:
    """Return both rates at every declared false-positive rate, where they were measured."""
    assert report.calibration is not None, "rates are of a threshold"
    rows = []
    for fpr, threshold in report.calibration.by_fpr.items():
        where = {"origin": "real", "declared_fpr": fpr}
        rates = [report.figure(name, **where) for name in ("escape_rate", "overkill_rate")]
        if not any(rates):
            continue
        force = float(fpr) == report.calibration.fpr
        mark = Cell("in force" if force else "", "quiet")
        rows.append(row(fpr, compact(threshold), *(_rate(r) for r in rates), mark))
    if not rows:
        return []
    head = ("declared overkill", "threshold", "escapes", "overkill", "")
    return [Table(head, "rrrrl", tuple(rows))]


def _rate(result: MetricResult | None) -> str:
    if result is None or result.value is None:
        return in_table(result)
    if result.ci_low is None or result.ci_high is None:
        return percent(result.value)
    return f"{percent(result.value)} [{percent(result.ci_low)}, {percent(result.ci_high)}]"


def _counted(seen: Calls) -> str:
    parts = []
    for wrong, among, words in (
        (seen.escapes, seen.num_anomalous, "anomalous images escape"),
        (seen.overkill, seen.num_normal, "normal images are overkill"),
    ):
        share = f" ({percent(wrong / among)})" if among else ""
        parts.append(f"{wrong} of {among} {words}{share}")
    return "; ".join(parts) + "."


def curves(summary: RunSummary) -> Section:
    """Return ROC and PR with the operating point, figures by model, and recall by type."""
    judged = evaluated(summary)
    if not judged:
        blocks: list[Block] = [absent("No curves: no model was judged on the report set.")]
    else:
        blocks = [_curves(summary), *_figures(summary), *_recalls(judged[0][2])]
        blocks += [Heading("Real and synthetic apart"), _apart(summary)]
    return Section("curves", "ROC, precision and recall", tuple(blocks), summary.profile_note)


def _curves(summary: RunSummary) -> Block:
    models: dict[str, tuple[Prediction, ...]] = {}
    for role, name, report in evaluated(summary):
        predictions = real(report)
        if len({p.gt_label for p in predictions}) == 2:
            models[f"{name} ({role})"] = predictions
    if not models:
        return absent("No curves: the report set holds images of one class only (E114).")
    first = evaluated(summary)[0][2]
    leads = real(first) in models.values()
    calibration = first.calibration if leads else None
    svg = roc_and_pr(models, calibration.image_threshold if calibration else None)
    return Plot(svg, "Real images of the report set. The dot is the threshold in force.")


def _figures(summary: RunSummary) -> list[Block]:
    judged = evaluated(summary)
    names = dict.fromkeys(
        r.name
        for _, _, report in judged
        for r in report.results
        if r.name != "recall" and set(r.slice) <= {"origin"} and not is_synthetic(r)
    )
    rows = tuple(
        row(label(n), *(in_table(headline(report, n)) for _, _, report in judged)) for n in names
    )
    if not rows:
        return [absent("No figures were recorded for these models.")]
    head = (f"figure [{percent(summary.confidence)} interval]", *(role for role, _, _ in judged))
    undefined = why_undefined(headline(report, n) for n in names for _, _, report in judged)
    return [Table(head, "l" + "r" * len(judged), rows), *(absent(words) for words in undefined)]


def _recalls(report: EvaluationReport) -> list[Block]:
    found = recalls(report)
    if not found:
        return [Heading("Recall by defect type"), absent("None was measured for this model.")]
    shown = found[:MOST_TYPES]
    words = "Share of each type that is called anomalous, with its interval and number of images."
    if any(is_synthetic(r) for r in shown):
        words += " Hollow dots are synthetic defects."
    blocks: list[Block] = [Heading("Recall by defect type"), Plot(recall_by_type(shown), words)]
    if len(found) > MOST_TYPES:
        blocks.append(absent(f"… and {len(found) - MOST_TYPES} more types in summary.json."))
    undefined = [f"{type_of(r)}: n/a ({r.note})" for r in found if r.value is None]
    if undefined:
        blocks.append(absent(listing(undefined, 8) + "."))
    return blocks


def _apart(summary: RunSummary) -> Block:
    """Set real against synthetic: on the report set, or where that is all real, on the tune set."""
    _, name, report = evaluated(summary)[0]
    synthetic = {r.name: r for r in report.results if r.slice == {"origin": "synthetic"}}
    if synthetic:
        rows = tuple(
            row(label(metric), _with_count(headline(report, metric)), _with_count(result))
            for metric, result in synthetic.items()
        )
        return Table(("report set", "real", "synthetic"), "lrr", rows)
    candidate = next((c for c in summary.candidates if c.candidate == name), None)
    if candidate is None or not any(m.startswith("synthetic/") for m in candidate.metrics):
        return absent("All figures above are of real images; none was measured on synthetic ones.")
    metrics = [m.removeprefix("synthetic/") for m in candidate.metrics if "synthetic/" in m]
    rows = tuple(
        row(label(m), *(spread(*over_seeds(candidate, f"{o}/{m}")) for o in ("real", "synthetic")))
        for m in metrics
    )
    return Table(("tune set, over seeds", "real", "synthetic"), "lrr", rows)


def _with_count(result: MetricResult | None) -> str:
    count = f" · n {result.num_images}" if result else ""
    return with_interval(result) + count
