"""A tuning grid with the feature store against anomalib alone, on one thread, in one run.

    python -m benchmarks.tuning IMAGES [--quick] [--num 100] [--tests 20] [--ratio 0.01]

The grid: PaDiM and PatchCore × Lite0 and Lite2 × three noise levels × two sets of layers, each
fitted on the same images of the folder and asked to score some others, read and disturbed in the
same way on both sides. anomalib is its own torch models with the same weights.

The same scores: PatchCore in the compatible mode, which takes anomalib's random projection and
first pick; both sides score an image by its farthest patch (anomalib's ``num_neighbors=1``, our
``top_k=1``: their weighting and our mean of ten are different definitions). PaDiM with the same
channels. Compared are image scores and what maps are drawn from: PaDiM's own maps and PatchCore's
distances of all patches (anomalib repeats them up to the image's size, we interpolate);
differences are relative to the image's highest value. ``float64`` says how far each side is from
PaDiM's Gaussians in double precision.

Then three more coreset ratios with three more counts of neighbours each, for every PatchCore of
the grid. CPU seconds; the last line is JSON.
"""

import argparse
import contextlib
import io
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from components.data.images import read_image, to_model_input
from components.models.backbones import BACKBONES, WeightStore
from components.models.backbones.loading import fill
from components.models.feature_store import FeatureStore, use_feature_store
from components.models.memory_bank.coreset import k_center_greedy
from components.models.networks.features import Normalise
from components.models.padim import Padim
from components.models.patchcore import Patchcore
from components.train import ONE_PASS_BATCH, add_noise

SIZE_PX, N_FEATURES = 256, 60
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp"}
NOISES = (0.0, 0.02, 0.05)
LAYERS = (("blocks.2", "blocks.4"), ("blocks.4",))
MORE_RATIOS, MORE_NEIGHBOURS = (0.1, 0.2, 0.5), (1, 3, 9)  # ratios: shares of the grid's own


@dataclass(frozen=True)
class Cell:
    """One configuration of the grid."""

    kind: str
    backbone: str
    noise: float
    layers: tuple[str, ...]

    @property
    def params(self) -> Any:
        """The detector's params, scored as anomalib scores."""
        if self.kind == "padim":
            return Padim(backbone=self.backbone, layers=self.layers, n_features=N_FEATURES)
        return Patchcore(backbone=self.backbone, layers=self.layers, top_k=1)


@dataclass(frozen=True)
class Images:
    """Files to learn from and files to score."""

    fit: list[Path]
    test: list[Path]

    def batches(self, files: list[Path], noise: float) -> Iterator[Tensor]:
        """Yield images B3HW in 0..1, as training does; noise is the same for the same file."""
        for start in range(0, len(files), ONE_PASS_BATCH):
            planes = [
                add_noise(
                    to_model_input(read_image(path), SIZE_PX)[:1],
                    noise,
                    np.random.default_rng([0, start + place]),
                )
                for place, path in enumerate(files[start : start + ONE_PASS_BATCH])
            ]
            yield torch.from_numpy(np.stack(planes)).contiguous(memory_format=torch.channels_last)


@dataclass
class Result:
    """What one side found for one cell; ``drawn`` is what the other side has to share."""

    scores: Tensor
    maps: Tensor
    drawn: dict[str, Any]


def clocked(clock: dict[str, float], name: str, started: float) -> float:
    """Add the CPU seconds since ``started`` to a name; return now."""
    now = time.process_time()
    clock[name] = clock.get(name, 0.0) + now - started
    return now


def anomalib_model(cell: Cell) -> Any:
    """Return anomalib's torch model with the weights that ours has."""
    from anomalib.models.image.padim.torch_model import PadimModel
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel

    name, layers = BACKBONES[cell.backbone].architecture, list(cell.layers)
    torch.manual_seed(0)
    if cell.kind == "padim":
        model: Any = PadimModel(name, layers, pre_trained=False, n_features=N_FEATURES)
    else:
        model = PatchcoreModel(layers, name, pre_trained=False, num_neighbors=1)
    network = model.feature_extractor.feature_extractor
    fill(network, cell.backbone, WeightStore().locate(cell.backbone))
    return model


