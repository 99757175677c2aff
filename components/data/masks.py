"""What an image's mask files say: one defect an image, or one a file, and what is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from components.data.formats.defects_config import CONFIG_NAME, DefectKind
from components.data.formats.listing import Entry, MaskRule
from components.data.images import (
    Image,
    ImageLimits,
    ImageRejected,
    as_mask,
    decode_image,
    read_bytes,
)
from components.records import Defect

MaskPolicy = Literal["required", "optional", "none"]
Judged = tuple[tuple[Defect, ...], tuple[str, ...]]


@dataclass(frozen=True)
class MaskJudge:
    """Reads masks below ``raw`` by the layout's rule and the station's policy.

    ``wanted`` says whether a defect without a mask is a problem.
    """

    raw: Path
    limits: ImageLimits
    policy: MaskPolicy
    rule: MaskRule
    wanted: bool

    def defects(self, entry: Entry, shape: tuple[int, ...]) -> Judged:
        """Return the defects of one image of H×W = ``shape``, and notes on its masks."""
        if entry.gt_label == 0:
            return (), ()
        plain = Defect(defect_type=entry.defect_type or "defective")
        if self.policy == "none" or not (entry.mask_paths or self.wanted):
            return (plain,), ()
        if not entry.mask_paths:
            return (plain.model_copy(update={"mask_problem": "missing"}),), ()
        if self.rule.kinds is not None:
            judged = [self._one(plain, path, shape) for path in entry.mask_paths]
            return tuple(d for d, _ in judged), tuple(n for _, notes in judged for n in notes)
        if len(entry.mask_paths) > 1:
            double = {"mask_problem": "double", "mask_path": entry.mask_paths[0]}
            return (plain.model_copy(update=double),), ()
        defect, notes = self._one(plain, entry.mask_paths[0], shape)
        return (defect,), notes

    def _one(
        self, plain: Defect, mask_path: str, shape: tuple[int, ...]
    ) -> tuple[Defect, tuple[str, ...]]:
        try:
            path = self.raw / mask_path
            image = decode_image(read_bytes(path, self.limits), path, self.limits)[1]
        except ImageRejected as rejected:
            missing = plain.model_copy(update={"mask_problem": "missing"})
            return missing, (f"mask {mask_path} cannot be read: {rejected.reason}",)
        mask = as_mask(image)
        area = int(np.count_nonzero(mask))
        found = plain.model_copy(update={"mask_path": mask_path, "mask_area_px": area})
        if mask.shape != shape:
            return _with_problem(found, "size")
        if area == 0:
            return _with_problem(found, "empty")
        if self.rule.kinds is not None:
            return self._instance(found, image, self.rule.kinds)
        if not self.rule.class_values and not _binary(image):
            return _with_problem(found, "not_binary")
        return found, ()

    def _instance(
        self, found: Defect, image: Image, kinds: Mapping[int, DefectKind]
    ) -> tuple[Defect, tuple[str, ...]]:
        """Complete a defect by the kind that its mask's one value names."""
        values = instance_values(image)
        if len(values) > 1:
            several = ", ".join(str(value) for value in values)
            words = f"holds the values {several}, but one file is one defect"
            return _with_problem(found, "not_binary", words)
        kind = kinds.get(values[0])
        if kind is None:
            words = f"value {values[0]} is not in {CONFIG_NAME}"
            return _with_problem(found, "unknown_value", words)
        known: dict[str, object] = {
            "saturation_px": kind.saturation_px(found.mask_area_px or 0),
            "defect_type": kind.defect_name if self.rule.named_by_kind else found.defect_type,
        }
        return found.model_copy(update=known), ()


def instance_values(image: Image) -> list[int]:
    """Return the values above zero of an instance mask, rising."""
    return [value for value in np.unique(image).tolist() if value]


def _with_problem(found: Defect, problem: str, words: str = "") -> tuple[Defect, tuple[str, ...]]:
    words = words or problem.replace("_", " ")
    return found.model_copy(update={"mask_problem": problem}), (f"mask {found.mask_path}: {words}",)


def _binary(image: Image) -> bool:
    """Return whether a mask has two values, one of them zero, or one value alone."""
    values = np.unique(image)
    return len(values) == 1 or (len(values) == 2 and values[0] == 0)
