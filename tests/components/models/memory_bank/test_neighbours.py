"""The search in blocks against distances worked by hand and against brute force in float64."""

import importlib.util

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from components.errors import DataError, PipelineError
from components.models.memory_bank.neighbours import nearest, nearest_by_faiss, nearest_in_prefixes
from components.models.memory_bank.plan import SearchPlan


def brute_force(queries: np.ndarray, bank: np.ndarray, num: int) -> tuple[np.ndarray, np.ndarray]:
    differences = queries.astype(np.float64)[:, None] - bank.astype(np.float64)[None]
    distances = np.sqrt((differences**2).sum(axis=2))
    order = distances.argsort(axis=1, kind="stable")[:, :num]
    return np.take_along_axis(distances, order, axis=1), order


def test_neighbours_come_by_distance_and_ties_by_index() -> None:
    bank = torch.tensor([[3.0, 4.0], [0.0, 1.0], [6.0, 8.0], [0.0, -1.0]])
    distances, indices = nearest(torch.zeros(1, 2), bank, 4)
    assert distances.tolist() == [[1.0, 1.0, 5.0, 10.0]]
    assert indices.tolist() == [[1, 3, 0, 2]]


def test_a_vector_is_at_no_distance_from_itself_however_far_from_the_origin() -> None:
    bank = 1e4 + torch.randn(300, 152, generator=torch.Generator().manual_seed(0))
    distances, indices = nearest(bank, bank)
    assert distances.max() == 0
    assert indices.flatten().tolist() == list(range(300))


def test_a_distance_of_a_thousandth_is_not_lost_beside_norms_of_a_thousand() -> None:
    bank = torch.full((5, 100), 100.0) + 50 * torch.eye(5, 100)
    query = bank[3:4].clone()
    query[0, 7] += 2.0**-10  # exact in float32 beside 100
    distances, indices = nearest(query, bank)
    assert distances.item() == pytest.approx(2.0**-10, rel=1e-6)
    assert indices.item() == 3


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    num_bank=st.integers(1, 150),
    num=st.integers(1, 6),
    rows=st.integers(1, 50),
    columns=st.integers(1, 70),
    whole=st.booleans(),
)
def test_blocks_of_any_size_find_what_brute_force_finds(
    seed: int, num_bank: int, num: int, rows: int, columns: int, whole: bool
) -> None:
    rng = np.random.default_rng(seed)
    num, dims = min(num, num_bank), int(rng.integers(1, 9))
    drawn = (
        rng.integers(0, 3, size=(40 + num_bank, dims))
        if whole
        else rng.normal(size=(40 + num_bank, dims))
    )
    queries, bank = drawn[:40].astype(np.float32), drawn[40:].astype(np.float32)
    plan = SearchPlan(40, num_bank, dims, num, rows, columns)
    distances, indices = nearest(torch.from_numpy(queries), torch.from_numpy(bank), num, plan=plan)
    expected, order = brute_force(queries, bank, num)
    np.testing.assert_allclose(distances.numpy(), expected, rtol=1e-6)
    np.testing.assert_array_equal(indices.numpy(), order)


def test_prefixes_of_the_bank_are_searched_in_one_go() -> None:
    queries, bank = torch.randn(50, 8), torch.randn(200, 8)
    found = nearest_in_prefixes(queries, bank, (3, 64, 200), 3)
    for size, (distances, indices) in zip((3, 64, 200), found, strict=True):
        alone, whose = nearest(queries, bank[:size], 3)
        assert torch.equal(distances, alone)
        assert torch.equal(indices, whose)


def test_more_neighbours_than_the_bank_holds_are_refused() -> None:
    with pytest.raises(
        DataError, match="E302 3 nearest neighbours were asked of a memory bank of 2"
    ):
        nearest(torch.zeros(1, 4), torch.zeros(2, 4), 3)


@pytest.mark.parametrize("which", ["queries", "bank"])
def test_a_vector_that_is_not_finite_is_refused(which: str) -> None:
    vectors = {"queries": torch.zeros(4, 3), "bank": torch.zeros(5, 3)}
    vectors[which][2, 0] = torch.inf
    with pytest.raises(DataError, match=r"E301 .*row 2 is not finite"):
        nearest(vectors["queries"], vectors["bank"])


@pytest.mark.skipif(importlib.util.find_spec("faiss") is None, reason="extra faiss not installed")
def test_faiss_finds_the_same() -> None:
    queries, bank = torch.randn(50, 8), torch.randn(200, 8)
    for found, expected in zip(
        nearest_by_faiss(queries, bank, 3), nearest(queries, bank, 3), strict=True
    ):
        torch.testing.assert_close(found, expected)


def test_without_faiss_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(PipelineError, match=r"E303 .*defectloop\[faiss\]"):
        nearest_by_faiss(torch.zeros(1, 2), torch.zeros(1, 2))
