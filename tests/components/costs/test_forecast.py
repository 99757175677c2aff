"""The cost preview's arithmetic, on a machine of round numbers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.augment import corruption
from components.costs.forecast import Images, fit_cost, timed_alone
from components.costs.pace import BackbonePace, Pace
from components.models.dfm import Dfm
from components.models.generative import Generative
from components.models.padim import Padim
from components.models.patchcore import Patchcore
from components.models.stfpm import Stfpm
from components.train import TrainParams

PACE = Pace(
    hardware="round numbers",
    imports_s=10,
    imports_bytes=10**9,
    read_s=0.1,
    map_s=0.2,
    rank_s=0.01,
    product_rate=1e9,
    inverse_rate=1e9,
    greedy_rate=1e9,
    backbones={"lite0": BackbonePace(image_size_px=256, seconds=0.02, bytes=10**7)},
)
TEN = Images(num_fit=10, num_scored=5, megapixels=0.5)
LAYERS = ("blocks.2", "blocks.4")  # 40 + 112 channels, strides 8 and 16


def cost(detector: object, images: Images = TEN, **changes: object):  # type: ignore[no-untyped-def]
    return fit_cost(TrainParams(detector=detector, **changes), images, PACE)  # type: ignore[arg-type]


def test_each_image_passes_the_backbone_once_and_time_grows_with_its_area() -> None:
    found = cost(Dfm())
    assert found.backbone_fit_s == pytest.approx(10 * 0.02)
    assert found.backbone_scored_s == pytest.approx(5 * 0.02)
    assert cost(Dfm(), image_size_px=512).backbone_fit_s == pytest.approx(4 * 10 * 0.02)


def test_what_is_neither_backbone_nor_detector_is_reading_maps_and_ranking() -> None:
    reading = 15 * 0.5 * 0.1
    maps = 5 * 0.256**2 * 0.2
    ranking = 4 * 5 * 0.5 * 0.01
    assert cost(Dfm()).other_s == pytest.approx(reading + maps + ranking)


def test_an_encoder_of_a_quarter_of_the_width_with_its_decoder_costs_an_eighth() -> None:
    whole, narrow = (
        cost(Generative(base_width=width, weights="random", num_epochs=1)) for width in (64, 16)
    )
    assert narrow.backbone_fit_s == pytest.approx(whole.backbone_fit_s / 16)
    assert Generative(base_width=16, weights="random").relative_cost == pytest.approx(1 / 8)


def test_a_coreset_costs_features_times_picks_times_dimensions() -> None:
    num, picks = 10 * 32**2, 102  # 10,240 patches, 1 % of them
    greedy = num * picks * 152 / 1e9
    search = 2 * 5 * 32**2 * picks * 152 / 1e9
    found = cost(Patchcore(layers=LAYERS, coreset_ratio=0.01))
    assert found.other_s - cost(Dfm()).other_s == pytest.approx(greedy + search)


def test_covariances_cost_their_dimensions_cubed_at_each_place() -> None:
    flops = 32**2 * (2 * 10 * 50**2 + 2 * 50**3)
    scoring = 2 * 5 * 32**2 * 50**2
    found = cost(Padim(layers=LAYERS, n_features=50))
    assert found.other_s - cost(Dfm()).other_s == pytest.approx((flops + scoring) / 1e9)


def test_epochs_and_augmented_copies_multiply_the_passes() -> None:
    # ten images, seven epochs, each a step of three passes of a teacher and of a student
    assert cost(Stfpm(num_epochs=7)).backbone_fit_s == pytest.approx(2 * 3 * 7 * 10 * 0.02)
    copied = cost(Dfm(), augment=(corruption("rotate"),), augment_copies=2)
    assert copied.backbone_fit_s == pytest.approx(3 * 10 * 0.02)


def test_the_peak_is_what_is_imported_and_the_larger_of_features_and_maps() -> None:
    large = Images(num_fit=761, num_scored=5, megapixels=0.1)
    found = cost(Patchcore(layers=LAYERS, coreset_ratio=0.01), large)
    features = 4 * 761 * 32**2 * 152
    assert 1e9 + features < found.peak_bytes < 1e9 + 1.4 * features
    many = Images(num_fit=2, num_scored=1000, megapixels=1)
    assert cost(Dfm(), many).peak_bytes == pytest.approx(1e9 + 1e7 + 30e9)


def test_a_backbone_of_several_is_timed_by_its_parts_and_an_own_one_not_at_all() -> None:
    assert timed_alone("lite0") == ("lite0",)
    assert timed_alone("none") == ()


@settings(max_examples=30, deadline=None)
@given(
    num=st.integers(1, 500),
    more=st.integers(0, 500),
    ratio=st.floats(0.001, 1),
    side=st.sampled_from([64, 256, 512]),
)
def test_more_images_never_cost_less(num: int, more: int, ratio: float, side: int) -> None:
    params = TrainParams(detector=Patchcore(coreset_ratio=ratio), image_size_px=side)
    few = fit_cost(params, Images(num_fit=num, num_scored=num, megapixels=0.1), PACE)
    many = fit_cost(params, Images(num_fit=num + more, num_scored=num, megapixels=0.1), PACE)
    assert many.seconds >= few.seconds
    assert many.peak_bytes >= few.peak_bytes
