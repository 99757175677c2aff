"""What a station declares under ``search``."""

from itertools import product
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from components.augment import CORRUPTIONS, Augmentation
from components.models import KINDS
from components.models.backbones import BackboneName
from components.models.detector import checked_layers
from components.params import Params
from components.search.knobs import Knob, Range, misfits

NOISE_STEP = 0.005  # a finer difference of the noise level is within the noise of its effect

LayerSets = tuple[tuple[str, ...], ...]
Objective = Literal["quality", "synthetic_quality", "latency", "memory"]


class NoiseRange(Params):
    """Range of the training noise: standard deviation on the 0..1 scale of pixel values."""

    low: float = Field(default=0.0, ge=0, le=0.5)
    high: float = Field(default=0.08, ge=0, le=0.5)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}")
        return self

    @property
    def levels(self) -> tuple[float, ...]:
        """The levels a study tries, low to high, ``NOISE_STEP`` apart."""
        num = int((self.high - self.low) / NOISE_STEP + 1e-9)
        return tuple(round(self.low + NOISE_STEP * step, 6) for step in range(num + 1))

    def nearest(self, level: float) -> float:
        """Return the level closest to ``level``."""
        return min(self.levels, key=lambda known: abs(known - level))


class AugmentRange(Params):
    """How strongly training images are corrupted: each kind's ranges times a strength.

    Strength 1 is the corruption as the papers have it, 0 none at all.
    """

    kinds: tuple[str, ...] = Field(min_length=1)
    strength: Range = Range(low=0.0, high=1.0, step=0.25)
    copies: int = Field(default=1, ge=1)  # augmented passes, for detectors that read images once

    @model_validator(mode="after")
    def _known(self) -> Self:
        unknown = sorted(set(self.kinds) - set(CORRUPTIONS))
        if unknown:
            raise ValueError(
                f"no corruption {', '.join(unknown)} (known: {', '.join(CORRUPTIONS)})"
            )
        if self.strength.low < 0:
            raise ValueError(f"strength.low {self.strength.low:g} is below 0")
        return self

    def at(self, strength: float) -> tuple[Augmentation, ...]:
        """Return the corruptions at a strength; none at 0."""
        if strength == 0:
            return ()
        made: list[Any] = [
            _scaled(CORRUPTIONS[kind]().model_dump(), strength) for kind in self.kinds
        ]
        return tuple(CORRUPTIONS[values["kind"]].model_validate(values) for values in made)  # type: ignore[misc]


def _scaled(values: dict[str, Any], strength: float) -> dict[str, Any]:
    """Return a corruption's fields with every (low, high) range multiplied."""
    return {
        name: tuple(strength * end for end in value) if isinstance(value, tuple) else value
        for name, value in values.items()
    }


class DetectorSpace(Params):
    """What may vary in one kind of detector; what is not given comes from the space around it."""

    backbone: tuple[BackboneName, ...] = ()
    layers: dict[BackboneName, LayerSets] = {}  # by backbone; none given: the detector's own choice
    image_size_px: tuple[int, ...] = ()
    input_noise: NoiseRange | None = None
    knobs: dict[str, Knob] = {}  # field of the detector -> its values

    def complaints(self, kind: str) -> list[str]:
        """Return everything that does not fit this kind of detector."""
        if kind not in KINDS:
            return [f"detectors.{kind}: no such kind (known: {', '.join(sorted(KINDS))})"]
        detector = KINDS[kind]
        strange = sorted(({*self.backbone, *self.layers}) - set(detector.facts.backbones))
        found = [f"cannot use backbone {name}" for name in strange]
        for backbone, sets in self.layers.items():
            found += [why for layers in sets if (why := _misfit(backbone, layers))]
        for name, knob in self.knobs.items():
            found += misfits(detector, name, knob)
        return [f"detectors.{kind}: {words}" for words in found]


class Pruning(Params):
    """When the training of an epoch-trained detector is given up (median rule).

    At ``checks`` moments of a training, the network as it stands is judged on at most ``images``
    held-out normals and as many synthetic defects. A trial ends there when the best it has shown is
    below the median of what earlier trials of its kind had shown by then.

    Source: Golovin et al. 2017, "Google Vizier", section 3.2 (the median stopping rule).
    """

    checks: int = Field(default=5, ge=1, le=50)
    warmup_share: float = Field(default=0.2, ge=0, lt=1)  # of the epochs: nothing ends before
    startup_trials: int = Field(default=4, ge=1)  # finished ones of a kind before any is given up
    images: int = Field(default=32, ge=4)


class SearchSpace(Params):
    """What a study may vary; the detectors are the station's models."""

    backbone: tuple[BackboneName, ...] = Field(min_length=1)
    image_size_px: tuple[int, ...] = Field(min_length=1)
    input_noise: NoiseRange = NoiseRange()
    coreset_ratio: tuple[float, ...] = Field(default=(0.01,), min_length=1)  # memory banks only
    layers: LayerSets = ()
    detectors: dict[str, DetectorSpace] = {}  # by kind; any makes the space a tree
    augment: AugmentRange | None = None
    sampler: Literal["tpe", "nsga2"] = "tpe"
    population: int = Field(default=12, ge=2)  # of nsga2
    objectives: tuple[Objective, ...] = ("quality",)
    first: Literal["default", "every default"] = "default"  # what is tried before any sampling
    pruning: Pruning | None = None
    noise_curve: int = Field(default=0, ge=0, le=20)  # levels at which the best is measured again

    @property
    def backbones(self) -> set[BackboneName]:
        """Every backbone that the space names, for all detectors or for one kind."""
        return {*self.backbone, *(b for kind in self.detectors.values() for b in kind.backbone)}

    @model_validator(mode="after")
    def _sound(self) -> Self:
        found = self._tree_complaints() if self.detectors else self._flat_complaints()
        found += _objective_complaints(self.objectives)
        if found:
            raise ValueError("; ".join(found))
        return self

    def _flat_complaints(self) -> list[str]:
        if not self.layers:
            return ["layers: none given (only a space with detectors can leave them out)"]
        pairs = product(self.backbone, self.layers)
        return [why for backbone, layers in pairs if (why := _misfit(backbone, layers))]

    def _tree_complaints(self) -> list[str]:
        found = [w for kind, space in self.detectors.items() for w in space.complaints(kind)]
        for layers in self.layers:
            if all(_misfit(backbone, layers) for backbone in self.backbone):
                found.append(f"layers {'+'.join(layers)}: no backbone of the space has them")
        return found


def _misfit(backbone: BackboneName, layers: tuple[str, ...]) -> str:
    try:
        checked_layers(backbone, layers)
    except ValueError as error:
        return str(error)
    return ""


def _objective_complaints(objectives: tuple[Objective, ...]) -> list[str]:
    if not objectives or objectives[0] not in ("quality", "synthetic_quality"):
        return ["objectives: the first must be quality or synthetic_quality"]
    if len(set(objectives)) < len(objectives):
        return ["objectives: one is named twice"]
    return []
