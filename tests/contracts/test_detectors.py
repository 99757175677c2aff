"""What every detector keeps, whatever it is: one file more is one case more."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.data.images import read_image
from components.export import check_parity, export, seal
from components.models import KINDS
from components.models.backbones import WeightStore
from components.predict import ExportedModel, TorchModel
from components.records import FittedDetector, Manifest, Split
from components.train import TrainParams, fit
from tests.components.models.parts import parts
from tests.components.models.tiny import tiny


@dataclass
class Case:
    """One fitted detector with the images it has and has not seen."""

    params: TrainParams
    manifest: Manifest
    fitted: FittedDetector
    model: TorchModel

    def images(self, split: Split) -> list[Any]:
        return [read_image(self.manifest.path(r)) for r in self.manifest.of(split)]


def fitted_in(params: TrainParams, manifest: Manifest, out: Path, seed: int = 0) -> FittedDetector:
    normals = manifest.of(Split.FIT)
    return fit(
        params, manifest, normals, WeightStore(), seed=seed, out=out, data_version="d:0",
        fingerprint="f",
    )  # fmt: skip


@pytest.fixture(scope="module", params=KINDS.values(), ids=KINDS)
def case(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Case]:
    folder = tmp_path_factory.mktemp("detector")
    params = tiny(request.param)
    manifest = parts(folder / "images", num_normal=12, num_defective=4)
    fitted = fitted_in(params, manifest, folder / "model")
    yield Case(params, manifest, fitted, TorchModel(fitted.folder))


def test_map_has_the_size_of_its_image(case: Case) -> None:
    wide = np.full((40, 100), 90, np.uint8)
    tall_colour = np.full((120, 50, 3), 30_000, np.uint16)
    scores, maps = case.model.predict([wide, tall_colour])
    assert scores.shape == (2,)
    assert [m.shape for m in maps] == [(40, 100), (120, 50)]


def test_scores_and_maps_are_finite_float32(case: Case) -> None:
    scores, maps = case.model.predict(case.images(Split.TUNE))
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    assert all(m.dtype == np.float32 and np.isfinite(m).all() for m in maps)


def test_scores_are_not_all_equal(case: Case) -> None:
    scores, _ = case.model.predict(case.images(Split.FIT) + case.images(Split.TUNE))
    assert len(np.unique(scores)) == len(scores)


def test_same_seed_gives_the_same_scores(case: Case, tmp_path: Path) -> None:
    again = fitted_in(case.params, case.manifest, tmp_path / "again")
    images = case.images(Split.TUNE)
    np.testing.assert_array_equal(
        TorchModel(again.folder).predict(images)[0], case.model.predict(images)[0]
    )


def test_saved_and_loaded_is_the_same_without_any_weight_store(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("loading a fitted folder asked for weights")

    monkeypatch.setattr(WeightStore, "locate", refuse)
    images = case.images(Split.TUNE)
    np.testing.assert_array_equal(
        TorchModel(case.fitted.folder).predict(images)[0], case.model.predict(images)[0]
    )


def test_exported_scores_agree_with_torch_at_any_batch(case: Case) -> None:
    facts = case.params.detector.facts
    if not facts.exportable:
        assert len(facts.not_exportable.split()) > 3, "no reason is given"
        return
    export(case.model, case.fitted.folder)
    seal(case.fitted.folder)
    exported = ExportedModel(case.fitted.folder)
    images = case.images(Split.TUNE)
    parity = check_parity(case.model, exported, images)
    assert parity.num_images == 4
    assert parity.held, parity
    together, _ = exported.predict(images)
    alone = [float(exported.predict([image])[0][0]) for image in images]
    np.testing.assert_allclose(together, alone, rtol=1e-3)


def test_types_of_defects_are_never_read(case: Case, tmp_path: Path) -> None:
    renamed = case.manifest.model_copy(
        update={
            "records": tuple(
                r.model_copy(update={"category": "x", "group_id": "g", "brightness": 0.9})
                for r in case.manifest.records
            )
        }
    )
    again = fitted_in(case.params, renamed, tmp_path / "renamed")
    images = case.images(Split.TUNE)
    np.testing.assert_array_equal(
        TorchModel(again.folder).predict(images)[0], case.model.predict(images)[0]
    )


def test_a_score_does_not_depend_on_its_neighbours_in_the_batch(case: Case) -> None:
    images = case.images(Split.TUNE)
    together, _ = case.model.predict(images)
    alone = np.concatenate([case.model.predict([image])[0] for image in images])
    np.testing.assert_allclose(together, alone, rtol=1e-3)
