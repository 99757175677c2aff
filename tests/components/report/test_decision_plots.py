"""The plots of a decision: the heights and bars by hand, files that stand alone."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from components.records import SelectionDecision
from components.report.decision import front, save_plots
from components.report.plots.parallel import BEYOND, heights_of, parallel, shown
from components.report.plots.stability import OTHERS, bars_of, stability
from components.select import Criterion, Limit, Row, SelectionParams, decide

AUROC = Criterion(name="image_auroc", goal="max", aspiration=1.0, reservation=0.8)
TIME = Criterion(name="latency_ms", goal="min", aspiration=10, reservation=1000, log=True)
PARAMS = SelectionParams(criteria=(AUROC, TIME), num_draws=40)


def row(name: str, auroc: float, ms: float) -> Row:
    return Row(name, {"image_auroc": (auroc - 0.01, auroc + 0.01), "latency_ms": (ms,)})


@pytest.fixture(scope="module")
def decision() -> SelectionDecision:
    rows = [row("a", 0.82, 10), row("b<&", 0.96, 40), row("c", 0.99, 600), row("slow", 0.9, 900)]
    return decide(rows, PARAMS.model_copy(update={"limits": (Limit(name="latency_ms", max=800),)}))


def test_heights_are_1_at_the_aspiration_and_0_at_the_reservation() -> None:
    criteria = [c.model_dump() for c in PARAMS.criteria]
    assert heights_of({"image_auroc": 0.9, "latency_ms": 100}, criteria) == pytest.approx(
        (0.5, 0.5)
    )
    beyond = heights_of({"image_auroc": 0.1, "latency_ms": 1}, criteria)
    assert beyond == pytest.approx((-BEYOND, 1 + BEYOND))


def test_the_winner_is_drawn_with_the_next_and_a_shortlist_alone(decision) -> None:
    assert shown(decision)[0] == decision.winner == "b<&"
    short = decision.model_copy(update={"winner": None, "shortlist": ("c", "a")})
    assert shown(short) == ("c", "a")


def test_small_shares_are_one_bar(decision) -> None:
    shares = {f"r{i}": 0.1 for i in range(9)} | {"x": 0.096, "y": 0.004}
    bars = bars_of(decision.model_copy(update={"stability": shares}))
    assert len(bars) == 9
    assert bars[OTHERS] == pytest.approx(0.2)
    assert sum(bars.values()) == pytest.approx(1)


def test_the_plots_say_their_figures_to_who_cannot_see_them(decision) -> None:
    assert "compared on 2 criteria" in parallel(decision)
    assert "b&lt;&amp;" in stability(decision)
    assert "how often each comes first" in stability(decision)


def test_a_rejected_row_is_not_on_the_front_plot(decision) -> None:
    svg = front(decision)
    assert "of 3 candidates" in svg
    assert "limit 800" in svg


def test_without_two_sides_there_is_no_front_to_draw(decision, tmp_path: Path) -> None:
    alone = decide(
        [row("a", 0.9, 10), row("b", 0.8, 20)], PARAMS.replaced(criteria=[AUROC.model_dump()])
    )
    assert front(alone) == ""
    assert [path.name for path in save_plots(alone, tmp_path)] == ["stability.svg"]


def test_files_stand_alone_in_light_and_dark(decision, tmp_path: Path) -> None:
    paths = save_plots(decision, tmp_path / "new")
    assert [path.name for path in paths] == ["front.svg", "parallel.svg", "stability.svg"]
    for path in paths:
        text = path.read_text(encoding="utf-8")
        ET.fromstring(text)
        used = set(re.findall(r"var\((--[a-z]+)\)", text))
        declared = re.findall(r"(--[a-z]+): ?#", text)
        assert used <= set(declared)
        assert declared.count("--ink") == 2
        assert "http" not in text.replace("http://www.w3.org/", "")
    assert not list(tmp_path.glob("**/.*"))
