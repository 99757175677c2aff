"""The detectors: one file each; this union is the only list of them."""

from typing import Annotated

from pydantic import Field

from components.models.cfa import Cfa
from components.models.cflow import Cflow
from components.models.csflow import Csflow
from components.models.cutpaste import CutPaste
from components.models.dfkde import Dfkde
from components.models.dfm import Dfm
from components.models.draem import Draem
from components.models.dsr import Dsr
from components.models.efficient_ad import EfficientAd
from components.models.fastflow import Fastflow
from components.models.ganomaly import Ganomaly
from components.models.generative import Generative
from components.models.mmr import Mmr
from components.models.padim import Padim
from components.models.patchcore import Patchcore
from components.models.reverse_distillation import ReverseDistillation
from components.models.simplenet import SimpleNet
from components.models.stfpm import Stfpm
from components.models.uflow import Uflow

Detector = Annotated[
    Patchcore
    | Padim
    | Stfpm
    | Generative
    | EfficientAd
    | ReverseDistillation
    | Cflow
    | Csflow
    | Fastflow
    | SimpleNet
    | Mmr
    | CutPaste
    | Dfm
    | Dfkde
    | Cfa
    | Uflow
    | Draem
    | Dsr
    | Ganomaly,
    Field(discriminator="kind"),
]
