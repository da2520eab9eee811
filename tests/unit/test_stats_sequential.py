"""Looks, the unpaired design, noise floors and families, each against an answer of its own."""

from __future__ import annotations

import itertools
import math
import random
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from pipeline.stats import drift, floor, multiplicity, paired, sequential, unpaired
from pipeline.stats.sequential import DESIGNS, Design


def test_looks_rise_and_are_found() -> None:
    looks = sequential.LOOKS
    assert all(a < b for a, b in itertools.pairwise(looks))
    for n in range(1, sequential.LAST + 10):
        before = [one for one in looks if one <= n]
        assert sequential.looks_until(n) == tuple(before)
        assert sequential.last_look(n) == (before[-1] if before else 0)
        after = [one for one in looks if one > n]
        assert sequential.next_look(n) == (after[0] if after else sequential.LAST)


def test_the_first_look_can_decide_and_fewer_pairs_could_not() -> None:
    assert paired.smallest_p(sequential.FIRST) <= sequential.level(sequential.FIRST, 0.05, "paired")
    assert paired.smallest_p(sequential.FIRST - 1) > sequential.level(sequential.FIRST, 0.05, "paired")


@pytest.mark.parametrize("design", DESIGNS)
def test_more_looks_never_make_a_p_larger_and_one_never_less_than_it_is(design: Design) -> None:
    assert sequential.adjusted({}, design) == 1.0
    for p in (1e-9, 1e-5, 0.001, 0.01, 0.2, 1.0):
        one = sequential.adjusted({8: p}, design)
        assert p <= one <= 1
        assert sequential.adjusted({8: p, 10: p / 3}, design) <= one
        assert sequential.adjusted({8: p, 10: 1.0}, design) == one


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("alpha", [0.001, 0.0125, 0.05, 0.1])
def test_level_and_adjusted_p_agree(design: Design, alpha: float) -> None:
    for n in (8, 14, 50, 200):
        limit = sequential.level(n, alpha, design)
        assert sequential.adjusted({n: limit * 0.999}, design) <= alpha
        assert sequential.adjusted({n: limit * 1.06}, design) > alpha  # the table's steps are 5 %


def test_below_the_table_the_sum_over_looks_bounds() -> None:
    total = sum(math.sqrt(8 / n) for n in sequential.LOOKS)
    assert sequential.adjusted({8: 1e-12}, "paired") == pytest.approx(1e-12 * total / sequential.SPENT)


# Unpaired


def test_the_unpaired_p_and_estimate_against_scipy_and_enumeration() -> None:
    rng = random.Random(3)
    for n in (4, 8, 12, 30):
        base, other = ([rng.gauss(m, 1) for _ in range(n)] for m in (0, 0.4))
        found = unpaired.summarize(base, other, confidence=0.95)
        expected = scipy_stats.mannwhitneyu(base, other, method="exact").pvalue
        assert found.p == pytest.approx(float(expected), rel=1e-9)
        assert found.estimate == pytest.approx(statistics.median(b - a for a in base for b in other))


@pytest.mark.parametrize("n", [5, 8, 12])
def test_the_unpaired_interval_is_what_the_test_does_not_reject(n: int) -> None:
    rng = random.Random(n)
    base, other = ([rng.gauss(m, 1) for _ in range(n)] for m in (0, 0.4))
    found = unpaired.summarize(base, other, confidence=0.95)
    shifts = sorted(b - a for a in base for b in other)
    ends = [shifts[0] - 1, *shifts, shifts[-1] + 1]
    accepted = [
        (low, high)
        for low, high in itertools.pairwise(ends)
        if scipy_stats.mannwhitneyu([a + (low + high) / 2 for a in base], other, method="exact").pvalue > 0.05
    ]
    assert (found.low, found.high) == (accepted[0][0], accepted[-1][1])


def test_the_unpaired_interval_is_infinite_where_nothing_can_be_rejected() -> None:
    assert unpaired.summarize([1.0, 2.0], [1.5, 3.0], confidence=0.95).low == -math.inf


# Families


