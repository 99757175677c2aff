"""The cycle: ingest, validate, synthesize, tune, train, select, evaluate, register.

Read top to bottom, this file is the order of the work; what each step does is in ``components``.
"""

import shutil
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from components.evaluate import single_statistic_floor
from components.identity import environment_versions, file_sha256
from components.records import (
    CandidateResult,
    Outcome,
    RunSummary,
    SelectionDecision,
    Split,
    TrialRecord,
    TuningEvidence,
)
from components.report.page import render
from components.select import select
from components.station import StationConfig, StudySize
from components.stores.tracking import Tracking
from components.stores.versions import git_sha
from flows import study as study_steps
from flows.compute import open_pool
from flows.console import StepBoard
from flows.evidence import tune_and_learn
from flows.identity import cycle_fingerprint
from flows.judgement import Judgement, judge_models
from flows.ledger import Ledger
from flows.materials import (
    CriticalFindingsError,
    Materials,
    compared_with_champion,
    prepare_materials,
)
from flows.named_flow import run_as_flow
from flows.promotion import promote, register_version
from flows.settings import Settings
from flows.study import Study
from flows.summary import bad_data_summary, closing_summary
from flows.tuning import open_tuner

NUM_STEPS = 8


@dataclass
class CycleRun:
    """One run of one station: what it was asked, and what it has found so far."""

    settings: Settings
    config: StationConfig
    profile: Literal["quick", "full"]
    command: str
    board: StepBoard
    tracking: Tracking
    run_id: str
    run_dir: Path
    started: datetime
    clock: float = field(default_factory=time.perf_counter)
    experiment_run: str = ""
    materials: Materials | None = None
    trials: tuple[TrialRecord, ...] = ()
    tuning: TuningEvidence | None = None
    candidates: tuple[CandidateResult, ...] = ()
    floors: dict[str, dict[str, float | None]] = field(default_factory=dict)
    decision: SelectionDecision | None = None
    judgement: Judgement | None = None
    registered: str | None = None
    champion: str | None = None

    @property
    def name(self) -> str:
        """The station's name, which is also the experiment's and the registered model's."""
        return self.config.station.name

    @property
    def size(self) -> StudySize:
        """The declared size of the study under this profile."""
        return self.config.station.profiles[self.profile]

    @property
    def ready(self) -> Materials:
        """The materials, once they are there."""
        assert self.materials is not None
        return self.materials

    @property
    def decided(self) -> SelectionDecision:
        """The decision, once it is made."""
        assert self.decision is not None
        return self.decision


def run_cycle(run: CycleRun) -> RunSummary:
    """Run the whole cycle as one Prefect flow; every ending leaves a summary and a report."""
    with open_pool(run.settings) as pool:
        pool.warm_up()
        run_name = f"{run.name} {run.run_id}"
        return run_as_flow("cycle", run_name, run.settings.workers, _cycle, run)


def _cycle(run: CycleRun) -> RunSummary:
    try:
        run.materials = prepare_materials(run.settings, run.config.station, run.board)
    except CriticalFindingsError as findings:
        return _finish(run, bad_data_summary(run, findings.report, findings.ingested))
    run.materials = compared_with_champion(run.materials, run.settings, run.tracking)
    run.experiment_run = run.tracking.open_cycle(
        run.name, run.run_id, tags=_tags(run), params={"profile": run.profile}
    )
    ledger = Ledger(
        run.tracking,
        run.name,
        run.experiment_run,
        run.settings.state / "work",
        run.ready.versions["prepare"],
    )
    try:
        study = _study(run, ledger)
        _tune(run, study)
        _train(run, study)
        _select(run)
        run.judgement = judge_models(run, ledger, study)
        summary = _register(run)
    except BaseException:
        run.tracking.close_cycle(run.experiment_run, "FAILED", {}, {}, None)
        raise
    return _finish(run, summary)


def _study(run: CycleRun, ledger: Ledger) -> Study:
    return Study(
        config=run.config,
        size=run.size,
        ledger=ledger,
        sets=run.ready.sets,
        data_hashes=run.ready.hashes,
        weight_folders=run.settings.weight_folders,
    )


def _tune(run: CycleRun, study: Study) -> None:
    with run.board.step("tune") as step:
        tuner = open_tuner(run.settings, run.config, run.size, run.ready.hashes)
        step.reused = tuner.finished >= run.size.num_trials
        run.trials, run.tuning = tune_and_learn(run.settings, study, tuner, step)


