"""A Go tree of the user's, and what --base may be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline import proc
from pipeline.errors import HostError, UsageError
from pipeline.golang import EXE
from pipeline.source.archive import ArchiveRelease
from pipeline.source.base import FirstOf, choose
from pipeline.source.local import LocalTree
from pipeline.source.wheel import WheelRelease
from pipeline.store import Store

pytestmark = pytest.mark.usefixtures("processes")  # it asks git where the tree stands


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "my gö"
    for name, text in {
        "VERSION": "go1.27.3\ntime x\n",
        "src/runtime/proc.go": "package runtime\n",
        f"bin/go{EXE}": "#!/bin/sh\n",
        "notes.txt": "mine",
        "src/.git/config": "x",
    }.items():
        path = made / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return made


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "cache")
    made.prepare()
    return made


@pytest.fixture
def shell(tmp_path: Path) -> proc.Shell:
    return proc.Shell(logs=tmp_path / "logs", observe=lambda *_: None)


def test_copies_what_is_gos(root: Path, store: Store, shell: proc.Shell) -> None:
    assert LocalTree(root).find(store) == root.resolve()
    found, reused = LocalTree(root).fetch(store, shell)
    assert not reused
    assert found.version == "1.27.3"
    assert sorted(found.manifest) == ["VERSION", f"bin/go{EXE}", "src/runtime/proc.go"]
    (root / "src/runtime/proc.go").write_text("changed\n")
    assert (found.root / "src/runtime/proc.go").read_text() == "package runtime\n"
    again, reused = LocalTree(root).fetch(store, shell)
    assert not reused
    assert again.digest != found.digest


@pytest.mark.parametrize("version", [None, "", "devel +abc\n", "1.27.3\n", "go\n"])
def test_no_version(root: Path, store: Store, shell: proc.Shell, version: str | None) -> None:
    (root / "VERSION").unlink()
    if version is not None:
        (root / "VERSION").write_text(version)
    with pytest.raises(UsageError, match="no VERSION file that names a release"):
        LocalTree(root).fetch(store, shell)


def test_no_tree_and_no_tools(root: Path, tmp_path: Path, store: Store, shell: proc.Shell) -> None:
    for nothing in (tmp_path / "none", tmp_path):
        with pytest.raises(UsageError, match="is not a Go tree"):
            LocalTree(nothing).fetch(store, shell)
    (root / f"bin/go{EXE}").unlink()
    found, _ = LocalTree(root).fetch(store, shell)
    assert not found.built


def test_a_link_out_of_the_tree_is_refused(
    root: Path, tmp_path: Path, store: Store, shell: proc.Shell
) -> None:
    (tmp_path / "secret").write_text("x")
    (root / "src/runtime/link.go").symlink_to(tmp_path / "secret")
    with pytest.raises(HostError, match="link that leaves"):
        LocalTree(root).fetch(store, shell)


def test_what_is_no_file_is_left_out(root: Path, store: Store, shell: proc.Shell) -> None:
    """An editor's lock is a link to nowhere; reading a FIFO would wait for ever."""
    (root / "src/runtime/.#proc.go").symlink_to("user@host.1234")
    os.mkfifo(root / "src/runtime/fifo")
    found, _ = LocalTree(root).fetch(store, shell)
    assert sorted(found.manifest) == ["VERSION", f"bin/go{EXE}", "src/runtime/proc.go"]


@pytest.mark.parametrize("base", ["1.27.3", "go1.27.3", "1.27.0", "1.28rc1", "go1.28beta2"])
def test_a_release_is_fetched(base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = choose(base)
    assert isinstance(found, FirstOf)
    assert [type(source) for source in found.sources.values()] == [WheelRelease, ArchiveRelease]
    assert found.version == base.removeprefix("go")


@pytest.mark.parametrize("base", [".", "..", "./go", "/usr/local/go", "C:\\go", "1.27.3/"])
def test_a_path_is_a_tree(base: str) -> None:
    assert isinstance(choose(base), LocalTree)


def test_an_existing_folder_is_a_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "go").mkdir()
    assert isinstance(choose("go"), LocalTree)


@pytest.mark.parametrize(
    "base", ["", "latest", "1", "1.27.x", "1.27.3 ", "--index-url=x", "1.27.3; ls", "x" * 9000]
)
def test_anything_else_is_refused(base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="neither a Go release nor a folder"):
        choose(base)
