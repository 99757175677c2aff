"""Every record that passes between steps. Read this first.

All records are frozen and validate themselves when made. Fields carry their unit as a suffix
(``_px``, ``_s``, ``_ms``, ``_bytes``); counts start with ``num_``. Labels are 0 for normal and
1 for anomalous. Paths inside a Manifest are POSIX and relative to its root.
"""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Record(BaseModel):
    """A frozen value with named fields; an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def save(self, path: Path) -> Path:
        """Write the record as JSON, atomically (a rename within the folder)."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        part.write_text(self.model_dump_json(indent=1), encoding="utf-8")
        return part.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a record written by :meth:`save`."""
        return cls.model_validate_json(path.read_text(encoding="utf-8"))


# --- data ---------------------------------------------------------------------------------------


class Split(StrEnum):
    """Where an image stands: the source's own word before splitting, ours after."""

    TRAIN = "train"  # the source's official training folder
    TEST = "test"  # the source's official test folder
    UNSPLIT = "unsplit"  # the source says nothing
    FIT = "fit"  # normals that a detector learns from
    TUNE = "tune"  # held-out normals, the granted share of real defects
    REPORT = "report"  # read once, by evaluate


class Defect(Record):
    """One annotated defect. ``mask_path`` is None where the source has no masks.

    ``saturation_px`` is how many of the mask's pixels count as the whole defect found (sPRO);
    None where a source has one mask an image instead of one a defect.
    """

    defect_type: str
    mask_path: str | None = None
    mask_area_px: int | None = None
    mask_problem: Literal[
        "", "missing", "double", "size", "not_binary", "empty", "unknown_value"
    ] = ""
    saturation_px: int | None = Field(default=None, ge=1)


class ImageRecord(Record):
    """One image file. ``image_id`` is the sha256 of the file's bytes."""

    image_id: str
    image_path: str
    category: str
    split: Split
    gt_label: Literal[0, 1]
    defects: tuple[Defect, ...] = ()
    group_id: str = ""  # the physical part; "" where unknown
    height_px: int = Field(gt=0)
    width_px: int = Field(gt=0)
    channels: Literal[1, 3]
    bit_depth: Literal[8, 16] = 8
    brightness: float = 0.0  # mean, 0..1
    contrast: float = 0.0  # standard deviation, 0..1
    sharpness: float = 0.0  # variance of the Laplacian of the 0..255 grey image
    thumbprint: str = ""  # hex of a 16x16 difference hash, for near-duplicates
    origin: Literal["real", "synthetic"] = "real"
    parent_id: str | None = None  # the normal image that a synthetic one was made from

    @property
    def defect_type(self) -> str:
        """The defect types joined by ``+``, or ``good``."""
        return "+".join(sorted({d.defect_type for d in self.defects})) or "good"

    @property
    def has_usable_mask(self) -> bool:
        """Whether pixel metrics may use this image (normal images count as empty masks)."""
        if self.gt_label == 0:
            return True
        return bool(self.defects) and all(d.mask_path and not d.mask_problem for d in self.defects)


class Reject(Record):
    """A file that was quarantined, and why."""

    image_path: str
    code: Literal["truncated", "disguised", "oversized", "unreadable", "unsupported", "empty"]
    reason: str


class Manifest(Record):
    """A data set: one record an image, each file counted once. Parquet on disk."""

    station: str
    layout: str
    root: Path
    records: tuple[ImageRecord, ...]
    rejects: tuple[Reject, ...] = ()
    notes: tuple[str, ...] = ()  # things a person should know (masks left over, files ignored)

    def of(self, split: Split, *, label: Literal[0, 1] | None = None) -> tuple[ImageRecord, ...]:
        """Return the records of a split, of one label where given, in manifest order."""
        return tuple(
            r for r in self.records if r.split == split and (label is None or r.gt_label == label)
        )

    def path(self, record: ImageRecord) -> Path:
        """Return the absolute path of an image."""
        return self.root / record.image_path


class Check(Record):
    """One validation check."""

    name: str
    severity: Literal["critical", "warning"]
    passed: bool
    observed: str
    expected: str
    failing_image_ids: tuple[str, ...] = ()
    failing_paths: tuple[str, ...] = ()


