"""List pretrained weights with where they were found; take in a file after checking its bytes."""

import shutil
from pathlib import Path

from components.errors import WeightsError
from components.identity import file_sha256
from components.models.backbones import BACKBONES, WeightStore
from flows.settings import Settings


def show_weights(settings: Settings, add: Path | None) -> int:
    """Print each backbone's state; 1 when one is missing or has other bytes."""
    if add is not None:
        print(f"kept {_keep(settings, add)}")
    store, missing = WeightStore(settings.weight_folders), 0
    for name, backbone in BACKBONES.items():
        try:
            print(f"✓ {name:<6} {backbone.sha256[:12]}  {store.locate(backbone.name)}")
        except WeightsError as error:
            missing += 1
            print(f"✗ {name:<6} {error}")
    return 1 if missing else 0


def _keep(settings: Settings, file: Path) -> Path:
    """Copy a weight file into the local folder when its bytes are those of a known backbone."""
    found = file_sha256(file)
    for backbone in BACKBONES.values():
        if backbone.sha256 == found:
            folder = settings.weight_folders[0]
            folder.mkdir(parents=True, exist_ok=True)
            part = folder / f".{backbone.file}.part"
            shutil.copyfile(file, part)
            return part.replace(folder / backbone.file)
    known = ", ".join(f"{b.name} {b.sha256[:12]}" for b in BACKBONES.values())
    raise WeightsError(
        "E132", f"{file} (sha256 {found[:12]}) is no known weight file.", f"Known: {known}."
    )
