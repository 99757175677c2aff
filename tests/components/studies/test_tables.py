"""Tables hold hand-computed means, mark the best group, and survive every format's syntax."""

import csv
from io import StringIO
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from components.studies.formats import (
    console_table,
    figure,
    latex,
    title,
    to_csv,
    to_html,
    to_latex,
    to_markdown,
    write_tables,
)
from components.studies.params import StudyParams
from components.studies.rows import Row, write_rows
from components.studies.table import StudyTable, tables_of

# mean 0.90, sample standard deviation 0.02
GOOD = (0.88, 0.90, 0.92)
# mean 0.89, standard deviation 0.02: Welch's t is 0.61 on 4 degrees, p = 0.57
AS_GOOD = (0.87, 0.89, 0.91)
# mean 0.70, standard deviation 0.02: t is 12.2, p < 0.001
WORSE = (0.68, 0.70, 0.72)


def rows(
    detector: str,
    values: tuple[float, ...],
    *,
    station: str = "a",
    variant: str = "as it is",
    condition: str = "clean",
    metric: str = "image_auroc",
) -> list[Row]:
    return [
        Row(
            station=station, detector=detector, kind=detector, backbone="lite0",
            image_size_px=64, variant=variant, condition=condition, seed=seed, num_train=10,
            num_test=6, metric=metric, value=value, fingerprint="f",
        )
        for seed, value in enumerate(values)
    ]  # fmt: skip


def study(**changes: object) -> StudyParams:
    values = {
        "name": "s", "title": "t", "stations": ["a", "b"],
        "detectors": ["patchcore", "padim", "stfpm"],
    }  # fmt: skip
    return StudyParams.model_validate(values | changes)


@pytest.fixture
def table() -> StudyTable:
    every = rows("patchcore", GOOD) + rows("padim", AS_GOOD) + rows("stfpm", WORSE)
    (found,) = tables_of(study(), every)
    return found


def test_an_entry_is_mean_and_sample_deviation_over_seeds(table: StudyTable) -> None:
    entry = table.entries[("patchcore", "lite0"), "a"]
    assert entry.spread.mean == pytest.approx(0.90)
    assert entry.spread.std == pytest.approx(0.02)
    assert figure(entry, "image_auroc", percent=False) == "0.900 ± 0.020"
    assert figure(entry, "image_auroc", percent=True) == "90.0 ± 2.0"


def test_the_best_and_what_is_not_told_apart_from_it_are_marked(table: StudyTable) -> None:
    best = {label[0] for (label, _), entry in table.entries.items() if entry.best}
    assert best == {"patchcore", "padim"}


def test_of_times_the_lowest_is_best() -> None:
    every = rows("patchcore", (9.0, 9.1), metric="fit_s") + rows(
        "padim", (1.0, 1.1), metric="fit_s"
    )
    (found,) = tables_of(study(metrics=["fit_s"]), every)
    assert {label[0] for (label, _), entry in found.entries.items() if entry.best} == {"padim"}


def test_a_single_row_has_no_best() -> None:
    (found,) = tables_of(study(), rows("patchcore", GOOD))
    assert not any(entry.best for entry in found.entries.values())


def test_stations_are_columns_until_something_else_varies() -> None:
    plain = rows("patchcore", GOOD) + rows("patchcore", WORSE, station="b")
    (found,) = tables_of(study(), plain)
    assert (found.station, found.columns) == ("", ("a", "b"))
    varied = plain + rows("patchcore", WORSE, variant="augmented")
    one, other = tables_of(study(), varied)
    assert (one.station, one.columns) == ("a", ("as it is", "augmented"))
    assert (other.station, other.columns) == ("b", ("as it is",))


def test_a_condition_is_a_column_of_its_own() -> None:
    every = rows("patchcore", GOOD) + rows("patchcore", WORSE, condition="defocus 3")
    (found,) = tables_of(study(), every)
    assert found.columns == ("as it is", "defocus 3")


def test_an_undefined_figure_leaves_its_place_empty_and_no_table_without_figures() -> None:
    undefined = [Row(**(row.__dict__ | {"value": None})) for row in rows("padim", GOOD)]
    (found,) = tables_of(
        study(metrics=["image_auroc", "aupro"]), rows("patchcore", GOOD) + undefined
    )
    assert [label[0] for label in found.labels] == ["patchcore"]


def test_markdown_has_the_best_group_in_bold_and_bars_escaped(table: StudyTable) -> None:
    lines = to_markdown(table).splitlines()
    assert lines[0] == "| detector | backbone | a |"
    assert lines[1] == "|---|---|---:|"
    assert lines[2] == "| patchcore | lite0 | **0.900 ± 0.020** |"
    assert lines[4] == "| stfpm | lite0 | 0.700 ± 0.020 |"
    (piped,) = tables_of(study(), rows("pa|dim", GOOD))
    assert "| pa\\|dim |" in to_markdown(piped)


def test_latex_writes_out_every_character_that_is_syntax(table: StudyTable) -> None:
    assert latex(r"50 % & a_b $x {y} ~^#\ ") == (
        r"50 \% \& a\_b \$x \{y\} \textasciitilde{}\textasciicircum{}\#\textbackslash{} "
    )
    text = to_latex(table, percent=True)
    assert r"patchcore & lite0 & \textbf{90.0 $\pm$ 2.0} \\" in text
    assert text.startswith("% image AUROC (%)")
    assert r"\begin{tabular}{llr}" in text


def test_html_escapes_names_and_marks_the_best(table: StudyTable) -> None:
    assert "<b>0.900 ± 0.020</b>" in to_html(table)
    (sharp,) = tables_of(study(), rows("<b>&", GOOD))
    assert "<td>&lt;b&gt;&amp;</td>" in to_html(sharp)


def test_csv_keeps_every_digit(table: StudyTable) -> None:
    first = next(csv.DictReader(StringIO(to_csv(table))))
    assert float(first["mean"]) == table.entries[("patchcore", "lite0"), "a"].spread.mean
    assert (first["num_seeds"], first["best_group"]) == ("3", "1")


def test_one_seed_has_no_spread_anywhere() -> None:
    (found,) = tables_of(study(), rows("patchcore", (0.9,)))
    assert "±" not in to_markdown(found) + console_table(found)
    assert next(csv.DictReader(StringIO(to_csv(found))))["std"] == ""


def test_costs_are_headed_with_their_unit() -> None:
    (found,) = tables_of(study(metrics=["peak_bytes"]), rows("p", (2.5e8,), metric="peak_bytes"))
    assert title(found, percent=True) == "peak memory (MB)"
    assert "250.0" in to_markdown(found, percent=True)


def test_every_format_is_written(table: StudyTable, tmp_path: Path) -> None:
    names = {path.name for path in write_tables((table,), tmp_path, percent=False)}
    assert names == {f"image_auroc.{ending}" for ending in ("html", "csv", "md", "tex")}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_parquet_holds_one_row_a_figure_with_its_protocol(tmp_path: Path) -> None:
    undefined = Row(**(rows("p", (0.9,))[0].__dict__ | {"value": None}))
    path = write_rows([*rows("p", GOOD), undefined], tmp_path / "cells.parquet")
    stored = pq.read_table(path).to_pylist()
    assert [row["value"] for row in stored] == [0.88, 0.90, 0.92, None]
    assert {row["protocol"] for row in stored} == {"paper"}
    assert stored[2]["seed"] == 2
