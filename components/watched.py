"""A training that is looked at between its epochs, without a detector knowing of it.

A look changes nothing: modes and random state are put back, so that a watched training ends where
an unwatched one does, bit for bit.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from components.models.detector import Batches

Look = Callable[[int], None]  # takes the number of the moment, from 1
Moments = Mapping[int, tuple[int, ...]]  # epoch -> the moments that are due before it


class Watched:
    """Batches that look up when a new epoch begins: what came before it is trained."""

    def __init__(self, batches: "Batches", due: Moments, look: Look) -> None:
        self._batches, self._look = batches, look
        self._moments = dict(due)  # each comes once

    @property
    def input_noise(self) -> float:
        """The noise level that is left to the detector."""
        return self._batches.input_noise

    def __call__(self, epoch: int) -> "Iterator[Tensor]":
        """Return the batches of an epoch."""
        for moment in self._moments.pop(epoch, ()):
            self._look(moment)
        return self._batches(epoch)

    def divided(self, share: float) -> "tuple[Batches, Batches]":
        """Return the images to learn from, watched, and those held out."""
        learnt, held = self._batches.divided(share)
        return Watched(learnt, self._moments, self._look), held


def moments(num_epochs: int, checks: int) -> dict[int, tuple[int, ...]]:
    """Return epoch -> moments due before it: ``checks`` of them, evenly through a training.

    Moment i is due once i / (checks + 1) of the epochs are done; a training of few epochs has
    several at one time, one of a single epoch has none.
    """
    due: dict[int, tuple[int, ...]] = {}
    for moment in range(1, checks + 1):
        epoch = math.ceil(num_epochs * moment / (checks + 1))
        if epoch < num_epochs:
            due[epoch] = (*due.get(epoch, ()), moment)
    return due


@contextmanager
def as_it_stands(network: Any) -> Iterator[None]:
    """Let a network under training be used for a moment, then train on as if nothing had been."""
    import torch

    trained = [module for module in network.modules() if module.training]
    network.eval()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        for module in trained:
            module.training = True