def test_benjamini_hochberg_agrees_with_scipy() -> None:
    rng = np.random.default_rng(4)
    for size in (1, 2, 7, 30):
        p = rng.random(size) ** 3
        found = multiplicity.benjamini_hochberg(dict(enumerate(p.tolist())))
        assert [found[k] for k in range(size)] == pytest.approx(
            scipy_stats.false_discovery_control(p).tolist()
        )
    assert multiplicity.benjamini_hochberg({}) == {}


# Noise floors


def session(rng: random.Random, pairs: int, *, shared: float, own: float) -> list[tuple[float, float]]:
    found = []
    for _ in range(pairs):
        common = rng.gauss(0, shared)
        found.append((math.exp(common + rng.gauss(0, own)), math.exp(common + rng.gauss(0, own))))
    return found


def test_a_floor_finds_spread_and_likeness() -> None:
    rng = random.Random(5)
    found = floor.assess([session(rng, 400, shared=0.03, own=0.01)])
    assert found is not None
    assert found.pairs == 400
    assert found.spread == pytest.approx(0.01 * math.sqrt(2), rel=0.15)
    assert found.likeness == pytest.approx(0.9, abs=0.05)
    assert found.design == "paired"


def test_unlike_neighbours_are_judged_unpaired_once_that_is_known() -> None:
    rng = random.Random(6)
    pairs = session(rng, 400, shared=0.0, own=0.02)
    known, early = floor.assess([pairs]), floor.assess([pairs[: floor.ENOUGH_PAIRS - 1]])
    assert known is not None
    assert early is not None
    assert (known.design, early.design) == ("unpaired", "paired")


def test_runs_that_oppose_each_other_are_judged_paired() -> None:
    rng = random.Random(11)
    shifts = [rng.gauss(0, 0.02) for _ in range(200)]
    pairs = [(math.exp(x + rng.gauss(0, 0.01)), math.exp(-x)) for x in shifts]
    found = floor.assess([pairs])
    assert found is not None
    assert found.likeness < -0.5
    assert found.design == "paired"


def test_likeness_is_taken_within_sessions() -> None:
    """A machine that was faster last week does not make its neighbouring runs alike."""
    rng = random.Random(7)
    sessions = [
        [(a * level, b * level) for a, b in session(rng, 20, shared=0.0, own=0.02)] for level in (1.0, 3.0)
    ]
    found = floor.assess(sessions)
    assert found is not None
    assert abs(found.likeness) < 0.3


def test_a_floor_of_nothing_and_of_constants() -> None:
    assert floor.assess([]) is None
    assert floor.assess([[(0.0, 1.0), (math.nan, 1.0)]]) is None
    same = floor.assess([[(2.0, 2.0)] * 40])
    assert same is not None
    assert (same.spread, same.design) == (0.0, "paired")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(1e-9, 1e9), st.floats(1e-9, 1e9)), min_size=1, max_size=40))
def test_a_floor_never_fails(pairs: list[tuple[float, float]]) -> None:
    found = floor.assess([pairs])
    assert found is not None
    assert found.spread >= 0


# Drift


def test_drift_is_the_way_from_the_first_round_to_the_last() -> None:
    rng = random.Random(8)
    values = [math.exp(0.1 * k / 39 + rng.gauss(0, 0.005)) for k in range(40)]
    values[7] *= 3  # one wild round moves neither figure
    found = drift.assess(values)
    assert found is not None
    assert found.trend == pytest.approx(math.expm1(0.1), abs=0.01)
    slope = scipy_stats.theilslopes(np.log(values), np.arange(40)).slope
    assert found.trend == pytest.approx(math.expm1(39 * float(slope)))
    assert 0.02 < found.wander < 0.06


def test_no_drift_of_too_few_rounds_or_of_zeros() -> None:
    assert drift.assess([1.0] * (drift.ENOUGH_ROUNDS - 1)) is None
    assert drift.assess([0.0] * 20) is None
    same = drift.assess([2.0] * 20)
    assert same == drift.Drift(trend=0.0, wander=0.0)
