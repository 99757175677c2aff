"""Glue lines: rendered pictures of a sealing bead on sheet metal, for use without a download."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from components.data.formats.listing import Listing, build_folder
from components.data.formats.tree import read_tree
from components.params import Params

DEFECT_TYPES = ("gap", "blob", "thin", "wavy")


class GlueLine(Params):
    """A camera over a glued sheet-metal part, as paper 003 (3.2) describes it, drawn by rule.

    The files have MVTec AD's layout; the masks are exact. One part gives one picture.
    """

    kind: Literal["glue_line"] = "glue_line"
    num_normal: int = Field(default=120, ge=2)
    num_defective: int = Field(default=60, ge=0)  # shared evenly by the types of defect
    seed: int = 0
    width_px: int = Field(default=640, ge=64)
    height_px: int = Field(default=480, ge=48)

    def entries(self, root: Path) -> Listing:
        """List the rendered files; as for MVTec AD."""
        return read_tree(root, category="glue_line")

    def fetch(self, raw: Path) -> Path:
        """Render all pictures into ``raw``; the same params give the same bytes."""
        from components.data.formats.glue_line_renderer import render_all

        return build_folder(raw, lambda part: render_all(self, part))
