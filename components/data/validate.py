"""Expectations on a manifest: the only module that talks to Great Expectations.

Each expectation belongs to a named check; a check fails when one of its expectations does. The
library's Data Docs page is kept, mended so that it reads offline and never asks the network.
"""

import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.data.drift import STATISTICS, spread_of
from components.data.manifest import table
from components.data.marks import defect_types, marked, mask_problems
from components.data.masks import MaskPolicy
from components.data.suite import Range, Ranges, Severity, Suite
from components.errors import PipelineError
from components.params import validate as build
from components.records import Check, Manifest, ValidationReport

MAX_LISTED = 200  # files named per check; `observed` counts all of them
_ADDRESS = re.compile(
    r"""<script[^>]*\ssrc=["']http[^>]*>\s*</script>|<(?:link|img)[^>]*http[^>]*>"""
)
# Times and random names: DVC wants the same bytes for the same findings.
_MOMENT = re.compile(r"\d{8}T\d{6}\.\d{6}Z|-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_STYLE = """<style>body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto}
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ccc;padding:.3rem .6rem;
text-align:left;vertical-align:top}.modal,.navbar,form,footer{display:none}
.fa-check-circle::before{content:"✓ ";color:#080}.fa-times::before{content:"✗ ";color:#b00}</style>
</head>"""


@dataclass(frozen=True)
class _Expected:
    """One expectation of a check."""

    check: str
    severity: Severity
    words: str
    kind: str  # class name in great_expectations.expectations
    arguments: dict[str, Any]


def validate(
    manifest: Manifest,
    suite: dict[str, Any],
    *,
    masks: MaskPolicy,
    docs_dir: Path | None,
    near_duplicate_bits: int | None = None,
    suite_name: str = "default",
) -> ValidationReport:
    """Run a suite over a split manifest, rejects included.

    Args:
        manifest: after splitting.
        suite: the values of a file of ``params/expectations``.
        masks: the station's word; ``none`` asks nothing of masks.
        docs_dir: where ``index.html`` goes; None for no page.
        near_duplicate_bits: as the split's; None leaves near-duplicates out.
        suite_name: named in the report.

    Raises:
        ParamsError: an unknown key or a bad value in the suite.
        PipelineError: an expectation could not be evaluated.
    """
    rules = build(Suite, suite, f"expectations {suite_name}")
    frame = marked(manifest, table(manifest), near_duplicate_bits)
    asked = () if masks == "none" else mask_problems(manifest)
    expected = list(_expectations(rules, frame, asked, masks, near_duplicate_bits is not None))
    outcome = _run(frame, expected, suite_name)
    if docs_dir is not None:
        _write_docs(outcome, docs_dir, manifest.station)
    ids = dict(zip(frame["image_path"], frame["image_id"], strict=True))
    return ValidationReport(
        station=manifest.station,
        suite=suite_name,
        checks=tuple(_checks(expected, outcome.results, ids)),
        num_rows=len(frame),
    )


# --- what is expected ---------------------------------------------------------------------------


def _expectations(
    rules: Suite,
    frame: Any,
    asked: tuple[str, ...],
    masks: MaskPolicy,
    with_near_duplicates: bool,
) -> Iterator[_Expected]:
    yield from _on_files(rules)
    yield from _on_pixels(rules, frame)
    yield from _on_counts(rules, frame)
    yield from _on_masks(rules, asked, masks)
    yield from _on_ranges(rules.ranges, frame)
    yield from _on_leakage(rules, with_near_duplicates)


def _never(check: str, severity: Severity, words: str, column: str, *values: str) -> _Expected:
    arguments = {"column": column, "value_set": list(values)}
    return _Expected(check, severity, words, "ExpectColumnValuesToNotBeInSet", arguments)


def _between(
    check: str, severity: Severity, words: str, column: str, *, low: float, high: float
) -> _Expected:
    arguments = {"column": column, "min_value": low, "max_value": high}
    return _Expected(check, severity, words, "ExpectColumnValuesToBeBetween", arguments)


def _at_least(check: str, severity: Severity, column: str, least: int) -> _Expected:
    arguments = {"column": column, "min_value": least}
    return _Expected(check, severity, f"≥ {least}", "ExpectColumnSumToBeBetween", arguments)


def _on_files(rules: Suite) -> Iterator[_Expected]:
    words = "the same bytes never in two splits or under two labels"
    yield _never(
        "unique across splits and labels",
        rules.duplicates.across,
        words,
        "duplicate",
        "split",
        "label",
    )
    yield _never(
        "unique content", rules.duplicates.within, "no file twice in a split", "duplicate", "same"
    )
    decodable = {"column": "reject_code", "value_set": [""]}
    kind, most = "ExpectColumnValuesToBeInSet", rules.decodable.max_rejected_share
    yield _Expected("decodable", "warning", "no file set aside", kind, decodable)
    yield _Expected(
        "rejected share",
        "critical",
        f"≤ {most:.1%} of files set aside",
        kind,
        decodable | {"mostly": 1 - most},
    )


def _on_pixels(rules: Suite, frame: Any) -> Iterator[_Expected]:
    size = rules.size
    words = f"{size.min_px} to {size.max_px} px"
    for column in ("height_px", "width_px"):
        yield _between("size", size.severity, words, column, low=size.min_px, high=size.max_px)
    for column, rule in (("channels", rules.channels), ("bit_depth", rules.bit_depth)):
        usual = [int(value) for value in frame[column].mode()[:1]]
        words = f"all {usual[0]}" if usual else "uniform"
        arguments = {"column": column, "value_set": usual}
        kind = "ExpectColumnValuesToBeInSet"
        yield _Expected(column.replace("_", " "), rule.severity, words, kind, arguments)


def _on_counts(rules: Suite, frame: Any) -> Iterator[_Expected]:
    least = rules.counts
    needed = {
        "fit normal": least.min_fit_normal,
        "tune normal": least.min_tune_normal,
        "report normal": least.min_report_normal,
        "report anomalous": least.min_report_anomalous,
    }
    for name, number in needed.items():
        yield _at_least(f"number of {name}", least.severity, f"num {name}", number)
    none = {"column": "num fit anomalous", "max_value": 0}
    yield _Expected(
        "fit is normal only", "critical", "0 anomalous", "ExpectColumnSumToBeBetween", none
    )
    for defect_type in defect_types(frame):
        column = f"num {defect_type}"
        frame[column] = (frame["defect_type"] == defect_type).astype(int)
        yield _at_least(f"number of {defect_type}", "warning", column, least.min_per_defect_type)


def _on_masks(rules: Suite, asked: tuple[str, ...], policy: MaskPolicy) -> Iterator[_Expected]:
    severity = rules.masks.required if policy == "required" else rules.masks.optional
    words = {
        "missing": "every anomalous image has a mask",
        "double": "one mask an image and defect type",
        "size": "the image's size",
        "not_binary": "two values",
        "empty": "at least one pixel",
        "unknown_value": "a value of defects_config.json",
    }
    for problem in asked:
        name = f"masks: {problem.replace('_', ' ')}"
        yield _never(name, severity, words[problem], f"mask_{problem}", "yes")


def _on_ranges(ranges: Ranges, frame: Any) -> Iterator[_Expected]:
    yield _never("measured", "critical", "every image has statistics", "unmeasured", "yes")
    fit = frame[frame["num fit normal"] == 1]
    for name in STATISTICS:
        known = fit[name].dropna()
        declared: Range | None = getattr(ranges, name)
        if declared is None and known.empty:
            continue
        span = declared or _learned(known, ranges)
        source = "declared" if declared else "learned from the fit set"
        words = f"{span.low:.3g} to {span.high:.3g} ({source})"
        yield _between(name, ranges.severity, words, name, low=span.low, high=span.high)


def _learned(values: Any, ranges: Ranges) -> Range:
    spread = spread_of(values)
    reach = max(ranges.deviations * spread.sigma, ranges.min_share * abs(spread.median))
    return Range(low=max(0.0, spread.median - reach), high=spread.median + reach)


def _on_leakage(rules: Suite, with_near_duplicates: bool) -> Iterator[_Expected]:
    severity = rules.leakage.severity
    yield _never("parts across splits", severity, "a part in one split", "part", "split")
    if with_near_duplicates:
        words = "pictures of one exposure in one split"
        yield _never("near-duplicates across splits", severity, words, "near_duplicate", "split")
        yield _never(
            "near-duplicates",
            rules.leakage.near_duplicates_within,
            "none",
            "near_duplicate",
            "same",
        )


# --- Great Expectations -------------------------------------------------------------------------


def _run(frame: Any, expected: list[_Expected], name: str) -> Any:
    """Evaluate all expectations on one batch; results come in the order of ``expected``."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx
    import great_expectations.expectations as kinds
    from great_expectations.data_context.types.base import ProgressBarsConfig

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    suite = gx.ExpectationSuite(
        name=name,
        expectations=[
            getattr(kinds, e.kind)(**e.arguments, meta={"order": i, "check": e.check})
            for i, e in enumerate(expected)
        ],
    )
    asset = context.data_sources.add_pandas("manifest").add_dataframe_asset("files")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    outcome = batch.validate(
        suite,
        result_format={
            "result_format": "COMPLETE",
            "unexpected_index_column_names": ["image_path"],
            "return_unexpected_index_query": False,
        },
    )
    outcome.results.sort(key=lambda result: result.expectation_config.meta["order"])
    return outcome


def _checks(
    expected: list[_Expected], results: list[Any], ids: dict[str, str | None]
) -> Iterator[Check]:
    """Gather expectations of one name, which stand together, into checks."""
    gathered: dict[str, list[tuple[_Expected, Any]]] = {}
    for expectation, result in zip(expected, results, strict=True):
        problem = _exception(result)
        if problem:
            raise PipelineError(
                "E117", f"Check {expectation.check!r}: {problem}", "Mend the suite."
            )
        gathered.setdefault(expectation.check, []).append((expectation, result))
    for name, members in gathered.items():
        failed = [result for _, result in members if not result.success]
        paths = sorted({row["image_path"] for r in failed for row in _rows(r)})
        yield Check(
            name=name,
            severity=members[0][0].severity,
            passed=not failed,
            observed=_observed(members[0][1], len(paths)),
            expected=members[0][0].words,
            failing_paths=tuple(paths[:MAX_LISTED]),
            failing_image_ids=tuple(i for p in paths[:MAX_LISTED] if isinstance(i := ids[p], str)),
        )


def _rows(result: Any) -> list[dict[str, Any]]:
    return result.result.get("unexpected_index_list") or []


def _observed(result: Any, num_failing: int) -> str:
    if "observed_value" in result.result:
        return f"{result.result['observed_value']:g}"
    return f"{num_failing} of {result.result['element_count']} files differ"


def _exception(result: Any) -> str:
    """Return the message of an expectation that could not be evaluated, "" for none."""
    info = result.exception_info
    nested = [info, *(v for v in info.values() if isinstance(v, dict))]
    return next((str(i["exception_message"]) for i in nested if i.get("raised_exception")), "")


def _write_docs(outcome: Any, folder: Path, station: str) -> None:
    """Render the library's page of results without anything from the network."""
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    page = DefaultJinjaPageView().render(ValidationResultsPageRenderer().render(outcome))
    page = _MOMENT.sub("", _ADDRESS.sub("", page)).replace("</head>", _STYLE)
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / ".index.html.part"
    part.write_text(page.replace("<title>", f"<title>{station}: ", 1), encoding="utf-8")
    part.replace(folder / "index.html")
