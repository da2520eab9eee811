"""Before a cell runs: its programs are those that were built, and its environment reaches them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline import proc
from pipeline.cells.here import HERE
from pipeline.errors import HostError
from pipeline.flow import identity, seeing
from pipeline.flow.sides import Sides
from pipeline.records import EnvironmentSeen, ProgramRan
from pipeline.toolchain import stamp
from pipeline.toolchain.stamp import Stamp
from tests.unit import fleet


def stamped(mark: Stamp) -> bytes:
    """A program that holds a stamp."""
    return b"program " + stamp._BEGIN + mark.settings().encode() + stamp._END


class Case:
    """A cell whose programs are what they should be."""

    def __init__(self, folder: Path) -> None:
        self.records: list[Any] = []
        (folder / "sides").mkdir()
        (folder / "out").mkdir()
        found = fleet.sides(folder / "sides")
        binaries = {
            side: {name: self._made(one, fleet.STAMPS[side]) for name, one in found.binaries[side].items()}
            for side in found.binaries
        }
        programs = {side: binaries[side]["runtime"] for side in binaries}
        self.sides: Sides = dataclasses.replace(
            found,
            binaries=binaries,
            batches=tuple(dataclasses.replace(one, programs=programs) for one in found.batches),
            probe=self._made(found.probe, fleet.STAMPS["patched"]),
        )
        shell = proc.Shell(logs=folder / "logs", observe=lambda _n, _r: None)
        self.context: Any = SimpleNamespace(
            folder=folder / "out",
            shell=shell,
            there=shell,
            where=HERE,
            ledger=SimpleNamespace(records=self.records, append=self.records.append),
        )

    @staticmethod
    def _made(one: Any, mark: Stamp) -> Any:
        data = stamped(mark)
        one.path.write_bytes(data)
        return dataclasses.replace(one, sha256=_sha(data))


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_programs_that_are_what_was_built(tmp_path: Path) -> None:
    case = Case(tmp_path)
    identity.check(case.context, case.sides)
    ran = [one for one in case.records if isinstance(one, ProgramRan)]
    assert [(one.side, one.package) for one in ran] == [
        ("base", "runtime"),
        ("patched", "runtime"),
        ("patched", "gopatch/environment"),
    ]
    assert ran[1].tree == fleet.STAMPS["patched"].tree


@pytest.mark.parametrize("data", [b"another program", stamped(fleet.STAMPS["base"])])
def test_a_program_that_was_exchanged_is_recorded_and_refused(tmp_path: Path, data: bytes) -> None:
    case = Case(tmp_path)
    case.sides.binaries["patched"]["runtime"].path.write_bytes(data)
    with pytest.raises(HostError, match="the patched test binary of runtime is not the one that was built"):
        identity.check(case.context, case.sides)
    assert case.records[-1].sha256 == _sha(data)


def test_the_right_hash_with_another_sides_stamp_is_refused(tmp_path: Path) -> None:
    case = Case(tmp_path)
    data = stamped(fleet.STAMPS["base"])
    one = case.sides.binaries["patched"]["runtime"]
    one.path.write_bytes(data)
    changed = {**case.sides.binaries, "patched": {"runtime": dataclasses.replace(one, sha256=_sha(data))}}
    with pytest.raises(HostError, match="is not the one that was built"):
        identity.check(case.context, dataclasses.replace(case.sides, binaries=changed, batches=()))


def test_a_linker_that_makes_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(tmp_path)
    other = tmp_path / "other"
    other.write_bytes(b"something else")

    def relinked(*_: object) -> Any:
        return dataclasses.replace(case.sides.probe, path=other)

    monkeypatch.setattr(identity, "relinked", relinked)
    with pytest.raises(HostError, match="linked again on this machine, the base test binary of runtime"):
        identity.check(case.context, case.sides, again=True)


PROBE = """#!/usr/bin/env python3
import json, os
seen = dict(os.environ)
seen.update(json.loads(os.environ.get("FORGED", "{}")))
print(json.dumps({"version": "go1.27.3", "goos": "linux", "goarch": "amd64", "cpus": 2, "gomaxprocs": 1,
    "gc_percent": 50, "memory_limit": 0, "variables": seen,
    "build": {"-compiler": "gc", "gopatch.commit": "c0ffee", "gopatch.series": "5"}}))
"""


def probed(case: Case, text: str, **conditions: Any) -> list[EnvironmentSeen]:
    case.sides.probe.path.write_text(text)
    case.sides.probe.path.chmod(0o755)
    cell = dataclasses.replace(case.sides.cell, **conditions)
    seeing.record(case.context, dataclasses.replace(case.sides, cell=cell))
    return [one for one in case.records if isinstance(one, EnvironmentSeen)]


def test_what_a_program_sees_is_recorded(tmp_path: Path, processes: None) -> None:
    (seen,) = probed(
        Case(tmp_path),
        PROBE,
        parameters={"GOMAXPROCS": "1"},
        environment={"GO_BUILDER_NAME": "x"},
        build={"GOAMD64": "v3"},
    )
    wanted = {"GOMAXPROCS": "1", "GO_BUILDER_NAME": "x", "GOAMD64": "v3"}
    assert {name: seen.variables[name] for name in wanted} == wanted
    assert (seen.gomaxprocs, seen.gc_percent) == (1, 50)
    assert (seen.stamp, seen.build) == ({"commit": "c0ffee", "series": "5"}, {"-compiler": "gc"})


def test_a_condition_that_does_not_arrive_ends_the_cell(tmp_path: Path, processes: None) -> None:
    forged = {"FORGED": json.dumps({"GOGC": "100"})}
    with pytest.raises(
        HostError, match="GOGC did not reach a program on linux-amd64: it sees '100', and not '50'"
    ):
        probed(Case(tmp_path), PROBE, parameters={"GOGC": "50"}, environment=forged)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("#!/bin/sh\nexit 3\n", "a small program does not run on linux-amd64"),
        ("#!/bin/sh\necho '{}'\n", "printed something else"),
        ("#!/bin/sh\necho hello\n", "printed something else"),
    ],
)
def test_a_probe_that_does_not_work(tmp_path: Path, processes: None, text: str, message: str) -> None:
    with pytest.raises(HostError, match=message):
        probed(Case(tmp_path), text)
