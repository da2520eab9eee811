"""Unpaired comparison: Mann–Whitney, the Hodges–Lehmann shift and the interval that inverts the test.

For a machine whose neighbouring runs resemble each other no more than distant ones: pairing then spends
information on a drift that is not there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from pipeline.stats.mannwhitney import RankSummary, rank, two_sided_p
from pipeline.stats.paired import ShiftSummary


def summarize(base: Sequence[float], patched: Sequence[float], *, confidence: float) -> ShiftSummary:
    """Summarise the shift from ``base`` to ``patched`` (equal lengths, finite, at least one each).

    The order within each side does not matter. Up to 50 values a side the interval is exact for values
    without ties; ties make it conservative.
    """
    import numpy as np

    n = len(base)
    shifts = np.sort(np.subtract.outer(np.asarray(patched), np.asarray(base)).ravel())
    cut = _critical(n, 1 - confidence)
    low, high = (float(shifts[cut]), float(shifts[-1 - cut])) if cut >= 0 else (-math.inf, math.inf)
    p = two_sided_p(rank(base, patched))
    return ShiftSummary(
        n=n, estimate=float(np.median(shifts)), low=low, high=high, p=1.0 if p is None else min(1.0, p)
    )


@lru_cache(maxsize=1024)
def _critical(n: int, level: float) -> int:
    """The largest U that the two-sided test of ``level`` rejects with n values a side; -1 for none."""
    low, high = -1, n * n // 2
    while low < high:
        middle = (low + high + 1) // 2
        p = two_sided_p(RankSummary(n, n, 2 * middle, ()))
        if p is not None and p <= level:
            low = middle
        else:
            high = middle - 1
    return low
