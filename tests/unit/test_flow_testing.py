"""Which tests the stage runs: by profile, by what the series names, and by what this host can build."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline import proc, values
from pipeline.cells import here
from pipeline.cells.base import About
from pipeline.flow import batches as batches_room
from pipeline.flow import testing
from pipeline.flow.sides import Batch
from pipeline.gates import tests as test_gate
from pipeline.gates import variants
from pipeline.patch.reach import Reach
from pipeline.plan import plan as room
from pipeline.plan.plan import Plan, Request, make
from pipeline.records import TestsChosen as Chosen
from pipeline.values import Cell, Platform, Variant

ROOT = Path(__file__).resolve().parents[2]
LINUX = Platform(goos="linux", goarch="amd64")
HERE = Cell(id="here", platform=LINUX, native=True)
REACH = Reach(
    platform=LINUX,
    packages=("internal/poll", "runtime"),
    test_packages=("net",),
    tested=("internal/poll", "net", "runtime"),
    files=(),
)


def plan(monkeypatch: pytest.MonkeyPatch, profile: str, tests: dict[str, tuple[str, ...]]) -> Plan:
    monkeypatch.setattr(room, "host_platform", lambda: LINUX)
    found = make(Request(root=ROOT, profile=profile))
    return dataclasses.replace(found, series=dataclasses.replace(found.series, tests=tests))


def told(batches: list[Batch]) -> dict[str, tuple[str, object, bool, bool]]:
    return {one.package: (one.scope, one.names, one.short, one.variant.trimmed) for one in batches}


@pytest.mark.parametrize("profile", ["quick", "standard"])
def test_the_series_list(monkeypatch: pytest.MonkeyPatch, profile: str) -> None:
    named = plan(monkeypatch, profile, {"os": ("TestX",)})
    assert told(list(batches_room.plain(named, HERE, REACH, {"net": {"TestNew": "added"}}))) == {
        "os": ("the tests that the series lists", ("TestX",), False, True)
    }
    assert batches_room.packages(named, REACH) == {"os"}


def test_whole_packages_those_named_and_those_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = told(list(batches_room.plain(plan(monkeypatch, "rigorous", {"os": ("TestX",)}), HERE, REACH, {})))
    assert found.keys() == {"os", "internal/poll", "net", "runtime"}
    assert set(found.values()) == {("the whole package", None, False, False)}


def test_a_series_that_names_none(monkeypatch: pytest.MonkeyPatch) -> None:
    unnamed = plan(monkeypatch, "quick", {})
    batches = list(
        batches_room.plain(unnamed, HERE, REACH, {"net": {"TestNew": "added", "TestOld": "altered"}})
    )
    whole = ("the whole package, -short", None, True, True)
    assert told(batches) == {
        "internal/poll": whole,
        "net": ("the tests that the series adds or alters", ("TestNew", "TestOld"), False, True),
        "runtime": whole,
    }
    limit = unnamed.profile.test_timeout
    assert {one.package: one.budget for one in batches} == {
        "internal/poll": limit,
        "net": 2 * limit,
        "runtime": limit,
    }


class Gate:
    """The gate of a host, with the binaries that there are; it keeps the jobs that come to be checked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, base: list[str], patched: list[str]) -> None:
        self.records: list[Any] = []
        self.jobs: list[test_gate.Job] = []

        def check(job: test_gate.Job, *_: object) -> str:
            self.jobs.append(job)
            return ""

        monkeypatch.setattr(test_gate, "list_functions", lambda _shell, binary, *_: (f"Test_{binary}",))
        monkeypatch.setattr(test_gate, "check", check)
        found = plan(monkeypatch, "quick", {"net": ("Test_net",), "internal/syscall/windows": ("TestFile",)})
        self.context: Any = SimpleNamespace(
            plan=found,
            ledger=SimpleNamespace(append=self.records.append),
            progress=SimpleNamespace(step=lambda *_: None),
            shell=None,
            there=None,
            where=here.HERE,
            store=None,
            finished=lambda _: False,
            stage=lambda _: contextlib.nullcontext(),
            stage_of=lambda _, name: name,
        )
        programs = {"base": base, "patched": patched}

        def batch(one: Batch) -> Batch:
            found: Any = {side: one.package for side, names in programs.items() if one.package in names}
            none = "" if found else "it has no tests on this platform"
            return dataclasses.replace(one, programs=found, skipped=none)

        self.sides: Any = SimpleNamespace(
            cell=HERE,
            batches=[batch(one) for one in batches_room.plain(found, HERE, REACH, {})],
            binaries=programs,
            go={"base": None, "patched": None},
            trees={"base": SimpleNamespace(digest="d")},
            own={},
        )

    def run(self) -> dict[str, str]:
        self.sides.binaries = {
            side: {name: name for name in names} for side, names in self.sides.binaries.items()
        }
        testing.run(self.context, self.sides)
        return {one.package: one.skipped for one in self.records if isinstance(one, Chosen)}


