"""What every layout's reader promises: each file once, nothing outside, nothing guessed."""

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.data.formats import SOURCE_KINDS, Listing
from components.data.images import EXTENSIONS, ImageLimits
from components.data.ingest import ingest
from components.data.recognise import recognise
from components.errors import DataError
from components.records import Split
from tests.components.data.trees import TREES, Tree, picture

EVERY_LAYOUT = pytest.mark.parametrize("kind", TREES)


@pytest.fixture
def tree(kind: str) -> Tree:
    return TREES[kind]


@pytest.fixture
def root(tree: Tree, tmp_path: Path) -> Path:
    return tree.draw(tmp_path / "dataset/part_7")


def hold_to_the_promises(listing: Listing, root: Path) -> None:
    images = [entry.image_path for entry in listing.entries]
    masks = [mask for entry in listing.entries for mask in entry.mask_paths]
    assert images == sorted(images)
    assert len({*images, *masks}) == len(images) + len(masks)
    for path in (*images, *masks):
        assert (root / path).is_file(), path
        assert not path.startswith("/")
        assert ".." not in path.split("/")
    for entry in listing.entries:
        assert entry.split in {Split.TRAIN, Split.TEST, Split.UNSPLIT}
        assert entry.gt_label in {0, 1}
        assert bool(entry.defect_type) == bool(entry.gt_label)
        assert entry.gt_label or not entry.mask_paths
    assert any(entry.gt_label == 0 for entry in listing.entries)


def test_a_tree_is_drawn_for_every_kind_of_source() -> None:
    assert set(TREES) == set(SOURCE_KINDS)
    assert all(tree.source.kind == kind for kind, tree in TREES.items())


@EVERY_LAYOUT
def test_a_whole_tree_is_listed_without_a_word(tree: Tree, root: Path) -> None:
    listing = tree.source.entries(root)
    hold_to_the_promises(listing, root)
    labels = [entry.gt_label for entry in listing.entries]
    assert (labels.count(0), labels.count(1)) == (tree.num_normal, tree.num_anomalous)
    defective = [entry for entry in listing.entries if entry.gt_label]
    assert all(bool(entry.mask_paths) == tree.has_masks for entry in defective)
    assert listing.notes == ()
    assert tree.source.entries(root) == listing


@EVERY_LAYOUT
def test_every_drawn_mask_is_used(tree: Tree, root: Path) -> None:
    manifest = ingest("part", tree.source, root, ImageLimits(), "optional", None)
    assert (manifest.rejects, manifest.notes) == ((), ())
    defects = [defect for record in manifest.records for defect in record.defects]
    assert len(defects) >= tree.num_anomalous
    assert all(bool(defect.mask_area_px) == tree.has_masks for defect in defects)
    assert {defect.mask_problem for defect in defects} == {""}
    saturated = {defect.saturation_px is not None for defect in defects}
    assert saturated == {tree.source.kind in {"autovi", "mvtec_loco"}}


@EVERY_LAYOUT
def test_hidden_files_stay_out_and_foreign_ones_are_named(tree: Tree, root: Path) -> None:
    before = tree.source.entries(root).entries
    folders = {(root / entry.image_path).parent for entry in before}
    for folder in folders:
        (folder / ".DS_Store").write_text("hidden")
        picture(folder / "._0.png")
    assert tree.source.entries(root).entries == before
    assert tree.source.entries(root).notes == ()
    if tree.source.kind == "elpv":
        return  # its table alone says what belongs; the package ships a README beside
    for folder in folders:
        (folder / "Thumbs.txt").write_text("foreign")
    listing = tree.source.entries(root)
    assert listing.entries == before
    if tree.source.kind != "visa":  # as elpv: its table names every file of images
        assert "Thumbs.txt" in "\n".join(listing.notes)


@EVERY_LAYOUT
def test_extensions_in_capitals_are_the_same_files(tree: Tree, root: Path) -> None:
    before = tree.source.entries(root).entries
    for path in list(root.rglob("*")):
        if path.suffix.lower() in EXTENSIONS:
            path.rename(path.with_suffix(path.suffix.upper()))
        elif path.suffix == ".csv":
            path.write_text(path.read_text().replace(".png", ".PNG"))
    after = tree.source.entries(root).entries
    assert [entry.image_path.lower() for entry in after] == [e.image_path.lower() for e in before]
    assert [len(entry.mask_paths) for entry in after] == [len(e.mask_paths) for e in before]


@EVERY_LAYOUT
def test_a_folder_that_is_not_there_is_named(tree: Tree, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"E101 .*nowhere"):
        tree.source.entries(tmp_path / "nowhere")


@EVERY_LAYOUT
def test_its_own_tree_is_recognised_and_said_by_what(tree: Tree, root: Path) -> None:
    source, reason = recognise(root)
    assert source == tree.found
    assert len(reason) > 10


@EVERY_LAYOUT
def test_one_level_too_high_names_the_folder_below(tree: Tree, root: Path) -> None:
    with pytest.raises(DataError, match=rf"E109 .*part_7/ \({tree.found.kind}\)"):
        recognise(root.parent)


@EVERY_LAYOUT
def test_one_level_too_low_names_the_folder_above(tree: Tree, root: Path) -> None:
    first = tree.source.entries(root).entries[-1].image_path.split("/")[0]
    with pytest.raises(DataError, match=r"(E109|E222) .*Give .*part_7\b") as caught:
        recognise(root / first)
    assert tree.found.kind in str(caught.value)


@EVERY_LAYOUT
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_whatever_is_lost_the_rest_keeps_the_promises(
    tree: Tree, root: Path, data: st.DataObject
) -> None:
    torn = root.with_name("torn")
    shutil.rmtree(torn, ignore_errors=True)
    shutil.copytree(root, torn)
    files = sorted(p.relative_to(torn) for p in torn.rglob("*") if p.is_file())
    lost = data.draw(st.sets(st.sampled_from(files), min_size=1, max_size=4))
    for path in lost:
        (torn / path).unlink()
    try:
        listing = tree.source.entries(torn)
    except DataError as error:
        assert error.remedy
    else:
        hold_to_the_promises(listing, torn)


@pytest.mark.parametrize("path", ["../out.JPG", "/etc/out.JPG", "candle/../../out.JPG"])
@pytest.mark.parametrize("column", ["image", "mask"])
def test_a_table_may_not_lead_out_of_the_folder(tmp_path: Path, path: str, column: str) -> None:
    root = TREES["visa"].draw(tmp_path / "visa")
    table = root / "split_csv/1cls.csv"
    place, shown = (path, "") if column == "image" else ("candle/Data/Images/Anomaly/9.JPG", path)
    with table.open("a") as stream:
        stream.write(f"candle,test,anomaly,{place},{shown}\n")
    with pytest.raises(DataError, match=rf"E224 .*1cls\.csv, line 6: {column}"):
        TREES["visa"].source.entries(root)
