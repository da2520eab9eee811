"""Reach as a stage: what is asked, what is recorded, and what ends a check that would check nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.errors import NothingToDoError, PatchError
from pipeline.flow import checking, reaching
from pipeline.flow.reaching import Reached
from pipeline.gates.compile import Prefix
from pipeline.patch import listing, reach
from pipeline.patch.listing import Listing, Listings, Release
from pipeline.records import SeriesReach
from pipeline.toolchain import trees
from pipeline.values import GoTree, Platform

LINUX = Platform(goos="linux", goarch="amd64")
WINDOWS = Platform(goos="windows", goarch="arm64")
Importers = Mapping[str, Mapping[str, tuple[str, ...]]]
BASE = {"src/p/p.go": "0", "src/go.mod": "0"}


def go_tree(manifest: dict[str, str]) -> GoTree:
    return GoTree(root=Path(), version="1.27.3", digest="d", manifest=manifest)


class Run:
    """A series as far as its reach looks at it: ``patches`` patches, all ``changes`` in the first. Package p
    compiles p.go everywhere."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        changes: dict[str, str],
        fails: str = "",
        importers: Importers | None = None,
        patches: int = 1,
    ) -> None:
        self.asked: list[str] = []
        self.fails = fails
        self.patched: Any = SimpleNamespace(
            tree=go_tree({**BASE, **changes}), steps=(dict(changes),) * patches
        )
        self.builder: Any = SimpleNamespace(base=go_tree(BASE), go=lambda *_: None)
        self.records: list[Any] = []
        names = [SimpleNamespace(name=f"{number:04d}-x.patch") for number in range(1, patches + 1)]
        self.context: Any = SimpleNamespace(
            store=None,
            shell=None,
            jobs=1,
            plan=SimpleNamespace(cells=[], series=SimpleNamespace(patches=names), host=LINUX),
            ledger=SimpleNamespace(append=self.records.append),
            progress=SimpleNamespace(step=lambda *_: None),
            stage=lambda _: contextlib.nullcontext(),
        )
        release = Release(tags={LINUX: (), WINDOWS: ()}, importers=importers or {})
        monkeypatch.setattr(listing, "of_release", lambda *_: release)
        monkeypatch.setattr(listing, "of_tree", self._of_tree)
        monkeypatch.setattr(trees, "prefix", lambda *_: self.patched.tree)

    def _of_tree(self, _a: Any, _go: Any, _m: Any, packages: list[str], _p: Any, **more: Any) -> Listings:
        self.asked = packages
        if self.fails and "baseline" in more:
            raise PatchError(self.fails, meaning="the patch is at fault", hint="log")
        one = Listing(code=frozenset({"src/p/p.go"}), tests=frozenset(), tested=False)
        return {LINUX: {"p": one}, WINDOWS: {"p": one}}

    def find(self) -> tuple[Reached, SeriesReach]:
        found = reaching.find(self.context, self.builder, self.patched)
        (record,) = [one for one in self.records if isinstance(one, SeriesReach)]
        return found, record


def test_a_file_that_no_platform_compiles_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    _, record = Run(monkeypatch, {"src/p/p.go": "1", "src/p/odd.go": "1"}).find()
    assert record.unlisted == ["src/p/odd.go"]
    assert set(record.reached) == {"linux/amd64", "windows/arm64"}


def test_a_module_file_makes_go_read_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, {"src/go.mod": "1"})
    _, record = run.find()
    assert run.asked == ["net", "runtime"]
    assert record.unlisted == ["src/go.mod"]


def test_a_tree_that_cannot_be_listed_is_charged_to_its_patch(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, {"src/go.mod": "1"}, fails="go list failed for linux/amd64:\nunknown directive")
    with pytest.raises(PatchError) as caught:
        run.find()
    assert caught.value.what.startswith("patch 1 of 1 (0001-x.patch): go list failed for linux/amd64:\n")
    assert caught.value.meaning == "the patch is at fault"


def test_of_patches_that_cannot_be_listed_the_first_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, {"src/p/p.go": "1"}, fails="go list failed", patches=3)
    with pytest.raises(PatchError, match=r"patch 1 of 3 \(0001-x\.patch\): go list failed"):
        run.find()


def test_every_prefix_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = Run(monkeypatch, {"src/p/p.go": "1"}, patches=3).find()
    assert [one.number for one in found.prefixes] == [1, 2, 3]
    assert [one.patch for one in found.prefixes] == ["0001-x.patch", "0002-x.patch", "0003-x.patch"]


def test_a_check_of_nothing_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = Run(monkeypatch, {"src/go.mod": "1", "src/p/odd.go": "1"}).find()
    with pytest.raises(NothingToDoError, match=r"any platform compiles: src/go\.mod, src/p/odd\.go"):
        checking.require_something(found)


def test_a_prefix_that_a_later_patch_takes_back_is_something(monkeypatch: pytest.MonkeyPatch) -> None:
    something, _ = Run(monkeypatch, {"src/p/p.go": "1"}).find()
    nothing, _ = Run(monkeypatch, {}).find()
    checking.require_something(something)
    last = nothing.prefixes[-1]
    both = (something.prefixes[0], Prefix(**{**vars(last), "number": 2}))
    checking.require_something(Reached(release=something.release, prefixes=both))
    with pytest.raises(NothingToDoError, match="no file at all"):
        checking.require_something(nothing)


def test_tests_that_change_alone_are_something() -> None:
    tests = reach.Reach(
        platform=LINUX, packages=(), test_packages=("p",), tested=("p",), files=("src/p/p_test.go",)
    )
    one = Prefix(number=1, patch="1", tree=go_tree({}), changed=tests.files, reach={LINUX: tests})
    checking.require_something(Reached(release=Release(tags={}, importers={}), prefixes=(one,)))


def test_each_platform_has_the_importers_of_its_goos(monkeypatch: pytest.MonkeyPatch) -> None:
    importers: Importers = {"linux": {"p": ("os",)}, "windows": {"p": ("net", "os")}}
    found, record = Run(monkeypatch, {"src/p/p.go": "1"}, importers=importers).find()
    assert found.importing == {LINUX: ("os",), WINDOWS: ("net", "os")}
    assert (record.importing, record.importing_checked, record.importing_unchecked) == (2, True, [])


def test_the_limit_of_importers_is_one_of_each_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    few = tuple(f"a{number:02}" for number in range(reaching.FEW))
    importers: Importers = {"linux": {"p": few}, "windows": {"p": (*few, "b")}}
    found, record = Run(monkeypatch, {"src/p/p.go": "1"}, importers=importers).find()
    assert found.importing == {LINUX: few}
    assert (record.importing_checked, record.importing_unchecked) == (False, ["windows/arm64"])