def run_anomalib(cell: Cell, images: Images, ratio: float, clock: dict[str, float]) -> Result:
    """Fit and score one cell as anomalib does."""
    from anomalib.models.components import KCenterGreedy

    at = time.process_time()
    model, normalise = anomalib_model(cell), Normalise(cell.params)
    drawn: dict[str, Any] = {"idx": getattr(model, "idx", None)}
    at = clocked(clock, "building", at)
    model.train()
    model.feature_extractor.eval()
    for batch in images.batches(images.fit, cell.noise):
        model(normalise(batch).contiguous())
    at = clocked(clock, "reading and forwards", at)
    if cell.kind == "padim":
        model.fit()
        at = clocked(clock, "Gaussians", at)
    else:
        bank = torch.vstack(model.embedding_store)
        sampler = KCenterGreedy(bank, sampling_ratio=ratio)
        with contextlib.redirect_stderr(io.StringIO()):
            picks = sampler.select_coreset_idxs()
        model.memory_bank = bank[picks]
        drawn |= {"projection": sampler.model, "picks": picks}
        at = clocked(clock, "coreset", at)
    model.eval()
    patches: list[Tensor] = []
    if cell.kind == "patchcore":
        search = model.nearest_neighbors
        model.nearest_neighbors = lambda **named: noted(patches, search(**named))
    with torch.inference_mode():
        found = [model(normalise(b).contiguous()) for b in images.batches(images.test, 0.0)]
    clocked(clock, "scoring", at)
    scores = torch.cat([one.pred_score.reshape(-1) for one in found])
    maps = torch.cat(patches or [one.anomaly_map for one in found])
    return Result(scores, maps.reshape(len(scores), -1), drawn)


def noted(seen: list[Tensor], found: Any) -> Any:
    """Keep the patches' distances of a search that returns them first or alone."""
    seen.append(found[0] if isinstance(found, tuple) else found)
    return found


def in_double(cell: Cell, images: Images, idx: Tensor) -> Result:
    """Fit and score one PaDiM as anomalib defines it, in double precision."""
    model, normalise = anomalib_model(cell).double(), Normalise(cell.params).double()
    model.idx = idx
    model.train()
    model.feature_extractor.eval()
    for batch in images.batches(images.fit, cell.noise):
        model(normalise(batch.double()).contiguous())
    torch.set_default_dtype(torch.float64)
    model.fit()
    torch.set_default_dtype(torch.float32)
    model.eval()
    with torch.inference_mode():
        found = [model(normalise(b.double())) for b in images.batches(images.test, 0.0)]
    scores = torch.cat([one.pred_score.reshape(-1) for one in found])
    return Result(scores, torch.cat([one.anomaly_map for one in found]).flatten(1), {})


def run_ours(
    cell: Cell, images: Images, ratio: float, theirs: Result, clock: dict[str, float]
) -> tuple[Result, Any]:
    """Fit and score one cell with the feature store; return the network, too."""
    at = time.process_time()
    network: Any = cell.params.build(WeightStore(), SIZE_PX, 0)
    drawn: dict[str, Any] = {}
    at = clocked(clock, "building", at)
    if cell.kind == "padim":
        network.model.idx = theirs.drawn["idx"]
        network.fit(lambda _: images.batches(images.fit, cell.noise))
        at = clocked(clock, "reading, forwards and Gaussians", at)
    else:
        with torch.no_grad():
            rows = [network.embedding(b) for b in images.batches(images.fit, cell.noise)]
        patches = torch.cat(rows)
        at = clocked(clock, "reading and forwards", at)
        seen, first = theirs.drawn["projection"].transform(patches), theirs.drawn["picks"][0]
        num = int(len(patches) * ratio)
        picks = k_center_greedy(seen, num, first=first, as_anomalib=True)
        network.model.memory_bank = patches[picks]
        drawn = {"picks": picks.tolist()}
        at = clocked(clock, "coreset", at)
    distances: list[Tensor] = []
    if cell.kind == "patchcore":
        search = network.nearest
        network.nearest = lambda patches: noted(distances, search(patches))
    with torch.inference_mode():
        found = [network(batch) for batch in images.batches(images.test, 0.0)]
    clocked(clock, "scoring", at)
    scores = torch.cat([score for score, _ in found])
    maps = torch.cat(distances or [anomaly_map for _, anomaly_map in found])
    return Result(scores, maps.reshape(len(scores), -1), drawn), network


def run_more(network: Any, images: Images) -> int:
    """Score the test images for every further ratio and count of neighbours; return how many."""
    bank = network.model.memory_bank
    sizes = sorted({max(*MORE_NEIGHBOURS, int(len(bank) * share)) for share in MORE_RATIOS})
    norms, found = bank.square().sum(dim=1), []
    with torch.inference_mode():
        for batch in images.batches(images.test, 0.0):
            queries = network.embedding(batch)
            squared = torch.addmm(norms, queries, bank.T, alpha=-2)
            squared += queries.square().sum(dim=1, keepdim=True)
            for size in sizes:  # the bank is in the order of its picks
                squared_NK = squared[:, :size].topk(max(MORE_NEIGHBOURS), largest=False).values
                nearest_NK = squared_NK.clamp_min(0).sqrt()
                for count in MORE_NEIGHBOURS:
                    patches = nearest_NK[:, :count].mean(dim=1).reshape(len(batch), -1)
                    found.append(patches.amax(dim=1))
    assert bool(torch.cat(found).isfinite().all())
    return len(sizes) * len(MORE_NEIGHBOURS)


def difference(found: Tensor, expected: Tensor) -> float:
    """Return the largest difference of an image, relative to what its highest value should be."""
    flat, wanted = found.reshape(len(found), -1), expected.reshape(len(expected), -1)
    return float(((flat - wanted).abs().amax(1) / wanted.abs().amax(1)).max())


