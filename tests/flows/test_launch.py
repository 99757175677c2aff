"""When a finished run answers for the next one."""

import pytest

from components.records import EvaluationReport, Latency, Outcome, RunSummary, Split
from flows.launch import settled


def finished(outcome: Outcome, *, alone: bool) -> RunSummary:
    latency = Latency(
        runtime="onnxruntime",
        hardware="a processor",
        num_threads=1,
        num_runs=60,
        batch=1,
        p50_ms=100,
        p95_ms=300,
        p99_ms=310,
        pre_ms=1,
        post_ms=1,
        alone=alone,
    )
    judged = EvaluationReport(
        candidate="a",
        split=Split.REPORT,
        fingerprint="f",
        data_version="d",
        results=(),
        predictions=(),
        latency=latency,
    )
    return RunSummary(
        run_id="r",
        station="s",
        title="",
        licence="",
        profile="full",
        profile_note="",
        outcome=outcome,
        verdict="",
        evaluations={"winner": judged},
        registered_version="1",
    )


@pytest.mark.parametrize("outcome", [Outcome.PROMOTED, Outcome.KEPT, Outcome.BLOCKED])
def test_a_run_that_was_timed_alone_is_not_asked_again(outcome: Outcome) -> None:
    assert settled(finished(outcome, alone=True))


def test_a_run_blocked_with_a_disturbed_latency_is_asked_again() -> None:
    assert not settled(finished(Outcome.BLOCKED, alone=False))
    assert settled(finished(Outcome.PROMOTED, alone=False))
