"""Refit what selection named, then open the report set once for it, its rival and the champion."""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from components.evaluate import compare, single_statistic_floor
from components.identity import fingerprint
from components.judge import JudgeJob, JudgeOutcome, with_measurements
from components.promote import GateFacts, gates, outcome
from components.records import (
    Comparison,
    EvaluationReport,
    FittedDetector,
    Gate,
    Outcome,
    Split,
)
from components.refit import RefitJob, RefitOutcome
from components.report.gallery import FOLDER as PICTURES
from flows.console import Step
from flows.ledger import Kept, Ledger
from flows.promotion import fetch_champion
from flows.study import Study
from flows.tasks import judge_task, refit_task
from flows.timing import time_model

if TYPE_CHECKING:
    from flows.cycle import CycleRun


@dataclass
class Judgement:
    """What the report set said, once."""

    outcome: Outcome
    gates: tuple[Gate, ...] = ()
    comparison: tuple[Comparison, ...] = ()
    evaluations: dict[str, EvaluationReport] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    floors: dict[str, dict[str, float | None]] = field(default_factory=dict)
    winner: JudgeOutcome | None = None
    winner_refit: RefitOutcome | None = None
    winner_folder: Path | None = None
    winner_run_id: str = ""
    winner_fingerprint: str = ""
    weights_sha256: str = ""
    champion_version: str | None = None


def judge_models(run: "CycleRun", ledger: Ledger, study: Study) -> Judgement:
    """Refit, evaluate on the report set, compare with the champion, apply the gate."""
    decision = run.decided
    with run.board.step("evaluate") as step:
        if decision.first is None:
            step.line = "no candidate is eligible: the report set stays closed"
            return Judgement(Outcome.BLOCKED)
        named = [n for n in (decision.first, _rival(run)) if n is not None]
        step.total(2 * len(named) + 2)
        refits = _refit(run, ledger, study, named, step)
        judged = _judge(run, ledger, named, refits, step)
        return _conclude(run, ledger, refits, judged, step)


def _rival(run: "CycleRun") -> str | None:
    decision = run.decided
    others = (decision.runner_up, *decision.shortlist, *(r.name for r in decision.ranking))
    return next((name for name in others if name and name != decision.first), None)


def _refit(
    run: "CycleRun", ledger: Ledger, study: Study, named: list[str], step: Step
) -> list[Kept[RefitOutcome]]:
    station = run.config.station
    jobs: list[RefitJob] = []
    for name in named:
        trial = study.job(study.params[name], seed=0)
        mark = fingerprint(
            "refit", trial=trial.fingerprint, calibrate=station.calibrate.model_dump(mode="json")
        )
        held_out = study.outcomes[name][0].outcome.metrics.get("threshold") or 0.0
        jobs.append(
            RefitJob(
                trial=trial.model_copy(update={"fingerprint": mark}),
                held_out_threshold=held_out,
                declared_fprs=station.calibrate.declared_fprs,
                folds=station.calibrate.folds,
                out=ledger.folder("refit", mark),
            )
        )
    found = [ledger.find("refit", job.trial.fingerprint, RefitOutcome) for job in jobs]
    futures = [
        refit_task.submit(j) if f is None else None for j, f in zip(jobs, found, strict=True)
    ]
    kept: list[Kept[RefitOutcome]] = []
    for name, job, old, future in zip(named, jobs, found, futures, strict=True):
        if future is None:
            assert old is not None
            kept.append(old)
        else:
            done = future.result()
            metrics = {
                "fit_s": done.fitted.fit_s,
                "image_threshold": done.calibration.image_threshold,
            }
            params = job.trial.params.model_dump(mode="json") | {"folds": job.folds}
            kept.append(
                ledger.keep(
                    "refit",
                    f"refit {name}",
                    job.trial.fingerprint,
                    done,
                    params=params,
                    metrics=metrics,
                    folder=job.out,
                )
            )
        step.advance(f"refit {name}")
    return kept


def _judge(
    run: "CycleRun",
    ledger: Ledger,
    named: list[str],
    refits: list[Kept[RefitOutcome]],
    step: Step,
) -> dict[str, tuple[JudgeJob, JudgeOutcome]]:
    """Evaluate winner, runner-up and champion on the same images; each is read once."""
    contenders: dict[str, tuple[str, Path, str]] = {}
    for role, name, kept in zip(("winner", "runner_up"), named, refits, strict=False):
        contenders[role] = (name, kept.folder, kept.outcome.fitted.fingerprint)
    reigning = fetch_champion(run.settings, run.tracking, run.name)
    if reigning is not None:
        champion, folder = reigning
        fitted = json.loads((folder / "detector.json").read_text(encoding="utf-8"))
        if fitted["fingerprint"] != contenders["winner"][2]:  # else it is judged already
            contenders["champion"] = (f"v{champion.version}", folder, str(fitted["fingerprint"]))
    jobs = {role: _judge_job(run, ledger, role, *who) for role, who in contenders.items()}
    known = {r: ledger.find("judge", _mark(j), JudgeOutcome) for r, j in jobs.items()}
    futures = {role: judge_task.submit(job) for role, job in jobs.items() if known[role] is None}
    result: dict[str, tuple[JudgeJob, JudgeOutcome]] = {}
    for role, job in jobs.items():
        judged = known[role] or _keep_judgement(ledger, role, job, futures[role].result())
        _show_pictures(judged.folder, run.run_dir)
        result[role] = (job, judged.outcome)
        step.advance(f"report set: {job.candidate}")
    return result


