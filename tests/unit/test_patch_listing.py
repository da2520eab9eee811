"""Listings: what is asked of a release's go command, what its answers mean, and who is to blame for none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import HostError, PatchError
from pipeline.patch import listing
from pipeline.patch.listing import Asker, Listings
from pipeline.store import Store
from pipeline.values import Platform

LINUX = Platform(goos="linux", goarch="amd64")
WINDOWS = Platform(goos="windows", goarch="arm64")
MANIFEST = {"src/p/p.go": "0", "src/go.mod": "0"}


class Go:
    """Stands for a go command: rows by GOOS, or none at all where it ``fails``."""

    def __init__(self, rows: dict[str, list[dict[str, Any]]], fails: str = "") -> None:
        self.rows, self.fails = rows, fails
        self.asked: list[tuple[str, Platform, Sequence[str]]] = []
        self.fields: Sequence[str] = ()

    def list(
        self, _shell: Any, name: str, packages: Sequence[str], *, target: Platform, fields: Any, **_: Any
    ) -> list[dict[str, Any]]:
        self.asked.append((name, target, packages))
        self.fields = fields
        if self.fails:
            raise HostError(f"go list failed for {target}:\n{self.fails}", hint="the log is x.log")
        return self.rows.get(target.goos, [])


@pytest.fixture
def asker(tmp_path: Path) -> Asker:
    store = Store(tmp_path / "store")
    store.prepare()
    shell: Any = None
    return Asker(store=store, shell=shell, release="r", jobs=2)


def of_tree(asker: Asker, go: Any, manifest: dict[str, str] = MANIFEST, **more: Any) -> Listings:
    return listing.of_tree(asker, go, manifest, ["p"], [LINUX, WINDOWS], **more)


def test_a_file_that_go_cannot_read_is_code_of_the_package_or_a_test(asker: Asker) -> None:
    row = {
        "ImportPath": "p",
        "GoFiles": ["p.go"],
        "InvalidGoFiles": ["bad.go", "bad_test.go"],
        "TestGoFiles": ["bad_test.go"],
    }
    go = Go({"linux": [row], "windows": [{"ImportPath": "p", "InvalidGoFiles": ["bad.go"]}]})
    found = of_tree(asker, go)
    assert "InvalidGoFiles" in go.fields
    assert found[LINUX]["p"].code == {"src/p/p.go", "src/p/bad.go"}
    assert found[LINUX]["p"].tests == {"src/p/bad_test.go"}
    assert found[WINDOWS]["p"].code == {"src/p/bad.go"}


ROWS = {"linux": [{"ImportPath": "p", "GoFiles": ["p.go"]}]}
BROKEN = "go.mod:14: unknown directive: x"


def test_a_tree_that_cannot_be_listed_where_the_baseline_can_is_the_fault_of_the_patch(asker: Asker) -> None:
    baseline: Any = Go(ROWS)
    with pytest.raises(PatchError, match="unknown directive: x") as caught:
        of_tree(asker, Go(ROWS, BROKEN), baseline=baseline)
    assert "the patch is at fault" in caught.value.meaning
    assert caught.value.hint == "the log is x.log"


def test_where_the_baseline_cannot_be_listed_either_the_machine_is_in_trouble(asker: Asker) -> None:
    of_tree(asker, Go(ROWS))  # what is remembered of the baseline says nothing about now
    patched: Any = {"src/p/p.go": "1"}
    with pytest.raises(HostError, match="no space"):
        of_tree(asker, Go(ROWS, "no space"), patched, baseline=Go(ROWS, "no space"))
    with pytest.raises(HostError, match="no space"):
        of_tree(asker, Go(ROWS, "no space"), patched)


def test_a_module_file_that_changes_is_a_new_question(asker: Asker) -> None:
    of_tree(asker, Go(ROWS))
    again = Go(ROWS)
    of_tree(asker, again)
    assert again.asked == []
    with pytest.raises(PatchError):
        of_tree(asker, Go(ROWS, BROKEN), {**MANIFEST, "src/go.mod": "1"}, baseline=Go(ROWS))


@pytest.mark.parametrize("name", ["src/go.mod", "src/cmd/go.sum", "src/vendor/modules.txt"])
def test_module_files(name: str) -> None:
    assert listing.is_module_file(name)


@pytest.mark.parametrize(
    "name", ["go.mod", "src/p/modules.txt", "src/cmd/go/testdata/x/go.mod", "src/p/mod.go"]
)
def test_other_files_describe_no_module_of_the_release(name: str) -> None:
    assert not listing.is_module_file(name)


def test_importers_are_asked_of_each_goos_and_the_commands_on_the_host_alone(
    asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: dict[str, list[dict[str, Any]]] = {
        "linux": [
            {"ImportPath": "os", "Name": "os", "Imports": ["io"]},
            # A program with a profile is listed with packages of its own, and one may import nothing.
            {"ImportPath": "os [cmd/x]", "Name": "os", "Imports": ["io [cmd/x]"]},
            {"ImportPath": "cmd/x", "Name": "main", "Imports": ["os [cmd/x]"]},
            {"ImportPath": "cmd/y", "Name": "main"},
        ],
        "windows": [{"ImportPath": "net", "Imports": ["io", "internal/w"]}, {"ImportPath": "io"}],
    }
    go: Any = Go(rows)
    go.platforms = lambda _: (Platform(goos="linux", goarch="386"), LINUX, WINDOWS)
    monkeypatch.setattr(listing, "_tags", lambda *_: ["x"])
    release = listing.of_release(asker, go, LINUX)
    asked = {str(platform): packages for _, platform, packages in go.asked}
    assert asked == {"linux/amd64": ["std", "cmd"], "windows/arm64": ["std"]}
    assert release.importing(["internal/w"], "linux") == ()
    assert release.importing(["internal/w"], "windows") == ("net",)
    assert release.importing(["io"], "linux") == ("os",)
    assert release.dependents(["io"], "linux") == ("cmd/x", "os")
    assert release.dependents(["runtime"], "linux") == ("cmd/x", "cmd/y")
    assert listing.of_release(asker, go, LINUX) == release
    assert len(go.asked) == 2
