"""BTAD's layout: train/ok, test/ok, test/ko, ground_truth/ko; png or bmp, images unlike masks.

Mishra et al., "VT-ADL: A Vision Transformer Network for Image Anomaly Detection and
Localization" (2021): three products, ``01`` to ``03``.
"""

from pathlib import Path
from typing import Literal

from components.data.formats.listing import Listing
from components.data.formats.tree import TreeShape, read_tree
from components.params import Params

SHAPE = TreeShape(normal="ok")


class Btad(Params):
    """One product of BTAD; its one type of defect is called ``ko``."""

    kind: Literal["btad"] = "btad"
    path: str | None = None  # the product's folder; None = already in data/raw

    def entries(self, root: Path) -> Listing:
        """List ``train/ok``, ``test/ok`` and ``test/ko`` with their masks.

        Raises:
            DataError: E101 no such folder; E102 no normal image in train/ok.
        """
        return read_tree(root, root.name, SHAPE)
