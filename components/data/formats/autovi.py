"""AutoVI's layout: MVTec AD's tree with one mask file a defect, and ``defects_config.json``.

Carvalho et al., "The Automotive Visual Inspection Dataset (AutoVI)" (2024).
"""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from components.data.formats.defects_config import CONFIG_NAME, read_defects_config
from components.data.formats.listing import Listing, MaskRule
from components.data.formats.tree import TreeShape, read_tree
from components.params import Params

SHAPE = TreeShape(per_instance=True)


class AutoVi(Params):
    """One object of AutoVI; masks are ``ground_truth/<type>/<image>/<k>.png``.

    A folder may hold images with several types of defect, so each defect is called what
    ``defects_config.json`` calls the value of its mask; ``folder`` gives it its folder's name.
    """

    kind: Literal["autovi"] = "autovi"
    path: str | None = None  # the object's folder; None = already in data/raw
    defect_types: Literal["instance", "folder"] = "instance"

    def entries(self, root: Path) -> Listing:
        """List ``train/good`` and ``test/<type>`` with the masks of each defect.

        Raises:
            DataError: E101 no such folder; E102 no normal image in train/good; E220, E221
                defects_config.json is missing or not valid.
        """
        return read_instances(root, SHAPE, by_kind=self.defect_types == "instance")


def read_instances(root: Path, shape: TreeShape, *, by_kind: bool) -> Listing:
    """List a tree with one mask file a defect; ``by_kind`` names defects by their mask's value.

    Raises:
        DataError: as for :meth:`AutoVi.entries`.
    """
    listing = read_tree(root, root.name, shape)
    kinds = read_defects_config(root / CONFIG_NAME)
    return replace(listing, mask_rule=MaskRule(kinds=kinds, named_by_kind=by_kind))
