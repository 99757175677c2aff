"""The plain layout: a folder of good images, a folder for each type of defect, perhaps masks."""

from pathlib import Path
from typing import Literal

from components.data.formats.listing import (
    Entry,
    Listing,
    double_notes,
    image_files,
    masks_by_stem,
    note,
    relative,
    require_folder,
    require_normals,
    subfolders,
)
from components.errors import DataError
from components.params import Params
from components.records import Split


class Folder(Params):
    """Folders named after what they hold; every folder that is not normal is a defect type.

    Masks lie in ``<masks>/<type>/`` or directly in ``<masks>/`` and carry their image's name.
    """

    kind: Literal["folder"] = "folder"
    path: str | None = None  # where the images are taken from; None = already in data/raw
    normal: tuple[str, ...] = ("good", "ok", "normal")  # case does not matter
    masks: str | None = None

    def entries(self, root: Path) -> Listing:
        """List all images, unsplit.

        Raises:
            DataError: E101 no such folder; E102 no normal image; E103 no such folder of masks.
        """
        require_folder(root)
        if self.masks is not None and not (root / self.masks).is_dir():
            raise DataError(
                "E103",
                f"{root}: no folder of masks {self.masks!r}.",
                "Set source.masks to its name.",
            )
        normal_names = {name.lower() for name in self.normal}
        classes = [f for f in subfolders(root) if f.name != self.masks]
        normals = [f for f in classes if f.name.lower() in normal_names]
        others = [f for f in classes if f.name.lower() not in normal_names]
        listings = [_normals(f, root) for f in normals] + [self._defects(f, root) for f in others]
        entries = [entry for listing in listings for entry in listing.entries]
        require_normals(entries, root, f"images in a folder named {', '.join(self.normal)}")
        loose = note("images outside any folder, ignored", relative(image_files(root)[0], root))
        return Listing(
            entries=tuple(sorted(entries, key=lambda entry: entry.image_path)),
            notes=(*loose, *(text for listing in listings for text in listing.notes)),
        )

    def _defects(self, folder: Path, root: Path) -> Listing:
        images, others = image_files(folder, deep=True)
        masks = self._masks(folder.name, root)
        own = (root / self.masks / folder.name).is_dir() if self.masks else False
        paired = masks_by_stem(masks, (image.stem for image in images))
        masks_of = {
            path: relative(paired.get(image.stem, ()), root)
            for image, path in zip(images, relative(images, root))
        }
        entries = tuple(
            Entry(path, root.name, Split.UNSPLIT, 1, folder.name, of)
            for path, of in masks_of.items()
        )
        # In one folder for all types, the masks left over here belong to the other types.
        left = relative(paired.get("", ()), root) if own else ()
        ignored = note("files that are no images, ignored", relative(others, root))
        return Listing(
            entries, (*ignored, *note("masks without an image", left), *double_notes(masks_of))
        )

    def _masks(self, defect_type: str, root: Path) -> list[Path]:
        if self.masks is None:
            return []
        own = root / self.masks / defect_type
        return image_files(own, deep=True)[0] if own.is_dir() else image_files(root / self.masks)[0]


def _normals(folder: Path, root: Path) -> Listing:
    images, others = image_files(folder, deep=True)
    entries = tuple(Entry(p, root.name, Split.UNSPLIT, 0) for p in relative(images, root))
    return Listing(entries, note("files that are no images, ignored", relative(others, root)))
