"""Every layout counts each file once and names what it leaves out."""

import typing
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from components.data.formats import SOURCE_KINDS, Elpv, Entry, Folder, MvtecAd, Source
from components.data.formats import elpv as elpv_module
from components.data.formats.listing import masks_by_stem
from components.errors import DataError
from components.records import Split

MakeImage = Callable[..., Path]


def by_path(entries: tuple[Entry, ...]) -> dict[str, Entry]:
    return {entry.image_path: entry for entry in entries}


def test_a_source_is_chosen_by_its_kind() -> None:
    source = TypeAdapter(Source).validate_python({"kind": "elpv", "cell_type": "poly"})
    assert source == Elpv(cell_type="poly")
    with pytest.raises(ValidationError):
        TypeAdapter(Source).validate_python({"kind": "coco"})


def test_the_known_kinds_come_from_the_union() -> None:
    members = typing.get_args(typing.get_args(Source)[0])
    assert set(SOURCE_KINDS.values()) == set(members)
    assert all(kind == cls.model_fields["kind"].default for kind, cls in SOURCE_KINDS.items())
    assert {kind for kind, cls in SOURCE_KINDS.items() if hasattr(cls, "fetch")} == {
        "elpv",
        "glue_line",
    }


# --- masks --------------------------------------------------------------------------------------


def test_masks_pair_by_name_and_not_by_order() -> None:
    masks = [Path("anomaly-10_mask.png"), Path("anomaly-1_mask.png"), Path("stray.png")]
    paired = masks_by_stem(masks, ["anomaly-1", "anomaly-10", "anomaly-2"])
    assert paired == {
        "anomaly-1": [Path("anomaly-1_mask.png")],
        "anomaly-10": [Path("anomaly-10_mask.png")],
        "": [Path("stray.png")],
    }


def test_an_image_that_is_itself_called_mask_keeps_its_own() -> None:
    paired = masks_by_stem([Path("7_mask.png")], ["7", "7_mask"])
    assert paired == {"7_mask": [Path("7_mask.png")]}


# --- mvtec_ad -----------------------------------------------------------------------------------


def test_mvtec_ad_lists_each_file_once(mvtec_tree: Path) -> None:
    listing = MvtecAd().entries(mvtec_tree)
    found = by_path(listing.entries)
    assert list(found) == [
        "test/good/0.png",
        "test/scratch/anomaly-1.png",
        "test/scratch/anomaly-10.png",
        "train/good/0.png",
        "train/good/1.png",
    ]
    assert listing.notes == ()
    assert found["train/good/0.png"] == Entry("train/good/0.png", "bolt", Split.TRAIN, 0)
    assert found["test/scratch/anomaly-1.png"] == Entry(
        "test/scratch/anomaly-1.png",
        "bolt",
        Split.TEST,
        1,
        "scratch",
        ("ground_truth/scratch/anomaly-1_mask.png",),
    )


def test_a_mask_of_the_same_stem_pairs_as_well(mvtec_tree: Path) -> None:
    folder = mvtec_tree / "ground_truth/scratch"
    (folder / "anomaly-1_mask.png").rename(folder / "anomaly-1.png")
    found = by_path(MvtecAd().entries(mvtec_tree).entries)
    assert found["test/scratch/anomaly-1.png"].mask_paths == ("ground_truth/scratch/anomaly-1.png",)


def test_a_double_mask_shows_in_the_entry_and_in_a_note(
    mvtec_tree: Path, make_mask: MakeImage
) -> None:
    make_mask(mvtec_tree / "ground_truth/scratch/anomaly-1.png")
    listing = MvtecAd().entries(mvtec_tree)
    assert len(by_path(listing.entries)["test/scratch/anomaly-1.png"].mask_paths) == 2
    assert any("more than one mask: test/scratch/anomaly-1.png" in n for n in listing.notes)


def test_strays_are_named(mvtec_tree: Path, make_image: MakeImage, make_mask: MakeImage) -> None:
    make_mask(mvtec_tree / "ground_truth/scratch/anomaly-99_mask.png")
    make_mask(mvtec_tree / "ground_truth/dent/0_mask.png")
    make_image(mvtec_tree / "train/bad/0.png")
    make_image(mvtec_tree / "test/loose.png")
    (mvtec_tree / "train/good/readme.txt").write_text("hello")
    (mvtec_tree / "train/good/.DS_Store").write_text("hidden")
    listing = MvtecAd().entries(mvtec_tree)
    assert len(listing.entries) == 5
    notes = "\n".join(listing.notes)
    for name in ("anomaly-99_mask.png", "ground_truth/dent", "train/bad", "test/loose.png"):
        assert name in notes
    assert "train/good/readme.txt" in notes
    assert ".DS_Store" not in notes


