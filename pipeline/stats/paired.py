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


@dataclass(frozen=True, kw_only=True)
class PairedSummary:
    """An estimate of log(patched/baseline) from ``n`` pairs.

    ``low`` and ``high`` bound it at (at least) the asked confidence; infinite when ``n`` is too small
    for any finite interval at that level. ``p`` is two-sided and exact.
    """

    n: int
    estimate: float
    low: float
    high: float
    p: float


def summarize(logs: Sequence[float], *, confidence: float) -> PairedSummary:
    """Summarise log ratios, or plain differences in a unit (finite, at least one). ``confidence`` in
    (0, 1)."""
    averages = walsh_averages(logs)
    low, high = interval(logs, confidence=confidence)
    return PairedSummary(n=len(logs), estimate=_median(averages), low=low, high=high, p=signed_rank_p(logs))


def walsh_averages(values: Sequence[float]) -> list[float]:
    """All n(n+1)/2 pairwise means, sorted; their median is the Hodges–Lehmann estimate."""
    return sorted((a + b) / 2 for i, a in enumerate(values) for b in values[i:])


def _median(ordered: Sequence[float]) -> float:
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def interval(logs: Sequence[float], *, confidence: float) -> tuple[float, float]:
    """The set of shifts that the exact signed-rank test does not reject, for values without ties.

    Ties make it conservative. Bounds are infinite when no interval of that level exists.
    """
    counts = null_counts(tuple(2 * rank for rank in range(1, len(logs) + 1)))
    total = 2 ** len(logs)
    tail, cut = 0, -1  # the largest T with P(T <= cut) <= alpha/2
    for doubled in range(0, len(counts), 2):
        tail += counts[doubled]
        if tail / total > (1 - confidence) / 2:
            break
        cut = doubled // 2
    if cut < 0:
        return -math.inf, math.inf
    averages = walsh_averages(logs)
    return averages[cut], averages[len(averages) - 1 - cut]


def signed_rank_p(logs: Sequence[float]) -> float:
    """The two-sided exact p of "centred on 0", given the ties that occurred; zeros are left out."""
    values = [value for value in logs if value != 0]
    if not values:
        return 1.0
    ranks = _doubled_midranks([abs(value) for value in values])
    positive = sum(rank for rank, value in zip(ranks, values, strict=True) if value > 0)
    counts = null_counts(tuple(sorted(ranks)))
    statistic = min(positive, sum(ranks) - positive)
    tail = sum(counts[: statistic + 1])
    return min(1.0, math.ldexp(tail, 1 - len(values)))


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
def null_counts(doubled_ranks: tuple[int, ...]) -> tuple[int, ...]:
    """How many of the 2^n sign patterns give each (doubled) sum of positive ranks. Exact integers."""
    counts = [1]
    for rank in doubled_ranks:
        grown = counts + [0] * rank
        for total, ways in enumerate(counts):
            grown[total + rank] += ways
        counts = grown
    return tuple(counts)
