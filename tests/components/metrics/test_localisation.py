"""All localisation figures at once: in memory, streamed, and against other tools."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from components.errors import DataError
from components.metrics import streaming
from components.metrics.aupro import aupro
from components.metrics.auspro import auspro
from components.metrics.localisation import (
    LIMITS,
    Localisation,
    localisation_figures,
    streamed_localisation,
)
from components.metrics.ranking import UndefinedMetricError
from components.metrics.regions import Region

few = settings(max_examples=25, deadline=None)
Maps = list[np.ndarray]
Truths = list[list[Region]]


def squares(seed: int, num: int, size: int, side: int) -> Truths:
    """Every other image has three rectangles, overlapping at times, of a random saturation."""
    rng = np.random.default_rng(seed)
    truths: Truths = [[] for _ in range(num)]
    for regions in truths[::2]:
        for _ in range(3):
            mask = np.zeros((size, size), bool)
            top, left = rng.integers(0, size - side, 2)
            mask[top : top + rng.integers(1, side), left : left + rng.integers(1, side)] = True
            regions.append(Region(mask, int(rng.integers(1, mask.sum() + 1))))
    return truths


def union(regions: list[Region], size: int) -> np.ndarray:
    return np.any([np.zeros((size, size), bool), *(r.mask for r in regions)], axis=0)


def values(found: Localisation) -> np.ndarray:
    single = [found.pixel_auroc, found.pixel_ap, found.pixel_f1_max]
    return np.array([*found.auspro.values(), *found.aupro.values(), *single])


def small(seed: int) -> tuple[Maps, Truths]:
    rng = np.random.default_rng(seed)
    truths = squares(seed, 4, 9, 5)
    maps = [rng.integers(0, 8, (9, 9)) + 2.0 * union(t, 9) for t in truths]
    return maps, truths


def test_figures_are_keyed_by_limit_as_people_write_it() -> None:
    found = localisation_figures(*small(0))
    assert list(found.auspro) == list(found.aupro) == ["0.01", "0.05", "0.1", "0.3", "1"]
    assert (found.num_regions, found.num_images) == (6, 4)


@few
@given(seed=st.integers(0, 9999))
def test_each_figure_equals_its_own_function_and_scikit_learn(seed: int) -> None:
    maps, truths = small(seed)
    masks = [union(t, 9) for t in truths]
    found = localisation_figures(maps, truths)
    scores, labels = np.ravel(maps), np.ravel(masks)
    precision, recall, _ = precision_recall_curve(labels, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    assert found.auspro == {f"{x:g}": auspro(maps, truths, x) for x in LIMITS}
    assert found.aupro == {f"{x:g}": aupro(maps, masks, x) for x in LIMITS}
    assert found.pixel_auroc == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert found.pixel_ap == pytest.approx(average_precision_score(labels, scores), abs=1e-12)
    assert found.pixel_f1_max == pytest.approx(f1.max(), abs=1e-12)


def test_pixel_auroc_and_ap_equal_torchmetrics() -> None:
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchmetrics.functional.classification")
    maps, truths = small(3)
    found = localisation_figures(maps, truths)
    scores_t = torch.from_numpy(np.ravel(maps) / 16)
    labels_t = torch.from_numpy(np.ravel([union(t, 9) for t in truths]).astype(int))
    auroc_t = functional.binary_auroc(scores_t, labels_t)
    ap_t = functional.binary_average_precision(scores_t, labels_t)
    assert found.pixel_auroc == pytest.approx(float(auroc_t), abs=1e-6)
    assert found.pixel_ap == pytest.approx(float(ap_t), abs=1e-6)


@few
@given(seed=st.integers(0, 9999))
def test_neither_the_order_of_images_nor_a_rising_transform_matters(seed: int) -> None:
    maps, truths = small(seed)
    expected = values(localisation_figures(maps, truths))
    order = np.random.default_rng(seed).permutation(len(maps))
    shuffled = localisation_figures([maps[i] for i in order], [truths[i] for i in order])
    assert values(shuffled) == pytest.approx(expected, abs=1e-12)
    cubed = localisation_figures([m**3 + 7 for m in maps], truths)
    assert values(cubed) == pytest.approx(expected, abs=1e-12)
    assert ((expected >= 0) & (expected <= 1)).all()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float16, np.float32, int])
def test_the_kind_of_number_does_not_matter(kind: type) -> None:
    maps, truths = small(5)
    expected = localisation_figures(maps, truths)
    assert localisation_figures([m.astype(kind) for m in maps], truths) == expected


def test_the_maps_are_left_as_they_were() -> None:
    maps, truths = small(6)
    before = [m.copy() for m in maps]
    localisation_figures(maps, truths)
    assert all((a == b).all() for a, b in zip(maps, before, strict=True))


# --- streaming ----------------------------------------------------------------------------------

Draw = Callable[[np.random.Generator, np.ndarray, int], np.ndarray]
DRAWS: dict[str, Draw] = {
    "even": lambda rng, mask, _: rng.random(mask.shape) + 0.3 * mask,
    "twelve decades": lambda rng, mask, _: np.exp(4 * rng.normal(size=mask.shape) + 3 * mask),
    "within 1e-4": lambda rng, mask, _: 0.5 + 1e-4 * (rng.random(mask.shape) + 0.5 * mask),
    "half of it zero": lambda rng, mask, _: (
        np.maximum(rng.random(mask.shape) - 0.5, 0) + 0.3 * mask * rng.random(mask.shape)
    ),
    "few levels": lambda rng, mask, _: rng.integers(0, 99, mask.shape) + 20.0 * mask,
    "all defects on top": lambda rng, mask, _: np.where(
        mask, 1 + rng.random(mask.shape) ** 8, rng.random(mask.shape)
    ),
    "defects below": lambda rng, mask, _: rng.random(mask.shape) - 0.9 * mask,
    "normals in one spot": lambda rng, mask, _: np.where(
        mask, rng.random(mask.shape), 0.5 + 1e-7 * rng.random(mask.shape)
    ),
    "each image above the last": lambda rng, mask, i: i + rng.random(mask.shape) + 0.3 * mask,
}


@pytest.fixture(scope="module")
def half_a_million() -> tuple[Truths, Maps]:
    truths = squares(1, 8, 250, 160)
    return truths, [union(t, 250) for t in truths]


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_streaming_stays_within_1e_4_however_scores_are_spread(
    draw: Draw, kind: type, half_a_million: tuple[Truths, Maps], monkeypatch: pytest.MonkeyPatch
) -> None:
    # 60,000 defective pixels share 20,000 thresholds; the default lays ten times as many
    monkeypatch.setattr(streaming, "BLOCK_PX", 100_000)
    truths, masks = half_a_million
    rng = np.random.default_rng(2)
    maps = [draw(rng, mask, i).astype(kind) for i, mask in enumerate(masks)]
    exact = values(localisation_figures(maps, truths))
    streamed = values(streamed_localisation(lambda: zip(maps, truths), num_steps=20_000))
    assert np.abs(streamed - exact).max() < 1e-4


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_areas_err_by_a_few_steps_at_most_even_after_many_rounds_of_thinning(
    draw: Draw, half_a_million: tuple[Truths, Maps]
) -> None:
    truths, masks = half_a_million
    rng = np.random.default_rng(3)
    maps = [draw(rng, mask, i) for i, mask in enumerate(masks)]
    exact = localisation_figures(maps, truths)
    streamed = streamed_localisation(lambda: zip(maps, truths), num_steps=500)
    areas = slice(0, 2 * len(LIMITS) + 1)
    assert np.abs(values(streamed) - values(exact))[areas].max() < 6 / 500


def test_a_tiny_region_gets_its_thresholds_beside_a_huge_one() -> None:
    # 40 of 20,000 defective pixels, half of all weight; half of the normals score among them
    rng = np.random.default_rng(4)
    huge, tiny = np.zeros((200, 200), bool), np.zeros((200, 200), bool)
    huge[:100], tiny[150, :40] = True, True
    scores = np.where(rng.random((200, 200)) < 0.5, rng.random((200, 200)), 2.1)
    scores[huge], scores[tiny] = rng.random(20_000), 2 + rng.random(40)
    truths = [[Region(huge, 20_000), Region(tiny, 40)]]
    exact = localisation_figures([scores], truths)
    streamed = streamed_localisation(lambda: [(scores, truths[0])], num_steps=400)
    assert streamed.auspro == pytest.approx(exact.auspro, abs=5e-3)
    assert streamed.aupro == pytest.approx(exact.aupro, abs=5e-3)


@few
@given(seed=st.integers(0, 9999))
def test_streaming_is_exact_where_scores_are_fewer_than_steps(seed: int) -> None:
    maps, truths = small(seed)
    streamed = streamed_localisation(lambda: zip(maps, truths), num_steps=300)
    assert values(streamed) == pytest.approx(values(localisation_figures(maps, truths)), abs=1e-12)


@few
@given(seed=st.integers(0, 9999), num_steps=st.integers(1, 6))
def test_the_coarsest_steps_still_give_figures_between_0_and_1(seed: int, num_steps: int) -> None:
    maps, truths = small(seed)
    streamed = values(streamed_localisation(lambda: zip(maps, truths), num_steps=num_steps))
    assert ((streamed >= 0) & (streamed <= 1 + 1e-12)).all()


def test_a_reader_may_use_one_array_for_all_maps() -> None:
    maps, truths = small(8)
    held = np.empty((9, 9))

    def read() -> Iterator[tuple[np.ndarray, list[Region]]]:
        for anomaly_map, regions in zip(maps, truths, strict=True):
            held[:] = anomaly_map
            yield held, regions

    expected = values(localisation_figures(maps, truths))
    assert values(streamed_localisation(read)) == pytest.approx(expected, abs=1e-12)


def test_memory_does_not_grow_with_the_number_of_images(monkeypatch: pytest.MonkeyPatch) -> None:
    import tracemalloc

    monkeypatch.setattr(streaming, "BLOCK_PX", 50_000)

    def read(num: int) -> Iterator[tuple[np.ndarray, list[Region]]]:
        rng = np.random.default_rng(0)
        mask = np.zeros((100, 100), bool)
        mask[:50] = True
        for _ in range(num):
            yield rng.random((100, 100)), [Region(mask, 100)]

    def peak_bytes(num: int) -> int:
        tracemalloc.start()
        streamed_localisation(lambda: read(num), num_steps=1000)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(2)  # imports
    assert peak_bytes(80) < 1.2 * peak_bytes(20)


def test_a_reader_that_does_not_start_again_is_refused() -> None:
    maps, truths = small(0)
    once = zip(maps, truths, strict=True)
    with pytest.raises(DataError, match="E204 The second reading gave 0 images"):
        streamed_localisation(lambda: once)


def test_no_steps_are_refused() -> None:
    with pytest.raises(DataError, match="E203 0 steps"):
        streamed_localisation(lambda: [], num_steps=0)


def test_streaming_names_the_map_that_holds_a_nan() -> None:
    maps, truths = small(0)
    maps[2][0, 0] = np.nan
    with pytest.raises(DataError, match="E111 Map 2 holds a NaN"):
        streamed_localisation(lambda: zip(maps, truths))


def test_streaming_nothing_but_normal_images_is_undefined() -> None:
    with pytest.raises(UndefinedMetricError, match="E114"):
        streamed_localisation(lambda: [(np.zeros((2, 2)), [])])
