"""One cell of a run, as reports see it."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.records import BenchmarksChosen, GateResult
from pipeline.report.benchmarks import BenchmarkRow
from pipeline.report.machine import MachineReport


@dataclass(frozen=True, kw_only=True)
class CellReport:
    """One cell: how far it was exercised, its gates and its benchmarks. ``choice`` is what was chosen to be
    measured, where the series names nothing."""

    id: str
    goos: str
    goarch: str
    exercise: str
    reason: str
    gates: tuple[GateResult, ...]
    benchmarks: tuple[BenchmarkRow, ...]
    machine: MachineReport | None = None
    choice: BenchmarksChosen | None = None
