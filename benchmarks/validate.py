"""Time of the expectation suite on 10,000 rows, import apart: one line of JSON.

Run: ``python benchmarks/validate.py [NUM_ROWS]``
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from components.data.validate import validate
from components.params import read_yaml
from components.records import ImageRecord, Manifest, Split


def manifest(num_rows: int) -> Manifest:
    """Return a healthy manifest without files; near-duplicates are left out of the measurement."""
    rng = np.random.default_rng(0)
    brightness = rng.normal(0.5, 0.03, num_rows)
    splits = rng.choice([Split.FIT, Split.TUNE, Split.REPORT], num_rows, p=[0.6, 0.2, 0.2])
    records = [
        ImageRecord(
            image_id=f"{i:064x}",
            image_path=f"good/{i}.png",
            category="part",
            split=splits[i],
            gt_label=int(splits[i] != Split.FIT and i % 3 == 0),
            defects=({"defect_type": "crack"},) if splits[i] != Split.FIT and i % 3 == 0 else (),
            group_id=f"part-{i}",
            height_px=480,
            width_px=640,
            channels=1,
            brightness=float(brightness[i]),
            contrast=0.2,
            sharpness=100.0,
        )
        for i in range(num_rows)
    ]
    return Manifest(station="bench", layout="folder", root=Path("/"), records=tuple(records))


def main(num_rows: int) -> None:
    """Measure and print."""
    suite = read_yaml(Path(__file__).parents[1] / "params/expectations/default.yaml")
    start = time.perf_counter()
    validate(manifest(20), suite, masks="optional", docs_dir=None)  # pays for the imports
    import_s = time.perf_counter() - start
    rows = manifest(num_rows)
    with tempfile.TemporaryDirectory() as folder:
        start, cpu = time.perf_counter(), time.process_time()
        report = validate(rows, suite, masks="optional", docs_dir=Path(folder))
        wall_s, cpu_s = time.perf_counter() - start, time.process_time() - cpu
    figures = {"wall_s": wall_s, "cpu_s": cpu_s, "first_call_with_imports_s": import_s}
    rounded = {key: round(value, 3) for key, value in figures.items()}
    print(json.dumps({"rows": num_rows, "checks": len(report.checks), **rounded}))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
