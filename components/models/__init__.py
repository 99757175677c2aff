"""The detectors: each module beside this one that defines one. Nothing lists them.

``KINDS`` has their classes by kind, in alphabetical order. ``Detector`` is the type of a field that
holds any of them: told apart by ``kind`` when it is read, and to a type checker what all have.
"""

from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

from components.models.detector import DetectorParams
from components.models.discovery import detectors_in

KINDS = detectors_in(__name__, __path__)

if TYPE_CHECKING:
    Detector = DetectorParams
else:
    Detector = Annotated[Union[tuple(KINDS.values())], Field(discriminator="kind")]  # noqa: UP007
