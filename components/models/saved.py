"""A fitted detector on disk: one JSON that describes it, one safetensors file that is it.

The folder is complete: loading reads neither the weight store nor the net, and no pickles.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.errors import SealError
from components.identity import code_digest
from components.models.backbones.registry import weights_digest
from components.records import Record

if TYPE_CHECKING:
    from components.models.detector import DetectorParams, Network

STATE_FILE = "model.safetensors"
DESCRIPTION_FILE = "detector.json"


class SavedDetector(Record):
    """What detector.json says; ``params`` is the dump of a TrainParams."""

    params: dict[str, Any]
    image_size_px: int
    seed: int
    fingerprint: str
    data_version: str
    backbone: str
    weights_sha256: str
    code: str

    @property
    def localises(self) -> bool:
        """Whether the maps of this detector say where; True of one that is no longer known."""
        detector = _detector(self)
        return detector is None or detector.facts.localises


def save_network(network: "Network", saved: SavedDetector, folder: Path) -> None:
    """Write the description and every tensor of the network into an existing folder."""
    from safetensors.torch import save_file

    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    part = folder / f".{STATE_FILE}.part"
    save_file(state, part)
    part.replace(folder / STATE_FILE)
    saved.save(folder / DESCRIPTION_FILE)


def load_network(folder: Path) -> "tuple[Network, SavedDetector]":
    """Rebuild a fitted network from its folder alone.

    Raises:
        SealError: E153, the folder does not hold a fitted detector, or one of a kind that is gone.
    """
    from safetensors.torch import load_file

    missing = [f for f in (DESCRIPTION_FILE, STATE_FILE) if not (folder / f).is_file()]
    if missing:
        raise SealError("E153", f"{folder} has no {' and no '.join(missing)}.", "Fit it again.")
    saved = SavedDetector.load(folder / DESCRIPTION_FILE)
    kind = _detector(saved)
    if kind is None:
        name = saved.params.get("detector", {}).get("kind")
        raise SealError("E153", f"{folder} holds a {name}, no detector here.", "Bring its file.")
    detector = kind.model_validate(saved.params["detector"])
    network = detector.build(None, saved.image_size_px, saved.seed)
    network.load_state_dict(load_file(folder / STATE_FILE), strict=True)
    digest = weights_digest(detector.backbone, detector.weights)
    if (saved.code, saved.weights_sha256) != (code_digest(), digest):
        from components.models.networks.remembering import forget

        forget(network)
    return network, saved


def _detector(saved: SavedDetector) -> "type[DetectorParams] | None":
    """Return the class of a saved detector, or None where its kind is not known (any more)."""
    from components.models import KINDS  # this module is among those that they are looked for in

    return KINDS.get(saved.params.get("detector", {}).get("kind", ""))
