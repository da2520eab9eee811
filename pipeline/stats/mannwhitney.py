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
    """Number of ways to choose the first sample's ranks with twice its U at most ``twice_u``.

    A polynomial in which each coefficient counts the choices with one value of twice the rank sum, held as
    one large integer with a fixed number of bits a coefficient: shifting multiplies, and the sum of the
    coefficients is the remainder modulo the base less one. Sums beyond the tail are cut off on the way.
    """
    total = sum(ties)
    bits = math.comb(total, n1).bit_length() + 1
    # Ranks start at 1, so a choice of r ranks has at least r (r + 1) as twice its sum; count from there on
    # by taking ranks from 0 and no more than what the bound allows.
    bound = twice_u + n1 * (n1 + 1) - 2 * n1
    mask = (1 << (bits * (bound + 1))) - 1
    counts = [1] + [0] * n1
    seen = 0
    for size in ties:
        weight = bits * (2 * seen + size - 1)  # twice the shared rank, from 0
        left = total - seen - size
        seen += size
        ways = [math.comb(size, r) for r in range(size + 1)]
        for chosen in range(min(n1, seen), max(0, n1 - left) - 1, -1):
            value = counts[chosen]
            for r in range(1, min(size, chosen) + 1):
                below = counts[chosen - r]
                if below:
                    value += (below << (weight * r)) * ways[r]
            counts[chosen] = value & mask
    return counts[n1] % ((1 << bits) - 1)


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