def _train(run: CycleRun, study: Study) -> None:
    with run.board.step("train") as step:
        study_steps.train(study, step)
        tune_records = run.ready.prepared.of(Split.TUNE)
        statistic = single_statistic_floor(
            tune_records
            if any(r.gt_label for r in tune_records)
            else (*tune_records, *run.ready.synthetic.records)
        )
        values = [f["image_auroc"] for f in statistic.values() if f["image_auroc"] is not None]
        best = max(values, default=None)
        run.floors = {
            **{f"random weights ({kind})": k.outcome.metrics for kind, k in study.floors.items()},
            **{f"mean {name} alone": dict(figures) for name, figures in statistic.items()},
        }
        run.candidates = study_steps.candidates(study, {"image_auroc": best})


def _select(run: CycleRun) -> None:
    with run.board.step("select") as step:
        run.decision = select(run.candidates, run.config.selection, seed=0)
        run.decision.save(run.run_dir / "decision.json")
        named = run.decision.first
        chosen = next((c for c in run.candidates if c.candidate == named), None)
        if chosen is not None and run.tuning is not None:
            noise = {"chosen_noise": chosen.params["input_noise"]}
            run.tuning = run.tuning.model_copy(update=noise)
        share = run.decision.stability.get(named, 0.0) if named else 0.0
        what = "knee" if run.decision.knee else run.decision.method
        kind = "winner" if run.decision.winner else "first of a shortlist"
        step.line = (
            f"{what}: {named} · {kind} · picked in {share:.0%} of resamples"
            if named
            else "no candidate is eligible"
        )


def _register(run: CycleRun) -> RunSummary:
    """Register the judged model and let the gate decide whether ``champion`` moves."""
    judged = run.judgement
    with run.board.step("register") as step:
        if judged is None or judged.winner_folder is None:
            step.line = "nothing to register"
            return closing_summary(run, Outcome.BLOCKED)
        run.champion = judged.champion_version
        run.registered = register_version(
            run.tracking,
            run.name,
            judged.winner_folder,
            judged.winner_run_id,
            _tags(run)
            | {
                "model_fingerprint": judged.winner_fingerprint,
                "decision_digest": run.decided.digest,
                "weights_sha256": judged.weights_sha256,
                "selection": "winner" if run.decided.winner else "first of a shortlist",
                "outcome": judged.outcome.value,
                "profile": run.profile,
            },
        )
        if judged.outcome is Outcome.PROMOTED:
            promote(
                run.settings,
                run.tracking,
                run.name,
                run.registered,
                current=judged.champion_version,
                decision=run.decided,
                why="; ".join(run.decided.reasons[:2]) or "first model",
            )
            run.champion = run.registered
        passed = sum(gate.passed for gate in judged.gates)
        held = f"gates {passed}/{len(judged.gates)}"
        step.line = f"{run.name} v{run.registered} {judged.outcome.value} · {held}"
    return closing_summary(run, judged.outcome)


def _finish(run: CycleRun, summary: RunSummary) -> RunSummary:
    """Write summary and report; close the cycle's record last, so that a kill before it resumes."""
    docs = run.settings.data("validate", run.name) / "docs"
    if docs.is_dir():
        shutil.copytree(docs, run.run_dir / "validation", dirs_exist_ok=True)
    summary.save(run.run_dir / "summary.json")
    render(summary, run.run_dir)
    if run.experiment_run:
        run.tracking.close_cycle(
            run.experiment_run,
            "FINISHED",
            {"wall_s": summary.wall_s},
            {"outcome": summary.outcome.value, "run_dir": str(run.run_dir)},
            run.run_dir,
        )
    return summary


def _tags(run: CycleRun) -> dict[str, str]:
    return {
        "fingerprint": cycle_fingerprint(run.config, run.profile, run.ready.hashes),
        "git_sha": git_sha(run.settings.root),
        "data_version": run.ready.versions["prepare"].content_hash,
        "synthetic_version": run.ready.versions["synthesize"].content_hash,
        "params_fingerprint": run.config.fingerprint(),
        "lock_digest": file_sha256(run.settings.root / "requirements.lock"),
        "torch": environment_versions()["torch"],
    }