def test_an_empty_train_good_stops_with_what_to_do(tmp_path: Path, make_image: MakeImage) -> None:
    make_image(tmp_path / "test/good/0.png")
    (tmp_path / "train/good").mkdir(parents=True)
    with pytest.raises(DataError, match=r"E102 .*train/good.*put some there") as caught:
        MvtecAd().entries(tmp_path)
    assert caught.value.exit_code == 3


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"E101 .*nowhere"):
        MvtecAd().entries(tmp_path / "nowhere")


# --- folder -------------------------------------------------------------------------------------


def test_folder_takes_every_other_folder_for_a_defect_type(
    tmp_path: Path, make_image: MakeImage, make_mask: MakeImage
) -> None:
    for i, name in enumerate(("OK/1.png", "OK/deep/2.png", "dent/1.png", "crack/1.png")):
        make_image(tmp_path / name, seed=i)
    make_mask(tmp_path / "masks/dent/1.png")
    make_mask(tmp_path / "masks/dent/5.png")
    listing = Folder(masks="masks").entries(tmp_path)
    found = by_path(listing.entries)
    assert {path: (e.gt_label, e.defect_type) for path, e in found.items()} == {
        "OK/1.png": (0, None),
        "OK/deep/2.png": (0, None),
        "crack/1.png": (1, "crack"),
        "dent/1.png": (1, "dent"),
    }
    assert found["dent/1.png"].mask_paths == ("masks/dent/1.png",)
    assert found["crack/1.png"].mask_paths == ()
    assert listing.notes == ("1 masks without an image: masks/dent/5.png",)


def test_folder_reads_masks_that_lie_together(
    tmp_path: Path, make_image: MakeImage, make_mask: MakeImage
) -> None:
    make_image(tmp_path / "good/1.png")
    make_image(tmp_path / "dent/7.png", seed=1)
    make_mask(tmp_path / "masks/7_mask.png")
    found = by_path(Folder(masks="masks").entries(tmp_path).entries)
    assert found["dent/7.png"].mask_paths == ("masks/7_mask.png",)


def test_folder_without_normals_or_without_its_masks_stops(
    tmp_path: Path, make_image: MakeImage
) -> None:
    make_image(tmp_path / "dent/1.png")
    with pytest.raises(DataError, match=r"E102 .*good, ok, normal"):
        Folder().entries(tmp_path)
    with pytest.raises(DataError, match=r"E103 .*'masks'"):
        Folder(masks="masks").entries(tmp_path)


# --- elpv ---------------------------------------------------------------------------------------

LABELS = """images/a.png  0.0                 mono
images/b.png  1.0                 mono
images/c.png  0.3333333333333333  mono
images/d.png  0.0                 poly
images/e.png  1.0                 mono
"""


@pytest.fixture
def elpv_root(tmp_path: Path, make_image: MakeImage) -> Path:
    for seed, name in enumerate("abcd"):
        make_image(tmp_path / f"elpv/images/{name}.png", seed=seed)
    (tmp_path / "elpv/labels.csv").write_text(LABELS)
    return tmp_path / "elpv"


def test_elpv_keeps_the_certain_cells_and_counts_the_others(elpv_root: Path) -> None:
    listing = Elpv().entries(elpv_root)
    assert [(e.image_path, e.gt_label, e.category) for e in listing.entries] == [
        ("images/a.png", 0, "mono"),
        ("images/b.png", 1, "mono"),
    ]
    assert listing.notes == (
        "1 cells of uncertain probability left out",
        "1 images of labels.csv not found: images/e.png",
    )
    assert len(Elpv(cell_type="all").entries(elpv_root).entries) == 3


@pytest.mark.parametrize("line", ["images/a.png", "images/a.png x mono", "../a.png 0.0 mono"])
def test_an_unreadable_label_is_named_by_its_line(elpv_root: Path, line: str) -> None:
    (elpv_root / "labels.csv").write_text(LABELS + line + "\n")
    with pytest.raises(DataError, match=r"E103 .*labels\.csv, line 6"):
        Elpv().entries(elpv_root)


def test_elpv_fetch_copies_the_cells_it_will_use(
    elpv_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (elpv_root / "labels.csv").write_text(LABELS.replace("images/e.png", "images/c.png"))
    monkeypatch.setattr(elpv_module, "package_data", lambda: elpv_root)
    raw = Elpv(cell_type="poly").fetch(tmp_path / "raw/cells")
    assert sorted(p.name for p in raw.rglob("*.*")) == ["d.png", "labels.csv"]
    assert [p.name for p in raw.parent.iterdir()] == ["cells"]


def test_elpv_without_its_package_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elpv_module.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(DataError, match=r"E104 .*pip install elpv-dataset"):
        Elpv().fetch(tmp_path / "raw")
    assert not (tmp_path / "raw").exists()


def test_the_installed_package_holds_the_mono_cells() -> None:
    certain = Elpv()._rows(elpv_module.package_data() / "labels.csv")
    counts = {p: sum(r.probability == p for r in certain) for p in (0.0, 1.0)}
    assert counts == {0.0: 588, 1.0: 313}
