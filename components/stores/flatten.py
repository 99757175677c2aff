"""Nested params as the flat, short strings that a tracking store takes."""

import json
import re
from collections.abc import Mapping

from components.params import digest_of

MAX_VALUE = 500  # characters; older servers refuse more
MAX_KEY = 250
_UNSOUND = re.compile(r"[^\w.\-/ ]")


def flatten(values: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Return ``{"a": {"b": 1}}`` as ``{"a.b": "1"}``; a long value is cut and ends in a digest."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{name}.")
        else:
            flat[sound_key(name)] = _text(value)
    return flat


def sound_key(key: str) -> str:
    """Return a key of allowed characters and length; two long keys stay two."""
    sound = _UNSOUND.sub("_", key)
    return sound if len(sound) <= MAX_KEY else f"{sound[: MAX_KEY - 9]}-{digest_of(key)[:8]}"


def _text(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    if len(text) <= MAX_VALUE:
        return text
    return f"{text[: MAX_VALUE - 20]}… sha256:{digest_of(text)[:10]}"
