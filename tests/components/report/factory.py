"""Realistic run summaries, drawn from seeded numbers; pictures are made where a folder is given."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from components.records import (
    Case,
    Check,
    Comparison,
    Gate,
    Outcome,
    Reject,
    RunSummary,
    StepTiming,
    ValidationReport,
)
from components.report.gallery import save_case
from tests.components.report.measured import (
    RUNNER_UP,
    THRESHOLD,
    TYPES,
    WINNER,
    candidates,
    decision,
    evaluation,
    image_id,
    stress,
    trials,
)

STARTED = datetime(2026, 11, 21, 21, 40)
NOTE = "quick profile: a stratified subset of the images (fit ≤ 160, tune ≤ 160, report ≤ 240)"


def validation() -> ValidationReport:
    """Return fourteen checks with one warning."""
    names = (
        "unique_content sizes channels bit_depth decodable counts_per_split counts_per_type "
        "masks brightness contrast sharpness no_leak_by_hash no_leak_by_group"
    )
    passed = tuple(
        Check(name=n, severity="critical", passed=True, observed="ok", expected="ok")
        for n in names.split()
    )
    near = Check(
        name="near_duplicates",
        severity="warning",
        passed=False,
        observed="2 pairs, each kept in one split",
        expected="0 pairs",
        failing_paths=("images/cell0412.png", "images/cell0413.png"),
    )
    return ValidationReport(station="elpv", suite="default", checks=(*passed, near), num_rows=901)


def picture(seed: int, *, defect: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a made-up solar cell (uint8 HxW), its anomaly map and its mask."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:300, 0:300]
    cell = 150 + 20 * np.sin(columns / 17) + rng.normal(0, 5, (300, 300))
    cell[:, (95, 96, 97, 202, 203, 204)] = 60
    y, x = rng.integers(70, 230, 2)
    near = np.hypot(rows - y, (columns - x) / 3)
    if defect:
        cell[np.abs(rows - y - 0.4 * (columns - x)) < 3 * (near < 40)] -= 70
    heat = 20 + 26 * np.exp(-(near**2) / 500) + rng.normal(0, 0.4, (300, 300))
    return np.clip(cell, 0, 255).astype(np.uint8), heat.astype(np.float32), near < 16


def cases(run_dir: Path | None, kind: str, *, masks: bool) -> tuple[Case, ...]:
    """Return three misses or false alarms, worst first."""
    found = []
    for rank in range(3):
        image, heat, mask = picture(10 * rank + (kind == "miss"), defect=kind == "miss")
        paths = ("", "", "")
        if run_dir is not None:
            shown = mask if masks and kind == "miss" else None
            paths = save_case(run_dir, image, heat, shown, f"{kind}_{rank}", 38.2)
        distance = (-6.1 + rank) if kind == "miss" else (3.3 - rank)
        number = 60 + rank if kind == "miss" else rank
        found.append(
            Case(
                image_id=image_id(number),
                image_path=f"images/cell{number:04d}.png",
                defect_type=TYPES[rank] if kind == "miss" else "good",
                pred_score=THRESHOLD + distance,
                distance=distance,
                image_png=paths[0],
                map_png=paths[1],
                mask_png=paths[2],
            )
        )
    return tuple(found)


def steps() -> tuple[StepTiming, ...]:
    """Return the eight steps of a run, two of them reused."""
    rows = (
        ("ingest", 1.2, "588 normal · 313 anomalous"),
        ("validate", 0.6, "14 checks · 1 warning"),
        ("synthesize", 4.1, "120 defects on the part"),
        ("tune", 91.0, "9 trials · 1 failed"),
        ("train", 48.0, "3 candidates × 3 seeds"),
        ("evaluate", 12.4, "60 normal, 60 anomalous, read once"),
        ("select", 0.3, "knee = patchcore/lite0"),
        ("register", 2.2, "elpv v1 → champion"),
    )
    return tuple(
        StepTiming(
            step=step,
            started=STARTED + timedelta(seconds=20 * n),
            wall_s=wall_s,
            reused=step in {"ingest", "validate"},
            line=line,
        )
        for n, (step, wall_s, line) in enumerate(rows)
    )


def run_summary(run_dir: Path | None = None, *, masks: bool = True, **changes: Any) -> RunSummary:
    """Return a promoted run in its full breadth; ``changes`` replace fields of the summary."""
    values: dict[str, Any] = {
        "run_id": "20261121-2140-elpv",
        "station": "elpv",
        "title": "Solar cells, electroluminescence (ELPV, mono)",
        "licence": "CC BY-NC-SA 4.0 (elpv-dataset; not for commercial use)",
        "profile": "quick",
        "profile_note": NOTE,
        "outcome": Outcome.PROMOTED,
        "verdict": f"PROMOTED, WITH 1 CAUTION: {WINNER} is champion v2.",
        "cautions": ("defocus ≥ 3 raises overkill from 4 % to 31 %",),
        "gates": gates(),
        "comparison": comparison(),
        "counts": {
            "fit": {"good": 160},
            "tune": {"good": 80, **dict.fromkeys(TYPES, 20)},
            "report": {"good": 60, **dict.fromkeys(TYPES, 15)},
        },
        "rejects": (
            Reject(
                image_path="images/cell9999.png", code="truncated", reason="ends after 812 bytes"
            ),
        ),
        "data_notes": ("+24 normal, +3 crack since the last run; 1 relabelled, 0 removed",),
        "validation": validation(),
        "trials": trials(),
        "candidates": candidates(),
        "floors": {
            "random weights": {"image_auroc": 0.71, "image_ap": 0.74},
            "mean brightness": {"image_auroc": 0.58, "image_ap": None},
        },
        "decision": decision(),
        "evaluations": {
            "winner": evaluation(WINNER, 1, masks=masks),
            "runner_up": evaluation(RUNNER_UP, 2, masks=masks),
            "champion": evaluation("patchcore/lite0·256·σ0·c0.01", 3, masks=masks),
        },
        "evaluated_names": {
            "winner": WINNER,
            "runner_up": RUNNER_UP,
            "champion": "patchcore/lite0·256·σ0·c0.01",
        },
        "report_floors": {
            "random weights": {"image_auroc": 0.71},
            "mean brightness": {"image_auroc": 0.58},
        },
        "misses": cases(run_dir, "miss", masks=masks),
        "false_alarms": cases(run_dir, "alarm", masks=masks),
        "stress": stress(),
        "steps": steps(),
        "lineage": {
            "git_sha": "66cd5a2" + "0" * 33,
            "params_fingerprint": "ab" * 32,
            "lock_sha256": "cd" * 32,
            "data.prepare": "7a42489d" * 4,
            "weights_sha256": "5793" * 16,
            "model_uri": "models:/elpv/2",
        },
        "reproduce": "git checkout 66cd5a2 && dvc pull && defectloop run elpv --profile quick",
        "registered_version": "2",
        "champion_version": "2",
        "limits_of_evidence": ("A plant's own bad light is not in the stress curves.",),
        "peak_bytes": 3_100_000_000,
        "wall_s": 171.0,
    }
    return RunSummary(**(values | changes))


def gates() -> tuple[Gate, ...]:
    """Return gates that all hold."""
    return (
        Gate(
            rule="image_auroc within its limit",
            limit=">= 0.7",
            measured="0.979",
            interval="[0.959, 0.991]",
            passed=True,
        ),
        Gate(rule="latency_ms within its limit", limit="<= 200", measured="14.200", passed=True),
        Gate(
            rule="exported model equals torch",
            limit="<= 0.001 relative",
            measured="1.1e-06 on 24 images",
            passed=True,
        ),
        Gate(
            rule="image AUROC beats the floors",
            limit="> 0.710 (random weights)",
            measured="0.979",
            interval="[0.959, 0.991]",
            passed=True,
        ),
    )


def comparison() -> tuple[Comparison, ...]:
    """Return a gain outside the noise, with one image fixed and one newly missed."""
    return (
        Comparison(
            metric="image_auroc",
            champion=0.956,
            challenger=0.979,
            delta=0.023,
            ci_low=0.004,
            ci_high=0.035,
        ),
        Comparison(
            metric="escape_rate",
            champion=0.217,
            challenger=0.167,
            delta=-0.05,
            ci_low=-0.117,
            ci_high=0.017,
            fixed=(image_id(70),),
            newly_missed=(image_id(60),),
        ),
    )


def first_model(run_dir: Path | None = None) -> RunSummary:
    """Return a promoted run of a station that had no champion."""
    reports = run_summary(run_dir).evaluations
    return run_summary(
        run_dir,
        comparison=(),
        evaluations={k: v for k, v in reports.items() if k != "champion"},
        verdict=f"PROMOTED, WITH 1 CAUTION: {WINNER} is champion v1.",
        registered_version="1",
        champion_version="1",
    )


def kept(run_dir: Path | None = None) -> RunSummary:
    """Return a run whose shortlist lies within the noise of the champion."""
    shortlisted = decision(
        winner=None, shortlist=(WINNER, RUNNER_UP), knee=False, stability={WINNER: 0.52}
    )
    return run_summary(
        run_dir,
        outcome=Outcome.KEPT,
        decision=shortlisted,
        verdict="KEEP v1. Selection gave a shortlist, not a winner.",
        registered_version=None,
        champion_version="1",
    )


def blocked(run_dir: Path | None = None) -> RunSummary:
    """Return a run whose challenger is too slow."""
    slow = Gate(rule="latency_ms within its limit", limit="<= 10", measured="14.200", passed=False)
    return run_summary(
        run_dir,
        outcome=Outcome.BLOCKED,
        gates=(gates()[0], slow),
        verdict="BLOCKED: latency_ms within its limit (14.200, limit <= 10). v1 stays champion.",
        registered_version=None,
        champion_version="1",
    )


def bad_data() -> RunSummary:
    """Return a run that validation stopped: nearly every part of it is empty."""
    failed = Check(
        name="masks_present",
        severity="critical",
        passed=False,
        observed="3 of 57 missing",
        expected="0 missing",
        failing_paths=("test/crack/7.png", "test/crack/9.png", "test/crack/12.png"),
    )
    return RunSummary(
        run_id="20261121-2145-part_a",
        station="part_a",
        title="Part A",
        licence="",
        profile="full",
        profile_note="",
        outcome=Outcome.BAD_DATA,
        verdict="STOPPED: 1 critical data check(s) failed: masks_present",
        validation=ValidationReport(
            station="part_a", suite="default", checks=(failed,), num_rows=57
        ),
        wall_s=2.3,
    )


def no_masks(run_dir: Path | None = None) -> RunSummary:
    """Return a promoted run of a station without masks."""
    return run_summary(run_dir, masks=False)
