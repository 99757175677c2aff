"""Corruptions of the camera and the pose: for training and for the robustness study.

A new kind is a new file and one more member of ``Augmentation``; nothing else lists the kinds.
"""

from typing import Annotated, Any, get_args

from pydantic import Field

from components.augment.brightness_contrast import BrightnessContrast
from components.augment.corruption import Corruption
from components.augment.defocus import Defocus
from components.augment.gauss_noise import GaussNoise
from components.augment.iso_noise import IsoNoise
from components.augment.rotate import Rotate
from components.errors import ParamsError

Augmentation = Annotated[
    Defocus | BrightnessContrast | IsoNoise | Rotate | GaussNoise, Field(discriminator="kind")
]

_MEMBERS: tuple[type[Any], ...] = get_args(get_args(Augmentation)[0])
CORRUPTIONS: dict[str, type[Corruption]] = {m.model_fields["kind"].default: m for m in _MEMBERS}


def corruption(kind: str) -> Augmentation:
    """Return the corruption of that kind with the papers' parameters.

    Raises:
        ParamsError: E152, no such kind.
    """
    if kind not in CORRUPTIONS:
        raise ParamsError("E152", f"no corruption {kind!r}.", f"Known: {sorted(CORRUPTIONS)}.")
    made: Augmentation = CORRUPTIONS[kind]()  # type: ignore[assignment]
    return made
