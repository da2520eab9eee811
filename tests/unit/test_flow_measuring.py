"""What is measured of what a series names, where one side has no binary of the package."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.bench.measure import Target
from pipeline.cells import here
from pipeline.errors import UsageError
from pipeline.flow import measuring
from pipeline.gates import tests as test_gate
from pipeline.values import Cell, Platform

LINUX = Platform(goos="linux", goarch="amd64")
HERE = Cell(id="here", platform=LINUX, native=True)


def targets(
    monkeypatch: pytest.MonkeyPatch,
    base: list[str],
    patched: list[str],
    wanted: dict[str, list[str]],
    cell: Cell = HERE,
) -> tuple[list[Target], list[Any], list[str]]:
    monkeypatch.setattr(test_gate, "list_functions", lambda *_: ("BenchmarkA",))
    records: list[Any] = []
    notes: list[str] = []
    context: Any = SimpleNamespace(
        plan=SimpleNamespace(host=LINUX, series=SimpleNamespace(benchmarks={})),
        shell=None,
        there=None,
        where=here.HERE,
        ledger=SimpleNamespace(records=records, append=records.append),
        progress=SimpleNamespace(note=notes.append),
    )
    sides: Any = SimpleNamespace(
        binaries={"base": dict.fromkeys(base, Path("x")), "patched": dict.fromkeys(patched, Path("x"))},
        go={"base": None, "patched": None},
        left_out={"fresh": {"BenchmarkA": "src/fresh/a_test.go: line 3: undefined: a"}},
    )
    return measuring._targets(context, cell, sides, wanted), records, notes


def test_a_benchmark_of_a_package_that_the_baseline_lacks_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {"net": ["BenchmarkA"], "fresh": ["BenchmarkA"]}
    found, records, _ = targets(monkeypatch, ["net"], ["net", "fresh"], wanted)
    assert found == [Target("net", "BenchmarkA")]
    assert [(one.package, one.side, one.state) for one in records] == [("fresh", "base", "new")]
    assert "(src/fresh/a_test.go: line 3: undefined: a)" in records[0].reason


def test_a_package_for_other_platforms_is_said_and_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    found, records, notes = targets(monkeypatch, [], [], {"internal/syscall/windows": ["BenchmarkA"]})
    assert (found, records) == ([], [])
    assert notes == ["  internal/syscall/windows has no benchmarks for linux/amd64"]


def test_a_benchmark_that_does_not_exist_is_still_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"benchmarks\.net: BenchmarkB does not exist"):
        targets(monkeypatch, ["net"], ["net"], {"net": ["BenchmarkB"]})


def test_a_suites_benchmark_that_the_tree_lacks_is_missing_and_no_mistake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cell = dataclasses.replace(HERE, benchmarks={"net": ("BenchmarkA", "BenchmarkOld")})
    wanted = {"net": ["BenchmarkA", "BenchmarkOld"]}
    found, records, _ = targets(monkeypatch, ["net"], ["net"], wanted, cell)
    assert found == [Target("net", "BenchmarkA")]
    assert [(one.benchmark, one.state) for one in records] == [("BenchmarkOld", "missing")]
    assert "a suite of matrix.yml names it" in records[0].reason


def test_a_suite_comes_besides_what_is_measured_of_the_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "_chosen", lambda *_: {"net": ["BenchmarkChosen"]})
    cell = dataclasses.replace(HERE, benchmarks={"net": ("BenchmarkOfSuite",)})
    setup: Any = SimpleNamespace(cell=cell)

    def wanted(named: dict[str, tuple[str, ...]]) -> object:
        context: Any = SimpleNamespace(plan=SimpleNamespace(series=SimpleNamespace(benchmarks=named)))
        sides: Any = None
        return measuring._wanted(context, setup, sides)

    assert wanted({}) == {"net": ("BenchmarkChosen", "BenchmarkOfSuite")}
    assert wanted({"os": ("BenchmarkNamed",)}) == {"os": ("BenchmarkNamed",), "net": ("BenchmarkOfSuite",)}
