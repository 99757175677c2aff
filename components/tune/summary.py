"""The record of one `defectloop tune`: what console, page and JSON share."""

from components.records import Record, StepTiming, TrialRecord, TuningEvidence


class TuneSummary(Record):
    """The trials of a station's study and what they say together. It promotes nothing."""

    run_id: str
    station: str
    title: str
    licence: str
    profile: str
    profile_note: str
    objective: tuple[str, ...]  # tune-set metrics whose mean is the quality
    trials: tuple[TrialRecord, ...]
    tuning: TuningEvidence
    default: str  # the candidate that the station would use untuned
    steps: tuple[StepTiming, ...] = ()
    reproduce: str = ""
    wall_s: float = 0.0
