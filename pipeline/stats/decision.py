"""One comparison: from its values to better, worse, no change beyond a stated resolution, inconclusive."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.stats import paired, sequential, unpaired
from pipeline.stats.paired import ShiftSummary
from pipeline.stats.sequential import Design
from pipeline.values import Threshold

VerdictWord = Literal["better", "worse", "no-change", "inconclusive"]
# What a comparison is judged as: a fact; on all rounds; not flagged by a screening; flagged, but with too few
# fresh rounds for a look; on its fresh rounds.
Phase = Literal["exact", "all", "screen", "suspect", "confirm"]

ALPHA = 0.05
# A change below this much of a unit is not a change anyone can act on: setup memory spread over a varying
# number of iterations moves B/op by some bytes. The floor of allocs/op only absorbs a single odd round:
# one allocation more is always a change.
FLOORS = {"B/op": 16.0, "allocs/op": 0.5}
# Without a whole allocation an operation, B/op is mostly set-up memory and moves by more than that.
FREE_FLOOR = 128.0


@dataclass(frozen=True, kw_only=True)
class Values:
    """Both sides of a comparison by round, as the test sees them: logarithms, so that a shift is a ratio,
    or (``floor`` is not None) the plain values of a unit in which only differences mean something."""

    base: tuple[float, ...]
    patched: tuple[float, ...]
    floor: float | None = None

    def first(self, n: int) -> Values:
        """The first ``n`` rounds."""
        return Values(base=self.base[:n], patched=self.patched[:n], floor=self.floor)


@dataclass(frozen=True, kw_only=True)
class Look:
    """What is known at the last look: the summary there, with an interval that covers at all looks
    together, and ``p`` after accounting for them. ``n`` is 0 before the first."""

    n: int
    summary: ShiftSummary
    p: float
    design: Design


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the data say of one comparison.

    ``summary`` is in log ratios, and NaN where there is no ratio. ``q`` is p after correction for looks and
    for the family that was judged together. ``resolution`` is a fraction: the largest change that the
    interval leaves possible. ``absolute``, where not None, is the largest change in the unit itself.
    """

    word: VerdictWord
    summary: ShiftSummary
    q: float
    resolution: float
    phase: Phase
    design: Design = "paired"
    absolute: float | None = None


def look(values: Values, design: Design) -> Look:
    """Summarise at the latest look that the number of rounds allows."""
    n = sequential.last_look(len(values.base))
    if n == 0:
        nothing = ShiftSummary(n=len(values.base), estimate=math.nan, low=-math.inf, high=math.inf, p=1.0)
        return Look(n=0, summary=nothing, p=1.0, design=design)
    at = {m: _summary(values.first(m), design, 0.95).p for m in sequential.looks_until(n)}
    confidence = 1 - sequential.level(n, ALPHA, design)
    return Look(
        n=n,
        summary=_summary(values.first(n), design, confidence),
        p=sequential.adjusted(at, design),
        design=design,
    )


def _summary(values: Values, design: Design, confidence: float) -> ShiftSummary:
    if design == "unpaired" and values.floor is None:
        return unpaired.summarize(values.base, values.patched, confidence=confidence)
    differences = [new - old for old, new in zip(values.base, values.patched, strict=True)]
    return paired.summarize(differences, confidence=confidence)


def worse_sign(lower_is_better: bool) -> int:
    """The sign of a log ratio that means worse."""
    return 1 if lower_is_better else -1


def resolution(summary: ShiftSummary) -> float:
    """The largest change, as a fraction, that the interval does not exclude."""
    bound = max(abs(summary.low), abs(summary.high))
    return math.expm1(bound) if bound < 700 else math.inf


def judge(
    found: Look, *, q: float | None, threshold: Threshold, lower_is_better: bool, phase: Phase
) -> Verdict:
    """Judge a ratio. Worse or better needs a corrected p (``q``; None where this phase may not claim one)
    within ALPHA and an estimate of at least the effect threshold. "No change" needs the whole interval
    within the margin."""
    reach = resolution(found.summary)
    effect = math.log1p(threshold.effect)
    word: VerdictWord = "inconclusive"
    if q is not None and q <= ALPHA and abs(found.summary.estimate) >= effect:
        word = "worse" if found.summary.estimate * worse_sign(lower_is_better) > 0 else "better"
    elif reach <= threshold.margin:
        word = "no-change"
    return Verdict(
        word=word,
        summary=found.summary,
        q=1.0 if q is None else q,
        resolution=reach,
        phase=phase,
        design=found.design,
    )


def judge_difference(
    found: Look, *, q: float | None, floor: float, lower_is_better: bool, phase: Phase
) -> Verdict:
    """Judge a unit by its differences: "no change" when the whole interval lies within ``floor`` (in the
    unit), worse or better when the corrected p and an estimate beyond it say so."""
    bound = max(abs(found.summary.low), abs(found.summary.high))
    word: VerdictWord = "inconclusive"
    if bound <= floor:
        word = "no-change"
    elif q is not None and q <= ALPHA and abs(found.summary.estimate) >= floor:
        word = "worse" if found.summary.estimate * worse_sign(lower_is_better) > 0 else "better"
    nothing = ShiftSummary(
        n=found.summary.n, estimate=math.nan, low=math.nan, high=math.nan, p=found.summary.p
    )
    return Verdict(
        word=word,
        summary=nothing,
        q=1.0 if q is None else q,
        resolution=math.nan,
        phase=phase,
        absolute=bound,
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
    summary = ShiftSummary(n=len(base), estimate=ratio, low=ratio, high=ratio, p=1.0 if old == new else 0.0)
    word: VerdictWord = "no-change"
    if old != new:
        word = "worse" if ratio * worse_sign(lower_is_better) > 0 else "better"
    return Verdict(word=word, summary=summary, q=summary.p, resolution=0.0, phase="exact")
