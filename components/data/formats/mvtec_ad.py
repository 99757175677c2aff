"""MVTec AD's layout: train/good, test/<type>, ground_truth/<type>/<stem>_mask.png."""

from pathlib import Path
from typing import Literal

from components.data.formats.listing import Listing
from components.data.formats.tree import read_tree
from components.params import Params


class MvtecAd(Params):
    """One category of a data set in MVTec AD's layout (Bergmann et al. 2019)."""

    kind: Literal["mvtec_ad"] = "mvtec_ad"
    path: str | None = None  # the category's folder; None = DEFECTLOOP_DATA, resolved by the flow

    def entries(self, root: Path) -> Listing:
        """List ``train/good`` and ``test/<type>`` with their masks.

        Raises:
            DataError: E101 no such folder; E102 no normal image in train/good.
        """
        return read_tree(root, category=root.name)
