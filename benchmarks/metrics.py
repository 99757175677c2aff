"""Speed and memory of the metrics against scikit-learn, torchmetrics and anomalib, in one run.

``python -m benchmarks.metrics [--case small|large|streaming|all]`` draws maps with two defects on
every other image and measures all localisation figures: AUsPRO and AUPRO at five limits, pixel
AUROC, AP and F1-max. ``small`` is 200 maps of 256x256, ``large`` 60 of 750x1000, ``streaming``
200 of 750x1000 read one at a time. Seconds are CPU seconds of one thread. Every measurement has a
fresh process, whose peak memory includes Python, its imports and, unless streaming, the maps. A
ratio is the other's time for its one figure over ours for all. A reference that does not import
is left out and named. It ends in one JSON line.
"""

import argparse
import json
import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from components.metrics.auroc import auroc, auroc_of
from components.metrics.intervals import bootstrap
from components.metrics.localisation import (
    Localisation,
    localisation_figures,
    streamed_localisation,
)
from components.metrics.regions import Region

CASES = {"small": (200, 256, 256), "large": (60, 750, 1000), "streaming": (200, 750, 1000)}
Case = tuple[int, int, int]


class Measured(NamedTuple):
    """What one fresh process found."""

    seconds: float
    peak_mib: int
    figures: dict[str, float]


