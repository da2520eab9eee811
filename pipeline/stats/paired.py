"""Paired comparison: the signed-rank test, the Hodges–Lehmann estimate and its exact interval.

A pair is one round: baseline and patched measured one after the other. Its value is the log of
patched/baseline, so 0 is "the same", and a machine that drifts between rounds cancels out.
The caller assumes that the log ratios of the rounds are independent and symmetric about one value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# A tail that equals its limit but for rounding is within it.
_EDGE = 1 + 1e-12


@dataclass(frozen=True, kw_only=True)
class ShiftSummary:
    """An estimate of log(patched/baseline) from ``n`` values a side.

    ``low`` and ``high`` bound it at (at least) the asked confidence; infinite when ``n`` is too small
    for any finite interval at that level. ``p`` is two-sided.
    """

    n: int
    estimate: float
    low: float
    high: float
    p: float


def load() -> None:
    """Import what the functions here compute with: a quarter of a second that would be the first one's."""
    import numpy as np  # noqa: F401


def summarize(logs: Sequence[float], *, confidence: float) -> ShiftSummary:
    """Summarise log ratios, or plain differences in a unit (finite, at least one). ``confidence`` in
    (0, 1)."""
    import numpy as np

    low, high = interval(logs, confidence=confidence)
    estimate = float(np.median(walsh_averages(logs)))
    return ShiftSummary(n=len(logs), estimate=estimate, low=low, high=high, p=signed_rank_p(logs))


def walsh_averages(values: Sequence[float]) -> npt.NDArray[np.float64]:
    """All n(n+1)/2 pairwise means, sorted; their median is the Hodges–Lehmann estimate."""
    import numpy as np

    data = np.asarray(values, dtype=np.float64)
    rows, columns = np.triu_indices(len(data))
    return np.sort((data[rows] + data[columns]) / 2)


def interval(logs: Sequence[float], *, confidence: float) -> tuple[float, float]:
    """The set of shifts that the exact signed-rank test does not reject, for values without ties.

    Ties make it conservative. Bounds are infinite when no interval of that level exists.
    """
    import numpy as np

    tails = null_tails(tuple(range(1, len(logs) + 1)))
    # How many sums T have P(T <= t) within half of what may be missed.
    cut = int(np.searchsorted(tails, (1 - confidence) / 2 * _EDGE, side="right")) - 1
    if cut < 0:
        return -math.inf, math.inf
    averages = walsh_averages(logs)
    return float(averages[cut]), float(averages[len(averages) - 1 - cut])


def signed_rank_p(logs: Sequence[float]) -> float:
    """The two-sided exact p of "centred on 0", given the ties that occurred; zeros are left out."""
    values = [value for value in logs if value != 0]
    if not values:
        return 1.0
    ranks = _doubled_midranks([abs(value) for value in values])
    positive = sum(rank for rank, value in zip(ranks, values, strict=True) if value > 0)
    shared = math.gcd(*ranks)
    tails = null_tails(tuple(sorted(rank // shared for rank in ranks)))
    statistic = min(positive, sum(ranks) - positive) // shared
    return min(1.0, 2 * float(tails[statistic]))


def smallest_p(n: int) -> float:
    """The smallest two-sided p that ``n`` pairs can give."""
    return min(1.0, math.ldexp(1.0, 1 - n))


def _doubled_midranks(values: Sequence[float]) -> list[int]:
    """Twice the rank of each value; equal values share the mean of their ranks."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for index in order[start : end + 1]:
            ranks[index] = start + end + 2
        start = end + 1
    return ranks


@lru_cache(maxsize=512)
def null_tails(ranks: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """P(sum of the positive ranks <= t) for t = 0, 1, … when every sign is a fair coin.

    Each step halves the sum of two floats, so the error stays within a few units of 1e-16 a rank.
    """
    import numpy as np

    masses = np.ones(1)
    for rank in ranks:
        grown = np.zeros(len(masses) + rank)
        grown[: len(masses)] = masses
        grown[rank:] += masses
        masses = grown / 2
    tails: npt.NDArray[np.float64] = np.cumsum(masses)
    return tails
