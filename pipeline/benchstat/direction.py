"""Which direction of a unit is better."""

from __future__ import annotations

from pipeline.benchfmt import UnitTable
from pipeline.benchfmt.units import words

_RATES = frozenset({"s", "sec", "second", "min"})


def direction(unit: str, units: UnitTable) -> int:
    """Return 1 if higher values of ``unit`` are better and -1 if lower ones are.

    ``Unit … better=`` decides; without it, rates (``B/s``, ``ops/sec``) should be high and all else low.
    """
    declared = units.get(unit, "better")
    if declared in ("higher", "lower"):
        return 1 if declared == "higher" else -1
    below = [word.text for word in words(unit) if word.denominator]
    return 1 if below and below[-1] in _RATES else -1
