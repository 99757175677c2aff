"""Choosing one candidate: limits, front, knee or a declared fall-back, stability."""

from components.select.candidates import select
from components.select.decide import decide, replay
from components.select.limits import Row
from components.select.params import Criterion, Limit, SelectionParams

__all__ = ["Criterion", "Limit", "Row", "SelectionParams", "decide", "replay", "select"]
