"""The rows of a cell's comparison: numbers, verdict, and benchstat's own p beside it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.records import BenchmarkLost, Screened
from pipeline.stats import analysis, pairs
from pipeline.stats import summary as unpaired
from pipeline.stats.decision import Verdict


@dataclass(frozen=True, kw_only=True)
class Center:
    """One side's median and its interval (benchstat's), in base units."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class BenchmarkRow:
    """One benchmark in one unit.

    ``n`` counts the pairs that decided: of a confirmed row, the fresh ones. ``base`` and ``patched``
    are over all rounds. ``ratio`` is patched/baseline by the paired estimate, ``ci`` its 95 % interval,
    ``p`` the exact signed-rank p, ``q`` that corrected for the confirmations made together,
    ``benchstat_p`` the unpaired Mann–Whitney p. ``verdict`` is better, worse, no-change, inconclusive,
    or — without numbers — failed, missing or new. ``resolution`` is a fraction; ``absolute`` is in the
    unit, where the change is too small to have a ratio.
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
    text: str, screened: Screened | None, lost: Sequence[BenchmarkLost], rules: analysis.Rules
) -> Iterator[BenchmarkRow]:
    """Rows in the file's order, then what was lost. Before screening ended nothing has a verdict."""
    series = pairs.collect(text.splitlines())
    gone = {(one.package, one.benchmark): one for one in lost}
    flagged = screened.flagged if screened else []
    after = screened.rounds if screened else 0
    verdicts = analysis.judge(series, flagged, after, rules) if screened else {}
    for one in series:
        # A benchmark that was lost on the way has no verdict, whatever its first rounds said.
        if (one.key.package, one.key.function) not in gone and one.rounds:
            yield _row(one, verdicts.get(one.key))
    for (package, benchmark), one_lost in gone.items():
        yield BenchmarkRow(
            package=package,
            name=benchmark.removeprefix("Benchmark"),
            unit="",
            verdict=one_lost.state,
            reason=f"{one_lost.side}: {one_lost.reason}",
        )


def _center(values: Sequence[float]) -> Center:
    found = unpaired.summarize(sorted(values), 0.95)
    return Center(median=found.center, low=found.low, high=found.high)


def _row(one: pairs.PairedSeries, verdict: Verdict | None) -> BenchmarkRow:
    compared = unpaired.compare(sorted(one.base), sorted(one.patched), 0.05)
    row = BenchmarkRow(
        package=one.key.package,
        name=one.key.name,
        unit=one.key.unit,
        n=len(one.rounds),
        base=_center(one.base),
        patched=_center(one.patched),
        benchstat_p=compared.p,
        verdict="inconclusive",
        reason="screening did not finish",
    )
    if verdict is None:
        return row
    summary = verdict.summary
    return dataclasses.replace(
        row,
        verdict=verdict.word,
        reason="",
        n=summary.n,
        ratio=_exp(summary.estimate),
        ci=(_exp(summary.low), _exp(summary.high)),
        p=summary.p,
        q=verdict.q,
        resolution=verdict.resolution,
        phase=verdict.phase,
        absolute=verdict.absolute,
    )


def _exp(value: float) -> float:
    return math.inf if value >= 700 else math.exp(value)  # NaN stays NaN
