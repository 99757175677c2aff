"""Generative metrics by hand, by closed forms and against scipy."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, spatial, stats

from components.errors import DataError
from components.metrics.generative.diversity import intra_cluster_distance, mean_pairwise_distance
from components.metrics.generative.figures import feature_figures, named
from components.metrics.generative.frechet import frechet_distance, frechet_of_gaussians
from components.metrics.generative.inception import inception_score
from components.metrics.generative.lpips import lpips
from components.metrics.generative.mask_areas import compare_mask_areas
from components.metrics.generative.nearest import distance_to_train, nearest_distances
from components.metrics.seeds import Spread

few = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 9999)


def drawn(num: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((num, width))


# --- Fréchet distance ---------------------------------------------------------------------------


def test_frechet_of_two_lines_by_hand() -> None:
    # means 1 and 5; variances 2 and 8, so (sqrt 8 - sqrt 2)^2 = 2
    assert frechet_distance([[0], [2]], [[3], [7]]) == pytest.approx((5 - 1) ** 2 + 2)


def test_frechet_of_gaussians_with_independent_features_by_hand() -> None:
    distance = frechet_of_gaussians([0, 0], np.diag([1.0, 4.0]), [3, 4], np.diag([4.0, 1.0]))
    assert distance == pytest.approx(25 + 1 + 1)


def test_a_set_is_at_no_distance_from_itself_and_moves_by_its_shift() -> None:
    features = drawn(40, 5)
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-12)
    assert frechet_distance(features, features + 2) == pytest.approx(5 * 4)
    assert frechet_distance(features, 3 * features) == pytest.approx(
        4 * np.sum(features.mean(0) ** 2) + 4 * np.trace(np.cov(features.T))
    )


@pytest.mark.parametrize("num, other_num", [(60, 50), (60, 6), (5, 6)])
def test_frechet_equals_the_matrix_root_of_scipy(num: int, other_num: int) -> None:
    first, second = drawn(num, 8, 1) @ drawn(8, 8, 2), drawn(other_num, 8, 3) + 0.3
    covariances = np.cov(first.T), np.cov(second.T)
    root = linalg.sqrtm(covariances[0] @ covariances[1]).real
    gap = np.sum((first.mean(0) - second.mean(0)) ** 2)
    expected = gap + np.trace(covariances[0] + covariances[1] - 2 * root)
    # with fewer images than features the product is singular and the root loses digits, not we
    close = 1e-9 if min(num, other_num) > 8 else 1e-4
    assert frechet_distance(first, second) == pytest.approx(expected, rel=close)
    stored = frechet_of_gaussians(first.mean(0), covariances[0], second.mean(0), covariances[1])
    assert stored == pytest.approx(frechet_distance(first, second), rel=1e-6)


def test_frechet_equals_torchmetrics() -> None:
    torch = pytest.importorskip("torch")
    fid = pytest.importorskip("torchmetrics.image.fid")
    first, second = drawn(80, 6, 1), drawn(70, 6, 2) * 1.5 + 1
    arguments = (first.mean(0), np.cov(first.T), second.mean(0), np.cov(second.T))
    reference = float(fid._compute_fid(*(torch.from_numpy(a) for a in arguments)))
    assert frechet_distance(first, second) == pytest.approx(reference, rel=1e-9)


def test_large_offsets_cost_no_digits() -> None:
    first, second = drawn(30, 4, 1), drawn(30, 4, 2)
    plain = frechet_distance(first, second)
    assert frechet_distance(first + 1e6, second + 1e6) == pytest.approx(plain, rel=1e-6)


@few
@given(seeds)
def test_frechet_is_symmetric_positive_and_blind_to_rotations_and_order(seed: int) -> None:
    first, second = drawn(12, 4, seed), drawn(9, 4, seed + 1)
    distance = frechet_distance(first, second)
    assert distance >= 0
    assert frechet_distance(second, first) == pytest.approx(distance)
    rotation = np.linalg.qr(drawn(4, 4, seed + 2))[0]
    assert frechet_distance(first @ rotation, second @ rotation) == pytest.approx(distance)
    assert frechet_distance(first[::-1], second) == pytest.approx(distance)


@pytest.mark.parametrize(
    "first, second, what",
    [
        ([[1.0, 2.0]], [[1.0, 2.0], [2.0, 3.0]], "1 images, 2 are needed"),
        ([[1.0], [2.0]], [[1.0, 2.0], [2.0, 3.0]], "1 and 2 values"),
        ([[1.0], [math.nan]], [[1.0], [2.0]], "index 1"),
    ],
)
def test_features_that_cannot_be_compared_are_refused(first, second, what: str) -> None:
    with pytest.raises(DataError, match=f"E207.*{what}"):
        frechet_distance(first, second)


def test_a_covariance_that_is_none_is_refused() -> None:
    with pytest.raises(DataError, match="negative variance"):
        frechet_of_gaussians([0, 0], [[1, 2], [2, 1]], [0, 0], np.eye(2))
    with pytest.raises(DataError, match="shape"):
        frechet_of_gaussians([0, 0], [[1.0]], [0, 0], np.eye(2))


# --- inception score ----------------------------------------------------------------------------


def test_sure_and_varied_images_score_the_number_of_classes() -> None:
    assert inception_score(np.eye(4), 1) == Spread(pytest.approx(4), 0.0, 1)


def test_unsure_or_uniform_images_score_one() -> None:
    assert inception_score(np.full((6, 3), 1 / 3), 2).mean == pytest.approx(1)
    assert inception_score([[1, 0, 0]] * 6, 2).mean == pytest.approx(1)


def test_inception_score_by_hand() -> None:
    # mean (1/2, 1/2): entropy ln 2; each row: H = -(0.9 ln 0.9 + 0.1 ln 0.1) = 0.32508
    score = inception_score([[0.9, 0.1], [0.1, 0.9]], 1)
    assert score.mean == pytest.approx(math.exp(math.log(2) - 0.325083), abs=1e-6)


def test_each_split_is_scored_alone() -> None:
    rows = [[1, 0], [0, 1], [1, 0], [1, 0]]  # the first two score 2, the others 1
    assert inception_score(rows, 2) == Spread(pytest.approx(1.5), pytest.approx(math.sqrt(0.5)), 2)


@pytest.mark.parametrize("rows, splits", [([[0.5, 0.6]], 1), ([[1.5, -0.5]], 1), ([[1.0, 0]], 2)])
def test_rows_that_are_no_probabilities_are_refused(rows, splits: int) -> None:
    with pytest.raises(DataError, match="E207"):
        inception_score(rows, splits)


# --- distance to train --------------------------------------------------------------------------


def test_the_nearest_training_image_counts_and_a_copy_is_at_zero() -> None:
    train = [[0.0, 0.0], [10.0, 0.0]]
    assert nearest_distances([[3, 4], [10, 0], [9, 0]], train).tolist() == [5, 0, 1]


def test_a_copy_is_at_zero_far_from_the_origin_too() -> None:
    train = drawn(50, 6) + 1e5
    assert nearest_distances(train[::-1], train).tolist() == [0] * 50


@few
@given(seeds)
def test_nearest_distances_equal_scipy(seed: int) -> None:
    queries, train = drawn(7, 3, seed), drawn(11, 3, seed + 1)
    expected = spatial.distance.cdist(queries, train).min(axis=1)
    assert nearest_distances(queries, train) == pytest.approx(expected)


def test_blocks_of_queries_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, train = drawn(20, 3), drawn(9, 3, 1)
    whole = nearest_distances(queries, train)
    monkeypatch.setattr("components.metrics.generative.nearest.CELLS_AT_ONCE", 30)
    assert nearest_distances(queries, train) == pytest.approx(whole, rel=1e-12)


def test_distance_to_train_of_a_matrix_is_the_mean_of_its_row_minima() -> None:
    assert distance_to_train([[0.2, 0.4], [0.7, 0.6]]) == pytest.approx(0.4)


# --- LPIPS --------------------------------------------------------------------------------------


def test_lpips_by_hand() -> None:
    # one layer, two channels, two places; vectors (3, 4) and (0, 1) against (1, 0) and (0, 2)
    first = np.array([[[[3.0, 0.0]], [[4.0, 1.0]]]])
    second = np.array([[[[1.0, 0.0]], [[0.0, 2.0]]]])
    # place 1: (0.6 - 1)^2 * 2 + (0.8 - 0)^2 * 3 = 2.24; place 2 points the same way
    assert lpips([first], [second], [[2, 3]]) == pytest.approx([2.24 / 2])


def test_layers_add_up_and_an_image_is_at_zero_from_itself() -> None:
    shapes = [(2, 3, 4, 4), (2, 5, 2, 2)]
    rng = np.random.default_rng(0)
    first, second = ([rng.random(shape) for shape in shapes] for _ in range(2))
    heads = [rng.random(3), rng.random(5)]
    apart = [lpips([a], [b], [w]) for a, b, w in zip(first, second, heads, strict=True)]
    assert lpips(first, second, heads) == pytest.approx(apart[0] + apart[1])
    assert lpips(first, first, heads) == pytest.approx([0, 0])
    assert lpips(second, first, heads) == pytest.approx(lpips(first, second, heads))


def test_lpips_is_blind_to_the_length_of_features_and_calm_where_they_are_zero() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.random((1, 3, 2, 2)), rng.random((1, 3, 2, 2))
    assert lpips([7 * first], [second], [[1, 1, 1]]) == pytest.approx(
        lpips([first], [second], [[1, 1, 1]])
    )
    assert lpips([0 * first], [0 * first], [[1, 1, 1]]) == pytest.approx([0])


def test_layers_and_heads_that_do_not_fit_are_refused() -> None:
    ones = np.ones((1, 2, 2, 2))
    for arguments in [([ones], [ones], []), ([ones], [ones], [[1]]), ([ones], [ones], [[1, -1]])]:
        with pytest.raises(DataError, match="E207"):
            lpips(*arguments)


# --- diversity ----------------------------------------------------------------------------------

MATRIX = np.array([[0, 2, 8, 9], [2, 0, 7, 6], [8, 7, 0, 4], [9, 6, 4, 0]], float)


def test_the_mean_of_all_pairs_leaves_the_diagonal_out() -> None:
    assert mean_pairwise_distance(MATRIX) == pytest.approx((2 + 8 + 9 + 7 + 6 + 4) / 6)


def test_within_clusters_only_their_own_pairs_count() -> None:
    found = intra_cluster_distance(MATRIX, [5, 5, 1, 1])
    assert (found.mean, found.num_clusters, found.num_left_out) == (3, 2, 0)
    assert found.std == pytest.approx(math.sqrt(2))


def test_a_cluster_of_one_is_left_out_and_said() -> None:
    found = intra_cluster_distance(MATRIX, [0, 0, 1, 2])
    assert (found.mean, found.std, found.num_clusters, found.num_left_out) == (2, None, 1, 2)
    assert intra_cluster_distance(MATRIX, [0, 1, 2, 3]).mean is None


def test_one_cluster_is_the_whole_set() -> None:
    assert intra_cluster_distance(MATRIX, [0] * 4).mean == mean_pairwise_distance(MATRIX)


@pytest.mark.parametrize(
    "matrix, clusters",
    [(MATRIX[:3], [0] * 3), (MATRIX - 5, [0] * 4), (MATRIX, [0] * 3), (MATRIX, [0.5] * 4)],
)
def test_what_is_no_matrix_of_distances_is_refused(matrix, clusters) -> None:
    with pytest.raises(DataError, match="E207"):
        intra_cluster_distance(matrix, clusters)


def test_an_asymmetric_matrix_and_a_single_image_are_refused() -> None:
    with pytest.raises(DataError, match="symmetric"):
        mean_pairwise_distance([[0, 1], [2, 0]])
    with pytest.raises(DataError, match="differs from no other"):
        mean_pairwise_distance([[0]])


# --- mask areas ---------------------------------------------------------------------------------


def test_areas_ten_times_larger_are_one_decade_apart() -> None:
    found = compare_mask_areas([10, 100, 1000], [100, 1000, 10000], num_bins=3)
    assert found.log10_wasserstein == pytest.approx(1)
    assert found.edges_px == pytest.approx([10, 100, 1000, 10000])
    assert found.shares == pytest.approx([1 / 3, 1 / 3, 1 / 3])
    assert found.other_shares == pytest.approx([0, 1 / 3, 2 / 3])


def test_equal_areas_are_at_no_distance_even_if_all_are_one() -> None:
    found = compare_mask_areas([50, 50], [50], num_bins=4)
    assert found.log10_wasserstein == 0
    assert sum(found.shares) == sum(found.other_shares) == 1


@few
@given(*(st.lists(st.integers(1, 10**6), min_size=1, max_size=20) for _ in range(2)))
def test_the_distance_of_areas_equals_scipy(first: list[int], second: list[int]) -> None:
    found = compare_mask_areas(first, second)
    expected = stats.wasserstein_distance(np.log10(first), np.log10(second))
    assert found.log10_wasserstein == pytest.approx(expected, abs=1e-9)
    assert sum(found.shares) == pytest.approx(1)
    assert sum(found.other_shares) == pytest.approx(1)


@pytest.mark.parametrize("areas", [[], [5, 0], [-1], [math.inf]])
def test_an_area_that_is_none_is_refused(areas: list[float]) -> None:
    with pytest.raises(DataError, match="E207"):
        compare_mask_areas(areas, [5])


# --- records ------------------------------------------------------------------------------------


def test_a_figure_names_its_extractor_and_its_images() -> None:
    frechet, nearest = feature_figures([[0.0], [2.0]], [[3.0], [7.0]], "lite0 blocks.4")
    assert frechet.slice == nearest.slice == {"extractor": "lite0 blocks.4"}
    assert (frechet.name, frechet.value) == ("frechet_distance", pytest.approx(18))
    assert (nearest.name, nearest.value, nearest.num_images) == ("distance_to_train", 2, 2)


def test_a_spread_becomes_a_figure_with_its_standard_deviation() -> None:
    (figure,) = named({"inception_score": Spread(2.0, 0.5, 10)}, "inception_v3", 100)
    assert (figure.value, figure.std) == (2.0, 0.5)


def test_a_figure_without_an_extractor_is_refused() -> None:
    with pytest.raises(DataError, match="extractor"):
        named({"lpips": 0.3}, " ", 10)
