"""The layouts that raw images come in; a station's ``source`` is one of them.

Adding a layout is one file with a Params class (a literal ``kind``, ``entries(root)``, and
``fetch(raw)`` where the layout makes its own raw files) and one name in the union below.
"""

from typing import Annotated, get_args

from pydantic import Field

from components.data.formats.autovi import AutoVi
from components.data.formats.btad import Btad
from components.data.formats.elpv import Elpv
from components.data.formats.folder import Folder
from components.data.formats.glue_line import GlueLine
from components.data.formats.ksdd2 import Ksdd2
from components.data.formats.listing import Entry, Listing, MaskRule
from components.data.formats.mvtec_ad import MvtecAd
from components.data.formats.mvtec_loco import MvtecLoco
from components.data.formats.visa import Visa
from components.params import Params

Source = Annotated[
    Folder | MvtecAd | MvtecLoco | AutoVi | Visa | Btad | Ksdd2 | Elpv | GlueLine,
    Field(discriminator="kind"),
]

SOURCE_KINDS: dict[str, type[Params]] = {
    member.model_fields["kind"].default: member for member in get_args(get_args(Source)[0])
}

__all__ = [
    "SOURCE_KINDS",
    "AutoVi",
    "Btad",
    "Elpv",
    "Entry",
    "Folder",
    "GlueLine",
    "Ksdd2",
    "Listing",
    "MaskRule",
    "MvtecAd",
    "MvtecLoco",
    "Source",
    "Visa",
]
