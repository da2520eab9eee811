"""Traces: what xctrace is asked for, by a stand-in that keeps what it was given. The real one is macOS's."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline import proc
from pipeline.flow import tracing
from pipeline.records import PairMeasured, Record, TraceTaken
from pipeline.values import Platform
from tests.unit import fleet

# As Apple's: writes the trace's folder, and fails where it is asked to.
XCRUN = """#!/usr/bin/env python3
import json, os, pathlib, sys
words = sys.argv[1:]
out = pathlib.Path(words[words.index("--output") + 1])
if "BenchmarkBad" in " ".join(words):
    sys.exit("Cannot find the template")
out.mkdir()
(out / "given.json").write_text(json.dumps({"words": words, "cwd": os.getcwd()}))
"""


def pair(benchmark: str, number: int) -> PairMeasured:
    return PairMeasured(
        cell=fleet.HERE.id,
        package="runtime",
        benchmark=benchmark,
        round=number,
        order=["base", "patched"],
        size=1,
        sha256="",
        seconds=1.0,
    )


class Case:
    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trace: str) -> None:
        self.records: list[Record] = [pair("BenchmarkA", 1), pair("BenchmarkA", 2)]
        self.out = tmp_path / "out"
        self.out.mkdir()
        (tmp_path / "sides").mkdir()
        mac = Platform(goos="darwin", goarch="arm64")
        cell = dataclasses.replace(
            fleet.HERE, platform=mac, trace=trace, parameters={"GOGC": "off"}, benchmark_timeout=9
        )
        self.sides = dataclasses.replace(fleet.sides(tmp_path / "sides"), cell=cell)
        self.context: Any = SimpleNamespace(
            plan=fleet.plan(monkeypatch),
            folder=self.out,
            shell=proc.Shell(logs=tmp_path / "logs", observe=lambda _n, _r: None),
            ledger=SimpleNamespace(records=self.records, append=self.records.append),
            progress=SimpleNamespace(step=lambda *_: None),
            stage=lambda _: contextlib.nullcontext(),
            stage_of=lambda _, name: name,
        )

    def run(self) -> list[TraceTaken]:
        tracing.run(self.context, self.sides)
        return [one for one in self.records if isinstance(one, TraceTaken)]


@pytest.fixture
def xcrun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: None) -> Path:
    folder = tmp_path / "xcode"
    folder.mkdir()
    (folder / "xcrun").write_text(XCRUN)
    (folder / "xcrun").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder / "xcrun"


def test_each_benchmark_is_traced_once_on_each_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, xcrun: Path
) -> None:
    case = Case(tmp_path, monkeypatch, "Time Profiler")
    found = case.run()
    assert [(one.benchmark, one.side, one.reason) for one in found] == [
        ("BenchmarkA", "base", ""),
        ("BenchmarkA", "patched", ""),
    ]
    given = json.loads((case.out / found[1].path / "given.json").read_text())
    words = given["words"]
    assert words[:5] == ["xctrace", "record", "--no-prompt", "--template", "Time Profiler"]
    launched = words[words.index("--launch") :]
    binary = case.sides.binaries["patched"]["runtime"]
    assert launched[:3] == ["--launch", "--", str(binary.path)]
    assert "-test.bench=^BenchmarkA$" in launched
    assert words[words.index("--time-limit") + 1] == "9s"
    # What Instruments launches sees the cell's parameters, and its package's folder.
    passed = [words[at + 1] for at, word in enumerate(words) if word == "--env"]
    assert "GOGC=off" in passed
    assert f"GOROOT={binary.goroot}" in passed
    assert given["cwd"] == str(binary.cwd)


def test_a_trace_that_fails_is_said_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, xcrun: Path
) -> None:
    case = Case(tmp_path, monkeypatch, "Time Profiler")
    case.records.insert(0, pair("BenchmarkBad", 1))
    found = case.run()
    assert [(one.benchmark, one.path == "", one.reason) for one in found] == [
        ("BenchmarkA", False, ""),
        ("BenchmarkA", False, ""),
        ("BenchmarkBad", True, "xctrace failed: Cannot find the template"),
        ("BenchmarkBad", True, "xctrace failed: Cannot find the template"),
    ]


def test_a_machine_without_xcode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = Case(tmp_path, monkeypatch, "Time Profiler").run()
    assert {one.reason for one in found} == {"there is no xcrun on this machine: Xcode has it"}


def test_without_being_asked_for_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(tmp_path, monkeypatch, "")
    assert case.run() == []
    assert not (case.out / "traces").exists()
