"""Our coreset and search against anomalib's and the plain greedy, on one thread, in one run.

    python -m benchmarks.coreset [IMAGES] [--num 100000] [--ratio 0.01] [--seed 0]

IMAGES is a folder of normal images: PatchCore (Lite0, 256 px) is then fitted on all of them, and
the comparison takes features of some of them; without it features are generated (clustered, 152
dimensions). CPU seconds; the last line is JSON.
"""

import argparse
import contextlib
import io
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from components.data.images import read_image, to_model_input
from components.memory import forget_peak, peak_bytes
from components.models.backbones import WeightStore
from components.models.memory_bank.coreset import k_center_greedy
from components.models.memory_bank.neighbours import nearest
from components.models.memory_bank.plan import plan_coreset
from components.models.patchcore import Patchcore
from components.train import ONE_PASS_BATCH

SIZE_PX = 256
PATCHES = (SIZE_PX // 8) ** 2
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp"}
NUM_QUERIES = 4096
_EXACT = "donot_use_mm_for_euclid_dist"


def generated(num: int, dims: int = 152) -> torch.Tensor:
    """Return features around 40 centres with spreads of their own."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(40, dims)) * 3
    chosen = rng.integers(40, size=num)
    spread = rng.uniform(0.5, 2, size=(40, 1))[chosen]
    return torch.from_numpy((centres[chosen] + spread * rng.normal(size=(num, dims))).astype("f4"))


def batches(files: list[Path]) -> Iterator[torch.Tensor]:
    """Yield images B3HW in 0..1, as training does."""
    for start in range(0, len(files), ONE_PASS_BATCH):
        some = [to_model_input(read_image(f), SIZE_PX) for f in files[start:][:ONE_PASS_BATCH]]
        planes = np.stack([np.broadcast_to(image, (3, SIZE_PX, SIZE_PX)) for image in some])
        yield torch.from_numpy(planes).contiguous(memory_format=torch.channels_last)


def features_of(files: list[Path], num: int) -> torch.Tensor:
    """Return ``num`` patch features of Lite0, from as few images as hold them, spread evenly."""
    chosen = np.linspace(0, len(files) - 1, -(-num // PATCHES)).astype(int)
    network = Patchcore().build(WeightStore(), SIZE_PX, 0)
    with torch.no_grad():
        some = [network.embedding(b) for b in batches([files[i] for i in np.unique(chosen)])]
    return torch.cat(some)[:num]


def timed(work: Callable[[], Any], times: int = 1) -> tuple[Any, float, int]:
    """Return the result, its CPU seconds (the median) and the peak resident bytes meanwhile."""
    forget_peak()
    seconds = []
    for _ in range(times):
        started = time.process_time()
        result = work()
        seconds.append(time.process_time() - started)
    return result, statistics.median(seconds), peak_bytes()


def measure_fit(files: list[Path], ratio: float) -> dict[str, Any]:
    """Fit PatchCore on all images: CPU seconds before and in the coreset, peak memory."""
    network = Patchcore(coreset_ratio=ratio).build(WeightStore(), SIZE_PX, 0)
    forwarded = started = time.process_time()

    def noted(_: int) -> Iterator[torch.Tensor]:
        nonlocal forwarded
        yield from batches(files)
        forwarded = time.process_time()

    _, total_s, peak = timed(lambda: network.fit(noted))
    print(f"fit on {len(files)} images: {total_s:.1f} CPU s, {peak / 1e9:.2f} GB at the peak")
    return {
        "num_images": len(files),
        "bank": len(network.model.memory_bank),
        "forward_cpu_s": round(forwarded - started, 2),
        "coreset_cpu_s": round(total_s - (forwarded - started), 2),
        "cpu_s": round(total_s, 2),
        "peak_bytes": peak,
    }


def plain_greedy(features_ND: torch.Tensor, num: int, first: int) -> list[int]:
    """Update all N distances at each step: precomputed norms and one product."""
    norms = features_ND.square().sum(1)
    distances = torch.full_like(norms, torch.inf)
    picks = [first]
    for _ in range(num - 1):
        center = picks[-1]
        new = torch.addmv(norms, features_ND, features_ND[center], alpha=-2) + norms[center]
        distances = torch.minimum(distances, new)
        distances[center] = -1
        picks.append(int(distances.argmax()))
    return picks


def agreement(picks: list[int], others: list[int]) -> int:
    """Return how many picks agree before the first that does not."""
    pairs = zip(picks, others, strict=True)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), len(picks))


def compare_coreset(features: torch.Tensor, ratio: float) -> dict[str, Any]:
    """Run anomalib's sampler, the plain greedy and ours from the same first pick."""
    from anomalib.models.components import KCenterGreedy

    num = int(len(features) * ratio)
    print(plan_coreset(*features.shape, num))
    sampler = KCenterGreedy(features, sampling_ratio=ratio)
    with contextlib.redirect_stderr(io.StringIO()):
        theirs, theirs_s, theirs_peak = timed(sampler.select_coreset_idxs)
    projection, first = sampler.model, theirs[0]
    del sampler
    plain, plain_s, _ = timed(lambda: plain_greedy(features, num, first))

    def as_anomalib() -> list[int]:
        seen = projection.transform(features)
        return k_center_greedy(seen, num, first=first, as_anomalib=True).tolist()

    same, same_s, same_peak = timed(as_anomalib, times=3)
    raw, raw_s, raw_peak = timed(
        lambda: k_center_greedy(features, num, first=first).tolist(), times=3
    )
    print(f"anomalib {theirs_s:.1f} CPU s; ours {same_s:.2f} projected, {raw_s:.2f} raw")
    return {
        "num_features": len(features),
        "dims": features.shape[1],
        "num_picks": num,
        "anomalib_cpu_s": round(theirs_s, 3),
        "plain_cpu_s": round(plain_s, 3),
        "projected_cpu_s": round(same_s, 3),
        "raw_cpu_s": round(raw_s, 3),
        "projected_times_faster": round(theirs_s / same_s, 1),
        "raw_times_faster": round(theirs_s / raw_s, 1),
        "raw_times_faster_than_plain": round(plain_s / raw_s, 1),
        "projected_picks_equal_to_anomalibs": agreement(same, theirs),
        "raw_picks_equal_to_plain": agreement(raw, plain),
        "anomalib_peak_bytes": theirs_peak,
        "projected_peak_bytes": same_peak,
        "raw_peak_bytes": raw_peak,
    }


def compare_search(features: torch.Tensor) -> dict[str, Any]:
    """Search the five nearest of a bank for vectors of which some are in it."""
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel

    queries, bank = features[:NUM_QUERIES], features[::13].contiguous()

    def theirs_in_blocks() -> torch.Tensor:
        distances = [PatchcoreModel.euclidean_dist(q, bank) for q in queries.split(PATCHES)]
        return torch.cat([d.topk(5, largest=False, dim=1).values for d in distances])

    theirs, theirs_s, theirs_peak = timed(theirs_in_blocks)
    (ours, _), ours_s, ours_peak = timed(lambda: nearest(queries, bank, 5))
    exact = torch.cdist(queries[:256].double(), bank.double(), compute_mode=_EXACT)
    exact = exact.topk(5, largest=False, dim=1).values
    print(f"search: anomalib {theirs_s:.2f} CPU s, ours {ours_s:.2f}")
    return {
        "num_queries": len(queries),
        "num_bank": len(bank),
        "anomalib_cpu_s": round(theirs_s, 3),
        "ours_cpu_s": round(ours_s, 3),
        "anomalib_largest_error": float((theirs[:256] - exact).abs().max()),
        "ours_largest_error": float((ours[:256] - exact).abs().max()),
        "anomalib_peak_bytes": theirs_peak,
        "ours_peak_bytes": ours_peak,
    }


def main() -> None:
    """Measure, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, nargs="?")
    parser.add_argument("--num", type=int, default=100_000)
    parser.add_argument("--ratio", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    result: dict[str, Any] = {"benchmark": "coreset"}
    if arguments.images:
        files = sorted(p for p in arguments.images.rglob("*") if p.suffix.lower() in SUFFIXES)
        result["fit"] = measure_fit(files, arguments.ratio)
        features = features_of(files, arguments.num)
    else:
        features = generated(arguments.num)
    result["coreset"] = compare_coreset(features, arguments.ratio)
    result["search"] = compare_search(features)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
