"""Speed of the metrics against scikit-learn, torchmetrics and anomalib, in one run.

``python benchmarks/metrics.py [--maps 200 --height 256 --width 256]`` measures CPU seconds of one
thread on the same drawn maps, checks that the figures agree, and ends in one JSON line. A ratio
is the other's time over ours. A reference that does not import is left out and named.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from components.metrics.auroc import auroc, auroc_of
from components.metrics.intervals import bootstrap
from components.metrics.pixel import pixel_figures

Timed = tuple[float, Any]


def timed(work: Callable[[], Any], repeats: int = 1) -> Timed:
    """Return the least CPU seconds of some repeats, and the result."""
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        result = work()
        seconds.append(time.process_time() - started)
    return min(seconds), result


def drawn(num: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return smooth-edged maps and masks: every other image has two rectangular defects."""
    rng = np.random.default_rng(0)
    maps = rng.random((num, height, width), dtype=np.float32)
    masks = np.zeros(maps.shape, bool)
    for mask in masks[::2]:
        for _ in range(2):
            top, left = rng.integers(0, height * 3 // 4), rng.integers(0, width * 3 // 4)
            mask[top : top + height // 6, left : left + width // 6] = True
    maps[masks] += np.float32(0.35)
    return maps, masks


def references(maps: np.ndarray, masks: np.ndarray) -> dict[str, tuple[Callable[[], float], str]]:
    """Return each reference as work to time, and the name of the figure it gives."""
    import torch
    from sklearn.metrics import average_precision_score, roc_auc_score
    from torchmetrics.functional.classification import binary_auroc, binary_average_precision

    torch.set_num_threads(1)
    flat, truth = maps.ravel(), masks.ravel()
    scores_t, truth_t = torch.from_numpy(flat), torch.from_numpy(truth.astype(np.int64))
    found: dict[str, tuple[Callable[[], float], str]] = {
        "sklearn_auroc": (lambda: roc_auc_score(truth, flat), "pixel_auroc"),
        "sklearn_ap": (lambda: average_precision_score(truth, flat), "pixel_ap"),
        "torchmetrics_auroc": (lambda: float(binary_auroc(scores_t, truth_t)), "pixel_auroc"),
        "torchmetrics_ap": (
            lambda: float(binary_average_precision(scores_t, truth_t)),
            "pixel_ap",
        ),
    }
    try:
        from anomalib.metrics.aupro import _AUPRO
    except ImportError as error:
        print(f"anomalib left out: {error}")
        return found

    def anomalib_aupro() -> float:
        metric = _AUPRO(fpr_limit=0.3)
        metric.update(torch.from_numpy(maps), torch.from_numpy(masks.astype(np.int64)))
        return float(metric.compute())

    return found | {"anomalib_aupro": (anomalib_aupro, "aupro")}


def main() -> None:
    """Measure, print a table, end in one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in (("maps", 200), ("height", 256), ("width", 256)):
        parser.add_argument(f"--{name}", type=int, default=value)
    asked = parser.parse_args()
    maps, masks = drawn(asked.maps, asked.height, asked.width)
    ours_s, figures = timed(lambda: pixel_figures(list(maps), list(masks)), repeats=3)
    print(f"{'ours, all four figures':28} {ours_s:7.2f} s")
    ratios, worst = {}, 0.0
    for name, (work, figure) in references(maps, masks).items():
        seconds, value = timed(work)
        ratios[name] = round(seconds / ours_s, 2)
        worst = max(worst, abs(value - figures[figure]))
        print(f"{name:28} {seconds:7.2f} s   differs by {abs(value - figures[figure]):.1e}")
    rng = np.random.default_rng(1)
    labels = np.arange(500) % 2
    scores = rng.random(500) + 0.3 * labels
    boot_s, _ = timed(lambda: bootstrap(auroc_of, scores, labels, num=1000), repeats=3)
    plain_s, _ = timed(lambda: [auroc(scores, labels) for _ in range(1000)])
    print(f"{'bootstrap AUROC 1000 x 500':28} {boot_s:7.3f} s")
    report = {
        "benchmark": "metrics",
        "maps": [asked.maps, asked.height, asked.width],
        "ours_all_four_s": round(ours_s, 3),
        "their_time_over_ours": ratios,
        "largest_difference": float(f"{worst:.1e}"),
        "bootstrap_1000x500_s": round(boot_s, 3),
        "bootstrap_loop_over_vectorised": round(plain_s / boot_s, 1),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