class ValidationReport(Record):
    """What the expectation suite found."""

    station: str
    suite: str
    checks: tuple[Check, ...]
    num_rows: int

    @property
    def passed(self) -> bool:
        """Whether no critical check failed."""
        return not any(c.severity == "critical" and not c.passed for c in self.checks)

    @property
    def warnings(self) -> tuple[Check, ...]:
        """Return failed checks that do not stop a run."""
        return tuple(c for c in self.checks if c.severity == "warning" and not c.passed)


class DataVersion(Record):
    """An output of DVC, by content."""

    station: str
    stage: Literal["raw", "ingest", "validate", "prepare", "synthesize"]
    content_hash: str
    git_sha: str
    counts: dict[str, int] = {}


# --- models -------------------------------------------------------------------------------------


class FittedDetector(Record):
    """A detector after fitting; its files lie in ``folder``."""

    detector: str
    backbone: str
    params: dict[str, Any]
    fingerprint: str
    data_version: str
    seed: int
    num_images: int
    fit_s: float
    peak_bytes: int
    weights_sha256: str  # "random" for the random-weight floor
    folder: Path


class Prediction(Record):
    """One image's raw score; its map, where kept, is ``maps/<image_id>.npy`` (float16, HxW)."""

    image_id: str
    pred_score: float = Field(allow_inf_nan=False)
    gt_label: Literal[0, 1]
    defect_type: str
    origin: Literal["real", "synthetic"]


class Calibration(Record):
    """Thresholds in raw score units; a score **>=** the threshold is called anomalous."""

    image_threshold: float = Field(allow_inf_nan=False)
    pixel_threshold: float = Field(allow_inf_nan=False)
    rule: str  # e.g. "fpr<=0.05 on cross-fitted normals"
    fpr: float
    by_fpr: dict[str, float] = {}  # "0.01" -> image threshold, for every declared rate
    split: str  # the set the scores came from
    num_scores: int
    cross_fit_folds: int = 0
    transfer: dict[str, float] = {}  # how the threshold moved between cross-fit and refit


class Seal(Record):
    """sha256 of each file of a model folder, so that a changed byte is noticed."""

    files: dict[str, str]


# --- evaluation ---------------------------------------------------------------------------------


class MetricResult(Record):
    """One figure. ``value`` is None where the metric is undefined (``note`` says why)."""

    name: str
    value: float | None
    ci_low: float | None = None
    ci_high: float | None = None
    std: float | None = None  # over seeds, where there are several
    num_images: int
    slice: dict[str, str] = {}  # station, origin, defect_type, corruption, severity
    note: str = ""


class Latency(Record):
    """Time of one image on the exported model, pre- and post-processing apart."""

    runtime: str
    hardware: str
    num_threads: int
    num_runs: int
    batch: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    pre_ms: float
    post_ms: float
    alone: bool  # no other worker ran on the machine


class Parity(Record):
    """The exported model against torch, image by image, on raw scores."""

    num_images: int
    max_abs_score_diff: float
    max_rel_score_diff: float
    max_abs_map_diff: float
    tolerance_rel: float

    @property
    def held(self) -> bool:
        """Whether every score stayed within the tolerance."""
        return self.max_rel_score_diff <= self.tolerance_rel


class EvaluationReport(Record):
    """Figures of one fitted detector on one set."""

    candidate: str
    split: Split
    fingerprint: str
    data_version: str
    results: tuple[MetricResult, ...]
    predictions: tuple[Prediction, ...]
    calibration: Calibration | None = None
    latency: Latency | None = None
    parity: Parity | None = None
    size_bytes: int | None = None
    protocol: Literal["leak_rule", "paper"] = "leak_rule"

    def figure(self, name: str, **where: str) -> MetricResult | None:
        """Return the figure with this name and slice, or None."""
        for result in self.results:
            if result.name == name and all(result.slice.get(k) == v for k, v in where.items()):
                return result
        return None


