"""The columns that expectations look at: the manifest's table and marks derived from it."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from components.data.duplicates import near_duplicates
from components.records import Manifest

OURS = ("fit", "tune", "report")
MASK_PROBLEMS = ("missing", "double", "size", "not_binary", "empty")
NONE = ""


def marked(manifest: Manifest, table: Any, near_duplicate_bits: int | None) -> Any:
    """Return the table with marks, which are text: empty where nothing is wrong.

    ``duplicate`` and ``near_duplicate`` say where the other one is (``split``, ``label`` or
    ``same`` split); ``part`` is ``split`` for a physical part in several splits; ``mask_…`` names
    a mask's problem; ``unmeasured`` is ``yes`` for an image without statistics; ``num …`` columns
    are 1 where a row counts for something.
    """
    frame = table.copy()
    real = frame["origin"].fillna("real") == "real"
    frame["reject_code"] = frame["reject_code"].fillna(NONE)
    frame["duplicate"] = _duplicates(frame[real & frame["decodable"]], frame)
    frame["part"] = _parts(frame[real], frame)
    frame["near_duplicate"] = _near(manifest, frame, near_duplicate_bits)
    frame["unmeasured"] = _text(
        frame["decodable"] & frame[["brightness", "contrast", "sharpness"]].isna().any(axis=1)
    )
    anomalous = frame["decodable"] & (frame["gt_label"] == 1)
    for problem in mask_problems(manifest):
        held = frame["mask_problem"].fillna(NONE).str.contains(problem, regex=False)
        frame[f"mask_{problem}"] = _text(held & anomalous)
    for split in OURS:
        here = frame["decodable"] & real & (frame["split"] == split)
        frame[f"num {split} normal"] = (here & (frame["gt_label"] == 0)).astype(int)
        frame[f"num {split} anomalous"] = (here & (frame["gt_label"] == 1)).astype(int)
    return frame


def mask_problems(manifest: Manifest) -> tuple[str, ...]:
    """Return the problems to ask for: a value without a kind, only where masks name kinds."""
    defects = [defect for record in manifest.records for defect in record.defects]
    named = any(d.saturation_px is not None or d.mask_problem == "unknown_value" for d in defects)
    return (*MASK_PROBLEMS, "unknown_value") if named else MASK_PROBLEMS


def defect_types(frame: Any) -> tuple[str, ...]:
    """Return the defect types of anomalous images, sorted."""
    return tuple(sorted(frame.loc[frame["gt_label"] == 1, "defect_type"].unique()))


def _text(mask: Any) -> Any:
    return mask.map({True: "yes", False: NONE})


def _duplicates(images: Any, frame: Any) -> Any:
    """Mark each image whose bytes come twice by the worst of its meetings."""
    mark = frame["image_path"].map(lambda _: NONE)
    twice = images[images["image_id"].duplicated(keep=False)]
    for _, members in twice.groupby("image_id"):
        if members["gt_label"].nunique() > 1:
            word = "label"
        else:
            word = "split" if members["split"].nunique() > 1 else "same"
        mark[members.index] = word
    return mark


def _parts(images: Any, frame: Any) -> Any:
    mark = frame["image_path"].map(lambda _: NONE)
    known = images[images["decodable"] & (images["group_id"].fillna(NONE) != NONE)]
    splits = known.groupby("group_id")["split"].transform("nunique")
    mark[splits.index[splits > 1]] = "split"
    return mark


def _near(manifest: Manifest, frame: Any, bits: int | None) -> Any:
    """Mark near-duplicates; the same bytes are ``duplicate``'s affair."""
    mark = dict.fromkeys(frame["image_path"], NONE)
    if bits is not None:
        real = {r.image_path: r for r in manifest.records if r.origin == "real"}
        pairs = near_duplicates(list(real.values()), bits, manifest.root)
        for path, others in _neighbours(pairs).items():
            distinct = [o for o in others if real[o].image_id != real[path].image_id]
            if any(real[other].split != real[path].split for other in distinct):
                mark[path] = "split"
            elif distinct:
                mark[path] = "same"
    return frame["image_path"].map(mark)


def _neighbours(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for one, other in pairs:
        found[one].append(other)
        found[other].append(one)
    return found
