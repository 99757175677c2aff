"""MVTec LOCO AD's layout: AutoVI's, with ``validation/good`` and two folders of anomalies.

Bergmann et al., "Beyond Dents and Scratches: Logical Constraints in Unsupervised Anomaly
Detection and Localization" (2022).
"""

from pathlib import Path
from typing import Literal

from components.data.formats.autovi import read_instances
from components.data.formats.listing import Listing
from components.data.formats.tree import TreeShape
from components.params import Params

SHAPE = TreeShape(training=("train", "validation"), per_instance=True)
ANOMALY_FOLDERS = ("logical_anomalies", "structural_anomalies")


class MvtecLoco(Params):
    """One category of MVTec LOCO AD.

    Defects are called by their folder, logical or structural, as the data set's results are
    given; ``instance`` calls them what ``defects_config.json`` calls the value of their mask.
    The normals of ``validation/good`` are training images: they never reach the test set, and
    the station's own split holds some of all training normals back.
    """

    kind: Literal["mvtec_loco"] = "mvtec_loco"
    path: str | None = None  # the category's folder; None = already in data/raw
    defect_types: Literal["folder", "instance"] = "folder"

    def entries(self, root: Path) -> Listing:
        """List ``train/good``, ``validation/good`` and ``test/<type>`` with each defect's mask.

        Raises:
            DataError: as for AutoVI.
        """
        return read_instances(root, SHAPE, by_kind=self.defect_types == "instance")
