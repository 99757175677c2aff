"""CPU time of a frozen backbone: as timm runs it against folded, small batches, kept memory.

    python -m benchmarks.backbone

Each variant is a process of its own on one thread, since the allocator reads its settings once.
The last line is JSON: CPU milliseconds an image, and the ratio of the peer to ours.
"""

import json
import os
import subprocess
import sys
import time

IMAGES, SIZE_PX = 64, 256
KEPT_MEMORY = {
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    "MALLOC_MMAP_THRESHOLD_": str(1 << 25),
}
VARIANTS = {  # name -> batch norms folded, batch, environment
    "as timm runs it, batch 8": (False, 8, {}),
    "folded, batch 8": (True, 8, {}),
    "folded, batch 4": (True, 4, {}),
    "folded, batch 4, kept memory": (True, 4, KEPT_MEMORY),
}


def measure(folded: bool, batch: int) -> float:
    """Return CPU milliseconds an image of Lite0 up to stride 16."""
    import torch

    from components.models.backbones import WeightStore, load_backbone

    torch.set_num_threads(1)
    layers = ("blocks.2", "blocks.4")
    network = load_backbone(WeightStore(), "lite0", "pretrained", layers, trainable=not folded)
    network = network.eval().to(memory_format=torch.channels_last)
    images = torch.rand(batch, 3, SIZE_PX, SIZE_PX).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        network(images)
        started = time.process_time()
        for _ in range(IMAGES // batch):
            network(images)
    return (time.process_time() - started) / IMAGES * 1000


def main() -> None:
    """Measure every variant and print one line of JSON."""
    found: dict[str, float] = {}
    for name, (folded, batch, environment) in VARIANTS.items():
        command = [sys.executable, "-m", "benchmarks.backbone", str(int(folded)), str(batch)]
        quiet = {"OMP_NUM_THREADS": "1", **environment}
        done = subprocess.run(
            command, env=os.environ | quiet, capture_output=True, text=True, check=True
        )
        found[name] = float(done.stdout.split()[-1])
        print(f"{name:<32} {found[name]:6.1f} CPU ms an image")
    peer, ours = found["as timm runs it, batch 8"], found["folded, batch 4, kept memory"]
    print(json.dumps({"benchmark": "backbone", "ms": found, "ratio": peer / ours}))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(measure(bool(int(sys.argv[1])), int(sys.argv[2])))
    else:
        main()
