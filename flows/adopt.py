"""``defectloop ingest PATH --station NAME``: a station from a folder of a user's own images."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from components.data.images import ImageLimits
from components.data.recognise import recognise
from components.errors import DataError, ParamsError
from components.params import read_yaml
from components.records import Manifest
from flows.settings import Settings

# What a new station takes from the default one: everything that does not depend on the images.
TEMPLATE = "elpv"


def adopt_station(settings: Settings, path: Path, name: str, category: str | None = None) -> int:
    """Recognise the layout, write the station file, track the bytes with DVC, say what comes next.

    ``category`` chooses in a data set that lists several in one table (VisA).

    Raises:
        ParamsError: the name is no station name, or the station exists for another layout.
        DataError: the layout is not recognised, or no image can be read.
    """
    from components.data.ingest import ingest
    from components.stores.raw import adopt, register_station

    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name):
        raise ParamsError("E024", f"{name!r} is no station name.", "Use a-z, 0-9 and _.")
    folder = path.expanduser().resolve()
    if not folder.is_dir():
        raise DataError("E101", f"{path} is not a folder.", "Give the folder of your images.")
    source, why = recognise(folder, category)
    print(f"layout     {source.kind}: {why}")
    found = ingest(name, source, folder, ImageLimits(), "optional", None)
    station_file = settings.params_dir / "stations" / f"{name}.yaml"
    values = station_values(settings, name, source.model_dump(mode="json"), found)
    _write_station(station_file, values)
    adopt(settings.root, name, folder)
    register_station(settings.root, name)
    labels = Counter(record.gt_label for record in found.records)
    types = Counter(r.defect_type for r in found.records if r.gt_label)
    print(f"images     {labels[0]} normal · {labels[1]} anomalous {dict(types) or ''}")
    for reject in found.rejects:
        print(f"rejected   {reject.image_path}: {reject.reason}")
    for note in found.notes:
        print(f"note       {note}")
    print(f"station    {station_file.relative_to(settings.root)}")
    print(f"bytes      data/raw/{name}.dvc")
    print(f"Next       defectloop run {name}")
    return 0


def station_values(
    settings: Settings, name: str, source: dict[str, Any], found: Manifest
) -> dict[str, Any]:
    """Return the complete station: the template's study, the folder's own facts."""
    if not any(record.gt_label == 0 for record in found.records):
        raise DataError("E102", f"{found.root} has no readable normal image.", "Add good parts.")
    values = read_yaml(settings.params_dir / "stations" / f"{TEMPLATE}.yaml")
    anomalous = [record for record in found.records if record.gt_label == 1]
    with_masks = sum(record.has_usable_mask for record in anomalous)
    values |= {
        "name": name,
        "title": name.replace("_", " "),
        "licence": "",
        "source": source,
        "masks": "optional" if with_masks else "none",
        "group": None,
    }
    values["synthesize"]["regions"] = []
    # Tuning may see real defects only where enough stay for the report.
    values["split"]["real_defect_share"] = 0.3 if len(anomalous) >= 40 else 0.0
    return values


def _write_station(path: Path, values: dict[str, Any]) -> None:
    if path.exists():
        old = read_yaml(path)
        if old.get("source", {}).get("kind") != values["source"]["kind"]:
            raise ParamsError(
                "E023",
                f"{path} exists with layout {old.get('source', {}).get('kind')!r}.",
                "Choose another name, or remove the file.",
            )
        return  # its settings are someone's decisions: only the bytes are brought up to date
    head = "# Written by `defectloop ingest`; every value may be edited.\n"
    part = path.with_name(f".{path.name}.part")
    part.write_text(head + yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    part.replace(path)
