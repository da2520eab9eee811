"""One cell of a run, as reports see it."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.records import BenchmarkRetried, BenchmarksChosen, GateResult, SameBits, TestsChosen
from pipeline.report.benchmarks import BenchmarkRow
from pipeline.report.conditions import Conditions
from pipeline.report.machine import MachineReport


@dataclass(frozen=True, kw_only=True)
class CellReport:
    """One cell: how far it was exercised, its gates and its benchmarks. ``choice`` is what was chosen to be
    measured, where the series names nothing; ``retried`` are processes that failed once; ``same_bits`` is
    the comparison of both sides' binaries, where no changed file is compiled; ``tests`` is what the test gate
    ran; ``conditions`` are what it ran under."""

    id: str
    goos: str
    goarch: str
    exercise: str
    reason: str
    gates: tuple[GateResult, ...]
    benchmarks: tuple[BenchmarkRow, ...]
    machine: MachineReport | None = None
    choice: BenchmarksChosen | None = None
    retried: tuple[BenchmarkRetried, ...] = ()
    same_bits: SameBits | None = None
    tests: tuple[TestsChosen, ...] = ()
    conditions: Conditions | None = None

    @property
    def crashing(self) -> tuple[BenchmarkRetried, ...]:
        """Failures of benchmarks that failed on the patched side alone."""
        base = {(one.package, one.benchmark) for one in self.retried if one.side == "base"}
        return tuple(one for one in self.retried if (one.package, one.benchmark) not in base)
