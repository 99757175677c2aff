"""What one study varies: how a detector is trained, and under which conditions it is tested."""

from collections.abc import Iterable
from itertools import product

import numpy as np

from components.augment import Augmentation, corruption
from components.data.images import Image, Mask
from components.data.region import Point, Window
from components.params import Params

CLEAN = "clean"
PLAIN = "as it is"


class WindowSpec(Params):
    """A cut around the station's region: a share of both sides, or a size in pixels."""

    share: float | None = None
    size_px: tuple[int, int] | None = None  # width, height

    @property
    def name(self) -> str:
        """Return ``window 400×400 px`` or ``window 50 %``."""
        if self.size_px is not None:
            return f"window {self.size_px[0]}×{self.size_px[1]} px"
        return f"window {100 * (self.share or 1.0):g} %"


class Variant(Params):
    """One way to train: which window of the picture, how many images, augmented or not."""

    augment: tuple[Augmentation, ...] = ()
    augment_copies: int = 0
    window: WindowSpec | None = None  # None: the images as the station prepares them
    num_train: int | None = None  # None: all of the training part

    @property
    def name(self) -> str:
        """What sets this variant apart, in words; ``as it is`` where nothing does."""
        words = []
        if self.window is not None:
            words.append(self.window.name)
        if self.num_train is not None:
            words.append(f"{self.num_train} image" + ("" if self.num_train == 1 else "s"))
        if self.augment:
            words.append("augmented")
        return " · ".join(words) or PLAIN


class Condition(Params):
    """One state of the test images: clean, one corruption at a severity, or several drawn."""

    kind: str | None = None
    severity: float | None = None
    drawn: tuple[Augmentation, ...] = ()

    @property
    def name(self) -> str:
        """Return ``clean``, ``defocus 3`` or ``augmented test``."""
        if self.drawn:
            return "augmented test"
        return CLEAN if self.kind is None else f"{self.kind} {self.severity:g}"

    def apply(
        self, image: Image, mask: Mask | None, rng: np.random.Generator
    ) -> tuple[Image, Mask | None]:
        """Corrupt an image, its mask along with it; the same generator state does the same."""
        for augmentation in self.drawn:
            image, mask = augmentation.apply(image, mask, rng)
        if self.kind is not None:
            return corruption(self.kind).stress(image, mask, self.severity or 0.0, rng)
        return image, mask


class AugmentAxis(Params):
    """Training with and without these augmentations."""

    kinds: tuple[Augmentation, ...]
    copies: int = 1  # augmented passes for detectors that read their images once


class WindowAxis(Params):
    """Cuts around the centre of the station's regions (of the image, where it has none)."""

    shares: tuple[float, ...] = ()
    sizes_px: tuple[tuple[int, int], ...] = ()  # width, height

    @property
    def specs(self) -> tuple[WindowSpec, ...]:
        """Return every window, sizes first."""
        return (
            *(WindowSpec(size_px=size) for size in self.sizes_px),
            *(WindowSpec(share=share) for share in self.shares),
        )


class CorruptAxis(Params):
    """Test conditions beside the clean one; the fitted detector is the same for all."""

    drawn: tuple[Augmentation, ...] = ()  # together one condition, drawn anew for each image
    severities: dict[str, tuple[float, ...]] = {}


class Axes(Params):
    """What a study varies beside detector, backbone, station and seed."""

    augment: AugmentAxis | None = None
    window: WindowAxis | None = None
    num_train: tuple[int | None, ...] = (None,)  # null: all
    corrupt: CorruptAxis | None = None

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Return every way to train: the product of windows, numbers and augmentation."""
        windows = self.window.specs if self.window else (None,)
        augments = [Variant()]
        if self.augment:
            kinds, copies = self.augment.kinds, self.augment.copies
            augments.append(Variant(augment=kinds, augment_copies=copies))
        return tuple(
            augmented.replaced(window=window, num_train=number)
            for window, number, augmented in product(windows, self.num_train, augments)
        )

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Return every test condition, clean first."""
        found = [Condition()]
        if self.corrupt is not None:
            if self.corrupt.drawn:
                found.append(Condition(drawn=self.corrupt.drawn))
            found += [
                Condition(kind=kind, severity=severity)
                for kind, severities in self.corrupt.severities.items()
                for severity in severities
            ]
        return tuple(found)


def place(
    spec: WindowSpec, regions: Iterable[Iterable[Point]], height_px: int, width_px: int
) -> Window | None:
    """Return the cut as left, top, right, bottom in 0..1, or None where it does not fit.

    It is centred on the box around all regions and pushed inside the picture where it sticks out.
    """
    points = [point for polygon in regions for point in polygon]
    centre = (0.5, 0.5)
    if points:
        xs, ys = zip(*points, strict=True)
        centre = ((min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2)
    if spec.size_px is None:
        sides = (spec.share or 1.0,) * 2
    else:
        sides = (spec.size_px[0] / width_px, spec.size_px[1] / height_px)
    if max(sides) > 1:
        return None
    left, top = (
        min(max(middle - side / 2, 0.0), 1 - side)
        for middle, side in zip(centre, sides, strict=True)
    )
    return left, top, min(left + sides[0], 1.0), min(top + sides[1], 1.0)
