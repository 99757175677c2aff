"""The lazy selection against the plain greedy, pick by pick."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from components.models.coreset import k_center_greedy, sparse_projection


def plain_greedy(features: np.ndarray, num: int, first: int) -> list[int]:
    """The definition, in float64: all distances after every pick, the lowest index on a tie."""
    features = features.astype(np.float64)
    picks, distances = [first], np.full(len(features), np.inf)
    for _ in range(min(num, len(features)) - 1):
        distances = np.minimum(distances, ((features - features[picks[-1]]) ** 2).sum(1))
        distances[picks[-1]] = -1
        picks.append(int(distances.argmax()))
    return picks


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


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    num_features=st.integers(2, 250),
    dims=st.integers(1, 12),
    pool=st.integers(1, 40),
    batch=st.integers(40, 90),
    share=st.floats(0.01, 1),
)
def test_picks_are_those_of_the_plain_greedy(
    seed: int, num_features: int, dims: int, pool: int, batch: int, share: float
) -> None:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(num_features, dims)).astype(np.float32)
    num, first = max(1, int(num_features * share)), int(rng.integers(num_features))
    picks = k_center_greedy(torch.from_numpy(features), num, first=first, pool=pool, batch=batch)
    assert picks.tolist() == plain_greedy(features, num, first)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), side=st.integers(1, 4), pool=st.integers(1, 30))
def test_picks_are_the_same_on_a_grid_full_of_ties(seed: int, side: int, pool: int) -> None:
    rng = np.random.default_rng(seed)
    features = rng.integers(0, side + 1, size=(90, 3)).astype(np.float32)
    picks = k_center_greedy(torch.from_numpy(features), 90, first=7, pool=pool, batch=40)
    assert picks.tolist() == plain_greedy(features, 90, 7)


def test_the_default_pool_is_left_and_refilled_on_a_larger_set() -> None:
    rng = np.random.default_rng(3)
    features = rng.normal(size=(6000, 3)).astype(np.float32)
    picks = k_center_greedy(torch.from_numpy(features), 600, first=0)
    assert picks.tolist() == plain_greedy(features, 600, 0)


def test_with_anomalibs_projection_the_picks_are_anomalibs() -> None:
    from anomalib.models.components import KCenterGreedy

    features = torch.from_numpy(np.random.default_rng(1).normal(size=(300, 24)).astype(np.float32))
    theirs = KCenterGreedy(features, sampling_ratio=0.1)
    torch.manual_seed(0)
    picked = theirs.select_coreset_idxs()
    ours = k_center_greedy(theirs.model.transform(features).float(), 30, first=picked[0])
    assert ours.tolist() == picked


def test_the_sparse_projection_follows_its_seed() -> None:
    features = torch.randn(50, 24)
    assert torch.equal(sparse_projection(features, 1), sparse_projection(features, 1))
    assert not torch.equal(sparse_projection(features, 1), sparse_projection(features, 2))
