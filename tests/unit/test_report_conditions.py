"""What a report says of the programs that ran, and of what they saw."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from pipeline.records import CellStarted, EnvironmentSeen, ProgramBuilt, ProgramRan, Record
from pipeline.report import conditions
from tests.unit import fleet

NAME = fleet.HERE.id


def program(side: str, letter: str) -> dict[str, Any]:
    stamp = dataclasses.asdict(fleet.STAMPS[side])  # type: ignore[index]
    return {"cell": NAME, "side": side, "package": "runtime", "variant": "", "sha256": letter * 64, **stamp}


BUILT: list[Record] = [
    ProgramBuilt(compiled="0" * 64, **program(side, letter))
    for side, letter in (("base", "e"), ("patched", "f"))
]
RAN = [ProgramRan(**program(side, letter)) for side, letter in (("base", "e"), ("patched", "f"))]
SEEN = EnvironmentSeen(
    cell=NAME,
    version="go1.27.3",
    goos="linux",
    goarch="amd64",
    cpus=4,
    gomaxprocs=2,
    gc_percent=-1,
    memory_limit=1 << 30,
    variables={"GOMAXPROCS": "2", "GODEBUG": "asyncpreemptoff=1", "HOME": "/home/x", "PATH": "/bin"},
    build={},
    stamp={},
)


def test_what_ran_is_what_was_built() -> None:
    found = conditions.build(NAME, [*BUILT, *RAN, SEEN])
    assert found is not None
    assert found.believed
    text = " ".join(conditions.lines(found))
    assert "Each of the 2 programs that ran is the one that was built" in text
    assert "saw 4 CPUs, GOMAXPROCS 2, GOGC off and a memory limit of 1073741824 bytes" in text
    # What it runs under, and not where somebody's home is.
    assert "with GODEBUG=asyncpreemptoff=1 GOMAXPROCS=2." in text


@pytest.mark.parametrize("field", ["sha256", "commit", "series", "tree"])
def test_what_ran_is_something_else(field: str) -> None:
    other = RAN[1].model_copy(update={field: "0" * 64})
    found = conditions.build(NAME, [*BUILT, RAN[0], other, SEEN])
    assert found is not None
    assert [one.state for one in found.programs] == ["same", "differs"]
    assert not found.believed
    assert "1 programs are not those that were built, or did not run." in conditions.lines(found)


def test_what_did_not_run_is_missing() -> None:
    found = conditions.build(NAME, [*BUILT, RAN[0]])
    assert found is not None
    assert [one.state for one in found.programs] == ["same", "missing"]
    assert conditions.build(NAME, []) is None
    assert conditions.lines(None) == []


def test_linked_again_elsewhere() -> None:
    again = [one.model_copy(update={"relinked": one.sha256}) for one in RAN]
    started = CellStarted(
        cell=NAME,
        run_id="r",
        plan_digest="p",
        bundle="b",
        command="c",
        environment={"os": "Darwin 25", "cpu": "Apple M4", "cores": "8"},
    )
    found = conditions.build(NAME, [*BUILT, started, *again, SEEN])
    text = " ".join(conditions.lines(found))
    assert "linked again there, they came out the same" in text
    assert "Its machine: Apple M4, 8 cores, Darwin 25" in text


def test_another_cells_programs_do_not_count() -> None:
    other = [one.model_copy(update={"cell": "another"}) for one in RAN]
    found = conditions.build(NAME, [*BUILT, *other])
    assert found is not None
    assert {one.state for one in found.programs} == {"missing"}
