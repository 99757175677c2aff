"""The lazy selection against the plain greedy, pick by pick."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from components.errors import DataError
from components.models.memory_bank.coreset import k_center_greedy, sparse_projection
from components.models.memory_bank.plan import CoresetPlan, plan_coreset


def plain_greedy(features: np.ndarray, num: int, first: int) -> list[int]:
    """The definition, in float64: all distances after every pick, the lowest index on a tie."""
    features = features.astype(np.float64)
    picks, distances = [first], np.full(len(features), np.inf)
    for _ in range(min(num, len(features)) - 1):
        distances = np.minimum(distances, ((features - features[picks[-1]]) ** 2).sum(1))
        distances[picks[-1]] = -1
        picks.append(int(distances.argmax()))
    return picks


def small_plan(features: np.ndarray, num: int, pool: int, batch: int, columns: int) -> CoresetPlan:
    """Blocks so small that every boundary between them is crossed."""
    return CoresetPlan(*features.shape, num, pool, batch, rows=7, columns=columns)


def test_points_on_a_line_are_picked_farthest_first() -> None:
    line = torch.tensor([[0.0], [1.0], [10.0], [4.0]])
    # from 0: farthest is 10; then 4 (4 from 0, 6 from 10); then 1
    assert k_center_greedy(line, 4, first=0).tolist() == [0, 2, 3, 1]


def test_a_tie_goes_to_the_lowest_index() -> None:
    cross = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [-1.0, 0.0], [0.0, -1.0]])
    # all four are 1 away; after (0, 1) its opposite is still 1 away, as are the two others
    assert k_center_greedy(cross, 5, first=0).tolist() == [0, 1, 2, 3, 4]


def test_duplicates_are_picked_last_and_only_once() -> None:
    features = torch.tensor([[3.0], [3.0], [3.0], [0.0]])
    assert k_center_greedy(features, 4, first=1).tolist() == [1, 3, 0, 2]


def test_more_than_there_are_gives_all_of_them() -> None:
    features = torch.arange(5.0).reshape(5, 1)
    assert sorted(k_center_greedy(features, 99, first=2).tolist()) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("num", [1, 2])
def test_one_pick_is_the_first_and_the_next_the_farthest_from_it(num: int) -> None:
    features = torch.tensor([[5.0], [0.0], [6.0]])
    assert k_center_greedy(features, num, first=0).tolist() == [0, 1][:num]


blocks = {
    "seed": st.integers(0, 2**32 - 1),
    "pool": st.integers(1, 40),
    "batch": st.integers(1, 90),
    "columns": st.integers(1, 30),
}


@settings(max_examples=15, deadline=None)
@given(
    **blocks,
    num_features=st.integers(2, 250),
    dims=st.integers(1, 12),
    share=st.sampled_from([0.0, 0.01, 0.1, 0.5, 1.0]),
    offset=st.sampled_from([0.0, 1.0, 1e4]),
)
def test_picks_are_those_of_the_plain_greedy(
    seed: int,
    pool: int,
    batch: int,
    columns: int,
    num_features: int,
    dims: int,
    share: float,
    offset: float,
) -> None:
    rng = np.random.default_rng(seed)
    features = (offset + rng.normal(size=(num_features, dims))).astype(np.float32)
    num, first = max(1, int(num_features * share)), int(rng.integers(num_features))
    plan = small_plan(features, num, pool, batch, columns)
    picks = k_center_greedy(torch.from_numpy(features), num, first=first, plan=plan)
    assert picks.tolist() == plain_greedy(features, num, first)


@settings(max_examples=15, deadline=None)
@given(**blocks, side=st.integers(1, 4), dims=st.integers(1, 3))
def test_picks_are_the_same_where_ties_and_duplicates_abound(
    seed: int, pool: int, batch: int, columns: int, side: int, dims: int
) -> None:
    rng = np.random.default_rng(seed)
    features = rng.integers(0, side + 1, size=(90, dims)).astype(np.float32)
    plan = small_plan(features, 90, pool, batch, columns)
    picks = k_center_greedy(torch.from_numpy(features), 90, first=7, plan=plan)
    assert picks.tolist() == plain_greedy(features, 90, 7)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), pool=st.integers(1, 20), copies=st.integers(2, 9))
def test_of_equal_features_the_first_is_picked_wherever_its_copies_stand(
    seed: int, pool: int, copies: int
) -> None:
    rng = np.random.default_rng(seed)
    features = np.repeat(rng.normal(size=(20, 5)), copies, axis=0).astype(np.float32)
    rng.shuffle(features)
    plan = small_plan(features, 30, pool, 16, 4)
    picks = k_center_greedy(torch.from_numpy(features), 30, first=0, plan=plan).tolist()
    assert picks == plain_greedy(features, 30, 0)
    assert len(np.unique(features[picks[:20]], axis=0)) == 20


def test_one_outlier_a_million_away_spoils_no_later_pick() -> None:
    features = np.random.default_rng(5).normal(size=(400, 4)).astype(np.float32)
    features[33] = 1e6
    picks = k_center_greedy(torch.from_numpy(features), 80, first=0)
    assert picks.tolist() == plain_greedy(features, 80, 0)


def test_the_default_pool_is_left_and_refilled_on_a_larger_set() -> None:
    features = np.random.default_rng(3).normal(size=(6000, 3)).astype(np.float32)
    picks = k_center_greedy(torch.from_numpy(features), 600, first=0)
    assert picks.tolist() == plain_greedy(features, 600, 0)


@settings(max_examples=10, deadline=None)
@given(small=st.integers(1, 99), seed=st.integers(0, 99))
def test_a_smaller_run_is_the_beginning_of_a_larger_one(small: int, seed: int) -> None:
    features = torch.randn(300, 6, generator=torch.Generator().manual_seed(seed))
    larger = k_center_greedy(features, 100, first=4)
    assert torch.equal(k_center_greedy(features, small, first=4), larger[:small])


def test_neither_budget_nor_threads_change_a_pick_and_threads_are_given_back() -> None:
    features = torch.randn(3000, 20, generator=torch.Generator().manual_seed(0))
    before = torch.get_num_threads()
    roomy = k_center_greedy(features, 300, first=1, num_threads=2)
    tight = plan_coreset(3000, 20, 300, budget_bytes=29_000_000)
    assert tight.pool == 128
    assert torch.equal(k_center_greedy(features, 300, first=1, plan=tight), roomy)
    assert torch.get_num_threads() == before


def test_the_features_are_left_as_they_were() -> None:
    features = torch.randn(200, 5)
    before = features.clone()
    k_center_greedy(features, 20, first=0)
    assert torch.equal(features, before)


def test_a_feature_that_is_not_finite_is_named() -> None:
    features = torch.zeros(9, 3)
    features[6, 1] = float("nan")
    with pytest.raises(DataError, match="E301 Of 9 features, row 6 is not finite"):
        k_center_greedy(features, 2, first=0)


@pytest.mark.parametrize("seed", [1, 2])
def test_with_anomalibs_projection_the_picks_are_anomalibs(seed: int) -> None:
    from anomalib.models.components import KCenterGreedy

    # 24 values a dimension at half of all features: distances that float32 confuses are frequent
    drawn = np.random.default_rng(seed).integers(0, 24, size=(500, 24))
    features = torch.from_numpy((drawn / 24).astype(np.float32))
    theirs = KCenterGreedy(features, sampling_ratio=0.5)
    torch.manual_seed(seed)
    picked = theirs.select_coreset_idxs()
    plan = CoresetPlan(*theirs.features.shape, 250, pool=30, batch=60, rows=32, columns=20)
    ours = k_center_greedy(theirs.features, 250, first=picked[0], as_anomalib=True, plan=plan)
    assert ours.tolist() == picked


def test_what_float32_confuses_is_decided_as_anomalib_decides_it() -> None:
    # squared distances from the origin: 9 + 3·2⁻²⁴ and 9 + 4·2⁻²⁴, the same in float32
    near = [3.0, *[2.0**-12] * 3, 0.0]
    far = [3.0, *[2.0**-12] * 4]
    features = torch.tensor([[0.0] * 5, near, far])
    assert k_center_greedy(features, 2, first=0).tolist() == [0, 2]
    assert k_center_greedy(features, 2, first=0, as_anomalib=True).tolist() == [0, 1]


def test_the_sparse_projection_follows_its_seed() -> None:
    features = torch.randn(50, 24)
    assert torch.equal(sparse_projection(features, 1), sparse_projection(features, 1))
    assert not torch.equal(sparse_projection(features, 1), sparse_projection(features, 2))
