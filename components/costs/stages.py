"""Seconds of the steps that DVC makes: what each image takes, and the processes around it.

The shares were fitted to three stations of 180 to 1,344 images of 0.09 to 0.31 megapixels; on these
they are within a third of what the stages took.
"""

from collections.abc import Collection

from components.costs.pace import Pace
from components.records import Record

# Of the time that importing everything takes.
_STARTED = 0.35  # a stage's process, and DVC before and after it
_EXPECTATIONS = 0.7  # Great Expectations, imported and its pages written
# Of the time that reading an image takes.
_INGESTED = 2.5  # hashed, decoded, measured, compared with the others
_VALIDATED = 1.5
_PREPARED = 5.0  # written as PNG, which packs it
_DRAWN = 15.0  # a synthetic defect


class Bytes(Record):
    """What the stages of a station look at and make."""

    num_images: int
    num_synthetic: int
    megapixels: float  # of one image


def stage_seconds(found: Bytes, stale: Collection[str], pace: Pace) -> dict[str, float]:
    """Return wall seconds by step of a run; stages that are not ``stale`` take none.

    Stages are processes of one thread, one after the other. The steps are those that people see:
    preparing and drawing are one.
    """
    start_s = _STARTED * pace.imports_s
    image_s = found.megapixels * pace.read_s
    stages = {
        "fetch": start_s,
        "ingest": start_s + found.num_images * _INGESTED * image_s,
        "validate": start_s + _EXPECTATIONS * pace.imports_s
        + found.num_images * _VALIDATED * image_s,
        "prepare": start_s + found.num_images * _PREPARED * image_s,
        "synthesize": start_s + found.num_synthetic * _DRAWN * image_s,
    }  # fmt: skip
    taken = {stage: seconds if stage in stale else 0.0 for stage, seconds in stages.items()}
    return {
        "ingest": taken["fetch"] + taken["ingest"],
        "validate": taken["validate"],
        "synthesize": taken["prepare"] + taken["synthesize"],
    }
