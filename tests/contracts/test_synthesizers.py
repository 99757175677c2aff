"""What every synthesizer keeps, whatever its kind: run over the members of the union."""

import subprocess
import sys
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from components.errors import PipelineError
from components.synthesize import Synthesizer
from components.synthesize.visible import NothingVisibleError

KINDS: tuple[Any, ...] = get_args(get_args(Synthesizer)[0])
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)


def photograph(seed: int, height: int, width: int, channels: int, dtype: Any) -> np.ndarray:
    """A part with light falling off, a few bars across it, and sensor noise."""
    rng = np.random.default_rng(seed)
    unit = np.linspace(0.35, 0.6, width)[None, :].repeat(height, axis=0)
    for row in rng.integers(0, height, 5):
        unit[row : row + 3] -= 0.2
    picture = unit[..., None] + rng.normal(0, 0.02, (height, width, channels))
    full = np.iinfo(dtype).max
    levels = np.rint(np.clip(picture, 0, 1) * full).astype(dtype)
    return levels[..., 0] if channels == 1 else levels


@st.composite
def scenes(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An image, a region that leaves room for a defect, and a donor of another size."""
    height, width = draw(st.integers(40, 96)), draw(st.integers(40, 96))
    channels, dtype = draw(st.sampled_from([1, 3])), draw(st.sampled_from([np.uint8, np.uint16]))
    seed = draw(st.integers(0, 2**20))
    region = np.zeros((height, width), np.bool_)
    top, left = draw(st.integers(0, height - 24)), draw(st.integers(0, width - 24))
    region[top : top + draw(st.integers(24, 96)), left : left + draw(st.integers(24, 96))] = True
    donor_side = draw(st.integers(30, 110))
    donor = photograph(seed + 1, donor_side, 60, channels, dtype)
    return photograph(seed, height, width, channels, dtype), region, donor


property_test = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@every_kind
@property_test
@given(scene=scenes(), seed=st.integers(0, 2**32))
def test_only_the_mask_changes_and_the_mask_lies_in_the_region(
    kind: Any, scene: Any, seed: int
) -> None:
    image, region, donor = scene
    before = image.copy()
    defective, mask = kind().apply(image, region, np.random.default_rng(seed), donor)
    assert defective.dtype == image.dtype
    assert defective.shape == image.shape
    assert mask.dtype == np.bool_
    assert mask.any()
    assert not (mask & ~region).any()
    assert np.array_equal(defective[~mask], image[~mask])
    assert np.array_equal(image, before), "the parent was written to"


@every_kind
@property_test
@given(scene=scenes(), seed=st.integers(0, 2**32))
def test_a_defect_has_enough_pixels_that_a_person_would_see(
    kind: Any, scene: Any, seed: int
) -> None:
    image, region, donor = scene
    synthesizer = kind()
    defective, mask = synthesizer.apply(image, region, np.random.default_rng(seed), donor)
    change = np.abs(defective.astype(np.int64) - image.astype(np.int64))
    change = change if change.ndim == 2 else change.max(axis=2)
    strong = change >= synthesizer.strong * np.iinfo(image.dtype).max - 1
    assert (strong & mask).sum() >= synthesizer.min_area_px


@every_kind
@property_test
@given(scene=scenes(), seed=st.integers(0, 2**32))
def test_the_same_seed_gives_the_same_bytes(kind: Any, scene: Any, seed: int) -> None:
    image, region, donor = scene
    first = kind().apply(image, region, np.random.default_rng(seed), donor)
    again = kind().apply(image, region, np.random.default_rng(seed), donor)
    assert first[0].tobytes() == again[0].tobytes()
    assert first[1].tobytes() == again[1].tobytes()


@every_kind
def test_another_seed_gives_another_defect(kind: Any) -> None:
    image, donor = (photograph(seed, 80, 80, 1, np.uint8) for seed in (1, 2))
    region = np.ones((80, 80), np.bool_)
    drawn = [kind().apply(image, region, np.random.default_rng(s), donor)[0] for s in range(4)]
    assert len({picture.tobytes() for picture in drawn}) == 4


@every_kind
def test_a_grey_picture_in_three_channels_stays_grey(kind: Any) -> None:
    grey, donor = (photograph(seed, 80, 90, 1, np.uint8) for seed in (3, 4))
    image, donor = np.stack([grey] * 3, axis=2), np.stack([donor] * 3, axis=2)
    region = np.ones((80, 90), np.bool_)
    defective, _ = kind().apply(image, region, np.random.default_rng(0), donor)
    assert (defective.max(axis=2) == defective.min(axis=2)).all()


@every_kind
@pytest.mark.parametrize("side_px", [0, 3])
def test_a_region_smaller_than_a_defect_is_refused_with_the_remedy(kind: Any, side_px: int) -> None:
    image = photograph(0, 50, 50, 1, np.uint8)
    region = np.zeros((50, 50), np.bool_)
    region[10 : 10 + side_px, 10 : 10 + side_px] = True
    with pytest.raises(PipelineError, match=f"E141.*{side_px**2} px.*synthesize.regions"):
        kind().apply(image, region, np.random.default_rng(0), image)


@every_kind
def test_a_black_image_has_nothing_to_draw_with(kind: Any) -> None:
    black = np.zeros((50, 50), np.uint8)
    with pytest.raises(NothingVisibleError, match=f"E142.*{kind.__name__}"):
        kind().apply(black, np.ones((50, 50), np.bool_), np.random.default_rng(0), black)


@every_kind
def test_arrays_that_do_not_belong_together_are_refused(kind: Any) -> None:
    image = photograph(0, 50, 50, 1, np.uint8)
    everywhere = np.ones((50, 50), np.bool_)
    rng = np.random.default_rng(0)
    with pytest.raises(PipelineError, match=r"E140.*region"):
        kind().apply(image, everywhere[:40], rng, image)
    with pytest.raises(PipelineError, match=r"E140.*Bit depths"):
        kind().apply(image, everywhere, rng, image.astype(np.uint16))
    with pytest.raises(PipelineError, match=r"E140.*donor"):
        kind().apply(image, everywhere, rng, np.stack([image] * 3, axis=2))


@every_kind
def test_a_station_names_it_by_kind_alone_and_typos_are_refused(kind: Any) -> None:
    name = kind.model_fields["kind"].default
    adapter: TypeAdapter[Any] = TypeAdapter(Synthesizer)
    assert adapter.validate_python({"kind": name}) == kind()
    with pytest.raises(ValidationError, match="stength"):
        adapter.validate_python({"kind": name, "stength": 2})


def test_kinds_are_told_apart_by_name() -> None:
    names = [kind.model_fields["kind"].default for kind in KINDS]
    assert names == ["warp", "cutpaste", "nsa", "perlin"]


def test_loading_params_imports_nothing_heavy() -> None:
    code = (
        "import sys, components.augment, components.synthesize;"
        "print(sorted({'cv2', 'scipy', 'torch', 'pandas', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
