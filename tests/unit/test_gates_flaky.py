"""The bound on false charges that pipeline/gates/flaky.py states, computed and simulated."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace

import pytest
from scipy import stats

from pipeline.gates import flaky
from pipeline.gates.flaky import Counts, judge


def after_repeats(base: float, patched: float) -> dict[str, float]:
    """How likely each verdict is for tests that fail with these probabilities, exactly: every path through
    the rounds of one repetition on either side."""
    states = {Counts(): 1.0}
    verdicts: dict[str, float] = defaultdict(float)
    while states:
        following: dict[Counts, float] = defaultdict(float)
        for counts, weight in states.items():
            word = judge(counts)
            if word != "open":
                verdicts[word] += weight
                continue
            for old, p_old in ((1, base), (0, 1 - base)):
                for new, p_new in ((1, patched), (0, 1 - patched)):
                    step = Counts(
                        base_failed=counts.base_failed + old,
                        base_runs=counts.base_runs + 1,
                        patched_failed=counts.patched_failed + new,
                        patched_runs=counts.patched_runs + 1,
                    )
                    following[step] += weight * p_old * p_new
        states = following
    return verdicts


def charged(verdicts: dict[str, float]) -> float:
    return verdicts.get("fails", 0.0) + verdicts.get("fails-more", 0.0)


def picked(p: float) -> float:
    return p * (1 - p) + p * p * (1 - p)


def test_a_test_that_flakes_alike_on_both_sides_is_hardly_ever_charged() -> None:
    grid = [n / 200 for n in range(1, 200)]
    assert max(map(picked, grid)) <= 0.385
    repeated = {p: charged(after_repeats(p, p)) for p in grid}
    # What is said of the repetitions alone, two looks at 1/200 each, and of the whole.
    assert max(repeated.values()) <= 2 * flaky.ALPHA
    worst = max(grid, key=lambda p: picked(p) * repeated[p])
    assert worst == pytest.approx(0.5, abs=0.05)
    assert picked(worst) * repeated[worst] == pytest.approx(0.0004, abs=0.00005)


def test_what_the_patch_breaks_is_charged_as_often_as_is_said() -> None:
    assert charged(after_repeats(0.0, 1.0)) == 1
    assert charged(after_repeats(0.0, 0.5)) == pytest.approx(0.94, abs=0.01)
    assert charged(after_repeats(0.0, 1 / 3)) == pytest.approx(0.52, abs=0.01)
    seldom = after_repeats(0.0, 0.05)
    assert seldom["unsettled"] > 0.99
    # A baseline that flakes now and then excuses no test that fails every time with the patch.
    assert charged(after_repeats(0.1, 1.0)) > 0.95


def test_the_exact_numbers_are_those_of_a_simulation() -> None:
    draw = random.Random(4)  # a simulation
    runs, hits = 4000, 0
    for _ in range(runs):
        counts = Counts()
        while judge(counts) == "open":
            counts = Counts(
                base_failed=counts.base_failed,
                base_runs=counts.base_runs + 1,
                patched_failed=counts.patched_failed + (draw.random() < 1 / 3),
                patched_runs=counts.patched_runs + 1,
            )
        hits += judge(counts) in {"fails", "fails-more"}
    assert hits / runs == pytest.approx(charged(after_repeats(0.0, 1 / 3)), abs=0.03)


@pytest.mark.parametrize(
    ("base", "patched"),
    [((0, 5), (5, 5)), ((0, 20), (7, 20)), ((3, 9), (4, 8)), ((0, 4), (0, 4)), ((1, 20), (20, 20))],
)
def test_fisher_is_fishers(base: tuple[int, int], patched: tuple[int, int]) -> None:
    counts = Counts(
        base_failed=base[0], base_runs=base[1], patched_failed=patched[0], patched_runs=patched[1]
    )
    table = [[patched[0], patched[1] - patched[0]], [base[0], base[1] - base[0]]]
    assert counts.p == pytest.approx(stats.fisher_exact(table, alternative="greater").pvalue)


def test_few_enough_failures_to_be_charged_are_those_of_the_docstring() -> None:
    last = Counts(base_runs=flaky.LAST_LOOK, patched_runs=flaky.LAST_LOOK)
    assert judge(replace(last, patched_failed=7)) == "fails-more"
    assert judge(replace(last, patched_failed=6)) == "unsettled"
    assert 1 / replace(last, patched_failed=7).p == pytest.approx(240, abs=1)
    first = Counts(base_runs=5, patched_runs=5, patched_failed=5)
    assert judge(first) == "fails"
    assert 1 / first.p == pytest.approx(252)
    assert judge(replace(first, patched_failed=4)) == "open"


def test_a_verdict_whose_time_is_up_charges_nobody() -> None:
    few = Counts(base_runs=3, patched_runs=3, patched_failed=3)
    assert judge(few) == "open"
    assert judge(few, over=True) == "unsettled"
    assert judge(Counts(), over=True) == "unsettled"
    assert judge(replace(few, base_failed=3), over=True) == "baseline-fails"
    assert judge(replace(few, base_failed=1), over=True) == "flaky"