class CandidateResult(Record):
    """One candidate configuration on the tune set, over its seeds."""

    candidate: str  # short readable name, unique in the run: detector/backbone·size·…
    params: dict[str, Any]
    fingerprint: str  # without the seed
    seeds: tuple[int, ...]
    metrics: dict[str, tuple[float | None, ...]]  # metric name -> one value per seed
    fit_s: tuple[float, ...] = ()
    peak_bytes: int = 0
    latency_ms: tuple[float, ...] = ()  # p95 per repeat; () where not measured
    size_bytes: int | None = None
    floor_metrics: dict[str, float | None] = {}  # the best floor per metric
    is_default: bool = False
    ineligible: str = ""  # why it may not be chosen (equal scores, below the floor, failed)
    error: str = ""


# --- selection and promotion --------------------------------------------------------------------


class Rejection(Record):
    """A candidate that a limit or a floor ruled out."""

    name: str
    reason: str


class Ranked(Record):
    """A candidate with its score under the method that decided (higher is better)."""

    name: str
    score: float
    values: dict[str, float]


class SelectionDecision(Record):
    """Which candidate, by which rule, how sure, and what would have changed it."""

    criteria: tuple[dict[str, Any], ...]
    limits: tuple[dict[str, Any], ...]
    candidates: tuple[dict[str, Any], ...]  # the table that was read: name, criteria, std, n
    settings: dict[str, Any] = {}  # num_draws, confidence, front_share, champion: for a replay
    seed: int
    rejected: tuple[Rejection, ...]
    front: tuple[str, ...]
    front_frequency: dict[str, float]
    ranking: tuple[Ranked, ...]
    stability: dict[str, float]  # name -> share of resamples it won
    stability_by: dict[str, dict[str, float]] = {}  # the same, one cause of noise at a time
    knee: bool
    method: str
    winner: str | None  # None for a shortlist
    shortlist: tuple[str, ...]
    runner_up: str | None
    reasons: tuple[str, ...]
    would_change: tuple[str, ...] = ()
    digest: str

    @property
    def first(self) -> str | None:
        """The winner, or the first of the shortlist."""
        return self.winner or (self.shortlist[0] if self.shortlist else None)


class Gate(Record):
    """One rule that a model must hold before an alias moves."""

    rule: str
    limit: str
    measured: str
    interval: str = ""
    passed: bool


class Comparison(Record):
    """Challenger minus champion, paired on the same images."""

    metric: str
    champion: float | None
    challenger: float | None
    delta: float | None
    ci_low: float | None
    ci_high: float | None
    fixed: tuple[str, ...] = ()  # image ids: missed by the champion, caught by the challenger
    newly_missed: tuple[str, ...] = ()


class PromotionRecord(Record):
    """A move of the ``champion`` alias, chained to the one before it."""

    station: str
    from_version: str | None
    to_version: str
    by: str
    when: datetime
    why: str
    decision_digest: str
    previous_record_digest: str


class Outcome(StrEnum):
    """How a run ended. ``exit_code`` is what the shell sees."""

    PROMOTED = "promoted"
    UNCHANGED = "unchanged"
    KEPT = "kept"
    BLOCKED = "blocked"
    BAD_DATA = "bad_data"
    FAILED = "failed"

    @property
    def exit_code(self) -> int:
        """0 promoted or nothing to do, 10 kept, 11 blocked, 3 bad data, 1 failed (2 is usage)."""
        return {"kept": 10, "blocked": 11, "bad_data": 3, "failed": 1}.get(self.value, 0)


class TrialRecord(Record):
    """One trial of the tuning study."""

    number: int
    candidate: str
    params: dict[str, Any]
    state: Literal["complete", "failed", "duplicate", "pruned"]
    objective: float | None  # the first of objectives
    objectives: dict[str, float] = {}  # name -> value, in the study's order
    input_noise: float
    error: str = ""  # why it failed, or where it was given up
    duration_s: float = 0.0
    reused: bool = False
    retried: bool = False  # it crashed, and a later trial tried the same once more
    retry_of: int | None = None  # the number of the trial that crashed


class RankAgreement(Record):
    """How alike two figures rank the candidates; ``value`` None where it is undefined."""

    statistic: Literal["spearman", "kendall"]
    value: float | None
    ci_low: float | None = None
    ci_high: float | None = None
    num_candidates: int
    note: str = ""


