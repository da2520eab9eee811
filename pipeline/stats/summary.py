"""Summaries and comparisons of samples under a stated assumption, with their warnings as data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from pipeline.stats import gomath
from pipeline.stats.mannwhitney import rank, two_sided_p
from pipeline.stats.median import median, median_interval, samples_for_interval

ALL_EQUAL = "all samples are equal"
NOT_A_NUMBER = "a sample holds NaN, so no test is possible"

# Smallest p-value of two samples of equal size, by that size (Mann-Whitney).
_SMALLEST_P = (1.0, 1 / 3, 0.1, 2 / 70, 2 / 252, 2 / 924, 2 / 3432, 2 / 12870, 2 / 48620)


class Summary(NamedTuple):
    """The centre of a sample and an interval around it, in the sample's unit."""

    center: float
    low: float
    high: float
    confidence: float
    warnings: tuple[str, ...] = ()


class Comparison(NamedTuple):
    """The outcome of a test: ``p`` is 0 for exact values, which need no test."""

    p: float
    n1: int
    n2: int
    alpha: float
    warnings: tuple[str, ...] = ()

    @property
    def significant(self) -> bool:
        """Whether the difference is shown rather than ``~``."""
        return not self.p > self.alpha


def sort_sample(values: Iterable[float]) -> list[float]:
    """Sort values in ascending order with NaN first, where Go puts it."""
    ordered = sorted(values)
    if any(value != value for value in ordered):
        nans = [value for value in ordered if value != value]
        ordered = nans + sorted(value for value in ordered if value == value)
    return ordered


def summarize(values: Sequence[float], confidence: float, number: str = "") -> Summary:
    """Median and interval of sorted ``values`` without assuming a distribution.

    ``number`` is how the confidence level appears in a warning.
    """
    n = len(values)
    interval = median_interval(n, confidence)
    low = values[interval.low - 1] if interval.low >= 1 else -math.inf
    high = values[interval.high - 1] if interval.high <= n else math.inf
    warnings: tuple[str, ...] = ()
    if low in _INFINITE or high in _INFINITE:
        warnings = _interval_warning(confidence, number)
    return Summary(median(values), low, high, interval.confidence, warnings)


_INFINITE = frozenset({math.inf, -math.inf})


@lru_cache(maxsize=64)
def _interval_warning(confidence: float, number: str) -> tuple[str, ...]:
    relation, need = samples_for_interval(confidence)
    return (f"need {relation} {need} samples for confidence interval at level {number or confidence}",)


def compare(first: Sequence[float], second: Sequence[float], alpha: float, number: str = "") -> Comparison:
    """Test two sorted samples for a difference in location (Mann–Whitney, two-sided).

    ``number`` is how alpha appears in a warning.
    """
    n1, n2 = len(first), len(second)
    if first[0] != first[0] or second[0] != second[0]:
        return Comparison(1.0, n1, n2, alpha, (NOT_A_NUMBER,))
    ranks = rank(first, second)
    return _compare_ranks(two_sided_p(ranks), n1, n2, alpha, number)


@lru_cache(maxsize=1 << 16)
def _compare_ranks(p: float | None, n1: int, n2: int, alpha: float, number: str) -> Comparison:
    if p is None:
        return Comparison(1.0, n1, n2, alpha, (ALL_EQUAL,))
    warnings: tuple[str, ...] = ()
    if p > alpha:
        relation, need = samples_for_test(alpha)
        if n1 < need and n2 < need:
            level = number or str(alpha)
            warnings = (f"need {relation} {need} samples to detect a difference at alpha level {level}",)
    return Comparison(p, n1, n2, alpha, warnings)


def samples_for_test(alpha: float) -> tuple[str, int]:
    """Return the size of two equal samples from which the test can reach ``alpha``."""
    for n, smallest in enumerate(_SMALLEST_P, start=1):
        if smallest <= alpha:
            return ">=", n
    return ">", len(_SMALLEST_P) + 1


def summarize_exact(values: Sequence[float], first: str, last: str) -> Summary:
    """Most frequent of sorted ``values`` that are declared exact, with a warning if they vary.

    ``first`` and ``last`` are the printed extremes for the warning.
    """
    mode = current = values[0]
    mode_count = count = 1
    for value in values[1:]:
        if value != current:
            current, count = value, 1
            continue
        count += 1
        if count > mode_count:
            mode, mode_count = current, count
    warnings: tuple[str, ...] = ()
    if mode_count != len(values):
        warnings = (f"exact distribution expected, but values range from {first} to {last}",)
    return Summary(mode, values[0], values[-1], 1.0, warnings)


def compare_exact(first: Sequence[float], second: Sequence[float]) -> Comparison:
    """Compare values that are declared exact: any difference counts."""
    return Comparison(0.0, len(first), len(second), 0.0)


def geomean(values: Iterable[float]) -> float | None:
    """Geometric mean, or None without values or if one is not positive."""
    mean = 0.0
    count = 0
    log = gomath.log
    for value in values:
        if value <= 0:
            return None
        count += 1
        mean += ((log(value) if value < math.inf else value) - mean) / count
    if not count or math.isnan(mean):
        return None
    return gomath.exp(mean)
