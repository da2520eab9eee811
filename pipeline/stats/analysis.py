"""The rules of a whole cell: what screening flags, and the verdict of every series."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pipeline.stats import decision
from pipeline.stats.decision import Verdict
from pipeline.stats.paired import PairedSummary, summarize
from pipeline.stats.pairs import Key, PairedSeries
from pipeline.values import Threshold


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What decides: the thresholds and how many fresh rounds a confirmation has."""

    threshold: Threshold
    confirm_rounds: int


def flag(series: Sequence[PairedSeries], rules: Rules) -> list[Key]:
    """The series that need confirming: an effect that might be real and might be large enough to count."""
    effect = math.log1p(rules.threshold.effect)
    free = _allocation_free(series)
    chosen = []
    for one in series:
        logs = one.logs()
        # A sub-benchmark or unit that one side alone has is in no pair: `logs` is empty.
        if not logs or _constant(one) or _within_floor(one, _floor(one.key, free)):
            continue
        summary = summarize(logs, confidence=1 - decision.SCREEN_ALPHA)
        if decision.flagged(logs) and max(abs(summary.low), abs(summary.high)) >= effect:
            chosen.append(one.key)
    return chosen


def judge(
    series: Sequence[PairedSeries], flagged: Collection[str], screened_rounds: int, rules: Rules
) -> dict[Key, Verdict]:
    """A verdict for every series with at least one pair.

    A flagged series is judged on rounds after ``screened_rounds`` alone; its p on the first
    ``confirm_rounds`` of them, whatever was measured later, so that going on cannot make an alarm.
    """
    fresh = {
        one.key: one.after(screened_rounds)
        for one in series
        if str(one.key) in flagged and not _constant(one)
    }
    p_values = {}
    for key, one in fresh.items():
        logs = one.first(rules.confirm_rounds).logs()
        if logs and len(logs) >= rules.confirm_rounds:
            p_values[key] = summarize(logs, confidence=1 - decision.ALPHA).p
    q_values = decision.holm(p_values)
    free = _allocation_free(series)
    return {
        one.key: _judge_one(one, fresh.get(one.key), q_values.get(one.key), rules, _floor(one.key, free))
        for one in series
        if one.rounds
    }


def _allocation_free(series: Sequence[PairedSeries]) -> set[tuple[str, str]]:
    """Benchmarks (package, name) whose median is 0 allocs/op on both sides."""
    return {
        (one.key.package, one.key.name)
        for one in series
        if one.key.unit == "allocs/op"
        and one.rounds
        and statistics.median(one.base) == statistics.median(one.patched) == 0
    }


def _floor(key: Key, free: Collection[tuple[str, str]]) -> float | None:
    """The change in the unit itself below which nothing counts; None where only ratios count.

    allocs/op is rounded down, so 0 means less than one allocation an operation: most of B/op is then
    set-up memory spread over however many iterations there were. It still counts beyond a bound.
    """
    if key.unit == "B/op" and (key.package, key.name) in free:
        return decision.FREE_FLOOR
    return decision.FLOORS.get(key.unit)


def _constant(one: PairedSeries) -> bool:
    return len(set(one.base)) == 1 and len(set(one.patched)) == 1


def _within_floor(one: PairedSeries, floor: float | None) -> bool:
    return floor is not None and decision.judge_floor(one.base, one.patched, floor) is not None


def _judge_one(
    one: PairedSeries, fresh: PairedSeries | None, q: float | None, rules: Rules, floor: float | None
) -> Verdict:
    exact = decision.judge_exact(one.base, one.patched, lower_is_better=one.lower_is_better)
    if exact is not None and _deterministic(one):
        return exact
    data = fresh if fresh is not None and fresh.rounds else one
    if floor is not None and (small := decision.judge_floor(data.base, data.patched, floor)):
        return small
    logs = data.logs()
    if logs is None:  # zeros on one side and noise on the other have no ratio
        nothing = PairedSummary(n=len(data.rounds), estimate=math.nan, low=-math.inf, high=math.inf, p=1.0)
        return Verdict(word="inconclusive", summary=nothing, q=1.0, resolution=math.inf, phase="screen")
    return decision.judge(
        logs,
        q=1.0 if q is None else q,
        threshold=rules.threshold,
        lower_is_better=one.lower_is_better,
        phase="confirm" if q is not None else "screen",
    )


def _deterministic(one: PairedSeries) -> bool:
    """Counts and sizes that did not vary are facts; a time that did not vary is a coarse clock."""
    return one.key.unit in {"allocs/op", "B/op"} or not one.key.unit.startswith(("sec", "ns"))
