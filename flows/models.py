"""``defectloop models``: every detector with the backbones it can use, and what is here.

Read off the detectors' classes and the registry of backbones; nothing is written down twice, and
torch is not needed to know it.
"""

import json
from typing import Any

from components.models import KINDS
from components.models.backbones import BACKBONES, WeightStore
from components.models.backbones.store import how_to_get
from components.models.detector import DetectorFacts, DetectorParams
from flows.aligned import table
from flows.settings import Settings
from flows.weights import BY_HAND, hint


def show_models(settings: Settings, *, as_json: bool) -> int:
    """Print the table of detectors and backbones, or the same as one JSON document."""
    backbones = {name: _backbone(settings, name) for name in BACKBONES}
    detectors = [_detector(name, kind) for name, kind in KINDS.items()]
    if as_json:
        print(json.dumps({"detectors": detectors, "backbones": list(backbones.values())}))
        return 0
    here = {name for name, row in backbones.items() if row["ready"]}
    for line in (*_detector_lines(here), "", *_backbone_lines(backbones), BY_HAND):
        print(line)
    return 0


def _detector(name: str, kind: type[DetectorParams]) -> dict[str, Any]:
    facts = kind.facts
    return {
        "kind": name,
        "summary": facts.summary,
        "paper": facts.paper,
        "training": facts.training,
        "fit_time": facts.fit_time,
        "gpu_gb": facts.gpu_gb,
        "localises": facts.localises,
        "exportable": facts.exportable,
        "not_exportable": facts.not_exportable,
        "backbones": {name: list(facts.layers_of(name)) for name in facts.backbones},
    }


def _backbone(settings: Settings, name: str) -> dict[str, Any]:
    """Describe a backbone and where its weights are; a composite one is as ready as its parts."""
    backbone, store = BACKBONES[name], WeightStore(settings.weight_folders)
    parts = (*((name,) if backbone.weights else ()), *backbone.parts)
    found = {part: store.find(part) for part in parts}
    missing = [part for part, path in found.items() if path is None]
    files = [weights for part in parts if (weights := BACKBONES[part].weights)]
    return {
        "name": name,
        "title": backbone.title,
        "layers": backbone.strides,
        "channels": backbone.channels,
        "image_size_px": backbone.image_size_px,
        "parts": list(backbone.parts),
        "file": [weights.kept_file for weights in files],
        "sha256": [weights.sha256 for weights in files],
        "licence": [weights.licence for weights in files],
        "ready": not missing,
        "path": [str(path) for path in found.values() if path],
        "folders": [str(folder) for folder in settings.weight_folders],
        "get": [how_to_get(p, w) for p in missing if (w := BACKBONES[p].weights)],
        "hint": [hint(p, w) for p in missing if (w := BACKBONES[p].weights)],
    }


def _detector_lines(here: set[str]) -> list[str]:
    head = ("DETECTOR", "TRAINING", "FIT", "GPU", "EXPORT", "WHAT IT IS")
    kinds = {name: kind.facts for name, kind in KINDS.items()}
    rows = [
        (
            name,
            facts.training,
            facts.fit_time,
            f"{facts.gpu_gb} GB" if facts.gpu_gb else "no need",
            "yes" if facts.exportable else "no",
            facts.summary,
        )
        for name, facts in kinds.items()
    ]
    lines = table([head, *rows])
    named = table([(name, _accepted(facts, here)) for name, facts in kinds.items()])
    reasons = [
        f"{name} has no export: {facts.not_exportable}"
        for name, facts in kinds.items()
        if not facts.exportable
    ]
    return [*lines, *reasons, "", "BACKBONES OF EACH (✓ weights are here)", *named]


def _accepted(facts: DetectorFacts, here: set[str]) -> str:
    return "  ".join(f"{'✓' if name in here else '✗'} {name}" for name in facts.backbones)


def _backbone_lines(backbones: dict[str, dict[str, Any]]) -> list[str]:
    head = ("", "BACKBONE", "SHA256", "SIZE", "WHERE ITS WEIGHTS ARE, OR HOW TO GET THEM")
    rows = [
        (
            "✓" if row["ready"] else "✗",
            name,
            " ".join(digest[:12] or "unpublished" for digest in row["sha256"]) or "–",
            f"{row['image_size_px']} px" if row["image_size_px"] else "any",
            "; ".join([*row["path"], *row["hint"]]) or "nothing to load",
        )
        for name, row in backbones.items()
    ]
    return table([head, *rows])
