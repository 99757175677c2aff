"""How fast this machine does what fits and scores consist of, measured in a few seconds.

Everything is timed once on one thread, at sizes that leave the caches; single runs of work that
takes tens of milliseconds are good to some 20 %, which is what a preview needs.
"""

import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

import numpy as np

from components.machine import hardware
from components.memory import forget_peak, peak_bytes, resident_bytes
from components.params import digest_of
from components.records import Record

SIZE_PX = 256  # of the images that backbones are timed on, where they take any
TIMED_BATCH = 4
_GREEDY = (40_000, 128, 400)  # features, dimensions, picks


class BackbonePace(Record):
    """One image of one backbone, down to its deepest layer."""

    image_size_px: int
    seconds: float
    bytes: int  # of a batch's activations at their peak

    def seconds_at(self, image_size_px: int) -> float:
        """Return the seconds of an image of another size: they grow with its area."""
        return self.seconds * (image_size_px / self.image_size_px) ** 2

    def bytes_at(self, image_size_px: int) -> float:
        """Return the bytes of a batch of another size."""
        return self.bytes * (image_size_px / self.image_size_px) ** 2


class Pace(Record):
    """Seconds and rates of one machine."""

    hardware: str
    imports_s: float
    imports_bytes: int  # resident once everything is imported
    read_s: float  # one megapixel from disk to the model's square
    map_s: float  # smoothing one megapixel and bringing it to another size
    rank_s: float  # ordering a million pixel scores
    product_rate: float  # multiplications and additions a second, float32
    inverse_rate: float  # the same of a covariance and its inverse, float64
    greedy_rate: float  # features × picks × dimensions a second
    backbones: dict[str, BackbonePace] = {}


def calibrated_on() -> str:
    """Return what a calibration is good for: processor, cores, memory, interpreter."""
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    python = ".".join(platform.python_version_tuple()[:2])
    return f"{hardware()}, {gigabytes:.0f} GB, Python {python}"


def hardware_digest() -> str:
    """Return a name for a file that holds a calibration."""
    return digest_of(calibrated_on())[:16]


def measure(backbones: Sequence[str], known: Pace | None = None) -> Pace:
    """Calibrate this machine; with a known calibration only the backbones that it lacks."""
    started = time.process_time()
    import torch

    import_module("components.models.networks.patchcore")
    torch.set_num_threads(1)
    if known is None:
        known = _measured(time.process_time() - started)
    found = {name: measured_backbone(name) for name in backbones if name not in known.backbones}
    return known.model_copy(update={"backbones": known.backbones | found})


def _measured(imports_s: float) -> Pace:
    imports_bytes = peak_bytes()
    return Pace(
        hardware=calibrated_on(),
        imports_s=imports_s,
        imports_bytes=imports_bytes,
        read_s=_reading(),
        map_s=_mapping(),
        rank_s=_ranking(),
        product_rate=_product_rate(),
        inverse_rate=_inverse_rate(),
        greedy_rate=_greedy_rate(),
    )


def measured_backbone(name: str) -> BackbonePace:
    """Time one backbone with random weights: they take as long as others."""
    import torch

    from components.models.backbones import BACKBONES
    from components.models.networks.extractors import build_extractor

    backbone = BACKBONES[name]
    layers = tuple(layer for layer, of in backbone.layers.items() if of.stride <= 16)
    side = backbone.image_size_px or SIZE_PX
    network = build_extractor(backbone, layers or tuple(backbone.layers)[-1:])
    network.cut()
    network.eval().requires_grad_(False)
    network.fold()
    network = network.to(memory_format=torch.channels_last)
    images = torch.rand(TIMED_BATCH, 3, side, side).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        network(images[:1])
        before = resident_bytes()
        forget_peak()
        seconds = least_s(lambda: network(images))
    # Where the heap had room already the process did not grow: then what two early maps take.
    held = max(peak_bytes() - before, 2 * 4 * 32 * TIMED_BATCH * (side // 2) ** 2)
    return BackbonePace(image_size_px=side, seconds=seconds / TIMED_BATCH, bytes=held)


def least_s(work: Callable[[], object], times: int = 2) -> float:
    """Return the fewest CPU seconds that some work took."""
    found = []
    for _ in range(times):
        started = time.process_time()
        work()
        found.append(time.process_time() - started)
    return max(min(found), 1e-6)


def _reading() -> float:
    from components.data.images import read_image, to_model_input, write_png

    image = np.random.default_rng(0).normal(128, 20, (1000, 1000)).clip(0, 255).astype(np.uint8)
    with tempfile.TemporaryDirectory(prefix="defectloop-pace-") as folder:
        path = write_png(Path(folder) / "image.png", image)
        return least_s(lambda: to_model_input(read_image(path), SIZE_PX))


def _mapping() -> float:
    import torch

    from components.data.images import opencv
    from components.models.networks.features import SeparableBlur

    half = torch.signal.windows.gaussian(33, std=4.0)
    blur = SeparableBlur(torch.outer(half, half) / half.sum().square())
    square = torch.rand(1, 1, 1000, 1000)
    return least_s(lambda: opencv().resize(blur(square)[0, 0].numpy(), (999, 999)))


def _ranking() -> float:
    scores = np.random.default_rng(0).random(1_000_000, np.float32)
    return least_s(lambda: np.sort(scores))


def _product_rate() -> float:
    import torch

    left, right = torch.rand(2048, 256), torch.rand(256, 2048)
    return 2 * 2048 * 2048 * 256 / least_s(lambda: left @ right, 4)


def _inverse_rate() -> float:
    import torch

    places = torch.rand(64, 100, 100).double()
    covariance = places.mT @ places + torch.eye(100)
    return (
        64
        * 2
        * 100**3
        * 2
        / least_s(lambda: torch.linalg.inv(torch.bmm(places.mT, places) / 99 + covariance))
    )


def _greedy_rate() -> float:
    import torch

    from components.models.memory_bank.coreset import k_center_greedy

    num, dims, picks = _GREEDY
    centres = torch.randn(40, dims, generator=torch.Generator().manual_seed(0)) * 3
    spread = torch.randn(num, dims, generator=torch.Generator().manual_seed(1))
    features = centres.repeat_interleave(-(-num // 40), dim=0)[:num] + spread
    return num * dims * picks / least_s(lambda: k_center_greedy(features, picks, first=0))