def drawn(case: Case) -> Iterator[tuple[np.ndarray, list[Region]]]:
    """Draw float32 maps, one at a time, each with its regions: a half and 100 px saturate."""
    num, height, width = case
    for index in range(num):
        rng = np.random.default_rng(index)
        anomaly_map = rng.random((height, width), dtype=np.float32)
        regions: list[Region] = []
        for _ in range(2 * (index % 2 == 0)):
            mask = np.zeros((height, width), bool)
            top, left = rng.integers(0, height * 3 // 4), rng.integers(0, width * 3 // 4)
            mask[top : top + height // 6, left : left + width // 6] = True
            regions.append(Region(mask, 100 if regions else int(mask.sum()) // 2))
            anomaly_map[mask] += np.float32(0.35)
        yield anomaly_map, regions


def flat(found: Localisation) -> dict[str, float]:
    """Return the figures under one name each."""
    areas = {f"auspro_{limit}": value for limit, value in found.auspro.items()}
    areas |= {f"aupro_{limit}": value for limit, value in found.aupro.items()}
    single = ("pixel_auroc", "pixel_ap", "pixel_f1_max")
    return areas | {name: getattr(found, name) for name in single}


def measured(seconds: float, figures: dict[str, float]) -> Measured:
    """Add this process's peak memory."""
    return Measured(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, figures)


def ours(case: Case) -> Measured:
    """All figures, exact, with the maps in memory."""
    maps, truths = (list(column) for column in zip(*drawn(case), strict=True))
    started = time.process_time()
    found = localisation_figures(maps, truths)
    return measured(time.process_time() - started, flat(found))


def ours_streamed(case: Case) -> Measured:
    """All figures, with the maps drawn while they are read; drawing them is not counted."""
    drawing_s = 0.0

    def read() -> Iterator[tuple[np.ndarray, list[Region]]]:
        nonlocal drawing_s
        images = drawn(case)
        while True:
            started = time.process_time()
            image = next(images, None)
            drawing_s += time.process_time() - started
            if image is None:
                return
            yield image

    started = time.process_time()
    found = streamed_localisation(read)
    return measured(time.process_time() - started - drawing_s, flat(found))


def flattened(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Return the maps of a case and their masks, each as one array of NxHxW."""
    maps, masks = np.empty(case, np.float32), np.zeros(case, bool)
    for index, (anomaly_map, regions) in enumerate(drawn(case)):
        maps[index] = anomaly_map
        for region in regions:
            masks[index] |= region.mask
    return maps, masks


def sklearn_pixel_auroc(maps: np.ndarray, masks: np.ndarray) -> Callable[[], float]:
    """Prepare scikit-learn's AUROC."""
    from sklearn.metrics import roc_auc_score

    return lambda: roc_auc_score(masks.ravel(), maps.ravel())


def sklearn_pixel_ap(maps: np.ndarray, masks: np.ndarray) -> Callable[[], float]:
    """Prepare scikit-learn's average precision."""
    from sklearn.metrics import average_precision_score

    return lambda: average_precision_score(masks.ravel(), maps.ravel())


def torchmetrics_pixel_auroc(maps: np.ndarray, masks: np.ndarray) -> Callable[[], float]:
    """Prepare torchmetrics' exact AUROC."""
    import torch
    from torchmetrics.functional.classification import binary_auroc

    scores_t, truth_t = torch.from_numpy(maps.ravel()), torch.from_numpy(masks.ravel().astype(int))
    return lambda: float(binary_auroc(scores_t, truth_t))


def torchmetrics_pixel_ap(maps: np.ndarray, masks: np.ndarray) -> Callable[[], float]:
    """Prepare torchmetrics' exact average precision."""
    import torch
    from torchmetrics.functional.classification import binary_average_precision

    scores_t, truth_t = torch.from_numpy(maps.ravel()), torch.from_numpy(masks.ravel().astype(int))
    return lambda: float(binary_average_precision(scores_t, truth_t))


def anomalib_aupro(maps: np.ndarray, masks: np.ndarray) -> Callable[[], float]:
    """Prepare anomalib's AUPRO at its limit of 0.3."""
    import torch
    from anomalib.metrics.aupro import _AUPRO

    metric = _AUPRO(fpr_limit=0.3)
    metric.update(torch.from_numpy(maps), torch.from_numpy(masks.astype(int)))
    return lambda: float(metric.compute())


REFERENCES = (
    (sklearn_pixel_auroc, "pixel_auroc"),
    (sklearn_pixel_ap, "pixel_ap"),
    (torchmetrics_pixel_auroc, "pixel_auroc"),
    (torchmetrics_pixel_ap, "pixel_ap"),
    (anomalib_aupro, "aupro_0.3"),
)


def reference(prepare: Callable[..., Callable[[], float]], figure: str, case: Case) -> Measured:
    """Time a reference on the maps of a case; its imports and conversions are not counted."""
    work = prepare(*flattened(case))
    started = time.process_time()
    value = work()
    return measured(time.process_time() - started, {figure: value})


def in_fresh_process(work: Callable[..., Measured], *given: object) -> Measured:
    """Run a measurement in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(work, *given).result()


def differs(one: Measured, other: Measured) -> float:
    """Return the largest difference among the figures that both have."""
    return max(abs(one.figures[k] - other.figures[k]) for k in one.figures.keys() & other.figures)


def row(name: str, found: Measured, error: float | None = None) -> None:
    """Print one line of the table."""
    agreement = "" if error is None else f"   differs by {error:.1e}"
    print(f"  {name:28} {found.seconds:7.2f} s {found.peak_mib:7d} MiB{agreement}", flush=True)


def compare(name: str) -> dict[str, object]:
    """Measure one case, print its table, return its part of the JSON line."""
    case = CASES[name]
    print(f"{name}: {case[0]} maps of {case[1]} x {case[2]}")
    exact = in_fresh_process(ours, case)
    row("ours, all figures, exact", exact)
    found: dict[str, object] = {"maps": case}
    if name == "streaming":
        streamed = in_fresh_process(ours_streamed, case)
        row("ours, all figures, streamed", streamed, differs(streamed, exact))
        found |= {
            "streamed_s": round(streamed.seconds, 2),
            "streamed_peak_mib": streamed.peak_mib,
            "streamed_error": float(f"{differs(streamed, exact):.1e}"),
        }
        return found | {"exact_s": round(exact.seconds, 2), "exact_peak_mib": exact.peak_mib}
    ratios, worst = {}, 0.0
    for prepare, figure in REFERENCES:
        try:
            other = in_fresh_process(reference, prepare, figure, case)
        except ImportError as absent:
            print(f"  {prepare.__name__} left out: {absent}")
            continue
        error = differs(other, exact)
        row(prepare.__name__, other, error)
        ratios[prepare.__name__] = round(other.seconds / exact.seconds, 2)
        worst = max(worst, error)
    return found | {
        "ours_s": round(exact.seconds, 2),
        "ours_peak_mib": exact.peak_mib,
        "their_time_over_ours": ratios,
        "largest_difference": float(f"{worst:.1e}"),
    }


def compare_bootstrap() -> dict[str, float]:
    """Measure 1000 resamples of 500 image scores against a loop of as many AUROCs."""
    labels = np.arange(500) % 2
    scores = np.random.default_rng(1).random(500) + 0.3 * labels
    marks = [time.process_time()]
    bootstrap(auroc_of, scores, labels, num=1000)
    marks.append(time.process_time())
    for _ in range(1000):
        auroc(scores, labels)
    marks.append(time.process_time())
    ours_s, loop_s = np.diff(marks)
    print(f"bootstrap of AUROC, 1000 x 500 {ours_s:7.3f} s; a loop {loop_s:.3f} s")
    return {"seconds": round(ours_s, 3), "loop_over_ours": round(loop_s / ours_s, 1)}


def main() -> None:
    """Measure the cases asked for, print their tables, end in one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", choices=[*CASES, "all"], default="small")
    asked = parser.parse_args().case
    cases = {name: compare(name) for name in (CASES if asked == "all" else [asked])}
    report = {"benchmark": "metrics", "cases": cases, "bootstrap_1000x500": compare_bootstrap()}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
