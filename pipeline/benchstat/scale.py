"""Scaling numbers to prefixes with at least four significant digits shown."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

from pipeline.benchfmt.numbers import format_fixed

_MOST_DECIMALS = 10
_LEAST_DECIMALS = 3


class Scale(NamedTuple):
    """How to print numbers of one row: divide by ``factor``, keep ``decimals`` and add ``prefix``."""

    decimals: int
    factor: float
    prefix: str

    def format(self, value: float) -> str:
        """Print ``value``."""
        if math.isfinite(value):
            return f"{value / self.factor:.{self.decimals}f}{self.prefix}"
        return format_fixed(value, self.decimals) + self.prefix


def _decimal_steps() -> list[tuple[float, Scale]]:
    steps: list[tuple[float, Scale]] = []
    for exponent, prefix in zip(range(-9, 15, 3), ("n", "µ", "m", "", "k", "M", "G", "T"), strict=True):
        factor = float(f"1e{exponent}")
        # Parsed from their decimal form, so that a threshold falls where printing itself would round.
        steps += [
            (float(f".99995e{exponent}"), Scale(3, factor, prefix)),
            (float(f"9.9995e{exponent}"), Scale(2, factor, prefix)),
            (float(f"99.995e{exponent}"), Scale(1, factor, prefix)),
        ]
    return steps


def _binary_steps() -> list[tuple[float, Scale]]:
    steps: list[tuple[float, Scale]] = []
    for exponent, prefix in zip(range(0, 50, 10), ("", "Ki", "Mi", "Gi", "Ti"), strict=True):
        factor = math.ldexp(1.0, exponent)
        steps += [
            (math.ldexp(0.99995, exponent), Scale(3, factor, prefix)),
            (math.ldexp(9.9995, exponent), Scale(2, factor, prefix)),
            (math.ldexp(99.995, exponent), Scale(1, factor, prefix)),
        ]
    return steps


_STEPS = {False: _decimal_steps(), True: _binary_steps()}
_LIMITS = {binary: [limit for limit, _ in steps] for binary, steps in _STEPS.items()}
_BELOW = [float(f"9.9995e{exponent}") for exponent in range(-1, -9, -1)]
_PLAIN = Scale(3, 1.0, "")


def common_scale(values: Iterable[float], *, binary: bool) -> Scale:
    """Choose one scale for all ``values``: that of the smallest non-zero magnitude."""
    smallest = 0.0
    for value in values:
        size = abs(value)
        if size != 0 and (smallest == 0 or size < smallest):
            smallest = size
    if smallest == 0:
        return _PLAIN
    steps = _STEPS[binary]
    index = bisect_right(_LIMITS[binary], smallest) - 1 if smallest == smallest else -1
    if index >= 0:
        return steps[index][1]
    # Smaller than the smallest prefix: more decimals instead.
    last = steps[0][1]
    scaled = smallest / last.factor
    for decimals, limit in enumerate(_BELOW, start=_LEAST_DECIMALS):
        if scaled >= limit:
            return Scale(decimals, last.factor, last.prefix)
    return Scale(_MOST_DECIMALS, last.factor, last.prefix)