def agreement(cells: list[Cell], ours: list[Result], theirs: list[Result]) -> dict[str, Any]:
    """Return the largest differences by detector, and how many picks are the same."""
    told: dict[str, Any] = {}
    for cell, mine, peer in zip(cells, ours, theirs, strict=True):
        name = f"{cell.kind} {{}}"
        for what, value in (
            ("scores", difference(mine.scores, peer.scores)),
            ("maps", difference(mine.maps, peer.maps)),
        ):
            told[name.format(what)] = max(told.get(name.format(what), 0.0), value)
        if cell.kind == "patchcore":
            pairs = zip(mine.drawn["picks"], peer.drawn["picks"], strict=True)
            same = [a == b for a, b in pairs]
            told.setdefault("equal picks", []).append(f"{sum(same)}/{len(same)}")
    return told


def against_double(cell: Cell, images: Images, ours: Result, theirs: Result) -> dict[str, Any]:
    """Return how far each side's PaDiM scores are from those in double precision."""
    exact = in_double(cell, images, theirs.drawn["idx"]).scores
    return {
        "padim scores, ours to float64": difference(ours.scores, exact),
        "padim scores, anomalib's to float64": difference(theirs.scores, exact),
    }


def compare(images: Images, cells: list[Cell], ratio: float) -> dict[str, Any]:
    """Run the grid on both sides, then the further ratios and neighbours on ours."""
    their_clock: dict[str, float] = {}
    our_clock: dict[str, float] = {}
    theirs = [run_anomalib(cell, images, ratio, their_clock) for cell in cells]
    print(f"anomalib {sum(their_clock.values()):.1f} CPU s: {_parts(their_clock)}")
    with tempfile.TemporaryDirectory(prefix="defectloop-benchmark-") as folder:
        store = FeatureStore(Path(folder), 4 << 30)
        use_feature_store(store)
        found = [
            run_ours(cell, images, ratio, peer, our_clock)
            for cell, peer in zip(cells, theirs, strict=True)
        ]
        ours_s = sum(our_clock.values())
        print(f"ours     {ours_s:.1f} CPU s: {_parts(our_clock)}")
        started = time.process_time()
        networks = [net for cell, (_, net) in zip(cells, found) if cell.kind == "patchcore"]
        num_more = sum(run_more(network, images) for network in networks)
        more_s = time.process_time() - started
        held = store.size_bytes()
        use_feature_store(None)
    print(f"{num_more} more ratios and neighbours {more_s:.1f} CPU s, {more_s / ours_s:.0%}")
    return {
        "cells": len(cells),
        "anomalib_cpu_s": round(sum(their_clock.values()), 2),
        "ours_cpu_s": round(ours_s, 2),
        "times_faster": round(sum(their_clock.values()) / ours_s, 2),
        "more": num_more,
        "more_cpu_s": round(more_s, 2),
        "more_share": round(more_s / ours_s, 3),
        "differences": agreement(cells, [one for one, _ in found], theirs)
        | against_double(cells[0], images, found[0][0], theirs[0]),
        "images_computed": store.use.num_computed,
        "images_found": store.use.num_found,
        "store_bytes": held,
        "anomalib_parts": {name: round(s, 2) for name, s in their_clock.items()},
        "our_parts": {name: round(s, 2) for name, s in our_clock.items()},
    }


def _parts(clock: dict[str, float]) -> str:
    return ", ".join(f"{name} {seconds:.1f}" for name, seconds in clock.items())


def main() -> None:
    """Measure, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("--quick", action="store_true", help="16 images, one noise, one backbone")
    parser.add_argument("--num", type=int, default=100)
    parser.add_argument("--tests", type=int, default=20)
    parser.add_argument("--ratio", type=float, default=0.01)
    arguments = parser.parse_args()
    num, tests = (16, 4) if arguments.quick else (arguments.num, arguments.tests)
    torch.set_num_threads(1)
    files = sorted(p for p in arguments.images.rglob("*") if p.suffix.lower() in SUFFIXES)
    places = np.linspace(0, len(files) - 1, num + tests).round().astype(int)
    chosen = [files[place] for place in dict.fromkeys(places.tolist())]
    step = max(1, len(chosen) // tests)
    test = chosen[::step][:tests]
    images = Images([path for path in chosen if path not in test], test)
    backbones, noises = ("lite0", "lite2"), NOISES
    if arguments.quick:
        backbones, noises = backbones[:1], noises[1:2]
    kinds = ("padim", "patchcore")
    cells = [Cell(*one) for one in product(kinds, backbones, noises, LAYERS)]
    result = compare(images, cells, arguments.ratio)
    sizes = {"num_fit": len(images.fit), "num_test": len(images.test), "ratio": arguments.ratio}
    print(json.dumps({"benchmark": "tuning"} | sizes | result))


if __name__ == "__main__":
    main()
