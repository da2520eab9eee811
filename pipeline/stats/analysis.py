"""The rules of a whole cell: which comparisons form the family, what screening flags, every verdict.

A small family is judged on all its rounds, corrected for its size. In a larger one screening picks what may
have changed, and what it picks is judged on fresh rounds alone, corrected for how many were picked.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.stats import decision, multiplicity, paired, sequential
from pipeline.stats.decision import Phase, Values, Verdict
from pipeline.stats.paired import ShiftSummary
from pipeline.stats.pairs import Key, PairedSeries
from pipeline.stats.sequential import Design
from pipeline.values import Threshold

# Correcting for all comparisons costs fewer rounds than screening and confirming on fresh ones
# (docs/statistics.md has the table). Beyond this many, the largest estimate is large by selection as well,
# and fresh rounds are worth their price.
SMALL_FAMILY = 4
# The share of false discoveries that screening may have: a flag costs rounds, not a false alarm.
SCREEN_SHARE = 0.20
_SCREEN_CONFIDENCE = 0.90


@dataclass(frozen=True, kw_only=True)
class Screening:
    """One screening: after which round, and the comparisons (``str`` of their keys) that it flagged."""

    rounds: int
    flagged: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What decides: the threshold, those of single units, and the design (paired unless named) of each
    comparison by ``str`` of its key. All are fixed before the first round."""

    threshold: Threshold
    units: Mapping[str, Threshold] = field(default_factory=dict)
    designs: Mapping[str, Design] = field(default_factory=dict)

    def of(self, unit: str) -> Threshold:
        """The threshold of a unit."""
        return self.units.get(unit, self.threshold)

    def design(self, key: Key) -> Design:
        """The design by which a comparison is judged."""
        return self.designs.get(str(key), "paired")


@dataclass(frozen=True, kw_only=True)
class _Row:
    """One comparison: ``settled`` where it needs no family (exact, or within the floor of its unit), else
    the ``values`` to judge."""

    series: PairedSeries
    values: Values
    settled: Verdict | None

    @property
    def key(self) -> Key:
        return self.series.key


def flag(
    series: Sequence[PairedSeries], screenings: Sequence[Screening], rules: Rules, left: int
) -> list[Key]:
    """What this screening flags: comparisons not flagged before whose change might be real (within the
    allowed share of false discoveries) and large enough to count. Nothing in a small family, nor where the
    ``left`` rounds until the cap are too few to confirm anything."""
    family = [row for row in _rows(series, rules) if row.settled is None]
    if len(family) <= SMALL_FAMILY or left < sequential.FIRST:
        return []
    before = _flag_rounds(screenings)
    summaries = {row.key: _screened(row.values) for row in family if str(row.key) not in before}
    # What was flagged before keeps its place in the family, and is not flagged again.
    p_values = {row.key: summaries[row.key].p if row.key in summaries else 1.0 for row in family}
    shares = multiplicity.benjamini_hochberg(p_values)
    counts = {row.key: _counts(row, rules) for row in family}
    return [
        key
        for key, summary in summaries.items()
        if shares[key] <= SCREEN_SHARE and max(abs(summary.low), abs(summary.high)) >= counts[key]
    ]


def _screened(values: Values) -> ShiftSummary:
    differences = [new - old for old, new in zip(values.base, values.patched, strict=True)]
    return paired.summarize(differences, confidence=_SCREEN_CONFIDENCE)


def _counts(row: _Row, rules: Rules) -> float:
    """The smallest shift that counts, on the scale of the row's values."""
    if row.values.floor is not None:
        return row.values.floor
    return math.log1p(rules.of(row.key.unit).effect)


def judge(
    series: Sequence[PairedSeries], screenings: Sequence[Screening], rules: Rules
) -> dict[Key, Verdict]:
    """A verdict for every series with at least one pair, from the rounds so far.

    In a small family each comparison is judged on all rounds; in a larger one a flagged comparison on the
    rounds after the screening that flagged it, and the others can at most be found unchanged. Until there
    are enough of those rounds for a look, a flagged comparison is open, and described by all its rounds. The
    p-values of what may be claimed are corrected together (Holm), each after accounting for repeated looks.
    """
    rows = _rows(series, rules)
    family = [row for row in rows if row.settled is None]
    small = len(family) <= SMALL_FAMILY
    before = {} if small else _flag_rounds(screenings)
    phases = {row.key: _phase(row, small, before.get(str(row.key))) for row in family}
    looks = {
        row.key: decision.look(_judged(row, phases[row.key], before), rules.design(row.key)) for row in family
    }
    # What is suspected has its place among the confirmations before it can be one.
    q_values = multiplicity.holm(
        {
            key: 1.0 if phases[key] == "suspect" else found.p
            for key, found in looks.items()
            if phases[key] != "screen"
        }
    )
    return {
        row.key: row.settled or _verdict(row, looks[row.key], q_values.get(row.key), rules, phases[row.key])
        for row in rows
    }


