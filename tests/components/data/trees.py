"""A tiny tree in each layout, drawn as its data set ships it: pictures of 12×10 px."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from components.data.formats import (
    AutoVi,
    Btad,
    Elpv,
    Folder,
    GlueLine,
    Ksdd2,
    MvtecAd,
    MvtecLoco,
    Source,
    Visa,
)

HEIGHT_PX, WIDTH_PX = 10, 12


@dataclass(frozen=True)
class Tree:
    """How a layout is drawn, what reads it, and what it holds."""

    draw: Callable[[Path], Path]
    source: Source
    num_normal: int
    num_anomalous: int
    has_masks: bool = True
    recognised: Source | None = None  # where another layout's reader is meant to find it

    @property
    def found(self) -> Source:
        """The params that recognition gives."""
        return self.recognised or self.source


def picture(path: Path) -> Path:
    """Write noise that the path decides, as the file's extension says."""
    rng = np.random.default_rng(list(path.as_posix().encode()))
    values = rng.integers(0, 256, (HEIGHT_PX, WIDTH_PX), dtype=np.uint8)
    return _saved(path, values)


def mask(
    path: Path,
    rows: tuple[int, int] = (2, 5),
    columns: tuple[int, int] = (3, 7),
    value: int = 255,
    size: tuple[int, int] = (HEIGHT_PX, WIDTH_PX),
) -> Path:
    """Write a mask with one rectangle (by default 3×4 px) of a value."""
    values = np.zeros(size, dtype=np.uint8)
    values[slice(*rows), slice(*columns)] = value
    return _saved(path, values)


def _saved(path: Path, values: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
    return path


def pictures(root: Path, *names: str) -> None:
    """Write several pictures below a root."""
    for name in names:
        picture(root / name)


# Absolute: 6 px are all of a gap. Relative: half of its area is all of a screw.
KINDS = (
    {
        "defect_name": "gap",
        "pixel_value": 255,
        "saturation_threshold": 6,
        "relative_saturation": False,
    },
    {
        "defect_name": "screw",
        "pixel_value": 254,
        "saturation_threshold": 0.5,
        "relative_saturation": True,
    },
)


def defects_config(root: Path, *entries: object) -> Path:
    """Write ``defects_config.json`` (by default with KINDS)."""
    path = root / "defects_config.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(entries or KINDS), encoding="utf-8")
    return path


def autovi(root: Path) -> Path:
    """Image 0 shows a gap of 12 px and a screw of 20 px, image 1 (of ``multiple``) one screw."""
    pictures(root, "train/good/0.png", "train/good/1.png", "test/good/0.png")
    pictures(root, "test/gap/0000.png", "test/multiple/0000.png")
    mask(root / "ground_truth/gap/0000/0000.png")
    mask(root / "ground_truth/gap/0000/0001.png", (5, 10), (8, 12), 254)
    mask(root / "ground_truth/multiple/0000/0000.png", (0, 1), (0, 1), 254)
    defects_config(root)
    return root


def mvtec_loco(root: Path) -> Path:
    """One validation normal; a logical and a structural anomaly."""
    pictures(root, "train/good/000.png", "validation/good/000.png", "test/good/000.png")
    for kind, value in (("logical_anomalies", 255), ("structural_anomalies", 254)):
        picture(root / f"test/{kind}/000.png")
        mask(root / f"ground_truth/{kind}/000/000.png", value=value)
    defects_config(root)
    return root


def mvtec_ad(root: Path) -> Path:
    """One type of defect, with a mask."""
    pictures(root, "train/good/000.png", "train/good/001.png", "test/good/000.png")
    picture(root / "test/scratch/000.png")
    mask(root / "ground_truth/scratch/000_mask.png")
    return root


def btad(root: Path) -> Path:
    """Images are BMP, masks PNG, as in product 01."""
    pictures(root, "train/ok/0000.bmp", "train/ok/0001.bmp", "test/ok/0000.bmp")
    picture(root / "test/ko/0000.bmp")
    mask(root / "ground_truth/ko/0000.png")
    return root


def ksdd2(root: Path) -> Path:
    """A defective surface in train as in test; every image has its mask."""
    for name, defective in (("train/1", 0), ("train/2", 1), ("test/3", 0), ("test/4", 1)):
        picture(root / f"{name}.png")
        mask(root / f"{name}_GT.png", value=255 * defective)
    return root


VISA_HEAD = "object,split,label,image,mask"


def visa_row(category: str, split: str, name: str, *, defective: bool = False) -> str:
    """Return a line of the table."""
    folder = f"{category}/Data/Images/{'Anomaly' if defective else 'Normal'}"
    shown = f"{category}/Data/Masks/Anomaly/{name}.png" if defective else ""
    label = "anomaly" if defective else "normal"
    return f"{category},{split},{label},{folder}/{name}.JPG,{shown}"


def visa(root: Path) -> Path:
    """One category; the defect's mask holds the classes 1 and 3."""
    rows = [visa_row("candle", "train", "0000"), visa_row("candle", "train", "0001")]
    rows += [visa_row("candle", "test", "0002")]
    rows += [visa_row("candle", "test", "000", defective=True)]
    table = root / "split_csv/1cls.csv"
    table.parent.mkdir(parents=True)
    table.write_text("\n".join([VISA_HEAD, *rows]) + "\n", encoding="utf-8")
    pictures(root, *(f"candle/Data/Images/Normal/000{i}.JPG" for i in range(3)))
    picture(root / "candle/Data/Images/Anomaly/000.JPG")
    values = np.zeros((HEIGHT_PX, WIDTH_PX), dtype=np.uint8)
    values[0, :4], values[1, :2] = 1, 3
    _saved(root / "candle/Data/Masks/Anomaly/000.png", values)
    return root


def folder(root: Path) -> Path:
    """Good parts and dents, with masks of their own."""
    pictures(root, "good/0.png", "good/1.png", "dent/0.png")
    mask(root / "masks/dent/0.png")
    return root


def elpv(root: Path) -> Path:
    """Two whole cells and a broken one; no masks."""
    pictures(root, "images/a.png", "images/b.png", "images/c.png")
    lines = ("images/a.png 0.0 mono", "images/b.png 0.0 poly", "images/c.png 1.0 mono")
    (root / "labels.csv").write_text("\n".join(lines))
    return root


TREES = {
    "folder": Tree(folder, Folder(masks="masks"), 2, 1),
    "mvtec_ad": Tree(mvtec_ad, MvtecAd(), 3, 1),
    "mvtec_loco": Tree(mvtec_loco, MvtecLoco(), 3, 2),
    "autovi": Tree(autovi, AutoVi(), 3, 2),
    "visa": Tree(visa, Visa(category="candle"), 3, 1),
    "btad": Tree(btad, Btad(), 3, 1),
    "ksdd2": Tree(ksdd2, Ksdd2(), 2, 2),
    "elpv": Tree(elpv, Elpv(cell_type="all"), 2, 1, has_masks=False),
    "glue_line": Tree(mvtec_ad, GlueLine(), 3, 1, recognised=MvtecAd()),
}
