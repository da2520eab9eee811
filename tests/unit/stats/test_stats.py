"""Statistics against enumeration, direct computation, scipy where it agrees, and Go's own numbers."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.stats import (
    ALL_EQUAL,
    NOT_A_NUMBER,
    compare,
    compare_exact,
    geomean,
    gomath,
    median,
    median_interval,
    rank,
    samples_for_interval,
    samples_for_test,
    sort_sample,
    summarize,
    summarize_exact,
    two_sided_p,
)
from pipeline.stats.median import normal_cdf, normal_quantile

_SMALL = st.lists(st.integers(0, 4).map(float), min_size=1, max_size=5)
_FLOATS = st.floats(-1e9, 1e9)


def twice_u(first: list[float], second: list[float]) -> int:
    """Twice the number of pairs in which the first sample is larger, ties counting half."""
    return sum(2 * (a > b) + (a == b) for a in first for b in second)


def enumerated_p(first: list[float], second: list[float]) -> Fraction | None:
    """The two-sided p-value from its definition: every way to deal the values to two samples."""
    pool = [*first, *second]
    if len(set(pool)) == 1:
        return None
    observed = twice_u(first, second)
    product = 2 * len(first) * len(second)
    if 2 * observed == product:
        return Fraction(1)
    small = min(observed, product - observed)
    tail = total = 0
    for chosen in itertools.combinations(range(len(pool)), len(first)):
        one = [pool[i] for i in chosen]
        other = [pool[i] for i in range(len(pool)) if i not in chosen]
        total += 1
        tail += twice_u(one, other) <= small
    return 2 * Fraction(tail, total)


@given(_SMALL, _SMALL)
def test_p_equals_enumeration_with_ties(first: list[float], second: list[float]) -> None:
    p = two_sided_p(rank(first, second))
    expected = enumerated_p(first, second)
    if expected is None:
        assert p is None
    else:
        assert p == pytest.approx(float(expected), rel=1e-12)


@given(st.permutations(range(9)), st.integers(1, 8))
def test_p_equals_enumeration_without_ties(values: list[int], size: int) -> None:
    first, second = [float(v) for v in values[:size]], [float(v) for v in values[size:]]
    expected = enumerated_p(first, second)
    assert expected is not None
    assert two_sided_p(rank(first, second)) == pytest.approx(float(expected), rel=1e-12)


def test_p_can_exceed_one() -> None:
    # With ties and unequal sizes the distribution is not symmetric; benchstat doubles the tail all the same.
    first, second = [1.0, 1.0, 1.0, 2.0], [1.0, 1.0]
    expected = enumerated_p(first, second)
    assert expected is not None
    assert two_sided_p(rank(first, second)) == pytest.approx(float(expected))
    worst = max(
        p
        for a in itertools.combinations_with_replacement((0.0, 1.0, 2.0), 2)
        for b in itertools.combinations_with_replacement((0.0, 1.0, 2.0), 5)
        if (p := two_sided_p(rank(list(a), list(b)))) is not None
    )
    assert worst > 1


@given(st.integers(1, 50), st.integers(1, 50), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_p_equals_scipy_without_ties(n1: int, n2: int, random) -> None:  # type: ignore[no-untyped-def]
    from scipy.stats import mannwhitneyu

    values = [float(v) for v in range(n1 + n2)]
    random.shuffle(values)
    first, second = values[:n1], values[n1:]
    expected = mannwhitneyu(first, second, alternative="two-sided", method="exact").pvalue
    assert two_sided_p(rank(first, second)) == pytest.approx(min(expected, 1.0), rel=1e-9)


@given(
    st.lists(st.integers(0, 6).map(float), min_size=26, max_size=40),
    st.lists(st.integers(0, 6).map(float), min_size=5, max_size=40),
)
@settings(max_examples=40, deadline=None)
def test_p_equals_scipy_beyond_the_exact_limit(first: list[float], second: list[float]) -> None:
    from scipy.stats import mannwhitneyu

    p = two_sided_p(rank(first, second))
    if p is None or twice_u(first, second) == len(first) * len(second):
        return
    expected = mannwhitneyu(first, second, alternative="two-sided", method="asymptotic").pvalue
    assert p == pytest.approx(expected, rel=1e-9)


def test_the_limits_of_exactness() -> None:
    def p(n1: int, n2: int) -> float:
        first = [float(i) for i in range(n1)]
        second = [i + 0.5 for i in range(n2)]
        value = two_sided_p(rank(first, second))
        assert value is not None
        return value

    def approximate(n1: int, n2: int) -> float:
        first = [float(i) for i in range(n1)]
        second = [i + 0.5 for i in range(n2)]
        u = twice_u(first, second) / 2
        z = (abs(u - n1 * n2 / 2) - 0.5) / math.sqrt(n1 * n2 * (n1 + n2 + 1) / 12)
        return math.erfc(z / math.sqrt(2))

    assert p(51, 40) == pytest.approx(approximate(51, 40), rel=1e-9)
    assert p(50, 40) != pytest.approx(approximate(50, 40), rel=1e-6)


@pytest.mark.parametrize(("n1", "exact"), [(25, True), (26, False)])
def test_the_limit_of_exactness_with_ties(n1: int, exact: bool) -> None:
    from scipy.stats import mannwhitneyu

    first, second = [float(i // 2) for i in range(n1)], [i / 2 + 3 for i in range(20)]
    rough = mannwhitneyu(first, second, alternative="two-sided", method="asymptotic").pvalue
    assert (two_sided_p(rank(first, second)) != pytest.approx(rough, rel=1e-9)) is exact


@pytest.mark.parametrize("n", range(21, 26))
def test_tied_counts_add_up(n: int) -> None:
    # The largest U takes in every choice, so the tail is the whole.
    from pipeline.stats.mannwhitney import _tied_tail

    ties = (2, 1, n - 4, 1) if n % 2 else (1, n - 5, 3, 1)
    n1 = n // 2
    assert _tied_tail(n1, ties, 2 * n1 * (n - n1)) == math.comb(n, n1)


@given(st.lists(_FLOATS, min_size=1, max_size=60))
def test_median_is_the_middle(values: list[float]) -> None:
    values.sort()
    n = len(values)
    middle = (values[(n - 1) // 2] + values[n // 2]) / 2
    assert median(values) == pytest.approx(middle, rel=1e-9, abs=1e-6)


@given(_FLOATS, _FLOATS)
def test_median_interpolates_in_the_order_of_go(one: float, other: float) -> None:
    # Not the mean of the two, which rounds otherwise; benchstat's CSV shows the last digit.
    low, high = sorted((one, other))
    assert median([low, high]) == low + 0.5 * (high - low)
    assert median([high]) == high


@given(st.integers(1, 30), st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99, 0.999]))
def test_interval_holds_its_confidence(n: int, confidence: float) -> None:
    interval = median_interval(n, confidence)
    inside = sum(Fraction(math.comb(n, k), 2**n) for k in range(interval.low, interval.high))
    assert float(inside) == pytest.approx(interval.confidence, rel=1e-9)
    assert inside >= Fraction(confidence) - Fraction(1, 10**9) or (interval.low, interval.high) == (0, n + 1)
    if n != 24:
        # No narrower pair of order statistics would do.
        best = max(
            sum(Fraction(math.comb(n, k), 2**n) for k in range(low, low + interval.high - interval.low - 1))
            for low in range(n + 2)
        )
        assert best < Fraction(confidence) + Fraction(1, 10**9)


def test_interval_for_24_has_the_quirk_of_lgamma() -> None:
    assert median_interval(24, 0.95)[1:3] == (8, 18)
    assert [median_interval(n, 0.95)[1:3] for n in (5, 6, 10, 23, 25)] == [
        (0, 5), (1, 6), (2, 9), (7, 17), (8, 18),
    ]  # fmt: skip


# Where the approximation of the tail is just short of 0.95 and the exact tail just above.
_WIDER = {43: (15, 29), 44: (15, 29), 66: (25, 42), 67: (25, 42), 93: (37, 57), 94: (37, 57)}


@pytest.mark.parametrize("n", range(31, 121))
def test_interval_beyond_30_is_near_that_of_the_exact_rule(n: int) -> None:
    low = high = math.ceil((n + 1) / 2) - 1
    high += 1
    level = Fraction(math.comb(n, low), 2**n)
    while level < Fraction(95, 100):
        if low and math.comb(n, low - 1) >= math.comb(n, high):
            low -= 1
            level += Fraction(math.comb(n, low), 2**n)
        else:
            level += Fraction(math.comb(n, high), 2**n)
            high += 1
    assert median_interval(n, 0.95)[1:3] == _WIDER.get(n, (low, high))


def test_extreme_confidence() -> None:
    assert median_interval(10, 1.0)[1:3] == (0, 11)
    assert median_interval(10, 0.0)[1:3] == (5, 6)
    assert median_interval(40, 0.0).high - median_interval(40, 0.0).low <= 1
    assert samples_for_interval(0.95) == (">=", 6)
    assert samples_for_interval(1.0) == (">", 50)
    assert samples_for_interval(0.0) == (">=", 2)


def test_samples_for_test() -> None:
    assert [samples_for_test(alpha) for alpha in (1.0, 0.1, 0.05, 0.001, 1e-5)] == [
        (">=", 1), (">=", 3), (">=", 4), (">=", 7), (">", 10),
    ]  # fmt: skip


@given(st.floats(-38, 38))
def test_normal_quantile_inverts(z: float) -> None:
    p = normal_cdf(z)
    if 1e-300 < p < 0.999:
        assert normal_quantile(p) == pytest.approx(z, rel=1e-6, abs=1e-8)


def test_summary_warns_without_an_interval() -> None:
    summary = summarize([1.0, 2.0], 0.95, "0.95")
    assert (summary.low, summary.high) == (-math.inf, math.inf)
    assert summary.warnings == ("need >= 6 samples for confidence interval at level 0.95",)
    assert summarize([1.0] * 6, 0.95, "0.95").warnings == ()


def test_comparison_warnings() -> None:
    assert compare([1.0], [2.0], 0.05, "0.05").warnings == (
        "need >= 4 samples to detect a difference at alpha level 0.05",
    )
    assert compare([1.0, 1.0], [1.0], 0.05).warnings == (ALL_EQUAL,)
    assert compare([math.nan, 1.0], [1.0], 0.05).warnings == (NOT_A_NUMBER,)
    assert compare([1.0] * 4, [2.0] * 4, 0.05).significant
    # One side is large enough, so more samples are not what is missing.
    assert compare([1.0, 5.0, 6.0, 7.0], [2.0], 0.05).warnings == ()


def test_exact_units() -> None:
    summary = summarize_exact([1.0, 2.0, 2.0, 3.0], "1", "3")
    assert (summary.center, summary.low, summary.high) == (2.0, 1.0, 3.0)
    assert summary.warnings == ("exact distribution expected, but values range from 1 to 3",)
    assert summarize_exact([1.0, 2.0], "1", "2").center == 1.0
    assert summarize_exact([4.0, 4.0], "4", "4").warnings == ()
    assert compare_exact([1.0], [2.0, 2.0])[:3] == (0.0, 1, 2)


def test_nan_sorts_first() -> None:
    ordered = sort_sample([3.0, math.nan, 1.0, math.nan, 2.0])
    assert [math.isnan(value) for value in ordered] == [True, True, False, False, False]
    assert ordered[2:] == [1.0, 2.0, 3.0]


@given(st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=30))
def test_geomean(values: list[float]) -> None:
    direct = math.exp(math.fsum(map(math.log, values)) / len(values))
    assert geomean(values) == pytest.approx(direct, rel=1e-12)


def test_geomean_needs_positive_values() -> None:
    assert geomean([]) is None
    assert geomean([1.0, 0.0]) is None
    assert geomean([1.0, -1.0]) is None
    assert geomean([math.nan]) is None
    assert geomean([1.0, math.inf]) == math.inf
    assert geomean([math.inf, 1.0]) is None  # the running mean loses itself, in Go as here


# Printed by Go 1.27 on amd64 with fused multiply-add, at arguments where the C library rounds otherwise.
@pytest.mark.parametrize(
    ("argument", "value"),
    [("0x1.35461e26b8296p+01", "0x1.c3af53ed56bp-01"), ("0x1.7019099fa8296p-02", "-0x1.05eb65cdfdd8p+00")],
)
def test_log_rounds_as_go_does(argument: str, value: str) -> None:
    x = float.fromhex(argument)
    assert gomath.log(x) == float.fromhex(value)
    assert math.log(x) != float.fromhex(value)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("-0x1.76030e78be66p+02", "0x1.7bc517702a147p-09"),
        ("0x1.32491fabddaf4p+04", "0x1.88b4368ea2c08p+27"),
        ("-0x1.ac4600ed3acd2p+04", "0x1.4de522cd31b2cp-39"),
    ],
)
def test_exp_rounds_as_go_does(argument: str, value: str) -> None:
    x = float.fromhex(argument)
    assert gomath.exp(x) == float.fromhex(value)
    assert math.exp(x) != float.fromhex(value)


@pytest.mark.parametrize(
    ("n", "value"),
    [
        (3, "0x1.62e42fefa39efp-01"),
        (7, "0x1.a51273acf01cap+02"),
        (25, "0x1.b6472034e8d13p+05"),
        (120, "0x1.c5065f9992225p+08"),
    ],
)
def test_lgamma_rounds_as_go_does(n: int, value: str) -> None:
    assert gomath.lgamma(n) == float.fromhex(value)


def test_exp_at_the_ends() -> None:
    assert gomath.exp(-math.inf) == 0
    assert gomath.exp(710.0) == math.inf
    assert gomath.exp(-800.0) == 0
    assert gomath.exp(0.0) == 1


@given(st.integers(0, 170), st.integers(0, 170))
def test_choose(n: int, k: int) -> None:
    expected = math.comb(n, k) if k <= n else 0
    assert gomath.choose(n, k) == pytest.approx(expected, rel=1e-11)
    if n <= 20:
        assert gomath.choose(n, k) == expected