def _phase(row: _Row, small: bool, flagged: int | None) -> Phase:
    if small:
        return "all"
    if flagged is None:
        return "screen"
    return "confirm" if len(row.series.after(flagged).rounds) >= sequential.FIRST else "suspect"


def pending(
    series: Sequence[PairedSeries], screenings: Sequence[Screening], verdicts: Mapping[Key, Verdict]
) -> dict[Key, int]:
    """How many more rounds each inconclusive comparison needs to its next look; none for one that has
    passed its last."""
    before = _flag_rounds(screenings)
    wanted = {}
    for one in series:
        verdict = verdicts.get(one.key)
        if verdict is None or verdict.word != "inconclusive":
            continue
        after = before.get(str(one.key)) if verdict.phase in {"suspect", "confirm"} else None
        count = len(one.rounds) if after is None else len(one.after(after).rounds)
        if count < sequential.LAST:
            wanted[one.key] = sequential.next_look(count) - count
    return wanted


def _judged(row: _Row, phase: Phase, flagged: Mapping[str, int]) -> Values:
    """All rounds, or to confirm, those after the screening that flagged the row."""
    if phase != "confirm":
        return row.values
    return _values(row.series.after(flagged[str(row.key)]), row.values.floor)


def _verdict(row: _Row, found: decision.Look, q: float | None, rules: Rules, phase: Phase) -> Verdict:
    lower = row.series.lower_is_better
    if row.values.floor is not None:
        verdict = decision.judge_difference(
            found, q=q, floor=row.values.floor, lower_is_better=lower, phase=phase
        )
    else:
        verdict = decision.judge(
            found, q=q, threshold=rules.of(row.key.unit), lower_is_better=lower, phase=phase
        )
    return dataclasses.replace(verdict, word="inconclusive") if phase == "suspect" else verdict


def _rows(series: Sequence[PairedSeries], rules: Rules) -> list[_Row]:
    free = _allocation_free(series)
    return [_row(one, _floor(one.key, free), rules.units.get(one.key.unit)) for one in series if one.rounds]


def _row(one: PairedSeries, floor: float | None, threshold: Threshold | None) -> _Row:
    settled = _exact(one, floor, threshold)
    if settled is None and floor is not None:
        small = decision.judge_difference(
            decision.look(_values(one, floor), "paired"),
            q=None,
            floor=floor,
            lower_is_better=one.lower_is_better,
            phase="all",
        )
        settled = small if small.word == "no-change" else None
    # Zeros on one side have no ratio: differences say what there is to say.
    return _Row(series=one, values=_values(one, None if one.logs() else floor or 0.0), settled=settled)


def _exact(one: PairedSeries, floor: float | None, threshold: Threshold | None) -> Verdict | None:
    """The verdict of a unit that does not vary within a side, where that is a fact: of as many rounds as a
    first look has, by more than the unit's floor, and by more than what counts where the unit has a
    ``threshold`` of its own."""
    if not _deterministic(one):
        return None
    found = decision.judge_exact(one.base, one.patched, lower_is_better=one.lower_is_better)
    if found is None or found.word == "no-change":
        return found
    change = abs(found.summary.estimate)
    small = threshold is not None and change < math.log1p(threshold.effect)
    tiny = floor is not None and abs(one.patched[0] - one.base[0]) <= floor
    return None if small or tiny or len(one.rounds) < sequential.FIRST else found


def _values(one: PairedSeries, floor: float | None) -> Values:
    if floor is not None:
        return Values(base=one.base, patched=one.patched, floor=floor)
    return Values(base=tuple(map(math.log, one.base)), patched=tuple(map(math.log, one.patched)))


def _flag_rounds(screenings: Sequence[Screening]) -> dict[str, int]:
    found: dict[str, int] = {}
    for screening in screenings:
        for name in screening.flagged:
            found.setdefault(name, screening.rounds)
    return found


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


def _deterministic(one: PairedSeries) -> bool:
    """Counts and sizes that did not vary are facts; a time that did not vary is a coarse clock."""
    return one.key.unit in {"allocs/op", "B/op"} or not one.key.unit.startswith(("sec", "ns"))
