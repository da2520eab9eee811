"""Unaffected is what is proven to be: the same test binaries on both sides, and nothing less."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.flow import concluding, samebits
from pipeline.flow.reaching import Reached
from pipeline.gates.compile import Prefix
from pipeline.patch import reach
from pipeline.patch.listing import Release
from pipeline.records import CellEnded, SameBits
from pipeline.toolchain import testbin
from pipeline.values import Cell, GoTree, Platform

LINUX = Platform(goos="linux", goarch="amd64")
DARWIN = Platform(goos="darwin", goarch="arm64")
WINDOWS = Platform(goos="windows", goarch="arm")
TREE = GoTree(root=Path(), version="1.27.3", digest="d", manifest={})
A, B = "a" * 64, "b" * 64


class Run:
    """A run of a series that changes the runtime on darwin, as far as its last stages look at it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, binaries: dict[str, tuple[str, str]]) -> None:
        monkeypatch.setattr(testbin, "fingerprint", lambda _b, _tree, side, *_: binaries[side])
        darwin = reach.Reach(
            platform=DARWIN, packages=("runtime",), test_packages=(), tested=(), files=("src/runtime/k.go",)
        )
        self.reached = Reached(
            release=Release(tags={LINUX: (), DARWIN: ()}, importers={}),
            prefixes=(
                Prefix(
                    number=1,
                    patch="1.patch",
                    tree=TREE,
                    changed=("src/runtime/k.go",),
                    reach={LINUX: reach.untouched(LINUX), DARWIN: darwin},
                ),
            ),
        )
        cells = [
            Cell(id=str(platform), platform=platform, native=platform == LINUX)
            for platform in (LINUX, DARWIN, WINDOWS)
        ]
        self.records: list[Any] = []
        series = SimpleNamespace(packages=("net",), tests={}, benchmarks={})
        self.context: Any = SimpleNamespace(
            plan=SimpleNamespace(cells=cells, series=series, base="1.27.3"),
            ledger=SimpleNamespace(records=self.records, append=self.records.append),
            progress=SimpleNamespace(step=lambda *_: None, note=lambda _: None),
            stage=lambda _: contextlib.nullcontext(),
        )
        self.builder: Any = SimpleNamespace(base=TREE)
        self.patched: Any = SimpleNamespace(tree=TREE, changed=("src/runtime/k.go",))

    def finish(self) -> tuple[list[Cell], dict[str, CellEnded]]:
        found = samebits.prove(self.context, self.builder, self.patched, self.reached)
        names = samebits.packages(self.context, self.patched)
        reached = samebits.with_surprises(self.reached, found, names)
        concluding.conclude(self.context, reached)
        return found, {one.cell: one for one in self.records if isinstance(one, CellEnded)}


def test_equal_binaries_prove_a_cell_unaffected(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, {"base": (A, ""), "patched": (A, "")})
    surprising, cells = run.finish()
    assert surprising == []
    linux = cells["linux/amd64"]
    assert linux.exercise == "unaffected"
    assert f"runtime.test sha256 {A[:16]}" in linux.reason
    assert cells["darwin/arm64"].exercise == "compiled"
    (proof,) = [one for one in run.records if isinstance(one, SameBits)]
    assert (proof.cell, proof.base, proof.same) == ("linux/amd64", {"runtime": A}, True)


@pytest.mark.parametrize("patched", [(B, ""), ("", "src/x.go:1:1: no")])
def test_binaries_that_differ_make_the_cell_reached(
    monkeypatch: pytest.MonkeyPatch, patched: tuple[str, str]
) -> None:
    surprising, cells = Run(monkeypatch, {"base": (A, ""), "patched": patched}).finish()
    assert [cell.id for cell in surprising] == ["linux/amd64"]
    assert cells["linux/amd64"].exercise == "compiled"
    assert "and yet the tests of runtime differ" in cells["linux/amd64"].reason


def test_where_nothing_can_be_compared_nothing_is_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = ("", "it has no tests there")
    surprising, cells = Run(monkeypatch, {"base": nothing, "patched": nothing}).finish()
    assert surprising == []
    assert cells["linux/amd64"].exercise == "skipped"
    assert "not proven: there is no test binary to compare (runtime: it has no" in cells["linux/amd64"].reason


def test_a_platform_that_the_release_does_not_have_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    _, cells = Run(monkeypatch, {"base": (A, ""), "patched": (A, "")}).finish()
    assert cells["windows/arm"].exercise == "skipped"
    assert cells["windows/arm"].reason == "Go 1.27.3 does not support it"
