"""Our coreset against the plain greedy and anomalib's, on one core, in one run.

    python -m benchmarks.coreset [--features PATH.npy] [--num 20000] [--ratio 0.01]

Without a file the features are generated (clustered, 152 dimensions, as Lite0 gives them); a
file holds float32 N×D. CPU seconds; the last line is JSON.
"""

import argparse
import contextlib
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from components.models.coreset import k_center_greedy, sparse_projection


def generated(num: int, dims: int = 152) -> torch.Tensor:
    """Return features around 40 centres with spreads of their own."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(40, dims)) * 3
    chosen = rng.integers(40, size=num)
    spread = rng.uniform(0.5, 2, size=(40, 1))[chosen]
    return torch.from_numpy((centres[chosen] + spread * rng.normal(size=(num, dims))).astype("f4"))


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


def anomalib_greedy(features_ND: torch.Tensor, ratio: float) -> list[int]:
    """Run anomalib's sampler, its progress bar kept quiet."""
    from anomalib.models.components import KCenterGreedy

    with contextlib.redirect_stderr(io.StringIO()):
        picks: list[int] = KCenterGreedy(features_ND, sampling_ratio=ratio).select_coreset_idxs()
    return picks


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.process_time()
    result = work()
    return result, time.process_time() - started


def agreement(picks: list[int], others: list[int]) -> int:
    """Return how many picks agree before the first that does not."""
    pairs = zip(picks, others, strict=True)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), len(picks))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=Path)
    parser.add_argument("--num", type=int, default=20_000)
    parser.add_argument("--ratio", type=float, default=0.01)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.features:
        features = torch.from_numpy(np.load(arguments.features, allow_pickle=False))
        features = features[torch.randperm(len(features))[: arguments.num]]
    else:
        features = generated(arguments.num)
    num = int(len(features) * arguments.ratio)
    sparse_projection(features[:100], 0)  # its import is nobody's time
    anomalib_greedy(features[:100], 0.1)

    theirs, theirs_s = timed(lambda: anomalib_greedy(features, arguments.ratio))
    plain, plain_s = timed(lambda: plain_greedy(features, num, theirs[0]))
    ours, ours_s = timed(lambda: k_center_greedy(features, num, first=theirs[0]).tolist())
    result = {
        "benchmark": "coreset",
        "num_features": len(features),
        "dims": features.shape[1],
        "num_picks": num,
        "anomalib_cpu_s": round(theirs_s, 3),
        "plain_cpu_s": round(plain_s, 3),
        "ours_cpu_s": round(ours_s, 3),
        "times_faster_than_anomalib": round(theirs_s / ours_s, 1),
        "times_faster_than_plain": round(plain_s / ours_s, 1),
        "picks_equal_to_float32_plain": agreement(ours, plain),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
