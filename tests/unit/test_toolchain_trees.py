"""Patched trees: what a release holds twice changes twice, and the baseline never."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline import tree
from pipeline.patch.apply import Outcome
from pipeline.patch.reach import changed_packages
from pipeline.store import Store
from pipeline.toolchain import trees
from pipeline.values import GoTree, Series

FLAG, COPY = "src/runtime/textflag.h", "pkg/include/textflag.h"
SERIES = Series(
    name="s",
    subject="",
    issue="",
    base="",
    root=Path(),
    patches=(),
    packages=(),
    tests={},
    benchmarks={},
    thresholds={},
    digest="d",
)
OLD, NEW = b"#define NOSPLIT 4\n", b"#define NOSPLIT 4\n#define QUIET 8192\n"


@pytest.fixture
def base(tmp_path: Path) -> GoTree:
    root = tmp_path / "release"
    for name in (FLAG, COPY, "src/runtime/funcdata.h", "pkg/include/funcdata.h", "src/runtime/go_tls.h"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(OLD)
    (root / "VERSION").write_text("go1.27.3\n")
    manifest = tree.scan(root)
    return GoTree(root=root, version="1.27.3", digest=tree.digest(manifest), manifest=manifest)


def made(tmp_path: Path, base: GoTree, files: dict[str, bytes | None]) -> trees.PatchedTree:
    outcome = Outcome(applied=(), failure=None, steps=(files,))
    return trees.written(Store(tmp_path / "store"), base, SERIES, outcome)


def test_a_header_of_the_runtime_is_what_assembly_includes(tmp_path: Path, base: GoTree) -> None:
    patched = made(tmp_path, base, {FLAG: NEW})
    assert (patched.tree.root / COPY).read_bytes() == NEW
    assert (base.root / COPY).read_bytes() == OLD, "not through the link"
    assert (patched.tree.root / "pkg/include/funcdata.h").read_bytes() == OLD
    assert patched.tree.manifest == tree.scan(patched.tree.root)
    assert patched.tree.digest == tree.digest(patched.tree.manifest)
    assert changed_packages(patched.changed) == ["runtime"]


def test_a_header_that_has_no_copy_gets_none(tmp_path: Path, base: GoTree) -> None:
    patched = made(tmp_path, base, {"src/runtime/go_tls.h": NEW, "src/net/textflag.h": NEW})
    assert patched.changed == ("src/net/textflag.h", "src/runtime/go_tls.h")
    assert (patched.tree.root / COPY).read_bytes() == OLD


def test_a_header_that_is_removed_is_removed_twice(tmp_path: Path, base: GoTree) -> None:
    patched = made(tmp_path, base, {FLAG: None})
    assert patched.changed == (COPY, FLAG)
    assert not (patched.tree.root / COPY).exists()


def test_every_prefix_has_a_tree_made_of_the_baseline(tmp_path: Path, base: GoTree) -> None:
    one, both = {"src/a.go": b"1"}, {"src/a.go": None, FLAG: NEW}
    store = Store(tmp_path / "store")
    outcome = Outcome(applied=(), failure=None, steps=(one, both))
    patched = trees.written(store, base, SERIES, outcome)
    first = trees.prefix(store, base, patched, 1)
    assert trees.prefix(store, base, patched, 2).root == patched.tree.root
    assert tree.changed(base.manifest, first.manifest) == ["src/a.go"]
    assert first.manifest == tree.scan(first.root)
    assert first.digest == tree.digest(first.manifest)


def test_what_a_tree_is_said_to_have_of_its_own_is_all_that_is_no_link(
    tmp_path: Path, base: GoTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only that is flushed to the disk: links lead to what is there."""
    flushed: set[int] = set()
    monkeypatch.setattr(os, "fsync", lambda handle: flushed.add(os.fstat(handle).st_ino))
    store = Store(tmp_path / "store")

    def check(made_: GoTree, count: int) -> None:
        files = [path for path in made_.root.parent.rglob("*") if path.is_file()]
        own = {path.stat().st_ino for path in files if path.stat().st_nlink == 1}
        assert flushed & {path.stat().st_ino for path in files} == own
        assert len(own) == count
        flushed.clear()

    changes = {FLAG: NEW, "src/gone_test.go": None, "src/p/p_test.go": b"package p"}
    patched = made(tmp_path, base, changes)
    check(patched.tree, 2 + 3)  # both manifests; the header, its copy, and the test
    check(trees.named(store, patched.tree, "series"), 2 + 1)
    check(trees.overlaid(store, base, patched.tree, patched.changed, []), 2)
