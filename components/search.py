"""What a study may vary, and the configurations that this spans."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, Self

from pydantic import Field, model_validator

from components.models.backbones import BackboneName
from components.models.detector import checked_layers
from components.params import Params
from components.train import TrainParams

NOISE_STEP = 0.005  # a finer difference of the noise level is within the noise of its effect

Values = Mapping[str, Any]  # parameter name -> value, as the study stores it


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


class SearchSpace(Params):
    """What a study may vary; the detectors are the station's models."""

    backbone: tuple[BackboneName, ...] = Field(min_length=1)
    image_size_px: tuple[int, ...] = Field(min_length=1)
    input_noise: NoiseRange = NoiseRange()
    coreset_ratio: tuple[float, ...] = Field(default=(0.01,), min_length=1)  # memory banks only
    layers: tuple[tuple[str, ...], ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _every_backbone_has_the_layers(self) -> Self:
        for backbone, layers in product(self.backbone, self.layers):
            checked_layers(backbone, layers)
        return self


class Grid:
    """The configurations of a space: each model's own settings, with the space's values in it.

    ``choices`` holds every categorical parameter but the coreset's share: what the space
    declares, then what the models hold beyond it, so that a default can always be told.
    """

    def __init__(self, space: SearchSpace, models: Mapping[str, TrainParams]) -> None:
        self.space, self.models = space, dict(models)
        detectors = [model.detector for model in models.values()]
        self.choices: dict[str, list[Any]] = {
            "detector": list(models),
            "backbone": _each_once(space.backbone, (d.backbone for d in detectors)),
            "image_size_px": _each_once(
                space.image_size_px, (model.image_size_px for model in models.values())
            ),
            "layers": _each_once(
                ("+".join(layers) for layers in space.layers),
                ("+".join(d.layers) for d in detectors),
            ),
        }

    def coreset_ratios(self, kind: str) -> list[float]:
        """Return the shares to try for a model; empty where it keeps no memory bank."""
        own = {name: getattr(m.detector, "coreset_ratio", None) for name, m in self.models.items()}
        if own[kind] is None:
            return []
        return _each_once(self.space.coreset_ratio, (r for r in own.values() if r is not None))

    def build(self, values: Values) -> TrainParams:
        """Return the configuration that the values describe."""
        model = self.models[values["detector"]]
        changes = {"backbone": values["backbone"], "layers": tuple(values["layers"].split("+"))}
        if "coreset_ratio" in values:
            changes["coreset_ratio"] = values["coreset_ratio"]
        return model.replaced(
            detector=model.detector.model_dump() | changes,
            image_size_px=values["image_size_px"],
            input_noise=round(values["input_noise"], 6),
        )

    def describe(self, kind: str) -> Values:
        """Return the values closest to a model as it stands."""
        model = self.models[kind]
        values = {
            "detector": kind,
            "backbone": model.detector.backbone,
            "image_size_px": model.image_size_px,
            "layers": "+".join(model.detector.layers),
            "input_noise": self.space.input_noise.nearest(model.input_noise),
        }
        own = getattr(model.detector, "coreset_ratio", None)
        return values if own is None else values | {"coreset_ratio": own}

    def __iter__(self) -> Iterator[Values]:
        for kind, *rest in product(*self.choices.values(), self.space.input_noise.levels):
            values = dict(zip((*self.choices, "input_noise"), (kind, *rest), strict=True))
            ratios = self.coreset_ratios(kind)
            yield from ({**values, "coreset_ratio": r} for r in ratios) if ratios else (values,)


def _each_once(*groups: Any) -> list[Any]:
    return list(dict.fromkeys(value for group in groups for value in group))