class SyntheticCheck(Record):
    """Whether synthetic defects rank candidates as real ones do, on the tune set."""

    metric: str
    pairs: dict[str, tuple[float, float]]  # candidate -> synthetic figure, real figure
    num_real_defects: int
    basis: Literal["real", "synthetic"]  # whose figures the candidates were judged by
    agreements: tuple[RankAgreement, ...]

    def of(self, statistic: str) -> RankAgreement:
        """Return the agreement under one statistic."""
        return next(a for a in self.agreements if a.statistic == statistic)


class NoisePoint(Record):
    """The best candidate, everything else held, at one level of input noise."""

    input_noise: float
    quality: float


class TuningEvidence(Record):
    """What a study learned besides its best trial."""

    objectives: tuple[str, ...]
    sampler: str
    front: tuple[int, ...] = ()  # trial numbers; with one objective the best alone
    importances: dict[str, float] = {}  # parameter -> share of 1; empty for too few trials
    noise_curve: tuple[NoisePoint, ...] = ()
    noise_curve_of: str = ""  # the candidate whose noise level was varied
    chosen_noise: float | None = None  # input noise of the best trial, or of the chosen candidate
    paper_noise: dict[str, float] = {}  # MVTec category -> level printed in paper 004
    synthetic: SyntheticCheck | None = None


class StepTiming(Record):
    """One step of a run."""

    step: str
    started: datetime
    wall_s: float
    reused: bool = False
    line: str = ""
    predicted_s: float | None = None  # by the cost preview, before the run


class Case(Record):
    """One image worth looking at, with pictures kept beside the report."""

    image_id: str
    image_path: str
    defect_type: str
    pred_score: float
    distance: float  # score minus threshold
    image_png: str  # path relative to the run folder; "" where absent
    map_png: str
    mask_png: str = ""


class StressPoint(Record):
    """The deployed model at one severity of one corruption."""

    corruption: str
    severity: float
    image_auroc: float | None
    escape_rate: float | None
    overkill_rate: float | None
    num_images: int


class RunSummary(Record):
    """Everything the console, the report and ``summary.json`` say about one run."""

    run_id: str
    station: str
    title: str
    licence: str
    profile: str
    profile_note: str  # what the profile leaves out, "" for full
    outcome: Outcome
    verdict: str
    cautions: tuple[str, ...] = ()
    gates: tuple[Gate, ...] = ()
    comparison: tuple[Comparison, ...] = ()
    counts: dict[str, dict[str, int]] = {}  # split -> defect_type -> n
    rejects: tuple[Reject, ...] = ()
    data_notes: tuple[str, ...] = ()
    validation: ValidationReport | None = None
    trials: tuple[TrialRecord, ...] = ()
    tuning: TuningEvidence | None = None
    candidates: tuple[CandidateResult, ...] = ()
    floors: dict[str, dict[str, float | None]] = {}  # floor name -> metric -> value (tune set)
    decision: SelectionDecision | None = None
    evaluations: dict[str, EvaluationReport] = {}  # "winner", "runner_up", "champion" -> report set
    evaluated_names: dict[str, str] = {}  # "winner" -> candidate name, ...
    report_floors: dict[str, dict[str, float | None]] = {}
    misses: tuple[Case, ...] = ()
    false_alarms: tuple[Case, ...] = ()
    stress: tuple[StressPoint, ...] = ()
    steps: tuple[StepTiming, ...] = ()
    lineage: dict[str, str] = {}  # git_sha, data_version, params, weights, lock, decision, …
    reproduce: str = ""
    registered_version: str | None = None
    champion_version: str | None = None
    limits_of_evidence: tuple[str, ...] = ()
    confidence: float = Field(default=0.95, gt=0.5, lt=1)  # of every interval that is shown
    peak_bytes: int = 0
    predicted_peak_bytes: int = 0  # by the cost preview; 0: there was none
    wall_s: float = 0.0

    @model_validator(mode="after")
    def _winner_is_named(self) -> Self:
        if self.outcome is Outcome.PROMOTED and self.registered_version is None:
            raise ValueError("a promoted run has a registered version")
        return self
