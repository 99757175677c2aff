"""A backbone of one tensor, so that the store can be tested without megabytes."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from components.models.backbones import BACKBONES
from components.models.backbones.entry import Backbone, Package, WeightFile

TENSOR = torch.full((2, 3), 0.5)


def toy_file(path: Path, *, name: str = "weight", value: float = 0.5) -> Path:
    """Write one tensor of one value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: torch.full((2, 3), value)}, path)
    return path


def register(
    monkeypatch: pytest.MonkeyPatch, source: Path, *, sha256: str, package: Package | None = None
) -> None:
    """Let the registry know ``source`` as the weights of a backbone called toy."""
    weights = WeightFile(
        source.name, sha256, "none", package=package, url="https://example.org/toy"
    )
    monkeypatch.setitem(BACKBONES, "toy", Backbone("toy", "a toy", "own", weights=weights))
