"""What a finished study says besides its best trial, as the report shows it."""

from collections.abc import Sequence

from components.agreement import synthetic_check
from components.params import read_yaml
from components.records import NoisePoint, SyntheticCheck, TrialRecord, TuningEvidence
from components.train import TrainParams
from components.tune import Tuner
from components.tune.front import best_of, front_of
from components.tune.objectives import mean_metric
from flows.console import Step
from flows.settings import Settings
from flows.study import Study
from flows.tuning import Seen, noise_curve, tune

NOISE_FILE = "noise_levels_004.yaml"


def tune_and_learn(
    settings: Settings,
    study: Study,
    tuner: Tuner,
    step: Step,
    seen: Seen | None = None,
) -> tuple[tuple[TrialRecord, ...], TuningEvidence]:
    """Run a study to its end; return its trials and what they say together.

    Raises:
        PipelineError: E180, every trial failed.
    """
    trials = tune(study, tuner, step, seen)
    best = best_of(trials)
    curve = noise_curve(study, TrainParams.model_validate(best.params), step) if best else ()
    tuner.leave()
    return trials, tuning_evidence(settings, study, tuner, trials, curve)


def tuning_evidence(
    settings: Settings,
    study: Study,
    tuner: Tuner,
    trials: Sequence[TrialRecord],
    curve: tuple[NoisePoint, ...],
) -> TuningEvidence:
    """Return front, importances, σ curve and the synthetic-to-real check of a study."""
    best = best_of(trials)
    paper = read_yaml(settings.params_dir / "papers" / NOISE_FILE)
    return TuningEvidence(
        objectives=tuner.space.objectives,
        sampler=tuner.space.sampler,
        front=front_of(trials),
        importances=tuner.importances(),
        noise_curve=curve,
        noise_curve_of=best.candidate if curve and best else "",
        chosen_noise=best.input_noise if best else None,
        paper_noise={str(name): float(level) for name, level in paper.items()},
        synthetic=check_of(study),
    )


def check_of(study: Study) -> SyntheticCheck:
    """Return how synthetic defects rank the candidates of a study beside the real ones there."""
    outcomes = {name: kept[0].outcome for name, kept in study.outcomes.items() if 0 in kept}
    pairs = {}
    for name, outcome in sorted(outcomes.items()):
        synthetic = mean_metric(outcome, study.objective, "synthetic/")
        real = mean_metric(outcome, study.objective, "real/")
        if synthetic is not None and real is not None:
            pairs[name] = (synthetic, real)
    first = next(iter(outcomes.values()), None)
    found = first.predictions if first else ()
    return synthetic_check(
        pairs,
        metric=" + ".join(study.objective),
        num_real_defects=sum(p.gt_label for p in found if p.origin == "real"),
        basis="real" if first and first.basis == "real" else "synthetic",
        confidence=study.config.station.evaluate.confidence,
    )
