"""The signed-rank test, its interval and the estimate, each against a definition of its own."""

from __future__ import annotations

import itertools
import math
import random
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from pipeline.stats import decision, multiplicity, paired
from pipeline.values import Threshold

THRESHOLD = Threshold(effect=0.03, margin=0.05)
small_ints = st.lists(st.integers(-4, 4), min_size=1, max_size=9)


def brute_force_p(values: list[float]) -> float:
    """Two-sided p by trying every sign of every value that is not 0."""
    kept = [value for value in values if value]
    if not kept:
        return 1.0
    sizes = sorted(abs(value) for value in kept)
    rank = {size: statistics.mean(i + 1 for i, other in enumerate(sizes) if other == size) for size in sizes}
    ranks = [rank[abs(value)] for value in kept]
    middle = sum(ranks) / 2
    seen = abs(sum(r for r, value in zip(ranks, kept, strict=True) if value > 0) - middle)
    extreme = sum(
        abs(sum(itertools.compress(ranks, signs)) - middle) >= seen - 1e-9
        for signs in itertools.product([0, 1], repeat=len(ranks))
    )
    return float(extreme / 2 ** len(ranks))


@settings(max_examples=120, deadline=None)
@given(small_ints)
def test_p_with_ties_and_zeros_is_the_share_of_sign_patterns(values: list[int]) -> None:
    assert paired.signed_rank_p(values) == pytest.approx(brute_force_p([float(v) for v in values]), abs=1e-12)


@pytest.mark.parametrize("n", [1, 2, 5, 6, 8, 12, 20, 40])
def test_p_without_ties_agrees_with_scipy(n: int) -> None:
    rng = random.Random(n)
    for shift in (0.0, 0.3, 1.0):
        values = [rng.gauss(shift, 1) for _ in range(n)]
        expected = scipy_stats.wilcoxon(values, mode="exact").pvalue
        assert paired.signed_rank_p(values) == pytest.approx(float(expected), rel=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=12))
def test_p_does_not_care_about_direction_or_scale(values: list[float]) -> None:
    p = paired.signed_rank_p(values)
    assert 0 < p <= 1
    assert paired.signed_rank_p([-v for v in values]) == p
    assert paired.signed_rank_p([8 * v for v in values]) == p
    assert paired.signed_rank_p(values[::-1]) == p


@pytest.mark.parametrize("n", range(1, 15))
def test_smallest_p_is_that_of_values_of_one_sign(n: int) -> None:
    values = [float(k) for k in range(1, n + 1)]
    assert paired.signed_rank_p(values) == paired.smallest_p(n) == min(1.0, 2 / 2**n)


def test_six_pairs_can_reach_five_percent_and_five_cannot() -> None:
    assert paired.smallest_p(5) > 0.05 >= paired.smallest_p(6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=15))
def test_the_estimate_is_the_median_of_all_pairwise_means(values: list[float]) -> None:
    means = [(a + b) / 2 for a, b in itertools.combinations_with_replacement(values, 2)]
    assert len(paired.walsh_averages(values)) == len(means)
    assert paired.summarize(values, confidence=0.95).estimate == pytest.approx(statistics.median(means))


@pytest.mark.parametrize("n", [6, 7, 8, 10, 12, 16])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_the_interval_is_what_the_test_does_not_reject(n: int, confidence: float) -> None:
    rng = random.Random(100 * n)
    values = [rng.gauss(0.5, 1) for _ in range(n)]
    low, high = paired.interval(values, confidence=confidence)
    averages = paired.walsh_averages(values)
    # p changes only at the Walsh averages: look between each two of them.
    ends = [averages[0] - 1, *averages, averages[-1] + 1]
    accepted = [
        (a, b)
        for a, b in itertools.pairwise(ends)
        if brute_force_p_fast([v - (a + b) / 2 for v in values]) > 1 - confidence
    ]
    assert (low, high) == (accepted[0][0], accepted[-1][1])


def brute_force_p_fast(values: list[float]) -> float:
    return float(scipy_stats.wilcoxon(values, mode="exact").pvalue)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_too_few_pairs_have_no_interval(n: int) -> None:
    assert paired.interval([1.0] * n, confidence=0.95) == (-math.inf, math.inf)


def test_six_pairs_have_the_whole_range() -> None:
    assert paired.interval([3.0, 1.0, 2.0, 9.0, 4.0, 5.0], confidence=0.95) == (1.0, 9.0)


@pytest.mark.parametrize("n", [6, 10])
def test_the_interval_covers_at_its_level(n: int) -> None:
    rng = random.Random(7)
    tries, hits = 1500, 0
    for _ in range(tries):
        low, high = paired.interval([rng.uniform(-1, 1) for _ in range(n)], confidence=0.95)
        hits += low <= 0 <= high
    assert hits / tries > 0.95 - 3 * math.sqrt(0.05 * 0.95 / tries)


def test_a_hundred_rounds_are_counted_exactly() -> None:
    tails = paired.null_tails(tuple(range(1, 101)))
    assert tails[-1] == pytest.approx(1, abs=1e-12)
    assert tails[2] * 2**100 == 3  # no rank, rank 1, rank 2


