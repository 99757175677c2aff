"""Register a judged model and move the ``champion`` alias, leaving a chained record."""

import json
from datetime import UTC, datetime
from pathlib import Path

from components.params import digest_of
from components.records import PromotionRecord, SelectionDecision
from components.stores.tracked import Registered
from components.stores.tracking import Tracking
from flows.settings import Settings


def register_version(
    tracking: Tracking, station: str, model_dir: Path, run_id: str, tags: dict[str, str]
) -> str:
    """Register the model folder; the same model fingerprint is never registered twice."""
    return tracking.register(station, model_dir, run_id, tags)


def fetch_champion(
    settings: Settings, tracking: Tracking, station: str
) -> tuple[Registered, Path] | None:
    """Return the reigning version with its model folder, or None before the first."""
    champion = tracking.champion(station)
    if champion is None:
        return None
    folder = settings.state / "champions" / f"{station}-v{champion.version}"
    return champion, tracking.download(station, champion.version, folder)


def promote(
    settings: Settings,
    tracking: Tracking,
    station: str,
    version: str,
    *,
    current: str | None,
    decision: SelectionDecision,
    why: str,
) -> PromotionRecord:
    """Move ``champion`` to a version, provided it still stands where the gate saw it.

    The record is written before the alias moves: a move without a record cannot happen, and a
    record without its move is completed by the next run.
    """
    log = settings.state / "promotions" / f"{station}.jsonl"
    history = read_promotions(log)
    record = PromotionRecord(
        station=station,
        from_version=current,
        to_version=version,
        by=settings.user,
        when=datetime.now(UTC),
        why=why,
        decision_digest=decision.digest,
        previous_record_digest=record_digest(history[-1]) if history else "",
    )
    if history and _same_move(history[-1], record):
        record = history[-1]  # a killed run wrote it and did not come to move the alias
    else:
        _append(log, history, record)
    tags = {"promotion_record": record_digest(record), "promoted_by": settings.user}
    tracking.set_champion(station, version, expected_current=current, tags=tags)
    return record


def read_promotions(log: Path) -> list[PromotionRecord]:
    """Read the chain of promotions, oldest first."""
    if not log.is_file():
        return []
    lines = log.read_text(encoding="utf-8").splitlines()
    return [PromotionRecord.model_validate_json(line) for line in lines if line.strip()]


def record_digest(record: PromotionRecord) -> str:
    """Return the sha256 of a promotion record."""
    return digest_of(json.loads(record.model_dump_json()))


def chain_holds(history: list[PromotionRecord]) -> bool:
    """Whether every record names the digest of the one before it."""
    expected = ""
    for record in history:
        if record.previous_record_digest != expected:
            return False
        expected = record_digest(record)
    return True


def _same_move(one: PromotionRecord, other: PromotionRecord) -> bool:
    fields = ("from_version", "to_version", "decision_digest")
    return all(getattr(one, field) == getattr(other, field) for field in fields)


def _append(log: Path, history: list[PromotionRecord], record: PromotionRecord) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    part = log.with_suffix(".part")
    text = "".join(r.model_dump_json() + "\n" for r in [*history, record])
    part.write_text(text, encoding="utf-8")
    part.replace(log)
