"""What a study hands out, and what it takes back."""

from collections.abc import Mapping
from dataclasses import dataclass

from components.search import Objective
from components.train import TrainParams

DIRECTIONS: Mapping[Objective, str] = {
    "quality": "maximize",
    "synthetic_quality": "maximize",
    "latency": "minimize",
    "memory": "minimize",
}


@dataclass(frozen=True)
class Suggestion:
    """One configuration to measure; tell its result by ``number``."""

    number: int
    params: TrainParams
