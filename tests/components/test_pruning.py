"""Giving up by the median of earlier trainings, and looking without leaving a trace."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from components.pruning import GivenUpError, Lookout, watch_of
from components.search import Pruning
from components.watched import Watched, as_it_stands, moments


class Epochs:
    """Batches that say which epoch was asked for."""

    input_noise = 0.25

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, epoch: int) -> Iterator[torch.Tensor]:
        self.asked.append(epoch)
        return iter(())

    def divided(self, share: float) -> tuple["Epochs", "Epochs"]:
        return Epochs(), Epochs()


def test_five_looks_are_spread_over_twelve_epochs() -> None:
    assert moments(12, 5) == {2: (1,), 4: (2,), 6: (3,), 8: (4,), 10: (5,)}


def test_a_short_training_is_looked_at_less_often_and_one_epoch_never() -> None:
    assert moments(2, 5) == {1: (1, 2, 3)}
    assert moments(1, 5) == {}


@given(num_epochs=st.integers(1, 300), checks=st.integers(1, 20))
def test_every_look_falls_between_two_epochs(num_epochs: int, checks: int) -> None:
    due = moments(num_epochs, checks)
    assert all(0 < epoch < num_epochs for epoch in due)
    told = [moment for epoch in sorted(due) for moment in due[epoch]]
    assert told == sorted(set(told))


def test_looks_come_when_an_epoch_begins_each_once() -> None:
    seen: list[int] = []
    inner = Epochs()
    batches = Watched(inner, {2: (1,), 4: (2,)}, seen.append)
    for epoch in (0, 0, 1, 2, 2, 3, 4, 5, 6):  # some detectors ask for an epoch twice
        list(batches(epoch))
    assert seen == [1, 2]
    assert inner.asked == [0, 0, 1, 2, 2, 3, 4, 5, 6]
    assert batches.input_noise == 0.25


def test_images_held_out_are_not_watched() -> None:
    seen: list[int] = []
    learnt, held = Watched(Epochs(), {1: (1,)}, seen.append).divided(0.2)
    list(held(1))
    assert seen == []
    list(learnt(1))
    assert seen == [1]


def test_a_look_puts_modes_and_random_state_back() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Dropout(), nn.BatchNorm1d(2))
    network.train()
    network[0].eval()
    torch.manual_seed(5)
    before = torch.rand(3)
    torch.manual_seed(5)
    with as_it_stands(network):
        assert not any(module.training for module in network.modules())
        torch.rand(100)
    assert torch.equal(torch.rand(3), before)
    assert [m.training for m in network.modules()] == [True, False, True, True]


CURVES = ({1: 0.6, 2: 0.8, 3: 0.7}, {1: 0.5, 2: 0.5, 3: 0.9}, {1: 0.7, 2: 0.6})
RULE = Pruning(checks=3, warmup_share=0.3, startup_trials=2)


def test_medians_are_of_the_best_up_to_a_moment_after_the_warm_up() -> None:
    # bests: moment 1 is a quarter, before the warm-up; moment 2: 0.8, 0.5, 0.7; moment 3: 0.8, 0.9
    assert watch_of(RULE, CURVES).medians == {2: 0.7, 3: pytest.approx(0.85)}


def test_too_few_finished_trainings_give_up_nothing() -> None:
    assert watch_of(RULE.replaced(startup_trials=4), CURVES).medians == {}


class Told(Lookout):
    """A lookout whose judgement is given."""

    def __init__(self, medians: dict[int, float], qualities: list[float | None]) -> None:
        self.curve, self._qualities = {}, qualities
        self._watch = watch_of(RULE, CURVES).model_copy(update={"medians": medians})

    def _quality(self, network: object) -> float | None:
        return self._qualities.pop(0)


def test_a_training_below_the_median_is_given_up_with_what_it_had_shown() -> None:
    lookout = Told({2: 0.7}, [0.5, 0.6])
    lookout.look(None, 1)
    with pytest.raises(GivenUpError, match=r"E345 given up after 2/4 .*0\.600.*0\.700") as raised:
        lookout.look(None, 2)
    crossed = pickle.loads(pickle.dumps(raised.value))  # the way out of a process
    assert (crossed.moment, crossed.curve, str(crossed)) == (2, {1: 0.5, 2: 0.6}, str(raised.value))


def test_on_the_median_or_with_a_better_past_it_goes_on() -> None:
    Told({2: 0.7}, [0.7]).look(None, 2)
    before = Told({2: 0.7}, [0.75, 0.6])
    before.look(None, 1)
    before.look(None, 2)
    assert before.curve == {1: 0.75, 2: 0.6}


def test_a_network_that_cannot_be_judged_yet_trains_on() -> None:
    lookout = Told({1: 0.9}, [None])
    lookout.look(None, 1)
    assert lookout.curve == {}


def test_a_watched_training_ends_where_an_unwatched_one_does(tmp_path: Path) -> None:
    from components.models.backbones import WeightStore
    from components.models.stfpm import Stfpm
    from components.records import Split
    from components.train import TrainParams, fit
    from tests.components.tune.parts import part_manifests

    real, synthetic = part_manifests(tmp_path)
    params = TrainParams(detector=Stfpm(num_epochs=3, weights="random"), image_size_px=64)
    records = real.of(Split.FIT)
    lookout = Lookout(watch_of(Pruning(checks=2, images=4), ()), real, synthetic, 64)
    for name, watch in (("plain", None), ("watched", (moments(3, 2), lookout.look))):
        fit(params, real, records, WeightStore(()), 0, tmp_path / name, "v", "f", watch)
    plain, watched = (
        next((tmp_path / n).glob("*.safetensors")).read_bytes() for n in ("plain", "watched")
    )
    assert plain == watched
    assert sorted(lookout.curve) == [1, 2]
    assert all(0 <= value <= 1 for value in lookout.curve.values())


def test_equal_scores_are_no_judgement(tmp_path: Path) -> None:
    from tests.components.tune.parts import part_manifests

    class Flat(nn.Module):
        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return torch.ones(len(images)), torch.zeros(len(images), 1, *images.shape[-2:])

    real, synthetic = part_manifests(tmp_path)
    lookout = Lookout(watch_of(Pruning(images=4), ()), real, synthetic, 64)
    lookout.look(Flat(), 1)
    assert lookout.curve == {}
