"""What a study may vary: declared spaces, and the configurations that they span.

A space without ``detectors`` is flat, every detector with every backbone and every layer set. With
them it is a tree: detector → backbone → layers that this backbone has → the detector's own knobs.
"""

from components.search.configurations import Configurations as Configurations
from components.search.configurations import configurations as configurations
from components.search.grid import Grid as Grid
from components.search.grid import Values as Values
from components.search.space import NOISE_STEP as NOISE_STEP
from components.search.space import NoiseRange as NoiseRange
from components.search.space import Objective as Objective
from components.search.space import Pruning as Pruning
from components.search.space import SearchSpace as SearchSpace
from components.search.tree import Tree as Tree
