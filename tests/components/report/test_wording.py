"""Figures are written in one way everywhere."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.records import MetricResult
from components.report import wording


def test_negative_figures_have_a_true_minus_and_differences_their_sign():
    assert wording.number(-0.0126) == "−0.013"
    assert wording.signed(0.019) == "+0.019"
    assert wording.interval(-0.008, 0.014, plus=True) == "[−0.008, +0.014]"


def test_an_undefined_figure_is_na_with_the_reason():
    undefined = MetricResult(name="image_auroc", value=None, num_images=12, note="E114 one class")
    assert wording.with_interval(undefined) == "n/a (E114 one class)"
    assert wording.number(None) == "n/a"


def test_a_figure_without_an_interval_stands_alone():
    alone = MetricResult(name="image_ap", value=0.5, num_images=12)
    assert wording.with_interval(alone) == "0.500"


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.0, "0 %"), (0.067, "6.7 %"), (0.07, "7 %"), (0.31, "31 %"), (1, "100 %")],
)
def test_small_shares_keep_one_decimal(share: float, words: str):
    assert wording.percent(share) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.8, "0.8 s"), (42, "42 s"), (91, "1:31 min"), (7500, "2:05 h")]
)
def test_durations_are_written_for_people(seconds: float, words: str):
    assert wording.duration(seconds) == words


def test_metric_names_are_those_of_the_field():
    assert wording.label("escape_rate") == "escape rate (FNR)"
    assert wording.label("tpr_at_tnr_0.99") == "TPR at TNR 0.99"
    assert wording.label("synthetic/image_auroc") == "image AUROC (synthetic)"


@settings(deadline=None)
@given(st.text(max_size=60), st.integers(min_value=3, max_value=40))
def test_a_shortened_text_fits_and_keeps_both_ends(text: str, length: int):
    short = wording.shorten(text, length)
    assert len(short) <= length
    if len(text) > length:
        assert short[0] == text[0]
        assert short[-1] == text[-1]
        assert "…" in short


def test_a_long_list_says_how_many_were_left_out():
    assert wording.listing(["a", "b", "c"], 2) == "a, b and 1 more"
    assert wording.listing(["a"], 2) == "a"
