"""A manifest survives the disk, and means the same wherever it lies."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.data.manifest import TABLE_COLUMNS, digest, read_manifest, table, write_manifest
from components.errors import DataError
from components.records import Defect, ImageRecord, Manifest, Reject, Split

TEXT = st.text(min_size=1, max_size=8)
DEFECTS = st.builds(
    Defect,
    defect_type=TEXT,
    mask_path=st.none() | TEXT,
    mask_area_px=st.none() | st.integers(0, 10**9),
    mask_problem=st.sampled_from(["", "missing", "double", "size", "not_binary", "empty"]),
    saturation_px=st.none() | st.integers(1, 10**8),
)
RECORDS = st.builds(
    ImageRecord,
    image_id=TEXT,
    image_path=TEXT,
    category=TEXT,
    split=st.sampled_from(Split),
    gt_label=st.sampled_from([0, 1]),
    defects=st.lists(DEFECTS, max_size=2).map(tuple),
    group_id=st.text(max_size=4),
    height_px=st.integers(1, 10**6),
    width_px=st.integers(1, 10**6),
    channels=st.sampled_from([1, 3]),
    bit_depth=st.sampled_from([8, 16]),
    brightness=st.floats(0, 1),
    origin=st.sampled_from(["real", "synthetic"]),
    parent_id=st.none() | TEXT,
)
REJECTS = st.builds(
    Reject, image_path=TEXT, code=st.sampled_from(["empty", "disguised"]), reason=TEXT
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    records=st.lists(RECORDS, max_size=4).map(tuple),
    rejects=st.lists(REJECTS, max_size=2).map(tuple),
    notes=st.lists(TEXT, max_size=2).map(tuple),
)
def test_whatever_is_written_is_read(
    tmp_path: Path,
    records: tuple[ImageRecord, ...],
    rejects: tuple[Reject, ...],
    notes: tuple[str, ...],
) -> None:
    manifest = Manifest(
        station="s", layout="folder", root=tmp_path, records=records, rejects=rejects, notes=notes
    )
    path = write_manifest(manifest, tmp_path / "deep/manifest.parquet")
    assert read_manifest(path, tmp_path) == manifest


def test_the_root_is_neither_stored_nor_part_of_the_digest(
    tmp_path: Path, make_record: Callable[..., ImageRecord], make_manifest: Callable[..., Manifest]
) -> None:
    manifest = make_manifest(make_record("a"), make_record("b", label=1))
    path = write_manifest(manifest, tmp_path / "m.parquet")
    assert str(tmp_path).encode() not in path.read_bytes()
    moved = read_manifest(path, Path("/elsewhere"))
    assert moved.root == Path("/elsewhere")
    assert digest(moved) == digest(manifest)


def test_the_digest_ignores_order_and_sees_every_field(
    make_record: Callable[..., ImageRecord], make_manifest: Callable[..., Manifest]
) -> None:
    a, b = make_record("a"), make_record("b")
    assert digest(make_manifest(a, b)) == digest(make_manifest(b, a))
    moved = a.model_copy(update={"split": Split.TUNE})
    assert digest(make_manifest(moved, b)) != digest(make_manifest(a, b))


def test_a_missing_or_foreign_file_is_named(tmp_path: Path) -> None:
    import pandas as pd

    with pytest.raises(DataError, match=r"E106 .*none\.parquet does not exist"):
        read_manifest(tmp_path / "none.parquet", tmp_path)
    (tmp_path / "text.parquet").write_text("text")
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "other.parquet")
    for name in ("text", "other"):
        with pytest.raises(DataError, match=r"E106 .*not a manifest"):
            read_manifest(tmp_path / f"{name}.parquet", tmp_path)


def test_the_table_has_a_row_for_every_file(
    make_record: Callable[..., ImageRecord], make_manifest: Callable[..., Manifest]
) -> None:
    defects = (
        Defect(defect_type="dent", mask_path="m.png", mask_area_px=7),
        Defect(defect_type="crack", mask_problem="missing"),
    )
    manifest = make_manifest(make_record("a"), make_record("b", label=1, defects=defects))
    reject = Reject(image_path="c.png", code="empty", reason="no bytes")
    frame = table(manifest.model_copy(update={"rejects": (reject,)}))
    assert tuple(frame.columns) == TABLE_COLUMNS
    good, bad, rejected = frame.to_dict("records")
    assert (good["defect_type"], good["num_masks"], good["decodable"]) == ("good", 0, True)
    assert (bad["defect_type"], bad["num_masks"], bad["mask_area_px"]) == ("crack+dent", 1, 7)
    assert (bad["mask_problem"], bad["split"]) == ("missing", "unsplit")
    assert (rejected["image_path"], rejected["decodable"]) == ("c.png", False)
    assert (rejected["reject_code"], rejected["reject_reason"]) == ("empty", "no bytes")
    assert rejected["brightness"] != rejected["brightness"]
