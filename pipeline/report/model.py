"""The result of a run as one value, computed from its records and benchmark files and nothing else."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pipeline.records import (
    BenchmarkLost,
    BenchmarkRetried,
    BenchmarksChosen,
    CellEnded,
    CommandRan,
    GateResult,
    LintFinding,
    MachineChecked,
    NoiseFloor,
    OverlayDropped,
    PatchApplied,
    Record,
    RoundEnded,
    RunEnded,
    RunStarted,
    SameBits,
    Screened,
    SeriesRead,
    SourceFetched,
    StageEnded,
    TestsChosen,
    ToolchainReady,
)
from pipeline.report import compiling, conditions, gates, machine, verdict
from pipeline.report.benchmarks import BenchmarkRow, rows
from pipeline.report.cell import CellReport
from pipeline.report.compiling import CompileReport
from pipeline.stats.analysis import Rules
from pipeline.stats.pairs import Key
from pipeline.values import Threshold

SCHEMA_VERSION = 1
R = TypeVar("R", bound=Record)


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """Everything a report shows. ``verdict`` is pass, fail, nothing, inconclusive, interrupted, error
    or incomplete; ``headline`` and ``next_step`` say it in words."""

    run_id: str
    verdict: str
    exit_code: int
    headline: str
    next_step: str
    started: RunStarted
    given: SeriesRead | None
    source: SourceFetched | None
    patches: tuple[PatchApplied, ...]
    cells: tuple[CellReport, ...]
    toolchains: tuple[ToolchainReady, ...]
    dropped: tuple[OverlayDropped, ...]
    timings: Mapping[str, float]
    seconds: float
    tool_seconds: float
    failure: str
    lint: tuple[LintFinding, ...] = ()
    compiled: CompileReport | None = None
    bench_text: Mapping[str, str] = field(repr=False, default_factory=dict)

    @property
    def plan(self) -> Mapping[str, Any]:
        """The plan as JSON values."""
        return self.started.plan


def _of(records: Sequence[Record], kind: type[R]) -> list[R]:
    return [record for record in records if isinstance(record, kind)]


def build(records: Sequence[Record], bench: Mapping[str, str]) -> RunReport:
    """Compute the report. ``bench`` maps a cell's id to the text of its benchfmt file.

    Records that repeat after a resume count once: the last one holds.
    """
    started = _of(records, RunStarted)[0]
    cells = tuple(_cell(entry, records, bench, started) for entry in _planned(started))
    ends = _of(records, RunEnded)
    end = ends[-1] if ends else None
    compiled = compiling.build(records, started.plan)
    decided = verdict.decide(end, cells, compiled, _go_on(started))
    return RunReport(
        run_id=started.run_id,
        verdict=decided.word,
        exit_code=int(decided.code),
        headline=decided.headline,
        next_step=decided.next_step,
        started=started,
        given=next(reversed(_of(records, SeriesRead)), None),
        source=next(reversed(_of(records, SourceFetched)), None),
        patches=tuple({r.file: r for r in _of(records, PatchApplied)}.values()),
        cells=cells,
        toolchains=tuple({r.role: r for r in _of(records, ToolchainReady)}.values()),
        dropped=tuple({r.file: r for r in _of(records, OverlayDropped)}.values()),
        timings=_timings(records),
        seconds=sum(one.seconds for one in ends),
        tool_seconds=sum(r.seconds for r in _of(records, CommandRan)),
        failure=end.failure if end else "",
        lint=tuple(dict.fromkeys(_of(records, LintFinding))),
        compiled=compiled,
        bench_text=bench,
    )


def _go_on(started: RunStarted) -> str:
    if started.fleet:
        return "A run of many machines begins anew, with ./inv bundle."
    return f"Go on with {started.command} --resume (and --out, where this is not the latest run)."


def _planned(started: RunStarted) -> list[dict[str, Any]]:
    cells = started.plan["cells"]
    return list(cells) if isinstance(cells, list) else []


def _timings(records: Sequence[Record]) -> dict[str, float]:
    timings: dict[str, float] = {}
    for stage in _of(records, StageEnded):
        timings[stage.stage] = round(timings.get(stage.stage, 0.0) + stage.seconds, 3)
    return timings


def _cell(
    entry: Mapping[str, Any], records: Sequence[Record], bench: Mapping[str, str], started: RunStarted
) -> CellReport:
    name = str(entry["id"])
    found_gates = {
        (r.gate, r.subject, r.signal, r.number): r for r in _of(records, GateResult) if r.cell == name
    }
    screened = [r for r in _of(records, Screened) if r.cell == name]
    lost = [r for r in _of(records, BenchmarkLost) if r.cell == name]
    exercise, reason = _exercise(name, records)
    failing = any(r.gate == "test" and r.status == "fail" for r in found_gates.values())
    plan: Mapping[str, Any] = started.plan
    floors = [r for r in _of(records, NoiseFloor) if r.cell == name]
    found = tuple(rows(bench.get(name, ""), screened, lost, floors, _rules(plan, floors)))
    choice = next((r for r in _of(records, BenchmarksChosen) if r.cell == name), None)
    return CellReport(
        id=name,
        goos=str(entry["goos"]),
        goarch=str(entry["goarch"]),
        exercise=exercise,
        reason=reason,
        gates=tuple(found_gates.values()),
        benchmarks=(*found, *_absent(plan, entry, choice, found))
        if exercise == "measured" and not failing
        else found,
        machine=machine.build(
            [r for r in _of(records, MachineChecked) if r.cell == name],
            [r for r in _of(records, RoundEnded) if r.cell == name],
        ),
        choice=choice,
        same_bits=next((r for r in reversed(_of(records, SameBits)) if r.cell == name), None),
        retried=tuple(r for r in _of(records, BenchmarkRetried) if r.cell == name),
        tests=tuple({r.package: r for r in _of(records, TestsChosen) if r.cell == name}.values()),
        conditions=conditions.build(name, records),
    )


def _rules(plan: Mapping[str, Any], floors: Sequence[NoiseFloor]) -> Rules:
    """The rules of the run, as its records hold them."""
    return Rules(
        threshold=Threshold(**plan["threshold"]),
        units={unit: Threshold(**one) for unit, one in plan["unit_thresholds"].items()},
        designs={str(Key(one.package, one.name, one.unit)): one.design for one in floors},
    )


def _absent(
    plan: Mapping[str, Any],
    cell: Mapping[str, Any],
    choice: BenchmarksChosen | None,
    found: Sequence[BenchmarkRow],
) -> Iterator[BenchmarkRow]:
    """Rows for planned benchmarks that left neither numbers nor a reason: missing, never dropped."""
    seen = {(row.package, row.name.split("/", 1)[0].rsplit("-", 1)[0]) for row in found}
    named = [*plan["benchmarks"].items(), *cell.get("benchmarks", {}).items()]
    wanted = list(dict.fromkeys((str(package), str(name)) for package, names in named for name in names))
    wanted += [
        (package, name)
        for text in (choice.chosen if choice else [])
        for package, name in [text.split(" ", 1)]
    ]
    for package, name in wanted:
        short = name.removeprefix("Benchmark")
        if (package, short) not in seen:
            yield BenchmarkRow(
                package=package, name=short, unit="", verdict="missing", reason="planned; it left no number"
            )


def _exercise(name: str, records: Sequence[Record]) -> tuple[str, str]:
    """How far a cell was exercised. A run that says why it ended early skipped the rest; one that just
    stopped leaves its cells missing."""
    ended = [r for r in _of(records, CellEnded) if r.cell == name]
    if ended:
        return ended[-1].exercise, ended[-1].reason
    tests = [r for r in _of(records, GateResult) if r.cell == name and r.gate == "test"]
    if any(r.status == "fail" for r in tests):
        return "measured", "its tests ran natively there, and the patch fails them; no benchmark was measured"
    ends = _of(records, RunEnded)
    if not ends or not ends[-1].failure_code:
        return "missing", "it was planned and did not report"
    found = [r for r in _of(records, GateResult) if r.cell == name and r.gate == "compile"]
    if any(r.status == "fail" for r in found):
        return "skipped", "it does not compile there"
    if any(r.signal in {"", "build"} and r.status == "pass" for r in found):
        return "compiled", "the changed packages were compiled; the run ended before anything else"
    return "skipped", "the run ended before it"


def as_json(report: RunReport) -> dict[str, Any]:
    """``report.json``: the contract's fields; infinities and NaN become null."""
    plan = report.plan
    found: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "run_id": report.run_id,
        "verdict": report.verdict,
        "exit_code": report.exit_code,
        "headline": report.headline,
        "next_step": report.next_step,
        "failure": report.failure,
        "series": {
            "name": plan["series"],
            "subject": plan["subject"],
            "issue": plan["issue"],
            "digest": plan["series_digest"],
            "variant": plan.get("variant", ""),
            "input": report.given.model_dump(exclude={"kind", "variant"}) if report.given else None,
        },
        "base": report.source.model_dump(exclude={"kind"}) if report.source else {"version": plan["base"]},
        "profile": plan["profile"],
        "threshold": plan["threshold"],
        "patches": [_patch_json(report, patch) for patch in report.patches],
        "cells": [_cell_json(cell) for cell in report.cells],
        "compile": compiling.as_json(report.compiled) if report.compiled else None,
        "toolchains": [toolchain.model_dump(exclude={"kind"}) for toolchain in report.toolchains],
        "new_test_files": [one.model_dump(exclude={"kind"}) for one in report.dropped],
        "environment": report.started.environment,
        "timings": {
            **report.timings,
            "total": round(report.seconds, 3),
            "external_tools": round(report.tool_seconds, 3),
        },
    }
    return {key: _finite(value) for key, value in found.items()}


