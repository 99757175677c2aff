"""The latency of an exported model, timed once a machine and kept unless something disturbed it."""

from pathlib import Path

from components.identity import fingerprint
from components.latency import LatencyJob, LatencyOutcome
from components.machine import hardware
from components.trial import SetPaths
from flows.ledger import Kept, Ledger
from flows.tasks import latency_task


def time_model(
    ledger: Ledger, sets: SetPaths, candidate: str, folder: Path, model: str, num_runs: int
) -> LatencyOutcome:
    """Return a model's latency on this hardware; ``model`` is its fingerprint."""
    mark = fingerprint("latency", model=model, hardware=hardware())
    found = ledger.find("latency", mark, LatencyOutcome)
    if found is not None and undisturbed(found):
        return found.outcome
    job = LatencyJob(candidate=candidate, folder=folder, sets=sets, num_runs=num_runs)
    outcome = latency_task.submit(job).result()
    ledger.keep(
        "latency",
        f"latency {candidate}",
        mark,
        outcome,
        params={"candidate": candidate},
        metrics={"latency_p95_ms": outcome.repeats[0].p95_ms},
    )
    return outcome


def undisturbed(kept: Kept[LatencyOutcome]) -> bool:
    """Whether nothing else ran meanwhile; a disturbed measurement is made again."""
    return all(latency.alone for latency in kept.outcome.repeats)
