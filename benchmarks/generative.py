"""Train the reduced encoder-decoder and its ablations on a station, judge them on its tune set.

    python -m benchmarks.generative [--station glue_line] [--only NAME …] [--seed 0]
    python -m benchmarks.generative --draw LINE.json … --out CURVES.svg

Learns from the normals of the fit set; judges on held-out normals and synthetic defects. No report
image is opened. One seed, one thread; the last line is JSON with every epoch's losses. ``--draw``
paints the curves of such lines, kept in files, and trains nothing.
"""

import argparse
import json
import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from components.data.manifest import read_manifest, write_manifest
from components.records import Split
from components.report.plots.canvas import INK, SERIES, draw
from components.report.study_docs import standalone
from components.studies.params import load_detectors
from components.trial import SetPaths, TrialJob, run_trial

VARIANTS = {  # file of params/models -> what it is called
    "generative_small": "noise and skip attention",
    "generative_small_no_noise": "no noise",
    "generative_small_no_attention": "no skip attention",
    "generative_small_no_both": "neither",
}
FIGURES = ("image_auroc", "image_ap", "pixel_auroc", "aupro")
CURVES = ("training", "validation")
_DASHES = ("-", "-", (0, (5, 2)), (0, (5, 2)))  # dashed: without attention


def sets_of(station: str, folder: Path) -> SetPaths:
    """Return a station's fit and tune rows, written apart from its report rows."""
    prepared, synthetic = (Path("data") / stage / station for stage in ("prepare", "synthesize"))
    manifest = read_manifest(prepared / "manifest.parquet", prepared)
    rows = tuple(r for r in manifest.records if r.split in (Split.FIT, Split.TUNE))
    path = folder / "fit_tune.parquet"
    write_manifest(manifest.model_copy(update={"records": rows, "rejects": ()}), path)
    return SetPaths(
        real_manifest=path,
        real_root=prepared,
        synthetic_manifest=synthetic / "manifest.parquet",
        synthetic_root=synthetic,
    )


def measured(name: str, sets: SetPaths, seed: int, folder: Path) -> dict[str, Any]:
    """Fit and judge one variant: figures, CPU seconds, losses of each epoch."""
    params = load_detectors(Path("params"), [name])[name]
    started = time.process_time()
    outcome = run_trial(
        TrialJob(
            params=params, seed=seed, fingerprint="benchmark", data_version="", sets=sets,
            export_to=folder,
        )
    )  # fmt: skip
    losses = curves(folder)
    lowest = min(losses["validation"])
    return {
        "candidate": params.name,
        **{figure: outcome.metrics.get(figure) for figure in FIGURES},
        "cpu_s": round(time.process_time() - started, 1),
        "num_images": outcome.fitted.num_images,
        "epochs": len(losses["validation"]),
        "best_epoch": losses["validation"].index(lowest) + 1,
        "best_validation_loss": lowest,
        "losses": losses,
    }


def curves(folder: Path) -> dict[str, list[float]]:
    """Return the losses of the epochs that ran, as the fitted model keeps them."""
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", "pt") as saved:
        pairs = saved.get_tensor("losses").tolist()
    ran = [pair for pair in pairs if math.isfinite(pair[0])]
    return {name: [round(pair[i], 5) for pair in ran] for i, name in enumerate(CURVES)}


def drawn(variants: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the loss curves as an SVG on its own: training thin, validation thick."""

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        axes.set(xlabel="epoch", ylabel="MSE + (1 − SSIM)", yscale="log")
        axes.set_title("Loss on normal images: training (thin), validation (thick)")
        for (name, one), colour, dash in zip(variants.items(), SERIES, _DASHES, strict=False):
            style = {"color": colour, "linestyle": dash}
            training, validation = (one["losses"][curve] for curve in CURVES)
            axes.plot(range(1, len(training) + 1), training, linewidth=0.6, **style)
            axes.plot(range(1, len(validation) + 1), validation, label=VARIANTS[name], **style)
        axes.legend(frameon=False, labelcolor=INK)

    return standalone(draw("generative", f"losses of {', '.join(variants)}", 3.6, paint))


def read_lines(paths: Sequence[Path]) -> dict[str, Any]:
    """Return the variants of the last lines of some files, in the order of VARIANTS."""
    found: dict[str, Any] = {}
    for path in paths:
        found |= json.loads(path.read_text(encoding="utf-8").splitlines()[-1])["variants"]
    return {name: found[name] for name in VARIANTS if name in found}


def main() -> None:
    """Measure the variants, a line each and one of JSON; or draw what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--station", default="glue_line")
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--draw", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/studies/images/generative-1.svg"))
    arguments = parser.parse_args()
    if arguments.draw:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(drawn(read_lines(arguments.draw)), encoding="utf-8")
        return
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        sets = sets_of(arguments.station, Path(scratch))
        for name in arguments.only:
            found[name] = measured(name, sets, arguments.seed, Path(scratch) / name)
            words = (f"{key} {found[name][key]:.3f}" for key in FIGURES)
            print(f"{VARIANTS[name]:<26}", *words, f"{found[name]['cpu_s']} CPU s", flush=True)
    where = {"station": arguments.station, "seed": arguments.seed}
    print(json.dumps({"benchmark": "generative", **where, "variants": found}))


if __name__ == "__main__":
    main()
