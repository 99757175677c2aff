"""What every corruption shares: a chance when training, a fixed magnitude under stress.

Images are uint8 or uint16, HxW or HxWx3 (RGB); masks are bool HxW. Size, depth and number of
channels are kept. Where nothing is to be done the very array that came in is returned.
"""

import math
from abc import abstractmethod
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from components.errors import PipelineError
from components.params import Params

Image = NDArray[Any]
Mask = NDArray[np.bool_]


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"the lower bound {bounds[0]:g} is above the upper bound {bounds[1]:g}")
    return bounds


Bounds = Annotated[tuple[float, float], AfterValidator(_ordered)]  # low, high, both included


class Corruption(Params):
    """A disturbance of the camera or the pose that leaves the part itself as it was."""

    p: float = Field(default=0.5, ge=0, le=1)  # chance that `apply` does anything

    def apply(
        self, image: Image, mask: Mask | None, rng: np.random.Generator
    ) -> tuple[Image, Mask | None]:
        """Corrupt with chance ``p`` at a drawn magnitude, for training; the mask moves along."""
        if rng.random() >= self.p:
            return image, mask
        return self.drawn(image, mask, rng)

    def stress(
        self, image: Image, mask: Mask | None, severity: float, rng: np.random.Generator
    ) -> tuple[Image, Mask | None]:
        """Corrupt at a fixed magnitude, in the kind's own unit; 0 changes no bit.

        Raises:
            PipelineError: E154, a severity that is negative or not finite.
        """
        if not (math.isfinite(severity) and severity >= 0):
            raise PipelineError(
                "E154",
                f"stress severity of {type(self).__name__} is {severity}.",
                "Declare severities of 0 or more under evaluate.stress of the station.",
            )
        if severity == 0:
            return image, mask
        return self.fixed(image, mask, severity, rng)

    @abstractmethod
    def drawn(
        self, image: Image, mask: Mask | None, rng: np.random.Generator
    ) -> tuple[Image, Mask | None]:
        """Corrupt at magnitudes drawn from the kind's ranges."""

    @abstractmethod
    def fixed(
        self, image: Image, mask: Mask | None, severity: float, rng: np.random.Generator
    ) -> tuple[Image, Mask | None]:
        """Corrupt at one magnitude > 0; what has no part in it is drawn or held."""
