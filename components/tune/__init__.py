"""The tuning study: which configurations to try, resumable at any moment, by one worker or many."""

from components.search import NoiseRange as NoiseRange
from components.search import SearchSpace as SearchSpace
from components.tune.suggestion import Suggestion as Suggestion
from components.tune.tuner import Tuner as Tuner
