"""From paired samples to one of: better, worse, no change beyond a stated resolution, inconclusive.

Screening on the first rounds only flags; a flagged series is judged on fresh rounds alone, and the
confirmations are corrected together (Holm). Looking again at the same data until it pleases is what
this avoids.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from pipeline.stats.paired import PairedSummary, summarize
from pipeline.values import Threshold

VerdictWord = Literal["better", "worse", "no-change", "inconclusive"]
Key = TypeVar("Key")

ALPHA = 0.05
# A change below this much of a unit is not a change anyone can act on: setup memory spread over a varying
# number of iterations moves B/op by some bytes. The floor of allocs/op only absorbs a single odd round:
# one allocation more is always a change.
FLOORS = {"B/op": 16.0, "allocs/op": 0.5}
# Without a whole allocation an operation, B/op is mostly set-up memory and moves by more than that.
FREE_FLOOR = 128.0
# Screening may flag generously: what it flags costs rounds, not a false alarm.
SCREEN_ALPHA = 0.10


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the data say of one series.

    ``summary`` is in log ratios. ``resolution`` is a fraction: the largest change that the interval
    leaves possible. ``q`` is p after correction for the family that was judged together. ``absolute``,
    where it is not None, is the largest change in the unit itself: the interval lies within its floor.
    """

    word: VerdictWord
    summary: PairedSummary
    q: float
    resolution: float
    phase: Literal["screen", "confirm", "exact"]
    absolute: float | None = None


def holm(p_values: Mapping[Key, float]) -> dict[Key, float]:
    """Holm's step-down adjusted p-values: control the chance of any false alarm in the family."""
    adjusted: dict[Key, float] = {}
    running = 0.0
    ordered = sorted(p_values.items(), key=lambda item: item[1])
    for index, (key, p) in enumerate(ordered):
        running = max(running, min(1.0, p * (len(ordered) - index)))
        adjusted[key] = running
    return adjusted


def worse_sign(lower_is_better: bool) -> int:
    """The sign of a log ratio that means worse."""
    return 1 if lower_is_better else -1


def flagged(logs: Sequence[float]) -> bool:
    """Whether screening wants this series confirmed on fresh rounds."""
    return summarize(logs, confidence=1 - SCREEN_ALPHA).p <= SCREEN_ALPHA


def resolution(summary: PairedSummary) -> float:
    """The largest change, as a fraction, that the interval does not exclude."""
    bound = max(abs(summary.low), abs(summary.high))
    return math.expm1(bound) if bound < 700 else math.inf


def judge(
    logs: Sequence[float],
    *,
    q: float,
    threshold: Threshold,
    lower_is_better: bool,
    phase: Literal["screen", "confirm"],
) -> Verdict:
    """Judge one series on the rounds given.

    Worse or better needs three things: fresh rounds, a corrected p within ALPHA, and an estimate of
    at least the effect threshold. "No change" needs the whole interval within the margin.
    """
    summary = summarize(logs, confidence=1 - ALPHA)
    reach = resolution(summary)
    significant = phase == "confirm" and q <= ALPHA
    effect = math.log1p(threshold.effect)
    word: VerdictWord
    if significant and abs(summary.estimate) >= effect:
        word = "worse" if summary.estimate * worse_sign(lower_is_better) > 0 else "better"
    elif reach <= threshold.margin:
        word = "no-change"
    else:
        word = "inconclusive"
    return Verdict(word=word, summary=summary, q=q, resolution=reach, phase=phase)


def judge_floor(base: Sequence[float], patched: Sequence[float], floor: float) -> Verdict | None:
    """ "No change" when the interval of the difference itself lies within ``floor``; None otherwise."""
    differences = [new - old for old, new in zip(base, patched, strict=True)]
    summary = summarize(differences, confidence=1 - ALPHA)
    bound = max(abs(summary.low), abs(summary.high))
    if not bound <= floor:
        return None
    nothing = PairedSummary(n=summary.n, estimate=math.nan, low=math.nan, high=math.nan, p=summary.p)
    return Verdict(
        word="no-change", summary=nothing, q=1.0, resolution=math.nan, phase="screen", absolute=bound
    )


def judge_exact(base: Sequence[float], patched: Sequence[float], *, lower_is_better: bool) -> Verdict | None:
    """A unit that does not vary within a side is compared exactly; None when it does vary."""
    if len(set(base)) != 1 or len(set(patched)) != 1:
        return None
    old, new = base[0], patched[0]
    if old == new:
        ratio = 0.0
    elif old > 0 and new > 0:
        ratio = math.log(new / old)
    else:
        ratio = math.copysign(math.inf, new - old)
    summary = PairedSummary(n=len(base), estimate=ratio, low=ratio, high=ratio, p=1.0 if old == new else 0.0)
    word: VerdictWord = "no-change"
    if old != new:
        word = "worse" if ratio * worse_sign(lower_is_better) > 0 else "better"
    return Verdict(word=word, summary=summary, q=summary.p, resolution=0.0, phase="exact")
