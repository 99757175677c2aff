"""The detectors: one file each; this union is the only list of them."""

from typing import Annotated

from pydantic import Field

from components.models.padim import Padim
from components.models.patchcore import Patchcore
from components.models.stfpm import Stfpm

Detector = Annotated[Patchcore | Padim | Stfpm, Field(discriminator="kind")]
