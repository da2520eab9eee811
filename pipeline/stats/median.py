"""The median and its distribution-free confidence interval.

The interval is a pair of order statistics chosen from the binomial distribution: exact to n = 30, by the
normal approximation beyond. The smallest interval is grown from the centre, to the left first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from pipeline.stats import gomath

_EXACT_TO = 30
_SEARCH_TO = 50

# Acklam's rational approximation of the inverse normal distribution.
_CENTRE_A = (
    -3.969683028665376e01,
    2.209460984245205e02,
    -2.759285104469687e02,
    1.383577518672690e02,
    -3.066479806614716e01,
    2.506628277459239e00,
)
_CENTRE_B = (
    -5.447609879822406e01,
    1.615858368580409e02,
    -1.556989798598866e02,
    6.680131188771972e01,
    -1.328068155288572e01,
    1.0,
)
_TAIL_C = (
    -7.784894002430293e-03,
    -3.223964580411365e-01,
    -2.400758277161838e00,
    -2.549732539343734e00,
    4.374664141464968e00,
    2.938163982698783e00,
)
_TAIL_D = (7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e00, 3.754408661907416e00, 1.0)
_TAIL_BELOW = 0.02425


class MedianInterval(NamedTuple):
    """Which order statistics bound the median of ``n`` values.

    ``low`` and ``high`` count from 1; 0 and ``n + 1`` stand for minus and plus infinity. ``confidence`` is
    the level reached, not the one asked for.
    """

    n: int
    low: int
    high: int
    confidence: float


@lru_cache(maxsize=4096)
def median_interval(n: int, confidence: float) -> MedianInterval:
    """Choose the order statistics that bound the median of ``n`` values at ``confidence`` (0 to 1)."""
    if confidence >= 1:
        return MedianInterval(n, 0, n + 1, 1.0)
    low, high, level = _exact(n, confidence) if n <= _EXACT_TO else _approximate(n, confidence)
    return MedianInterval(n, max(low, 0), min(high, n + 1), level)


def _exact(n: int, confidence: float) -> tuple[int, int, float]:
    def mass(k: int) -> float:
        return gomath.choose(n, k) * 0.5**k * 0.5 ** (n - k) if 0 <= k <= n else 0.0

    low = math.ceil((n + 1) * 0.5) - 1
    high = low + 1
    level = mass(low)
    left, right = mass(low - 1), mass(high)
    while level < confidence and (left > 0 or right > 0):
        if left >= right:
            level += left
            low -= 1
            left = mass(low - 1)
        else:
            level += right
            high += 1
            right = mass(high)
    return low, high, level


def _approximate(n: int, confidence: float) -> tuple[int, int, float]:
    mean, deviation = n * 0.5, math.sqrt(n * 0.5 * 0.5)

    def level(low: int, high: int) -> float:
        """Weight of [low, high) with the continuity correction."""
        return normal_cdf((high - 0.5 - mean) / deviation) - normal_cdf((low - 0.5 - mean) / deviation)

    left = normal_quantile((1 - confidence) / 2) * deviation + mean
    right = 2 * mean - left
    if math.isinf(left):
        return 0, n + 1, 1.0
    low = math.floor(math.floor(left - 0.5) + 0.5) + 1
    high = math.floor(math.ceil(right - 0.5) + 0.5) + 1
    reached = level(low, high)
    # The interval is symmetric so far; one step less on the right may still do.
    if confidence <= (shorter := level(low, high - 1)) < reached:
        high, reached = high - 1, shorter
    if low <= 0 and high >= n + 1:
        reached = 1.0
    return low, high, reached


def normal_cdf(z: float) -> float:
    """Standard normal distribution function."""
    return math.erfc(-z / math.sqrt(2)) / 2


def normal_quantile(p: float) -> float:
    """Inverse of the standard normal distribution function: Acklam's approximation, refined once."""
    if p <= 0:
        return -math.inf
    if p >= 1:
        return math.inf
    if p < _TAIL_BELOW:
        x = _tail(p)
    elif p > 1 - _TAIL_BELOW:
        x = -_tail(1 - p)
    else:
        q = p - 0.5
        x = _horner(_CENTRE_A, q * q) * q / _horner(_CENTRE_B, q * q)
    error = 0.5 * math.erfc(-x / math.sqrt(2)) - p
    step = error * math.sqrt(2 * math.pi) * math.exp(x * x / 2)
    return x - step / (1 + x * step / 2)


def _tail(p: float) -> float:
    q = math.sqrt(-2 * math.log(p))
    return _horner(_TAIL_C, q) / _horner(_TAIL_D, q)


def _horner(coefficients: Sequence[float], x: float) -> float:
    value = coefficients[0]
    for coefficient in coefficients[1:]:
        value = value * x + coefficient
    return value


@lru_cache(maxsize=256)
def samples_for_interval(confidence: float) -> tuple[str, int]:
    """Return the sample size from which the interval is finite, as ``(">=", n)`` or ``(">", 50)``."""
    for n in range(2, _SEARCH_TO + 1):
        interval = median_interval(n, confidence)
        if interval.low > 0 and interval.high <= n:
            return ">=", n
    return ">", _SEARCH_TO


@lru_cache(maxsize=4096)
def _median_position(n: int) -> tuple[int, float]:
    """Hyndman and Fan's rule 8 for q = 1/2: the lower order statistic (from 1) and the weight of the next."""
    position = 1 / 3.0 + 0.5 * (n + 1 / 3.0)
    fraction, whole = math.modf(position)
    return int(whole), fraction


def median(values: Sequence[float]) -> float:
    """Median of sorted ``values``, interpolated with the rounding of Go's quantile function."""
    n = len(values)
    k, fraction = _median_position(n)
    if k <= 0:
        return values[0]
    if k >= n:
        return values[-1]
    low = values[k - 1]
    return low + fraction * (values[k] - low)
