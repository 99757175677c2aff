"""Backbones by name: what each is, where its weights lie, how it loads.

Weights are versioned inputs: looked for in local folders and in the packages that ship them,
checked by sha256, and never replaced by something else. A file that is missing or has other
bytes is an error before any training starts, and nothing here goes out to the network.
"""

from components.models.backbones.entry import Backbone as Backbone
from components.models.backbones.loading import load_backbone as load_backbone
from components.models.backbones.loading import load_network as load_network
from components.models.backbones.loading import read_state as read_state
from components.models.backbones.registry import BACKBONES as BACKBONES
from components.models.backbones.registry import CNNS as CNNS
from components.models.backbones.registry import MAPS as MAPS
from components.models.backbones.registry import BackboneName as BackboneName
from components.models.backbones.registry import WeightsKind as WeightsKind
from components.models.backbones.registry import default_layers as default_layers
from components.models.backbones.registry import weights_digest as weights_digest
from components.models.backbones.store import WeightStore as WeightStore
