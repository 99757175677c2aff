"""The manifest on disk: Parquet, one row a file, the rejected ones among them.

The root is not stored: paths are relative, so a manifest means the same on every machine.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from components.errors import DataError
from components.params import digest_of
from components.records import ImageRecord, Manifest, Reject

_HEAD = b"defectloop.manifest"
_RECORD_FIELDS = tuple(ImageRecord.model_fields)
# saturation_px under the column's first name and type, so that older data keep their bytes.
_SATURATION = "saturation"


def write_manifest(manifest: Manifest, path: Path) -> Path:
    """Write a manifest as Parquet, atomically."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    head = {"station": manifest.station, "layout": manifest.layout, "notes": list(manifest.notes)}
    rows = [_record_row(record) for record in manifest.records]
    rows += [_reject_row(reject) for reject in manifest.rejects]
    schema = _schema().with_metadata({_HEAD: json.dumps(head).encode()})
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), part)
    return part.replace(path)


def read_manifest(path: Path, root: Path) -> Manifest:
    """Read a manifest whose relative paths start at ``root``.

    Raises:
        DataError: E106 the file is missing, or is no manifest of this version.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        stored = pq.read_table(path)
        head = json.loads(stored.schema.metadata[_HEAD])
        rows = stored.to_pylist()
        return Manifest(
            station=head["station"],
            layout=head["layout"],
            notes=tuple(head["notes"]),
            root=root,
            records=tuple(_record(row) for row in rows if row["reject_code"] is None),
            rejects=tuple(_reject(row) for row in rows if row["reject_code"] is not None),
        )
    except FileNotFoundError:
        raise DataError("E106", f"{path} does not exist.", "Run the stage that makes it.") from None
    except (pa.ArrowInvalid, KeyError, TypeError, ValidationError) as error:
        reason = f"{path} is not a manifest of this version: {error}"
        raise DataError("E106", reason, "Run the stage that makes it again.") from None


def digest(manifest: Manifest) -> str:
    """Return the sha256 (hex) of what the manifest says, wherever its root and row order."""
    values = manifest.model_dump(mode="json", exclude={"root", "notes"})
    for rows in (values["records"], values["rejects"]):
        rows.sort(key=lambda row: row["image_path"])
    return digest_of(values)


def table(manifest: Manifest) -> Any:
    """Return a pandas DataFrame with one row a file and flat columns, rejects last.

    What a rejected file cannot say is missing (NaN or None) in its row.
    """
    import pandas as pd

    rows = [_flat(record) for record in manifest.records]
    rows += [_reject_row(reject) | {"decodable": False} for reject in manifest.rejects]
    return pd.DataFrame(rows, columns=list(TABLE_COLUMNS)).astype({"mask_area_px": "float64"})


TABLE_COLUMNS = (
    "image_id",
    "image_path",
    "category",
    "split",
    "gt_label",
    "defect_type",
    "group_id",
    "height_px",
    "width_px",
    "channels",
    "bit_depth",
    "brightness",
    "contrast",
    "sharpness",
    "decodable",
    "reject_code",
    "reject_reason",
    "num_masks",
    "mask_problem",
    "mask_area_px",
    "origin",
    "parent_id",
    "thumbprint",
)


def _flat(record: ImageRecord) -> dict[str, Any]:
    areas = [d.mask_area_px for d in record.defects if d.mask_area_px is not None]
    problems = sorted({d.mask_problem for d in record.defects if d.mask_problem})
    derived = {
        "split": record.split.value,
        "defect_type": record.defect_type,
        "decodable": True,
        "num_masks": sum(d.mask_path is not None for d in record.defects),
        "mask_problem": "+".join(problems),
        "mask_area_px": sum(areas) if areas else None,
    }
    return {name: getattr(record, name, None) for name in TABLE_COLUMNS} | derived


def _reject_row(reject: Reject) -> dict[str, Any]:
    return {
        "image_path": reject.image_path,
        "reject_code": reject.code,
        "reject_reason": reject.reason,
    }


def _record_row(record: ImageRecord) -> dict[str, Any]:
    row = record.model_dump(mode="json")
    for defect in row["defects"]:
        defect[_SATURATION] = defect.pop("saturation_px")
    return row


def _record(row: Mapping[str, Any]) -> ImageRecord:
    values = {name: row[name] for name in _RECORD_FIELDS}
    for defect in values["defects"]:
        defect["saturation_px"] = defect.pop(_SATURATION)
    return ImageRecord.model_validate(values)


def _reject(row: Mapping[str, Any]) -> Reject:
    return Reject(
        image_path=row["image_path"], code=row["reject_code"], reason=row["reject_reason"]
    )


def _schema() -> Any:
    import pyarrow as pa

    text, whole, real = pa.string(), pa.int64(), pa.float64()
    defect = pa.struct(
        {
            "defect_type": text,
            "mask_path": text,
            "mask_area_px": whole,
            "mask_problem": text,
            _SATURATION: real,
        }
    )
    kinds = dict.fromkeys(("gt_label", "height_px", "width_px", "channels", "bit_depth"), whole)
    kinds |= dict.fromkeys(("brightness", "contrast", "sharpness"), real)
    kinds |= {"defects": pa.list_(defect)}
    names = (*_RECORD_FIELDS, "reject_code", "reject_reason")
    return pa.schema({name: kinds.get(name, text) for name in names})
