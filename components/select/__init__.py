"""Choosing one candidate: limits, front, knee or a declared fall-back, stability."""

from components.select.candidates import select
from components.select.decide import decide, digest, replay
from components.select.limits import Estimate, Row
from components.select.params import Criterion, Limit, SelectionParams

__all__ = [
    "Criterion",
    "Estimate",
    "Limit",
    "Row",
    "SelectionParams",
    "decide",
    "digest",
    "replay",
    "select",
]
