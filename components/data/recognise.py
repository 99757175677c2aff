"""Which layout a folder of images has, and why; nothing is guessed between two that fit."""

from collections.abc import Iterator
from pathlib import Path

from components.data.formats import Source
from components.data.formats.listing import require_folder, subfolders
from components.data.signs import LAYOUTS, Layout
from components.errors import DataError

_PARTS = ("train", "test", "validation")
_HINTS_SHOWN = 5


def recognise(root: Path, category: str | None = None) -> tuple[Source, str]:
    """Return the layout's params and, in words, what they were recognised by.

    ``category`` chooses in a data set that lists several in one table.

    Raises:
        DataError: E101 no such folder; E109 no known layout fits, or more than one does; E222
            the folder is only a part of one; E225 no such category, or none chosen of several.
    """
    require_folder(root)
    fitting = _fitting(root)
    if not fitting:
        raise _unknown(root)
    if len(fitting) > 1:
        kinds = " and ".join(f"{layout.kind} ({reason})" for layout, reason in fitting)
        message = f"{root}: more than one layout fits: {kinds}."
        raise DataError("E109", message, "Write the station's 'source' by hand.")
    layout, reason = fitting[0]
    if layout.kind == "folder" and root.name in _PARTS:
        _refuse_part(root)
    if category is not None and layout.kind != "visa":
        message = f"{root} has the layout {layout.kind}, which is one category already."
        raise DataError("E225", message, "Leave --category out.")
    return layout.source(root, category), reason


def _fitting(root: Path) -> list[tuple[Layout, str]]:
    answers = [(layout, layout.why(root)) for layout in LAYOUTS]
    return [(layout, reason) for layout, reason in answers if reason is not None]


def _unknown(root: Path) -> DataError:
    """Return E109 for a folder that fits nothing, with the folder near it that would fit."""
    hints = [f"{folder.name}/ ({kinds})" for folder, kinds in _near(subfolders(root))]
    if hints:
        more = f" and {len(hints) - _HINTS_SHOWN} more" if len(hints) > _HINTS_SHOWN else ""
        message = f"{root}: no known layout fits it, but what lies in it: "
        shown = ", ".join(hints[:_HINTS_SHOWN]) + more
        return DataError("E109", f"{message}{shown}.", f"Give one of these, as {root}/NAME.")
    for folder, kinds in _near([*root.parents[:2]]):
        message = f"{root}: no known layout fits it, but one fits the folder that it lies in."
        return DataError("E109", message, f"Give {folder} ({kinds}).")
    looked_for = "; ".join(f"{layout.looks_for} ({layout.kind})" for layout in LAYOUTS)
    message = f"{root}: no known layout fits. Looked for: {looked_for}."
    return DataError("E109", message, "Sort the images into one of these.")


def _near(folders: list[Path]) -> Iterator[tuple[Path, str]]:
    """Give the folders that some layout fits; a part of a tree stands behind the tree itself."""
    for folder in sorted(folders, key=lambda folder: folder.name in _PARTS):
        fitting = _fitting(folder)
        if fitting:
            yield folder, " or ".join(layout.kind for layout, _ in fitting)


def _refuse_part(root: Path) -> None:
    """Raise E222 for the train or test folder of a tree: alone it would pass for a whole."""
    whole = [
        (layout, reason) for layout, reason in _fitting(root.parent) if layout.kind != "folder"
    ]
    for layout, reason in whole:
        raise DataError(
            "E222",
            f"{root} is one part of a data set in the layout {layout.kind}: {reason}.",
            f"Give {root.parent}, or copy the folder elsewhere to use it alone.",
        )
