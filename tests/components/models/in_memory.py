"""Images in memory in the place of a manifest's, for tests of detectors that train."""

from collections.abc import Iterator

import torch


class InMemory:
    """Batches of given images B3HW, the same in every epoch; the first are those held out."""

    input_noise = 0.0

    def __init__(self, images: torch.Tensor, size: int = 4) -> None:
        self.images = images
        self.size = size

    def __call__(self, _epoch: int) -> Iterator[torch.Tensor]:
        yield from self.images.split(self.size) if len(self.images) else ()

    def divided(self, share: float) -> "tuple[InMemory, InMemory]":
        num_held = min(max(1, round(share * len(self.images))), len(self.images) - 1)
        held, rest = self.images[:num_held], self.images[num_held:]
        return InMemory(rest, self.size), InMemory(held, self.size)
