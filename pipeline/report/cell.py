"""One cell of a run, as reports see it."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.records import GateResult
from pipeline.report.benchmarks import BenchmarkRow


@dataclass(frozen=True, kw_only=True)
class CellReport:
    """One cell: how far it was exercised, its gates and its benchmarks."""

    id: str
    goos: str
    goarch: str
    exercise: str
    reason: str
    gates: tuple[GateResult, ...]
    benchmarks: tuple[BenchmarkRow, ...]
