"""The conditional space: detector → backbone → layers that it has → the detector's own knobs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from components.errors import ParamsError
from components.models.backbones import BACKBONES, BackboneName
from components.models.detector import checked_layers
from components.search.grid import Values, augmented
from components.search.knobs import Asker, Choice, Options, Range, options
from components.search.space import NOISE_STEP, DetectorSpace, NoiseRange, SearchSpace
from components.train import TrainParams

SHARED_NOISE = "input_noise"


@dataclass(frozen=True)
class Dimension:
    """One parameter, and the values of earlier ones under which it exists (all, where empty)."""

    name: str
    options: Options
    needs: tuple[tuple[str, Any], ...] = ()

    def active(self, values: Values) -> bool:
        """Whether a configuration that has these values has this parameter too."""
        return all(values.get(name) == value for name, value in self.needs)

    def ask(self, asker: Asker) -> Any:
        """Return the asked value; the only one is not asked for."""
        levels = self.options.levels
        return levels[0] if len(levels) == 1 else self.options.ask(asker, self.name)


class Tree:
    """The configurations of a space that declares its detectors.

    Every model has parameters of its own (``backbone of padim``, ``padim.n_features``); the noise
    level and the augmentation's strength are shared by all that declare none of their own.

    Raises:
        ParamsError: E340 a kind is declared that no model of the station is of.
    """

    def __init__(self, space: SearchSpace, models: Mapping[str, TrainParams]) -> None:
        self.space, self.models = space, dict(models)
        kinds = {model.detector.kind for model in models.values()}
        idle = sorted(set(space.detectors) - kinds)
        if idle:
            raise ParamsError(
                "E340",
                f"search.detectors names {', '.join(idle)}, and no model of this study is one.",
                f"Kinds of its models: {', '.join(sorted(kinds))}.",
            )
        self.dimensions = tuple(self._dimensions())

    def draw(self, asker: Asker, *, whole: bool = False) -> Values:
        """Draw the parameters of one configuration.

        ``whole`` asks for those of all others too: a genetic sampler crosses parents gene by gene
        and draws at random what not every parent has.
        """
        values: dict[str, Any] = {}
        for dimension in self.dimensions:
            is_active = dimension.active(values)
            if is_active or whole:
                asked = dimension.ask(asker)
                values |= {dimension.name: asked} if is_active else {}
        return values

    def build(self, values: Values) -> TrainParams:
        """Return the configuration that the values describe.

        Raises:
            ValidationError: there is none: the detector refuses this combination.
        """
        name = values["detector"]
        model, backbone = self.models[name], values[f"backbone of {name}"]
        layers = str(values[f"layers of {name} on {backbone}"])
        knobs = {
            key.removeprefix(f"{name}."): value
            for key, value in values.items()
            if key.startswith(f"{name}.")
        }
        changes = {"backbone": backbone, "layers": tuple(filter(None, layers.split("+"))), **knobs}
        return model.replaced(
            detector=model.detector.model_dump() | changes,
            image_size_px=values.get(f"image_size_px of {name} on {backbone}")
            or values[f"image_size_px of {name}"],
            input_noise=round(
                float(values.get(f"{SHARED_NOISE} of {name}", values.get(SHARED_NOISE))), 6
            ),
            **augmented(self.space, values.get("augment_strength")),
        )

    def describe(self, kind: str) -> Values:
        """Return the values closest to a model as it stands."""
        model, values = self.models[kind], dict[str, Any]()
        for dimension in self.dimensions:
            if dimension.active(values):
                values[dimension.name] = dimension.options.nearest(
                    self._own(model, kind, dimension)
                )
        return values

    def __iter__(self) -> Iterator[Values]:
        return self._walk(0, {})

    def _walk(self, index: int, values: dict[str, Any]) -> Iterator[Values]:
        if index == len(self.dimensions):
            yield values
            return
        dimension = self.dimensions[index]
        if not dimension.active(values):
            yield from self._walk(index + 1, values)
            return
        for level in dimension.options.levels:
            yield from self._walk(index + 1, values | {dimension.name: level})

    def _own(self, model: TrainParams, kind: str, dimension: Dimension) -> Any:
        """Return what a model itself has where the dimension lies."""
        head = dimension.name.partition(" of ")[0]
        own = {
            "detector": kind,
            "backbone": model.detector.backbone,
            "layers": "+".join(model.detector.layers),
            "image_size_px": model.image_size_px,
            SHARED_NOISE: model.input_noise,
            "augment_strength": 0.0,
        }
        return own[head] if head in own else getattr(model.detector, head.partition(".")[2])

    def _dimensions(self) -> Iterator[Dimension]:
        yield Dimension("detector", Choice(values=tuple(self.models)))
        for name, model in self.models.items():
            yield from self._of_model(name, model)
        if any(self._declared(model).input_noise is None for model in self.models.values()):
            yield Dimension(SHARED_NOISE, _noise(self.space.input_noise))
        if self.space.augment is not None:
            yield Dimension("augment_strength", self.space.augment.strength)

    def _of_model(self, name: str, model: TrainParams) -> Iterator[Dimension]:
        declared, here = self._declared(model), ("detector", name)
        backbones = self._backbones(model, declared)
        yield Dimension(f"backbone of {name}", Choice(values=backbones), (here,))
        for backbone in backbones:
            on = (here, (f"backbone of {name}", backbone))
            layers = self._layers(model, declared, backbone)
            yield Dimension(f"layers of {name} on {backbone}", Choice(values=layers), on)
            fixed = BACKBONES[backbone].image_size_px
            if fixed is not None:
                only = Choice(values=(fixed,))
                yield Dimension(f"image_size_px of {name} on {backbone}", only, on)
        sizes = (*(declared.image_size_px or self.space.image_size_px), model.image_size_px)
        yield Dimension(f"image_size_px of {name}", _choice(sizes), (here,))
        if declared.input_noise is not None:
            yield Dimension(f"{SHARED_NOISE} of {name}", _noise(declared.input_noise), (here,))
        for knob, of in self._knobs(model, declared).items():
            yield Dimension(f"{name}.{knob}", of, (here,))

    def _declared(self, model: TrainParams) -> DetectorSpace:
        return self.space.detectors.get(model.detector.kind, DetectorSpace())

    def _backbones(self, model: TrainParams, declared: DetectorSpace) -> tuple[BackboneName, ...]:
        accepted = model.detector.facts.backbones
        named = declared.backbone or tuple(b for b in self.space.backbone if b in accepted)
        return tuple(dict.fromkeys((*named, model.detector.backbone)))

    def _layers(
        self, model: TrainParams, declared: DetectorSpace, backbone: BackboneName
    ) -> tuple[str, ...]:
        """Return layer sets: the kind's, else those of the space that fit, else the default."""
        facts, detector = model.detector.facts, model.detector
        sets = declared.layers.get(backbone, ())
        if not sets and not facts.layers.get(backbone):
            sets = tuple(layers for layers in self.space.layers if _fits(backbone, layers))
        sets = sets or (facts.layers_of(backbone),)
        own = (detector.layers,) if backbone == detector.backbone else ()
        return tuple(dict.fromkeys("+".join(layers) for layers in (*sets, *own)))

    def _knobs(self, model: TrainParams, declared: DetectorSpace) -> dict[str, Options]:
        found = {name: options(knob) for name, knob in declared.knobs.items()}
        ratio = getattr(model.detector, "coreset_ratio", None)
        if ratio is not None and "coreset_ratio" not in found:
            found["coreset_ratio"] = _choice((*self.space.coreset_ratio, ratio))
        return {
            name: _choice((*of.values, getattr(model.detector, name)))
            if isinstance(of, Choice)
            else of
            for name, of in found.items()
        }


def _fits(backbone: BackboneName, layers: tuple[str, ...]) -> bool:
    try:
        checked_layers(backbone, layers)
    except ValueError:
        return False
    return True


def _choice(values: tuple[Any, ...]) -> Choice:
    return Choice(values=tuple(dict.fromkeys(values)))


def _noise(declared: NoiseRange) -> Range:
    return Range(low=declared.low, high=declared.levels[-1], step=NOISE_STEP)
