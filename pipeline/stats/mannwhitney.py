"""The Mann–Whitney U test, exact with and without ties, as benchstat applies it.

Without ties the distribution is exact up to 50 values a side. With ties the distribution conditional on
the ties (Klotz) is exact up to 25. Beyond, the normal approximation with tie and continuity corrections.
The two-sided p-value is twice the lower tail of the first sample's distribution, which with ties and
unequal sizes can exceed 1. That is benchstat's definition and it is kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from pipeline.stats import gomath
from pipeline.stats.median import normal_cdf

EXACT_TO = 50
EXACT_TO_WITH_TIES = 25


class RankSummary(NamedTuple):
    """What the test needs to know of two samples.

    ``twice_u`` is twice the U statistic of the first sample (half steps come from ties). ``ties`` holds
    the number of values at each rank, or is empty when all values differ.
    """

    n1: int
    n2: int
    twice_u: int
    ties: tuple[int, ...]


def rank(first: Sequence[float], second: Sequence[float]) -> RankSummary:
    """Rank two samples against each other. Values must not be NaN."""
    n1, n2 = len(first), len(second)
    merged = sorted([*first, *second])
    last_rank = dict(zip(merged, range(1, n1 + n2 + 1), strict=True))
    if len(last_rank) == n1 + n2:
        ties: tuple[int, ...] = ()
        twice_ranks = 2 * sum(map(last_rank.__getitem__, first))
    else:
        previous = 0
        counts: list[int] = []
        for value, last in last_rank.items():
            counts.append(last - previous)
            last_rank[value] = previous + 1 + last  # twice the shared rank
            previous = last
        ties = tuple(counts)
        twice_ranks = sum(map(last_rank.__getitem__, first))
    return RankSummary(n1, n2, twice_ranks - n1 * (n1 + 1), ties)


@lru_cache(maxsize=1 << 16)
def two_sided_p(ranks: RankSummary) -> float | None:
    """Two-sided p-value, or None if all values are equal and the test has no meaning."""
    n1, n2, twice_u, ties = ranks
    if len(ties) == 1:
        return None
    limit = EXACT_TO_WITH_TIES if ties else EXACT_TO
    if n1 > limit or n2 > limit:
        return _approximate(ranks)
    twice_u_small = min(twice_u, 2 * n1 * n2 - twice_u)
    if twice_u_small == n1 * n2:
        # The distribution is centred here; twice the tail would count the middle twice.
        return 1.0
    if not ties:
        return _tails(n1, n2)[twice_u_small // 2] * 2
    return _tied_tail(n1, ties, twice_u_small) / gomath.choose(n1 + n2, n1) * 2


@lru_cache(maxsize=512)
def _tails(n1: int, n2: int) -> tuple[float, ...]:
    """Lower tails P(U <= u) of the distribution without ties, for u up to the middle.

    Mann and Whitney's recurrence in the order of operations that Go uses, so that a p-value that falls on
    a threshold falls on the same side of it.
    """
    small, large = sorted((n1, n2))
    top = n1 * n2 // 2
    # row[n] is the distribution for sizes n and m; only n <= m is kept, the rest by symmetry.
    row: list[list[float]] = [[0.0] * (top + 1) for _ in range(small + 1)]
    for m in range(large + 1):
        row[0][0] = 1.0
        for n in range(1, min(small, m) + 1):
            above = row[n - 1]
            before = row[n] if n <= m - 1 else row[m - 1]
            end = min(n * m, top) + 1
            fn, fm, total = float(n), float(m), float(n + m)
            head = [(0.0 + fm * right) / total for right in before[: min(m, end)]]
            tail = [
                (fn * left + fm * right) / total for left, right in zip(above, before[m:end], strict=False)
            ]
            row[n] = head + tail + row[n][end:]
    tails: list[float] = []
    total_mass = 0.0
    for mass in row[small]:
        total_mass += mass
        tails.append(total_mass)
    return tuple(tails)


def _tied_tail(n1: int, ties: tuple[int, ...], twice_u: int) -> int:
    """Number of ways to choose the first sample's ranks with twice its U at most ``twice_u``."""
    total = sum(ties)
    bits = math.comb(total, n1).bit_length() + 1
    if 2 * n1 == total:
        # Equal sizes: the distribution is its own mirror image, so a pattern and its reverse share one.
        ties = min(ties, ties[::-1])
    # The distribution counts ranks from 0, so the least sum of n1 of them is n1 (n1 - 1) / 2.
    digits = twice_u + n1 * (n1 - 1) + 1
    tail = _tied_distribution(n1, ties, bits) & ((1 << (bits * digits)) - 1)
    # The sum of digits is the remainder modulo the base less one.
    return tail % ((1 << bits) - 1)


@lru_cache(maxsize=4096)
def _tied_distribution(n1: int, ties: tuple[int, ...], bits: int) -> int:
    """Distribution of twice the rank sum of ``n1`` of the tied ranks, counted from 0.

    A polynomial whose coefficients are the numbers of choices, held as one large integer with ``bits`` bits
    a coefficient: shifting multiplies. The lower and the upper half of the ranks are worked out apart,
    because halves recur far more often than whole patterns, and then combined.
    """
    half, seen = 0, 0
    while 2 * seen < sum(ties):
        seen += ties[half]
        half += 1
    low = _partial_distribution(n1, ties[:half], bits)
    high = _partial_distribution(n1, ties[half:], bits)
    shift = 2 * bits * seen  # every rank of the upper half is higher by the size of the lower half
    return sum(
        (low[k] * high[n1 - k]) << (shift * (n1 - k)) for k in range(n1 + 1) if low[k] and high[n1 - k]
    )


@lru_cache(maxsize=4096)
def _partial_distribution(n1: int, ties: tuple[int, ...], bits: int) -> tuple[int, ...]:
    """Distributions of twice the rank sum for every number of choices up to ``n1``."""
    counts = [1] + [0] * n1
    seen = 0
    for size in ties:
        weight = bits * (2 * seen + size - 1)  # twice the shared rank
        seen += size
        ways = [math.comb(size, r) for r in range(size + 1)]
        for chosen in range(min(n1, seen), 0, -1):
            value = counts[chosen]
            for r in range(1, min(size, chosen) + 1):
                if below := counts[chosen - r]:
                    value += (below << (weight * r)) * ways[r]
            counts[chosen] = value
    return tuple(counts)


def _approximate(ranks: RankSummary) -> float | None:
    n1, n2, twice_u, ties = ranks
    total = float(n1 + n2)
    correction = float(sum(t * t * t - t for t in ties))
    variance = float(n1 * n2) * ((total + 1) - correction / (total * (total - 1))) / 12
    if variance == 0:
        return None
    distance = twice_u / 2 - float(n1 * n2) / 2
    distance -= gomath.sign(distance) * 0.5
    z = distance / math.sqrt(variance)
    return 2 * min(normal_cdf(z), 1 - normal_cdf(z))