# Holm


def test_holm_by_its_definition() -> None:
    p = {"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}
    # d*4, a*3, c*2, b*1, each at least the one before.
    assert multiplicity.holm(p) == pytest.approx({"d": 0.02, "a": 0.03, "c": 0.06, "b": 0.06})


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(st.integers(0, 50), st.floats(0, 1), max_size=8))
def test_holm_rejects_as_the_step_down_procedure_does(p: dict[int, float]) -> None:
    for alpha in (0.01, 0.05, 0.2):
        rejected = set()
        for index, (key, value) in enumerate(sorted(p.items(), key=lambda item: item[1])):
            if value * (len(p) - index) > alpha:
                break
            rejected.add(key)
        assert {key for key, q in multiplicity.holm(p).items() if q <= alpha} == rejected


@given(st.floats(0, 1))
def test_holm_of_one_is_itself(p: float) -> None:
    assert multiplicity.holm({"x": p}) == {"x": p}
    assert multiplicity.holm({}) == {}


# Verdicts


def logs(change: float, n: int = 12, spread: float = 0.002) -> list[float]:
    """Log ratios around a change, evenly spread."""
    return [math.log1p(change) + spread * (2 * k / (n - 1) - 1) for k in range(n)]


def judge(
    change: float, *, q: float | None = 0.001, lower: bool = True, n: int = 12, spread: float = 0.002
) -> str:
    values = decision.Values(base=(0.0,) * n, patched=tuple(logs(change, n, spread)))
    found = decision.look(values, "paired")
    return decision.judge(found, q=q, threshold=THRESHOLD, lower_is_better=lower, phase="all").word


def test_a_confirmed_large_change_has_the_direction_of_its_unit() -> None:
    assert judge(0.2) == "worse"
    assert judge(-0.2) == "better"
    assert judge(0.2, lower=False) == "better"
    assert judge(-0.2, lower=False) == "worse"


def test_without_the_right_to_claim_or_significance_nothing_is_worse() -> None:
    assert judge(0.2, q=None) == "inconclusive"
    assert judge(0.2, q=0.051) == "inconclusive"
    assert judge(0.2, q=decision.ALPHA) == "worse"


def test_a_sure_but_small_change_is_none() -> None:
    assert judge(0.029) == "no-change"
    assert judge(0.031) == "worse"
    assert judge(-0.028) == "no-change"


def test_no_change_needs_the_whole_interval_within_the_margin() -> None:
    assert judge(0.0, q=1.0) == "no-change"
    assert judge(0.0, q=1.0, spread=0.2) == "inconclusive"
    assert judge(0.0, q=1.0, n=7, spread=0.0001) == "inconclusive"  # before the first look nothing is known


def test_the_resolution_is_the_largest_change_left() -> None:
    summary = paired.ShiftSummary(n=9, estimate=0, low=math.log(0.9), high=math.log(1.05), p=1)
    assert decision.resolution(summary) == pytest.approx(1 / 0.9 - 1)
    nothing = paired.ShiftSummary(n=1, estimate=0, low=-math.inf, high=math.inf, p=1)
    assert decision.resolution(nothing) == math.inf


@pytest.mark.parametrize(
    ("base", "patched", "lower", "word"),
    [
        (3.0, 3.0, True, "no-change"),
        (3.0, 4.0, True, "worse"),
        (4.0, 3.0, True, "better"),
        (3.0, 4.0, False, "better"),
        (0.0, 0.0, True, "no-change"),
        (0.0, 1.0, True, "worse"),
        (1.0, 0.0, True, "better"),
        (0.0, 1.0, False, "better"),
    ],
)
def test_what_does_not_vary_is_compared_exactly(base: float, patched: float, lower: bool, word: str) -> None:
    found = decision.judge_exact([base] * 3, [patched] * 3, lower_is_better=lower)
    assert found is not None
    assert (found.word, found.phase) == (word, "exact")
    if base and patched:
        assert math.exp(found.summary.estimate) == pytest.approx(patched / base)


def test_what_varies_is_not_compared_exactly() -> None:
    assert decision.judge_exact([1, 1, 2], [1, 1, 1], lower_is_better=True) is None
    assert decision.judge_exact([1, 1, 1], [1, 1, 2], lower_is_better=True) is None


def difference(base: list[float], patched: list[float], q: float | None = 0.001) -> decision.Verdict:
    values = decision.Values(base=tuple(base), patched=tuple(patched), floor=16.0)
    found = decision.look(values, "paired")
    return decision.judge_difference(found, q=q, floor=16.0, lower_is_better=True, phase="all")


def test_a_difference_within_the_floor_is_none_and_beyond_it_one() -> None:
    base = [1000.0 + k % 3 for k in range(12)]
    small = difference(base, [b + 3 for b in base])
    assert (small.word, small.absolute) == ("no-change", 3)
    assert difference(base, [b + 17 for b in base]).word == "worse"
    assert difference(base, [b - 17 for b in base]).word == "better"
    assert difference(base, [b + 17 for b in base], q=0.06).word == "inconclusive"
    assert difference(base[:7], base[:7]).word == "inconclusive"  # too few pairs to say so
