"""What every augmentation keeps, whatever its kind: run over the members of the union."""

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from components.augment import CORRUPTIONS, Augmentation, corruption
from components.errors import ParamsError, PipelineError

KINDS: tuple[Any, ...] = get_args(get_args(Augmentation)[0])
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
property_test = settings(max_examples=15, deadline=None)

# A weak and a strong severity of each kind, in its own unit. A new kind adds its pair here.
SEVERITIES = {
    "defocus": (2.0, 6.0),
    "brightness_contrast": (0.05, 0.2),
    "iso_noise": (0.1, 0.5),
    "rotate": (2.0, 10.0),
    "gauss_noise": (10.0, 120.0),
}


def blobs(seed: int, height: int, width: int, channels: int = 1) -> np.ndarray:
    """A smooth uint8 picture, well away from black and white, that no corruption leaves alone."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width]
    picture = np.full((height, width, channels), 120.0)
    for _ in range(6):
        row, column = rng.uniform(0, height), rng.uniform(0, width)
        distance = (rows - row) ** 2 + (columns - column) ** 2
        picture += np.exp(-distance / 60)[..., None] * rng.uniform(-50, 50, channels)
    levels = np.rint(np.clip(picture, 20, 220)).astype(np.uint8)
    return levels[..., 0] if channels == 1 else levels


def severities_of(kind: Any) -> tuple[float, float]:
    return SEVERITIES[kind.model_fields["kind"].default]


images = st.builds(
    lambda seed, height, width, channels, deep: (
        blobs(seed, height, width, channels).astype(np.uint16) * 257
        if deep
        else blobs(seed, height, width, channels)
    ),
    st.integers(0, 10_000),
    st.integers(16, 64),
    st.integers(16, 64),
    st.sampled_from([1, 3]),
    st.booleans(),
)


@every_kind
@property_test
@given(image=images, seed=st.integers(0, 2**32))
def test_size_depth_and_channels_are_kept_and_the_input_is_left_alone(
    kind: Any, image: np.ndarray, seed: int
) -> None:
    before, mask = image.copy(), image > image.mean()
    mask = mask if mask.ndim == 2 else mask[..., 0]
    corrupted, moved = kind(p=1.0).apply(image, mask, np.random.default_rng(seed))
    assert corrupted.dtype == image.dtype
    assert corrupted.shape == image.shape
    assert moved.dtype == np.bool_
    assert moved.shape == mask.shape
    assert np.array_equal(image, before)


@every_kind
@property_test
@given(image=images, seed=st.integers(0, 2**32))
def test_severity_zero_is_the_image_bit_for_bit(kind: Any, image: np.ndarray, seed: int) -> None:
    corrupted, mask = kind().stress(image, None, 0.0, np.random.default_rng(seed))
    assert mask is None
    assert np.array_equal(corrupted, image)


@every_kind
@property_test
@given(image=images, seed=st.integers(0, 2**32))
def test_the_same_seed_gives_the_same_bytes(kind: Any, image: np.ndarray, seed: int) -> None:
    strong = severities_of(kind)[1]
    for corrupt in (
        lambda rng: kind(p=1.0).apply(image, None, rng)[0],
        lambda rng: kind().stress(image, None, strong, rng)[0],
    ):
        first, again = (corrupt(np.random.default_rng(seed)) for _ in range(2))
        assert first.tobytes() == again.tobytes()


@every_kind
@property_test
@given(seed=st.integers(0, 10_000))
def test_a_higher_severity_changes_the_image_more(kind: Any, seed: int) -> None:
    image = blobs(seed, 48, 64)
    weak, strong = (
        np.abs(
            kind().stress(image, None, severity, np.random.default_rng(seed))[0] - image.astype(int)
        ).mean()
        for severity in severities_of(kind)
    )
    assert 0 < weak < strong


@every_kind
@property_test
@given(seed=st.integers(0, 10_000), channels=st.sampled_from([1, 3]))
def test_sixteen_bits_are_treated_as_eight_in_proportion(
    kind: Any, seed: int, channels: int
) -> None:
    shallow = blobs(seed, 40, 40, channels)
    deep = shallow.astype(np.uint16) * 257
    severity = severities_of(kind)[0]
    of_shallow, of_deep = (
        kind().stress(image, None, severity, np.random.default_rng(seed))[0].astype(float)
        for image in (shallow, deep)
    )
    assert np.abs(of_shallow - of_deep / 257).max() <= 1


@every_kind
def test_p_is_the_chance_of_doing_anything(kind: Any) -> None:
    image = blobs(0, 32, 32)
    rng = np.random.default_rng(0)
    touched = [kind().apply(image, None, rng)[0] is not image for _ in range(200)]
    assert 70 <= sum(touched) <= 130  # 100 expected, standard deviation 7
    assert kind(p=0.0).apply(image, None, rng)[0] is image
    assert not np.array_equal(kind(p=1.0).apply(image, None, rng)[0], image)


@every_kind
def test_only_a_rotation_moves_the_mask(kind: Any) -> None:
    image, mask = blobs(0, 40, 40), np.zeros((40, 40), np.bool_)
    mask[5:15, 8:20] = True
    moved = kind().stress(image, mask, severities_of(kind)[1], np.random.default_rng(0))[1]
    assert np.array_equal(moved, mask) == (kind.model_fields["kind"].default != "rotate")


@every_kind
@pytest.mark.parametrize("severity", [-1.0, float("nan"), float("inf")])
def test_a_senseless_severity_is_refused(kind: Any, severity: float) -> None:
    with pytest.raises(PipelineError, match=f"E154.*{kind.__name__}.*evaluate.stress"):
        kind().stress(blobs(0, 20, 20), None, severity, np.random.default_rng(0))


@every_kind
def test_a_station_names_it_by_kind_and_mistakes_are_refused(kind: Any) -> None:
    name = kind.model_fields["kind"].default
    adapter: TypeAdapter[Any] = TypeAdapter(Augmentation)
    assert adapter.validate_python({"kind": name}) == kind() == corruption(name)
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        adapter.validate_python({"kind": name, "p": 1.5})
    with pytest.raises(ValidationError, match="prob"):
        adapter.validate_python({"kind": name, "prob": 0.5})


def test_the_table_of_corruptions_is_the_union() -> None:
    assert set(CORRUPTIONS.values()) == set(KINDS)
    assert set(CORRUPTIONS) == set(SEVERITIES)
    with pytest.raises(ParamsError, match=r"E152.*'fog'.*defocus"):
        corruption("fog")


def test_bounds_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValidationError, match="lower bound 5 is above the upper bound 3"):
        TypeAdapter(Augmentation).validate_python({"kind": "defocus", "radius_px": [5, 3]})
