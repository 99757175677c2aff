"""From a folder of maps and a folder of ground truth to every figure."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from components.data.formats.listing import note
from components.errors import DataError
from components.metrics.image import TNRS
from components.metrics.localisation import (
    LIMITS,
    Localisation,
    localisation_figures,
    streamed_localisation,
)
from components.metrics.ranking import UndefinedMetricError
from components.scoring.figures import (
    ImageFigures,
    PixelFigures,
    by_defect,
    image_figures_of,
    no_image_figures,
    no_pixel_figures,
    pixel_figures_of,
)
from components.scoring.layouts import Layout
from components.scoring.maps import list_maps
from components.scoring.pairs import Pair, pair_up
from components.scoring.problems import Problems
from components.scoring.reading import Reading, read_all, stream
from components.scoring.report import ScoreReport
from components.scoring.truth import Truth, list_truth

BUDGET_PX = 150_000_000


class Watch(Protocol):
    """Passes pairs through and shows how far one is."""

    def __call__(self, pairs: Sequence[Pair], doing: str) -> Iterable[Pair]:
        """Return the same pairs in the same order."""


def unwatched(pairs: Sequence[Pair], doing: str) -> Iterable[Pair]:  # noqa: ARG001 - a Watch
    """Show nothing."""
    return pairs


def score_maps(
    maps: Path,
    truth: Path,
    *,
    layout: Layout | None = None,
    limits: Sequence[float] = LIMITS,
    tnrs: Sequence[float] = TNRS,
    budget_px: int = BUDGET_PX,
    watch: Watch = unwatched,
) -> ScoreReport:
    """Score the maps in ``maps`` (``{good,<defect>}/<image id>``) by an object's ground truth.

    Maps of another size than their ground truth are resized to it. Up to ``budget_px`` pixels
    are held in memory and all figures are exact; above, files are read again one at a time.

    Raises:
        DataError: E211, E212 a folder that is not what it should be; E213 every file that is
            missing, left over or unusable; E220, E221 ``defects_config.json``.
    """
    problems = Problems()
    known = list_truth(truth, layout, problems)
    found, ignored = list_maps(maps)
    pairs = pair_up(known, maps, found, problems)
    if not pairs:
        raise DataError("E211", f"{maps} holds no map of an image of {truth}.", _meant(maps))
    reading = read_all(watch(pairs, "reading maps"), known, budget_px, problems)
    problems.raise_any()
    figures, image_note = _image_level(reading, tnrs)
    located, pixel_note = _pixel_level(reading, known, limits, watch)
    return ScoreReport(
        layout=known.layout,
        why=known.why,
        num_images=len(pairs),
        num_normal=reading.labels.count(0),
        num_anomalous=reading.labels.count(1),
        num_regions=sum(reading.num_regions),
        num_resized=reading.num_resized,
        streamed=reading.streamed,
        **located,
        **figures,
        by_defect=by_defect(pairs, reading),
        notes=(*_notes(reading, known), *image_note, *pixel_note, *known.notes, *ignored),
    )


def _image_level(reading: Reading, tnrs: Sequence[float]) -> tuple[ImageFigures, tuple[str, ...]]:
    try:
        return image_figures_of(reading, tnrs), ()
    except UndefinedMetricError as error:
        return no_image_figures(tnrs), (error.message,)


def _pixel_level(
    reading: Reading, truth: Truth, limits: Sequence[float], watch: Watch
) -> tuple[PixelFigures, tuple[str, ...]]:
    try:
        return pixel_figures_of(_localise(reading, truth, limits, watch)), ()
    except UndefinedMetricError as error:
        return no_pixel_figures(limits), (error.message,)


def _localise(
    reading: Reading, truth: Truth, limits: Sequence[float], watch: Watch
) -> Localisation:
    if not reading.streamed:
        return localisation_figures(reading.maps, reading.truths, limits)
    return streamed_localisation(
        lambda: stream(watch(reading.located, "reading again"), truth), limits
    )


def _notes(reading: Reading, truth: Truth) -> tuple[str, ...]:
    empty = "anomalous images with an empty mask, left out of pixel figures"
    found = [*note(empty, reading.unmasked)]
    if reading.num_resized:
        share = f"{reading.num_resized} of {len(reading.scores)} maps"
        found.append(f"resized to their ground truth (bilinear): {share}")
    if not truth.is_complete:
        found.append("no test images beside the ground truth: maps of good taken as they are")
    if reading.streamed:
        found.append(
            f"{reading.num_pixels / 1e6:.1f} million pixels of maps and masks, more than the "
            f"{reading.budget_px / 1e6:g} million to be held: read one at a time, within 1e-4"
        )
    return tuple(found)


def _meant(maps: Path) -> str:
    """Return which folder was probably meant."""
    below = maps / "test"
    if below.is_dir():
        return f"Give the folder of the types: {below}."
    return "Maps lie as <maps>/good/<image id>.png and <maps>/<defect>/<image id>.png."
