"""The suite on small manifests whose faults are planted by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.data.drift import drift, spread_of, summarise
from components.data.images import measure, write_png
from components.data.validate import MAX_LISTED, validate
from components.errors import ParamsError
from components.params import read_yaml
from components.records import (
    Check,
    Defect,
    ImageRecord,
    Manifest,
    Reject,
    Split,
    ValidationReport,
)

SUITE = read_yaml(Path(__file__).parents[3] / "params/expectations/default.yaml")


def image(number: int, split: Split, *, label: int = 0, **changes: Any) -> ImageRecord:
    fields: dict[str, Any] = {
        "image_id": f"{number:064x}",
        "image_path": f"{number}.png",
        "category": "part",
        "split": split,
        "gt_label": label,
        "defects": (Defect(defect_type="crack", mask_path="m.png", mask_area_px=9),) * label,
        "height_px": 64,
        "width_px": 64,
        "channels": 1,
        "brightness": 0.5 + 0.001 * (number % 5),
        "contrast": 0.2,
        "sharpness": 100.0,
    }
    return ImageRecord(**(fields | changes))


def healthy() -> list[ImageRecord]:
    """12 fit, 6 tune and 6 report normals, then 3 + 3 anomalous: 30 images."""
    normal = [image(i, Split.FIT) for i in range(12)]
    normal += [image(i, Split.TUNE) for i in range(12, 18)]
    normal += [image(i, Split.REPORT) for i in range(18, 24)]
    defects = [image(i, Split.TUNE, label=1) for i in range(24, 27)]
    return normal + defects + [image(i, Split.REPORT, label=1) for i in range(27, 30)]


def check(
    records: list[ImageRecord],
    *,
    rejects: tuple[Reject, ...] = (),
    suite: dict[str, Any] | None = None,
    masks: Any = "required",
    bits: int | None = None,
    root: Path = Path("/nowhere"),
) -> ValidationReport:
    manifest = Manifest(
        station="part", layout="folder", root=root, records=tuple(records), rejects=rejects
    )
    return validate(manifest, suite or SUITE, masks=masks, docs_dir=None, near_duplicate_bits=bits)


def failed(report: ValidationReport) -> dict[str, Check]:
    return {c.name: c for c in report.checks if not c.passed}


def test_a_healthy_manifest_passes_every_check() -> None:
    report = check(healthy())
    assert failed(report) == {}
    assert report.passed
    assert report.num_rows == 30
    assert len(report.checks) > 20


WRONG: dict[int, tuple[dict[str, Any], str, str]] = {
    0: ({"height_px": 20}, "size", "critical"),
    1: ({"channels": 3}, "channels", "critical"),
    2: ({"bit_depth": 16}, "bit depth", "critical"),
    3: ({"brightness": 0.9}, "brightness", "warning"),
    4: ({"contrast": 0.01}, "contrast", "warning"),
    5: ({"sharpness": 900.0}, "sharpness", "warning"),
    6: ({"brightness": float("nan")}, "measured", "critical"),
}


def test_each_wrong_image_is_named_by_its_check_alone() -> None:
    records = healthy()
    for number, (change, _, _) in WRONG.items():
        records[number] = records[number].model_copy(update=change)
    found = failed(check(records))
    assert set(found) == {name for _, name, _ in WRONG.values()}
    for number, (_, name, severity) in WRONG.items():
        assert found[name].severity == severity
        assert found[name].failing_paths == (f"{number}.png",)
        assert found[name].failing_image_ids == (f"{number:064x}",)
        assert found[name].observed == "1 of 30 files differ"


def test_only_a_critical_finding_stops_the_run() -> None:
    records = healthy()
    records[3] = records[3].model_copy(update={"brightness": 0.9})
    dark = check(records)
    assert dark.passed
    assert [c.name for c in dark.warnings] == ["brightness"]
    records[0] = records[0].model_copy(update={"width_px": 20_001})
    assert not check(records).passed


def test_masks_problems_are_told_apart_and_stop_the_run_only_where_required() -> None:
    records = healthy()
    problems: list[Any] = ["missing", "double", "size", "not_binary", "empty"]
    for number, problem in enumerate(problems, start=24):
        broken = (Defect(defect_type="crack", mask_problem=problem),)
        records[number] = records[number].model_copy(update={"defects": broken})
    for policy, stops in (("required", True), ("optional", False)):
        report = check(records, masks=policy)
        assert {name: c.failing_paths for name, c in failed(report).items()} == {
            f"masks: {problem.replace('_', ' ')}": (f"{number}.png",)
            for number, problem in enumerate(problems, start=24)
        }
        assert report.passed is not stops
    assert failed(check(records, masks="none")) == {}


def test_a_value_without_a_kind_is_asked_for_only_where_masks_name_kinds() -> None:
    name, records = "masks: unknown value", healthy()
    assert name not in {c.name for c in check(records).checks}
    whole = Defect(defect_type="gap", mask_path="m.png", mask_area_px=9, saturation_px=4)
    records[24] = records[24].model_copy(update={"defects": (whole,)})
    assert {c.name: c.passed for c in check(records).checks}[name]
    lost = whole.model_copy(update={"saturation_px": None, "mask_problem": "unknown_value"})
    records[25] = records[25].model_copy(update={"defects": (whole, lost)})
    report = check(records)
    assert not report.passed
    assert failed(report)[name].failing_paths == ("25.png",)


def test_the_same_bytes_stop_the_run_only_across_splits_or_labels() -> None:
    records = healthy()
    same = {"image_id": records[0].image_id}
    records[1] = records[1].model_copy(update=same)
    within = check(records)
    assert set(failed(within)) == {"unique content"}
    assert within.passed
    records[20] = records[20].model_copy(update=same)
    across = failed(check(records))["unique across splits and labels"]
    assert across.failing_paths == ("0.png", "1.png", "20.png")
    records = healthy()
    records[28] = records[28].model_copy(update={"image_id": records[20].image_id})
    assert not check(records).passed  # one split, but normal and anomalous


def test_a_part_in_two_splits_is_a_leak() -> None:
    records = healthy()
    for number in (2, 19):
        records[number] = records[number].model_copy(update={"group_id": "tile-7"})
    report = check(records)
    assert failed(report)["parts across splits"].failing_paths == ("19.png", "2.png")
    assert not report.passed


def test_an_anomalous_image_among_those_to_fit_stops_the_run() -> None:
    report = check([*healthy(), image(30, Split.FIT, label=1)])
    assert failed(report)["fit is normal only"].observed == "1"
    assert not report.passed


def test_near_duplicates_stop_the_run_across_splits_and_warn_within(tmp_path: Path) -> None:
    records = healthy()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    for number, shift in ((0, 0), (1, 1)):
        write_png(tmp_path / f"{number}.png", noise // 2 + np.uint8(shift))
        seen = measure(noise // 2 + np.uint8(shift)).thumbprint
        records[number] = records[number].model_copy(update={"thumbprint": seen})
    within = check(records, bits=4, root=tmp_path)
    assert failed(within)["near-duplicates"].failing_paths == ("0.png", "1.png")
    assert within.passed
    records[1] = records[1].model_copy(update={"split": Split.REPORT})
    across = check(records, bits=4, root=tmp_path)
    assert "near-duplicates across splits" in failed(across)
    assert not across.passed


def rejected(count: int) -> tuple[Reject, ...]:
    return tuple(
        Reject(image_path=f"bad/{i}.png", code="truncated", reason="ends early")
        for i in range(count)
    )


def test_few_rejects_warn_and_many_stop_the_run() -> None:
    few = check(healthy(), rejects=rejected(1))  # 1 of 31 is 3.2 %, below 5 %
    assert set(failed(few)) == {"decodable"}
    assert failed(few)["decodable"].failing_paths == ("bad/0.png",)
    assert failed(few)["decodable"].failing_image_ids == ()
    assert few.passed
    many = check(healthy(), rejects=rejected(2))  # 2 of 32 is 6.3 %
    assert not many.passed
    assert set(failed(many)) == {"decodable", "rejected share"}


def test_too_few_images_are_counted_by_split_and_type() -> None:
    report = check([r for r in healthy() if r.split != Split.REPORT or r.gt_label == 0][3:])
    assert failed(report)["number of fit normal"].observed == "9"
    assert failed(report)["number of fit normal"].expected == "≥ 10"
    assert failed(report)["number of report anomalous"].observed == "0"
    assert not report.passed
    rare = check([*healthy(), image(30, Split.REPORT, label=1, defects=(
        Defect(defect_type="scratch", mask_path="m.png"),))])  # fmt: skip
    assert set(failed(rare)) == {"number of scratch"}
    assert rare.passed


def test_a_declared_range_is_used_instead_of_the_learned_one() -> None:
    ranges = SUITE["ranges"] | {"brightness": {"low": 0.0, "high": 0.501}, "severity": "critical"}
    report = check(healthy(), suite=SUITE | {"ranges": ranges})
    assert failed(report)["brightness"].expected == "0 to 0.501 (declared)"
    assert not report.passed


def test_a_long_list_of_files_is_cut_but_counted() -> None:
    records = [image(i, Split.FIT) for i in range(30, 30 + MAX_LISTED + 50)]
    wrong = [r.model_copy(update={"height_px": 10}) for r in records]
    size = failed(check([*healthy(), *wrong]))["size"]
    assert len(size.failing_paths) == MAX_LISTED
    assert size.observed.startswith(f"{MAX_LISTED + 50} of ")


def test_a_typo_in_a_suite_names_the_key_and_the_valid_ones() -> None:
    with pytest.raises(ParamsError, match=r"unknown key 'sizes'.*valid:.*size"):
        check(healthy(), suite={"sizes": {}})


def test_data_docs_hold_the_checks_and_ask_nothing_of_the_network(tmp_path: Path) -> None:
    records = healthy()
    records[3] = records[3].model_copy(update={"height_px": 20})
    manifest = Manifest(station="part", layout="folder", root=tmp_path, records=tuple(records))
    validate(manifest, SUITE, masks="none", docs_dir=tmp_path / "docs")
    page = (tmp_path / "docs/index.html").read_text()
    assert "height_px" in page
    assert "3.png" in page  # the offending file
    assert "near_duplicate" not in page
    for asked in ('src="http', "src='http", '<link rel="stylesheet" href="http', "<img"):
        assert asked not in page


# --- drift --------------------------------------------------------------------------------------


def test_spread_is_the_median_and_the_scaled_median_deviation() -> None:
    spread = spread_of([1.0, 2.0, 3.0, 4.0, 100.0])  # deviations from 3: 2 1 0 1 97, median 1
    assert (spread.median, spread.sigma) == (3.0, 1.4826)


def test_drift_is_told_in_spreads_of_the_accepted_version() -> None:
    before = Manifest(station="p", layout="folder", root=Path(), records=tuple(healthy()))
    sigma = summarise(before).statistics["brightness"].sigma
    brighter = [
        r.model_copy(update={"brightness": r.brightness + 2 * sigma}) for r in before.records
    ]
    added = image(99, Split.FIT, brightness=brighter[0].brightness)
    relabelled = brighter[-1].model_copy(
        update={"defects": (Defect(defect_type="scratch", mask_path="m.png"),)}
    )
    records = (*brighter[1:-1], relabelled, added)
    checks = {
        c.name: c for c in drift(before.model_copy(update={"records": records}), summarise(before))
    }
    assert checks["drift of brightness"].observed == "brightness +2.0 σ"
    assert not checks["drift of brightness"].passed
    assert checks["drift of brightness"].severity == "warning"
    assert checks["drift of sharpness"].passed
    assert checks["changed images"].observed == "+1 good, 1 relabelled, 1 removed"
    assert checks["changed images"].failing_paths == ("29.png",)


def test_an_unchanged_version_shows_no_drift() -> None:
    manifest = Manifest(station="p", layout="folder", root=Path(), records=tuple(healthy()))
    assert all(c.passed for c in drift(manifest, summarise(manifest)))
