"""Clones of a tree: the same files, by link where that works, and the originals never written to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline import tree

NAMES = ("VERSION", "src/a.go", "src/runtime/proc.go", "src/runtime/internal/x/y.go", "bin/go")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "a source"
    for name in NAMES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "bin/go").chmod(0o755)
    return root


def test_a_clone_is_made_of_links(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "deep/er/clone"
    tree.clone(source, target, iter(NAMES))
    assert tree.scan(target) == tree.scan(source)
    assert all((target / name).samefile(source / name) for name in NAMES)


def test_a_clone_adds_to_a_tree_that_is_there(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "clone"
    tree.clone(source, target, NAMES[:3])
    tree.clone(source, target, NAMES[3:])
    assert tree.scan(target) == tree.scan(source)


def test_without_links_a_clone_is_a_copy(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    tree.clone(source, tmp_path / "clone", NAMES)
    assert tree.scan(tmp_path / "clone") == tree.scan(source)
    assert not (tmp_path / "clone/VERSION").samefile(source / "VERSION")


def test_a_copy_has_files_of_its_own(source: Path, tmp_path: Path) -> None:
    tree.copy(source, tmp_path / "copy", iter(NAMES))
    assert tree.scan(tmp_path / "copy") == tree.scan(source)
    assert not (tmp_path / "copy/VERSION").samefile(source / "VERSION")


def test_a_file_where_a_folder_must_be_is_an_error(tmp_path: Path) -> None:
    tree.make_folders(tmp_path / "root", ["a/b/c", "a/d", "e"])
    assert sorted(path.name for path in (tmp_path / "root").rglob("*")) == ["a", "b"]
    (tmp_path / "root/a/x").write_text("")
    with pytest.raises(FileExistsError):
        tree.make_folders(tmp_path / "root", ["a/x/y"])
