"""Base of all params: frozen, strictly typed, loaded from YAML, fingerprinted.

A parameter object holds what changes a result and nothing about where it runs.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from components.errors import ParamsError

P = TypeVar("P", bound="Params")


class Params(BaseModel):
    """Frozen parameters; an unknown key is an error that names the valid ones."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    def fingerprint(self) -> str:
        """Return the sha256 (hex) of the canonical JSON of these params."""
        return digest_of(self.model_dump(mode="json"))

    def replaced(self, **changes: Any) -> Self:
        """Return a validated copy with some fields changed."""
        return type(self).model_validate(self.model_dump() | changes)


def digest_of(value: object) -> str:
    """Return the sha256 (hex) of a JSON-serialisable value, independent of key order."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def read_yaml(path: Path) -> dict[str, Any]:
    """Read one YAML mapping with the safe loader.

    Raises:
        ParamsError: the file is missing, is not YAML, or is not a mapping.
    """
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        others = sorted(p.stem for p in path.parent.glob("*.yaml"))
        raise ParamsError("E010", f"{path} does not exist.", f"Known: {others}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParamsError("E011", f"{path} is not readable YAML: {error}", "Mend it.") from None
    if not isinstance(value, dict):
        raise ParamsError("E011", f"{path} is not a mapping of keys to values.", "See the guide.")
    return value


def override(values: Mapping[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """Return ``values`` with ``a.b=c`` settings applied; each ``c`` is read as YAML.

    Raises:
        ParamsError: a setting has no ``=`` or names a key that does not exist.
    """
    result: dict[str, Any] = json.loads(json.dumps(dict(values)))
    for setting in settings:
        dotted, equals, text = setting.partition("=")
        if not equals:
            raise ParamsError("E012", f"--set {setting!r} has no '='.", "Write --set a.b=c.")
        *parents, last = dotted.split(".")
        node: Any = result
        for key in parents:
            node = _child(node, key, dotted)
        _child(node, last, dotted)
        node[last] = yaml.safe_load(text)
    return result


def _child(node: Any, key: str, dotted: str) -> Any:
    keys = sorted(node) if isinstance(node, dict) else []
    if key not in keys:
        raise ParamsError("E012", f"--set {dotted}: no key {key!r}.", f"Valid: {keys}.")
    return node[key]


def validate(kind: type[P], values: Mapping[str, Any], where: str) -> P:
    """Build ``kind`` from ``values``; every mismatch is collected and raised once.

    Raises:
        ParamsError: names each field, what is wrong with it, and the valid keys.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        lines = [_explain(kind, detail) for detail in error.errors()]
        raise ParamsError("E013", f"{where}: " + "; ".join(lines) + ".", "Mend the file.") from None


def _explain(kind: type[BaseModel], detail: Mapping[str, Any]) -> str:
    place = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        valid = _valid_keys(kind, detail["loc"][:-1])
        return f"unknown key {place!r}" + (f" (valid: {', '.join(valid)})" if valid else "")
    return f"{place or 'file'}: {detail['msg']}"


def _valid_keys(kind: type[BaseModel], loc: tuple[Any, ...]) -> list[str]:
    """Walk field annotations along ``loc`` to the model that refused the key."""
    models = [kind]
    for part in loc:
        inner: list[type[BaseModel]] = []
        for model in models:
            if isinstance(part, str) and part in model.model_fields:
                inner += _models_in(model.model_fields[part].annotation)
        tagged = [m for m in models if _tag(m) == part]
        models = inner or tagged or models
    return sorted({name for model in models for name in model.model_fields})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    found: list[type[BaseModel]] = []
    for argument in getattr(annotation, "__args__", ()):
        found += _models_in(argument)
    return found


def _tag(model: type[BaseModel]) -> object:
    field = model.model_fields.get("kind")
    return field.default if field else None
