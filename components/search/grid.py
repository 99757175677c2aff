"""The flat space: every detector with every backbone, size, layer set and noise level."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from components.search.knobs import Asker
from components.search.space import NOISE_STEP, SearchSpace
from components.train import TrainParams

Values = Mapping[str, Any]  # parameter name -> value, as the study stores it


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

    def draw(self, asker: Asker, *, whole: bool = False) -> Values:  # noqa: ARG002
        """Draw each parameter, and the coreset's share where the detector has one."""
        levels, augment = self.space.input_noise.levels, self.space.augment
        values = {name: asker.suggest_categorical(name, of) for name, of in self.choices.items()}
        values["input_noise"] = asker.suggest_float(
            "input_noise", levels[0], levels[-1], step=NOISE_STEP
        )
        ratios = self.coreset_ratios(values["detector"])
        if ratios:
            values["coreset_ratio"] = asker.suggest_categorical("coreset_ratio", ratios)
        if augment is not None:
            values["augment_strength"] = augment.strength.ask(asker, "augment_strength")
        return values

    def build(self, values: Values) -> TrainParams:
        """Return the configuration that the values describe.

        Raises:
            ValidationError: there is none: a detector or a size refuses the rest.
        """
        model = self.models[values["detector"]]
        layers = tuple(filter(None, values["layers"].split("+")))  # none of a detector without any
        changes = {"backbone": values["backbone"], "layers": layers}
        if "coreset_ratio" in values:
            changes["coreset_ratio"] = values["coreset_ratio"]
        return model.replaced(
            detector=model.detector.model_dump() | changes,
            image_size_px=values["image_size_px"],
            input_noise=round(values["input_noise"], 6),
            **augmented(self.space, values.get("augment_strength")),
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
        if self.space.augment is not None:
            values["augment_strength"] = self.space.augment.strength.nearest(0)
        own = getattr(model.detector, "coreset_ratio", None)
        return values if own is None else values | {"coreset_ratio": own}

    def __iter__(self) -> Iterator[Values]:
        augment = self.space.augment
        strengths = augment.strength.levels if augment else ()
        for kind, *rest in product(*self.choices.values(), self.space.input_noise.levels):
            values = dict(zip((*self.choices, "input_noise"), (kind, *rest), strict=True))
            ratios = [("coreset_ratio", ratio) for ratio in self.coreset_ratios(kind)]
            more = [[pair] for pair in ratios] or [[]]
            for strength in strengths or (None,):
                drawn = {} if strength is None else {"augment_strength": strength}
                yield from (values | dict(pairs) | drawn for pairs in more)


def augmented(space: SearchSpace, strength: float | None) -> dict[str, Any]:
    """Return what a strength of augmentation changes in a configuration."""
    if space.augment is None or strength is None:
        return {}
    kinds = space.augment.at(strength)
    copies = space.augment.copies if kinds else 0
    return {"augment": tuple(kind.model_dump() for kind in kinds), "augment_copies": copies}


def _each_once(*groups: Any) -> list[Any]:
    return list(dict.fromkeys(value for group in groups for value in group))