def test_a_package_without_tests_here_is_skipped_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch, ["net"], ["net"])
    assert gate.run() == {"net": "", "internal/syscall/windows": "it has no tests on this platform"}
    (job,) = gate.jobs
    assert (job.label, job.names, job.on_base) == ("net", ("Test_net",), {"Test_net"})


def test_a_build_that_needs_a_c_library_does_not_run_in_a_container(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch, ["net"], ["net"])
    cgo = Variant(name="race", environment={"CGO_ENABLED": "1"})
    gate.sides.batches = [dataclasses.replace(one, variant=cgo) for one in gate.sides.batches if one.programs]
    gate.run()
    assert len(gate.jobs) == 1, "here it runs"
    about = About(words="there", identity=(), cpu="", cores=1)
    gate.context.where = SimpleNamespace(about=about)
    assert gate.run() == {"net (race)": "it is built with cgo, and the container has no C library"}
    assert len(gate.jobs) == 1


def test_where_the_baseline_has_no_binary_all_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch, [], ["net"])
    gate.run()
    (job,) = gate.jobs
    assert (job.names, job.on_base) == (("Test_net",), frozenset())


def test_another_build_of_a_whole_package_is_short_and_has_its_own_name() -> None:
    whole = Batch(
        package="net",
        scope="the whole package",
        names=None,
        short=False,
        budget=1,
        variant=variants.whole(HERE),
    )
    race = batches_room.in_build(whole, Variant(name="race", flags=("-race",)))
    assert (race.label, race.scope, race.short) == ("net (race)", "the whole package, -short", True)
    assert not race.variant.trimmed
    listed = Batch(package="net", scope="listed", names=("TestA",), short=False, budget=1)
    assert not batches_room.in_build(listed, variants.LOCK_RANKING).short
    assert listed.label == "net"


def test_a_cells_own_build_goes_into_every_other() -> None:
    v3 = dataclasses.replace(HERE, build={"GOAMD64": "v3", "GOEXPERIMENT": "arenas"}, test_timeout=7)
    listed = Batch(
        package="runtime", scope="listed", names=("TestA",), short=False, budget=1, variant=variants.plain(v3)
    )
    ranked = batches_room.in_build(listed, variants.LOCK_RANKING)
    assert ranked.variant.environment == {"GOAMD64": "v3", "GOEXPERIMENT": "arenas,staticlockranking"}


def test_a_cells_own_time_limit_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    found = plan(monkeypatch, "quick", {"os": ("TestX",)})
    (batch,) = batches_room.plain(found, dataclasses.replace(HERE, test_timeout=7), REACH, {})
    assert batch.budget == 14


def test_on_another_machine_no_test_looks_for_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    found = plan(monkeypatch, "rigorous", {"os": ("TestX",)})
    elsewhere = batches_room.plain(found, HERE, REACH, {}, here=False)
    assert {one.variant.trimmed for one in elsewhere} == {True}


def test_which_packages_can_change_the_order_of_locks() -> None:
    for package in ("runtime", "runtime/metrics", "internal/runtime/maps"):
        assert variants.ranks_locks([package])
    assert not variants.ranks_locks(["net", "runtimes", "internal/poll"])


def tree(folder: Path, *names: str) -> values.GoTree:
    for name in names:
        path = folder / "src/runtime/race" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return values.GoTree(root=folder, version="1.27.3", digest="", manifest={})


def no_shell(folder: Path) -> proc.Shell:
    return proc.Shell(logs=folder / "logs", observe=lambda _name, _result: None)


def test_why_a_host_cannot_build_with_race(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    shell = no_shell(tmp_path)
    assert (
        variants.race(shell, tree(tmp_path / "none"), LINUX)
        == "Go 1.27.3 has no race detector for linux/amd64"
    )
    for name in ("internal/amd64v1/race_linux.syso", "race_linux_amd64.syso"):
        found = variants.race(shell, tree(tmp_path / name, name), LINUX)
        assert found == "-race needs cgo on linux, and gcc is not on PATH"
    mac = Platform(goos="darwin", goarch="arm64")
    found = variants.race(shell, tree(tmp_path / "mac", "race_darwin_arm64.syso"), mac)
    assert isinstance(found, Variant), "macOS needs no cgo for it"
    assert (found.flags, dict(found.environment)) == (("-race",), {})


def test_the_c_compiler_is_part_of_what_was_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: None
) -> None:
    compiler = tmp_path / "gcc"
    compiler.write_text("#!/bin/sh\necho gcc 99.1\n")
    compiler.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _: str(compiler))
    found = variants.race(no_shell(tmp_path), tree(tmp_path / "go", "race_linux_amd64.syso"), LINUX)
    assert isinstance(found, Variant)
    assert found.identity == "gcc 99.1\n"
    assert found.environment == {"CGO_ENABLED": "1"}
    compiler.write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    found = variants.race(no_shell(tmp_path), tree(tmp_path / "go", "race_linux_amd64.syso"), LINUX)
    assert found == "-race needs cgo, and gcc --version fails: broken"
