"""The rows of a cell's comparison: numbers, verdict, and benchstat's own p beside it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.records import BenchmarkLost, NoiseFloor, Screened
from pipeline.stats import analysis, drift, pairs
from pipeline.stats import summary as unpaired
from pipeline.stats.decision import Verdict

SUSPECT = "a screening suspects a change, and too few rounds came after it to confirm one"


@dataclass(frozen=True, kw_only=True)
class Center:
    """One side's median and its interval (benchstat's), in base units."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class BenchmarkRow:
    """One benchmark in one unit.

    ``n`` counts the pairs that decided: those up to the last look, and of a confirmed row the fresh ones. A
    row that is suspected and has too few of those to be confirmed is described by all its pairs.
    ``base`` and ``patched`` are over all rounds. ``ratio`` is patched/baseline by the Hodges–Lehmann
    estimate, ``ci`` an interval that covers at all looks together in 95 of 100 runs, ``p`` the test's p at
    the last look, ``q`` that corrected for the looks and for what was judged together, ``benchstat_p``
    benchstat's own. ``verdict`` is better, worse, no-change, inconclusive, or — without numbers — failed,
    missing or new. ``resolution`` is a fraction; ``absolute`` is in the unit, where the change has no
    ratio. ``design`` is paired (signed-rank) or unpaired (Mann–Whitney); ``noise`` the host's noise floor,
    the standard deviation of one pair with no change at all, as a fraction. ``drift`` is by what fraction
    the baseline itself moved by its trend over all rounds, and ``span`` its smallest and largest value.
    """

    package: str
    name: str
    unit: str
    verdict: str
    reason: str = ""
    n: int = 0
    base: Center | None = None
    patched: Center | None = None
    ratio: float = math.nan
    ci: tuple[float, float] = (math.nan, math.nan)
    p: float = math.nan
    q: float = math.nan
    benchstat_p: float = math.nan
    resolution: float = math.nan
    phase: str = ""
    design: str = ""
    noise: float = math.nan
    drift: float = math.nan
    span: tuple[float, float] = (math.nan, math.nan)
    absolute: float | None = None

    @property
    def label(self) -> str:
        """``package.Name unit`` for a sentence."""
        return f"{self.package}.{self.name}" + (f" {self.unit}" if self.unit else "")

    @property
    def change(self) -> str:
        """The change in percent with its sign; the reason where there is no number."""
        if math.isnan(self.ratio):
            return f"({self.reason})" if self.reason else ""
        return f"{100 * (self.ratio - 1):+.1f} %"


def rows(
    text: str,
    screened: Sequence[Screened],
    lost: Sequence[BenchmarkLost],
    floors: Sequence[NoiseFloor],
    rules: analysis.Rules,
) -> Iterator[BenchmarkRow]:
    """Rows in the file's order, then what was lost. Before the first screening nothing has a verdict."""
    series = pairs.collect(text.splitlines())
    gone = {(one.package, one.benchmark): one for one in lost}
    screenings = [analysis.Screening(rounds=one.rounds, flagged=tuple(one.flagged)) for one in screened]
    verdicts = analysis.judge(series, screenings, rules) if screened else {}
    noise = {pairs.Key(one.package, one.name, one.unit): one.spread for one in floors}
    for one in series:
        # A benchmark that was lost on the way has no verdict, whatever its first rounds said.
        if (one.key.package, one.key.function) in gone:
            continue
        if not one.rounds:
            yield _incomparable(one)
            continue
        row = _row(one, verdicts.get(one.key))
        yield dataclasses.replace(row, noise=noise.get(one.key, math.nan))
    for (package, benchmark), one_lost in gone.items():
        yield BenchmarkRow(
            package=package,
            name=benchmark.removeprefix("Benchmark"),
            unit="",
            verdict=one_lost.state,
            reason=f"{one_lost.side}: {one_lost.reason}",
        )


def _incomparable(one: pairs.PairedSeries) -> BenchmarkRow:
    """A series without a pair: never dropped, never "no change"."""
    alone = {"base": "only the baseline reported it", "patched": "only the patched side reported it"}
    return BenchmarkRow(
        package=one.key.package,
        name=one.key.name,
        unit=one.key.unit,
        verdict="missing",
        reason=one.conflict or alone.get(one.only, "no round has both sides"),
    )


def _center(values: Sequence[float]) -> Center:
    found = unpaired.summarize(sorted(values), 0.95)
    return Center(median=found.center, low=found.low, high=found.high)


def _row(one: pairs.PairedSeries, verdict: Verdict | None) -> BenchmarkRow:
    moved = drift.assess(one.base)
    compared = unpaired.compare(sorted(one.base), sorted(one.patched), 0.05)
    row = BenchmarkRow(
        package=one.key.package,
        name=one.key.name,
        unit=one.key.unit,
        n=len(one.rounds),
        base=_center(one.base),
        patched=_center(one.patched),
        benchstat_p=compared.p,
        drift=moved.trend if moved and one.key.unit == "sec/op" else math.nan,
        span=(min(one.base), max(one.base)),
        verdict="inconclusive",
        reason="the first rounds did not finish",
    )
    if verdict is None:
        return row
    summary = verdict.summary
    return dataclasses.replace(
        row,
        verdict=verdict.word,
        reason=SUSPECT if verdict.phase == "suspect" else "",
        n=summary.n,
        ratio=_exp(summary.estimate),
        ci=(_exp(summary.low), _exp(summary.high)),
        p=summary.p,
        q=verdict.q,
        resolution=verdict.resolution,
        phase=verdict.phase,
        design=verdict.design,
        absolute=verdict.absolute,
    )


def _exp(value: float) -> float:
    return math.inf if value >= 700 else math.exp(value)  # NaN stays NaN
