"""The synthesize stage: defects drawn on held-out normal images, for the tune set.

Parents are real normals of *tune*, donors real normals of *fit*: no synthetic image is made from
an image of the report set, and none enters it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.data.images import measure, read_image, write_png
from components.data.region import Point, region_mask
from components.errors import DataError, PipelineError
from components.records import Defect, ImageRecord, Manifest, Split
from components.synthesize import Synthesizer
from components.synthesize.section import SynthesizeParams
from components.synthesize.visible import Image, Mask, NothingVisibleError

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class _Job:
    manifest: Manifest
    parents: tuple[ImageRecord, ...]  # both sorted by image_id
    donors: tuple[ImageRecord, ...]
    regions: tuple[tuple[Point, ...], ...]
    out: Path


def synthesize(
    manifest: Manifest, params: SynthesizeParams, out: Path, *, progress: Progress | None = None
) -> Manifest:
    """Draw ``num_per_kind`` defects of each kind; return their manifest, rooted at ``out``.

    ``manifest`` is the prepared one: regions lie on pictures already cut to the window. Writes
    ``images/<image_id>.png`` and ``masks/<image_id>.png``; image_id is the sha256 of the written
    image. Every image has its own random stream by seed, place of its kind, and number: more
    images, or a further kind at the end, change none of the others.

    Raises:
        DataError: E143, no normal image in the tune set.
        PipelineError: as for ``apply`` of a kind, naming the parent.
    """
    parents = _normals(manifest, Split.TUNE)
    if not parents:
        raise DataError(
            "E143",
            f"Station {manifest.station} has no normal image in its tune set to draw defects on.",
            "Raise split.tune of the station, or give it more normal images.",
        )
    job = _Job(manifest, parents, _normals(manifest, Split.FIT), params.regions, out)
    records: list[ImageRecord] = []
    total = len(params.kinds) * params.num_per_kind
    for place, kind in enumerate(params.kinds):
        order = _order(len(parents), params.seed, place)
        for number in range(params.num_per_kind):
            stream = np.random.SeedSequence([params.seed, place, number])
            turn = [parents[i] for i in np.roll(order, -number)]
            records.append(_draw_one(job, kind, turn, np.random.default_rng(stream)))
            if progress is not None:
                progress(len(records), total)
    return Manifest(
        station=manifest.station, layout=manifest.layout, root=out, records=tuple(records)
    )


def _order(num_parents: int, seed: int, place: int) -> list[int]:
    # The spawn key parts this stream from every image's: [seed, place] alone equals number 0.
    stream = np.random.SeedSequence([seed, place], spawn_key=(0,))
    return np.random.default_rng(stream).permutation(num_parents).tolist()


def _normals(manifest: Manifest, split: Split) -> tuple[ImageRecord, ...]:
    real = (r for r in manifest.of(split, label=0) if r.origin == "real")
    return tuple(sorted(real, key=lambda record: record.image_id))


def _draw_one(
    job: _Job, kind: Synthesizer, turn: list[ImageRecord], rng: np.random.Generator
) -> ImageRecord:
    """Draw on the first parent of ``turn`` that shows a defect (a blank picture never does)."""
    for parent in turn:
        image = read_image(job.manifest.path(parent))
        donor = read_image(job.manifest.path(_donor(job, parent, rng)))
        region = region_mask(job.regions, *image.shape[:2])
        try:
            drawn, mask = kind.apply(image, region, rng, donor)
        except NothingVisibleError as error:
            failure: PipelineError = error
        except PipelineError as error:
            raise _naming(error, kind, parent) from None
        else:
            return _written(job, kind.kind, parent, drawn, mask)
    raise _naming(failure, kind, turn[0])


def _donor(job: _Job, parent: ImageRecord, rng: np.random.Generator) -> ImageRecord:
    """Choose a normal image like the parent: of fit, else of tune, else the parent itself."""
    look = (parent.channels, parent.bit_depth)
    fit = [r for r in job.donors if (r.channels, r.bit_depth) == look]
    tune = [r for r in job.parents if (r.channels, r.bit_depth) == look and r != parent]
    donors = fit or tune or [parent]
    return donors[int(rng.integers(len(donors)))]


def _written(job: _Job, kind: str, parent: ImageRecord, image: Image, mask: Mask) -> ImageRecord:
    """Write image and mask under the image's own digest and return the record."""
    part = write_png(job.out / "images" / f".{kind}.png", image)
    image_id = _sha256(part)
    image_path, mask_path = f"images/{image_id}.png", f"masks/{image_id}.png"
    write_png(job.out / mask_path, mask)
    part.replace(job.out / image_path)
    stats = measure(image)
    defect = Defect(defect_type=kind, mask_path=mask_path, mask_area_px=int(mask.sum()))
    return ImageRecord(
        image_id=image_id,
        image_path=image_path,
        category=parent.category,
        split=Split.TUNE,
        gt_label=1,
        defects=(defect,),
        group_id=parent.group_id,
        height_px=image.shape[0],
        width_px=image.shape[1],
        channels=parent.channels,
        bit_depth=parent.bit_depth,
        brightness=stats.brightness,
        contrast=stats.contrast,
        sharpness=stats.sharpness,
        thumbprint=stats.thumbprint,
        origin="synthetic",
        parent_id=parent.image_id,
    )


def _sha256(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


def _naming(error: PipelineError, kind: Synthesizer, parent: ImageRecord) -> PipelineError:
    message = f"{kind.kind} on {parent.image_path}: {error.message}"
    return PipelineError(error.code, message, error.remedy)
