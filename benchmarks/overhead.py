"""What the pipeline adds to a bare anomalib script: fit and predict, same data, same process count.

    python -m benchmarks.overhead FOLDER [--num-train 100] [--num-test 60] [--repeats 1]

FOLDER has train/good and test/<type> (MVTec's layout). Each side is one fresh process with one
thread, imports included: PaDiM, Lite0, 256 px. The last line is JSON; nothing is asserted.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

PIPELINE = """
import sys
from pathlib import Path
from components.data.formats.folder import Folder
from components.data.images import ImageLimits
from components.data.ingest import ingest
from components.models.padim import Padim
from components.models.backbones import WeightStore
from components.predict import TorchModel, predict
from components.train import TrainParams, fit

root, out = Path(sys.argv[1]), Path(sys.argv[2])
train = ingest("bench", Folder(), root / "train", ImageLimits(), "none", None)
test = ingest("bench", Folder(), root / "test", ImageLimits(), "none", None)
params = TrainParams(detector=Padim())
fit(params, train, train.records, WeightStore(), 0, out, "", "")
print(len(predict(TorchModel(out), test, test.records)))
"""

BARE = """
import json, sys
from pathlib import Path
import timm, torch
from safetensors.torch import save_file
from components.models.backbones import BACKBONES, WeightStore
from components.models.backbones.loading import fill
from anomalib.data import Folder
from anomalib.engine import Engine
from anomalib.models import Padim
from anomalib.pre_processing import PreProcessor
from torchvision.transforms.v2 import Compose, Normalize, Resize

torch.set_num_threads(1)
root, out = Path(sys.argv[1]), Path(sys.argv[2])
weights = out / "weights"
weights.mkdir(parents=True)
name = BACKBONES["lite0"].timm_name
network = timm.create_model(name)
fill(network, "lite0", WeightStore().locate("lite0"))
state = {key: value.contiguous() for key, value in network.state_dict().items()}
save_file(state, weights / "model.safetensors")
(weights / "config.json").write_text(json.dumps({"architecture": name, "num_classes": 1000}))
bad = sorted(p.name for p in (root / "test").iterdir() if p.name != "good")
data = Folder(
    name="bench", root=root, normal_dir="train/good", abnormal_dir=[f"test/{b}" for b in bad],
    normal_test_dir="test/good", num_workers=0, train_batch_size=8, eval_batch_size=8,
    val_split_mode="none",
)
transform = Compose([Resize((256, 256), antialias=True), Normalize([0.5] * 3, [0.5] * 3)])
model = Padim(
    backbone=f"local-dir:{weights}", layers=["blocks.2", "blocks.4"], pre_trained=True,
    n_features=100, pre_processor=PreProcessor(transform=transform), evaluator=False,
    visualizer=False,
)
engine = Engine(
    default_root_dir=out, accelerator="cpu", devices=1, logger=False, limit_val_batches=0,
    enable_progress_bar=False,
)
engine.fit(model=model, datamodule=data)
found = engine.predict(model=model, dataloaders=data.test_dataloader())
print(sum(len(batch.pred_score) for batch in found))
"""


def subset(folder: Path, to: Path, num_train: int, num_test: int) -> None:
    """Copy the first images of train/good and, in turn over the types, of test."""
    for path in sorted((folder / "train" / "good").iterdir())[:num_train]:
        _copy(path, to / "train" / "good" / path.name)
    types = sorted(p for p in (folder / "test").iterdir() if p.is_dir())
    for path in [p for t in types for p in sorted(t.iterdir())[: num_test // len(types)]]:
        _copy(path, to / "test" / path.parent.name / path.name)


def _copy(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, to)


def wall_s(program: str, data: Path) -> float:
    """Run one side in a fresh process and return its wall time."""
    quiet = {
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
        "HF_HUB_OFFLINE": "1",
        "DO_NOT_TRACK": "1",
        "PYTHONPATH": str(ROOT),
    }
    with tempfile.TemporaryDirectory(prefix="overhead-") as scratch:
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program, str(data), f"{scratch}/out"],
            env=os.environ | quiet, capture_output=True, text=True, check=False, cwd=scratch,
        )  # fmt: skip
        took = time.perf_counter() - started
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--num-train", type=int, default=100)
    parser.add_argument("--num-test", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="overhead-data-") as scratch:
        data = Path(scratch)
        subset(arguments.folder, data, arguments.num_train, arguments.num_test)
        runs = [(wall_s(BARE, data), wall_s(PIPELINE, data)) for _ in range(arguments.repeats)]
    bare, ours = (min(side) for side in zip(*runs))
    result = {
        "benchmark": "overhead",
        "num_train": arguments.num_train,
        "num_test": arguments.num_test,
        "repeats": arguments.repeats,
        "bare_anomalib_wall_s": round(bare, 2),
        "pipeline_wall_s": round(ours, 2),
        "ratio": round(ours / bare, 3),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
