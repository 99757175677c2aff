"""The images of an object folder and the files of their ground truth, before any is decoded."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from components.data.formats.defects_config import CONFIG_NAME, DefectKind, read_defects_config
from components.data.formats.listing import image_files, masks_by_stem, note, relative, subfolders
from components.scoring.layouts import GOOD, Layout, recognise_truth
from components.scoring.problems import Problems


@dataclass(frozen=True)
class TruthImage:
    """One image to be scored; ``defect`` is ``good`` where it is normal."""

    defect: str
    image_id: str
    image_path: Path | None = None  # None where the folder has no test images
    mask_paths: tuple[Path, ...] = ()  # one an instance, or one for the image

    @property
    def is_normal(self) -> bool:
        """Whether the image has no defect."""
        return self.defect == GOOD

    @property
    def name(self) -> str:
        """The path of its map, without an extension."""
        return f"{self.defect}/{self.image_id}"


@dataclass(frozen=True)
class Truth:
    """The ground truth of one object."""

    root: Path
    layout: Layout
    why: str
    images: tuple[TruthImage, ...]
    is_complete: bool  # every image is known, the normal ones too, from the folder's test images
    kinds: Mapping[int, DefectKind] = field(default_factory=dict)  # pixel value → kind
    notes: tuple[str, ...] = ()


def list_truth(root: Path, layout: Layout | None, problems: Problems) -> Truth:
    """List the images of an object folder with their masks; what does not fit is a problem.

    Raises:
        DataError: E211 or E212 as :func:`recognise_truth`; E220 or E221 a bad defects_config.json.
    """
    found, why = recognise_truth(root, layout)
    by_instance = found != "mvtec_ad"
    kinds = read_defects_config(root / CONFIG_NAME) if by_instance else {}
    tested = _test_images(root, problems)
    listed = _instance_masks(root) if by_instance else _image_masks(root, tested, problems)
    notes = _notes(root, listed, tested)
    images = tuple(_tested(tested, listed) if tested else _masked_only(listed))
    for image in images:
        if not image.is_normal and not image.mask_paths:
            problems.add(f"{root / 'ground_truth' / image.name}: no mask of this anomalous image.")
    return Truth(root, found, why, images, bool(tested), kinds, notes)


MasksOf = dict[tuple[str, str], tuple[Path, ...]]  # (defect, image id) → masks
ImageOf = dict[tuple[str, str], Path]  # (defect, image id) → test image


def _test_images(root: Path, problems: Problems) -> ImageOf:
    found: ImageOf = {}
    for folder in subfolders(root / "test"):
        for path in image_files(folder)[0]:
            first = found.setdefault((folder.name, path.stem), path)
            if first != path:
                problems.add(f"{path}: has the image id of {first.name}.")
    return found


def _instance_masks(root: Path) -> MasksOf:
    return {
        (kind.name, folder.name): tuple(image_files(folder)[0])
        for kind in _types(root)
        for folder in subfolders(kind)
    }


def _image_masks(root: Path, tested: ImageOf, problems: Problems) -> MasksOf:
    found: MasksOf = {}
    for kind in _types(root):
        masks = image_files(kind)[0]
        stems = [i for defect, i in tested if defect == kind.name] if tested else []
        stems = stems or [mask.stem.removesuffix("_mask") for mask in masks]
        for image_id, paths in masks_by_stem(masks, stems).items():
            if not image_id:
                found |= {(kind.name, path.stem.removesuffix("_mask")): (path,) for path in paths}
                continue
            found[kind.name, image_id] = tuple(paths)
            if len(paths) > 1:
                problems.add(f"{paths[1]}: a second mask of {kind.name}/{image_id}.")
    return found


def _types(root: Path) -> Iterator[Path]:
    return (f for f in subfolders(root / "ground_truth") if f.name != GOOD)


def _tested(tested: ImageOf, listed: MasksOf) -> Iterator[TruthImage]:
    for (defect, image_id), path in tested.items():
        yield TruthImage(defect, image_id, path, listed.get((defect, image_id), ()))


def _masked_only(listed: MasksOf) -> Iterator[TruthImage]:
    return (TruthImage(defect, i, None, masks) for (defect, i), masks in listed.items())


def _notes(root: Path, listed: MasksOf, tested: ImageOf) -> tuple[str, ...]:
    left_over = [f"{d}/{i}" for d, i in listed if tested and (d, i) not in tested]
    unexpected = [f for f in subfolders(root / "ground_truth") if f.name == GOOD]
    loose = image_files(root / "ground_truth")[0] + image_files(root / "test")[0]
    return (
        *note("masks without a test image, ignored", left_over),
        *note("folder of masks of normal images, ignored", relative(unexpected, root)),
        *note("images outside a folder of their type, ignored", relative(loose, root)),
    )
