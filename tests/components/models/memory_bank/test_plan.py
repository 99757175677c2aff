"""A plan fits its budget, or says what would have to change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.errors import PipelineError
from components.models.memory_bank import plan as planning
from components.models.memory_bank.plan import plan_coreset, plan_search


def test_a_roomy_budget_takes_the_largest_blocks_and_the_plan_says_what_it_holds() -> None:
    plan = plan_coreset(779_264, 152, 7_792, budget_bytes=2_000_000_000)
    assert (plan.pool, plan.batch) == (1024, 16384)
    assert plan.parts()["features"] == 779_264 * 152 * 4  # 474 MB
    assert str(plan).startswith("coreset of 7,792 of 779,264 × 152 features: 0.58 GB (features 0.4")


def test_a_tight_budget_takes_smaller_blocks() -> None:
    roomy = plan_coreset(1000, 152, 10)
    tight = plan_coreset(1000, 152, 10, budget_bytes=roomy.total_bytes - 1)
    assert tight.pool < roomy.pool
    assert tight.total_bytes < roomy.total_bytes


@given(
    num=st.integers(1, 10**7),
    dims=st.integers(1, 4000),
    budget=st.integers(2**20, 2**40),
    ratio=st.floats(0.001, 1),
)
def test_a_plan_is_never_over_its_budget(num: int, dims: int, budget: int, ratio: float) -> None:
    try:
        plan = plan_coreset(num, dims, max(1, int(num * ratio)), budget_bytes=budget)
    except PipelineError as error:
        assert error.code == "E300"
    else:
        assert plan.total_bytes <= budget


def test_what_does_not_fit_at_all_is_refused_with_what_to_change() -> None:
    with pytest.raises(PipelineError) as refused:
        plan_coreset(3_000_000, 152, 30_000, budget_bytes=10**9)
    assert refused.value.code == "E300"
    assert "does not fit 1.00 GB: coreset of 30,000 of 3,000,000" in str(refused.value)
    assert "features 1.82 GB" in str(refused.value)
    assert "image_size_px" in refused.value.remedy


def test_a_search_is_planned_alike() -> None:
    plan = plan_search(10_000, 7_792, 152, 3, budget_bytes=10**9)
    assert plan.parts()["vectors"] == (10_000 + 7_792) * 152 * 4
    with pytest.raises(PipelineError, match=r"E300 .*3 nearest of 7,792 × 152 to 10,000 vectors"):
        plan_search(10_000, 7_792, 152, 3, budget_bytes=10**7)


def test_without_a_budget_what_the_machine_has_left_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(planning, "available_bytes", lambda: 30_000_000)
    assert plan_coreset(1000, 152, 10).pool == 128
    monkeypatch.setattr(planning, "available_bytes", lambda: 0)
    with pytest.raises(PipelineError, match="E300"):
        plan_coreset(1000, 152, 10)