def _keep_judgement(
    ledger: Ledger, role: str, job: JudgeJob, done: JudgeOutcome
) -> Kept[JudgeOutcome]:
    values = {r.name: r.value for r in done.evaluation.results if r.slice == {"origin": "real"}}
    return ledger.keep(
        "judge",
        f"report set: {job.candidate}",
        _mark(job),
        done,
        params={"candidate": job.candidate, "role": role},
        metrics=values,
        folder=job.pictures_to,
    )


def _show_pictures(folder: Path, run_dir: Path) -> None:
    """Copy the pictures of a judgement, made now or by an earlier run, beside the report."""
    if (folder / PICTURES).is_dir():
        shutil.copytree(folder / PICTURES, run_dir / PICTURES, dirs_exist_ok=True)


def _judge_job(
    run: "CycleRun", ledger: Ledger, role: str, name: str, folder: Path, model: str
) -> JudgeJob:
    evaluate = run.config.station.evaluate
    job = JudgeJob(
        candidate=name,
        folder=folder,
        fingerprint=model,
        data_version=run.ready.versions["prepare"].content_hash,
        decision_digest=run.decided.digest,
        manifest=run.ready.prepared.root / "manifest.parquet",
        root=run.ready.prepared.root,
        max_images=run.size.max_report_images,
        bootstrap=evaluate.bootstrap,
        confidence=evaluate.confidence,
    )
    if role != "winner":
        return job
    whole = job.model_copy(
        update={
            "stress": evaluate.stress.model_dump(),
            "stress_images": run.size.stress_images,
            "pictures_to": Path("to be named by the mark"),
        }
    )
    return whole.model_copy(update={"pictures_to": ledger.folder("judge", _mark(whole))})


def _mark(job: JudgeJob) -> str:
    return fingerprint(
        "judge",
        model=job.fingerprint,
        data=job.data_version,
        images=job.max_images,
        bootstrap=[job.bootstrap, job.confidence],
        stress={k: list(v) for k, v in job.stress.items()},
        stress_images=job.stress_images,
        pictures=job.pictures_to is not None,
    )


def _conclude(
    run: "CycleRun",
    ledger: Ledger,
    refits: list[Kept[RefitOutcome]],
    judged: dict[str, tuple[JudgeJob, JudgeOutcome]],
    step: Step,
) -> Judgement:
    refit, evaluations = refits[0], {}
    for role, (job, done) in judged.items():
        timed = time_model(
            ledger,
            run.ready.sets,
            job.candidate,
            job.folder,
            job.fingerprint,
            run.config.station.evaluate.latency_runs,
        )
        parity = dict(zip(("winner", "runner_up"), refits, strict=False)).get(role)
        evaluations[role] = with_measurements(
            done.evaluation, timed.repeats[0], parity.outcome.parity if parity else None
        )
    floors = _report_floors(run)
    champion = run.tracking.champion(run.name)
    reigns_already = champion is not None and "champion" not in evaluations
    comparison = (
        compare(evaluations["champion"], evaluations["winner"], seed=0)
        if "champion" in evaluations
        else ()
    )
    facts = GateFacts(
        evaluation=evaluations["winner"],
        parity=refit.outcome.parity,
        limits=tuple((limit.name, limit.min, limit.max) for limit in run.config.selection.limits),
        floors=floors,
        decision=run.decided,
        comparison=comparison,
        champion_version=None if reigns_already or champion is None else champion.version,
        seen_report_images=_seen(refit, evaluations["winner"]),
        demand=run.config.station.synthetic_evidence,
        synthetic=run.tuning.synthetic if run.tuning else None,
    )
    held = gates(facts)
    ended = outcome(facts, held)
    if reigns_already and ended is Outcome.PROMOTED:
        ended = Outcome.KEPT
    labels = [p.gt_label for p in evaluations["winner"].predictions]
    step.line = f"{labels.count(0)} normal, {labels.count(1)} anomalous, read once"
    fitted: FittedDetector = refit.outcome.fitted
    return Judgement(
        outcome=ended,
        gates=held,
        comparison=comparison,
        evaluations=evaluations,
        names={role: job.candidate for role, (job, _) in judged.items()},
        floors=floors,
        winner=judged["winner"][1],
        winner_refit=refit.outcome,
        winner_folder=refit.folder,
        winner_run_id=refit.run_id,
        winner_fingerprint=fitted.fingerprint,
        weights_sha256=fitted.weights_sha256,
        champion_version=champion.version if champion else None,
    )


def _report_floors(run: "CycleRun") -> dict[str, dict[str, float | None]]:
    """Return the best image statistic on the report set, and random weights on the tune set."""
    records = run.ready.prepared.of(Split.REPORT)
    statistic = {f"mean {n} alone": dict(f) for n, f in single_statistic_floor(records).items()}
    random = {f"{n}, tune set": dict(f) for n, f in run.floors.items() if n.startswith("random")}
    return statistic | random


def _seen(refit: Kept[RefitOutcome], evaluation: EvaluationReport) -> int:
    ids = set(json.loads((refit.folder / "trained_on.json").read_text(encoding="utf-8")))
    return sum(p.image_id in ids for p in evaluation.predictions)
