"""Who names the next configuration.

The tree-structured Parzen estimator (Bergstra et al. 2011; its multi-objective form: Ozaki et al.
2022) or NSGA-II (Deb et al. 2002). Each question gets a fresh sampler, seeded by what was asked so
far: the course of a study then does not depend on how often its process was started.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from components.search import SearchSpace

STARTUP_TRIALS = 5  # drawn at random before the estimator has anything to go by


def sampler(space: SearchSpace, seed: int) -> Any:
    """Return the sampler of a space's study."""
    from optuna.samplers import NSGAIISampler, TPESampler

    if space.sampler == "nsga2":
        return NSGAIISampler(population_size=space.population, seed=seed)
    if not space.detectors:
        return TPESampler(seed=seed, n_startup_trials=STARTUP_TRIALS)
    with unwarned():  # grouping is marked experimental; the lock pins its release
        # parameters that only some configurations have are modelled together where they meet
        return TPESampler(seed=seed, n_startup_trials=STARTUP_TRIALS, multivariate=True, group=True)


@contextmanager
def unwarned() -> Iterator[None]:
    """Use what Optuna warns of, where its release is pinned and the warning is known."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
