"""Looking again without raising false alarms: one error rate, spent over a fixed schedule of looks.

A comparison may end at any look of ``LOOKS``. At look n its p counts as ``p * sqrt(n / 8)``, so early looks
get the larger part of the error rate, and the smallest such value so far is compared with how small it
gets by chance. Without ties that chance is the same for every continuous distribution (under the null
only ranks and fair signs matter), so it was computed once, by simulation, and stands in ``curves.json``.
``tests/simulation/curves.py`` makes it again; what lies below the table is bounded by the sum over looks.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Literal

Design = Literal["paired", "unpaired"]
DESIGNS: tuple[Design, ...] = ("paired", "unpaired")

# Values a side after which a comparison may end. Eight pairs are the fewest whose p can be small enough.
LOOKS: tuple[int, ...] = (
    *range(8, 15),
    *(16, 18, 20, 22, 25, 28, 32, 36, 40, 45, 50, 56, 63),
    *(71, 80, 90, 100, 112, 126, 141, 158, 178, 200),
)
FIRST, LAST = LOOKS[0], LOOKS[-1]
# Of the error rate, this much is spent: the rest makes good that the table is a simulation's.
SPENT = 0.95

_BOUND = sum(math.sqrt(FIRST / n) for n in LOOKS)


def looks_until(n: int) -> tuple[int, ...]:
    """The looks at or before ``n`` values a side."""
    return LOOKS[: bisect_right(LOOKS, n)]


def last_look(n: int) -> int:
    """The latest look at or before ``n``; 0 before the first."""
    looks = looks_until(n)
    return looks[-1] if looks else 0


def next_look(n: int) -> int:
    """The first look after ``n``; ``LAST`` when there is none."""
    return LOOKS[min(bisect_right(LOOKS, n), len(LOOKS) - 1)]


def adjusted(p_values: Mapping[int, float], design: Design) -> float:
    """The p of a comparison that was looked at more than once: the chance that any look of the whole
    schedule is as small. ``p_values`` maps looks so far to their two-sided p; 1 when there was none."""
    if not p_values:
        return 1.0
    smallest = min(p * math.sqrt(n / FIRST) for n, p in p_values.items())
    return min(1.0, _chance(smallest, design) / SPENT)


def level(n: int, alpha: float, design: Design) -> float:
    """The two-sided level at look ``n`` at which a whole schedule of looks errs with ``alpha``: an
    interval at this level covers at every look together with probability 1 - alpha."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _chance(middle, design) <= alpha * SPENT:
            low = middle
        else:
            high = middle
    return low / math.sqrt(n / FIRST)


def _chance(smallest: float, design: Design) -> float:
    """P(the smallest weighted p of the schedule <= ``smallest``), never below what was simulated."""
    limits, chances = _curve(design)
    bound = min(1.0, smallest * _BOUND)
    place = bisect_left(limits, smallest)
    # The step's upper end: a table is a staircase, and the truth lies under it.
    return min(bound, chances[place]) if 0 < place < len(limits) else bound


@lru_cache
def _curve(design: Design) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Points (c, P(some look has p * sqrt(n / 8) <= c)), both rising."""
    text = resources.files("pipeline.stats").joinpath("curves.json").read_text(encoding="utf-8")
    points = json.loads(text)[design]["curve"]
    return tuple(c for c, _ in points), tuple(chance for _, chance in points)