def _patch_json(report: RunReport, patch: PatchApplied) -> dict[str, Any]:
    found = [one.model_dump(exclude={"kind", "file"}) for one in report.lint if one.file == patch.file]
    return {**patch.model_dump(exclude={"kind"}), "lint": found}


def _cell_json(cell: CellReport) -> dict[str, Any]:
    return {
        "id": cell.id,
        "goos": cell.goos,
        "goarch": cell.goarch,
        "exercise": cell.exercise,
        "reason": cell.reason,
        "gates": [gate.model_dump(exclude={"kind", "cell"}) for gate in cell.gates],
        "tests": [dataclasses.asdict(group) for group in gates.groups(cell)],
        "benchmarks": [dataclasses.asdict(row) for row in cell.benchmarks],
        "machine": _machine_json(cell.machine) if cell.machine else None,
        "retried": [one.model_dump(exclude={"kind", "cell"}) for one in cell.retried],
        "same_bits": cell.same_bits.model_dump(exclude={"kind", "cell"}) if cell.same_bits else None,
        "conditions": conditions.as_json(cell.conditions),
        "choice": cell.choice.model_dump(exclude={"kind", "cell"}) if cell.choice else None,
    }


def _machine_json(found: machine.MachineReport) -> dict[str, Any]:
    return {**dataclasses.asdict(found), "findings": [one.model_dump() for one in found.findings]}


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
