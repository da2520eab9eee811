"""How much the machine itself moved while it measured, told by the baseline alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

# A trend through fewer rounds is no trend.
ENOUGH_ROUNDS = 6
_NORMAL_MAD = 1.4826


@dataclass(frozen=True, kw_only=True)
class Drift:
    """``trend`` is by what fraction the baseline became slower (or, below zero, faster) from its first
    round to its last, by the Theil–Sen slope of its logarithms. ``wander`` is the robust standard deviation
    of its logarithms, what comparing blocks of runs would have to see through."""

    trend: float
    wander: float


def assess(values: Sequence[float]) -> Drift | None:
    """The drift of the baseline's values in the order of the rounds; None for too few rounds, or values
    without logarithms."""
    if len(values) < ENOUGH_ROUNDS or not all(0 < value < math.inf for value in values):
        return None
    import numpy as np

    logs = np.log(np.asarray(values, dtype=np.float64))
    first, second = np.triu_indices(len(logs), 1)
    slope = float(np.median((logs[second] - logs[first]) / (second - first)))
    wander = _NORMAL_MAD * float(np.median(np.abs(logs - np.median(logs))))
    return Drift(trend=math.expm1(slope * (len(logs) - 1)), wander=wander)
