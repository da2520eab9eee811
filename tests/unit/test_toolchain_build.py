"""Which builds may share Go's build cache, and who is to blame for one that was killed."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import pytest

from pipeline import proc, tree
from pipeline.errors import HostError
from pipeline.store import Store
from pipeline.toolchain import recipes, testbin
from pipeline.toolchain.build import Builder, build, compile_tools, tools_digest
from pipeline.values import GoTree, Platform


def headers(root: Path, text: str) -> Path:
    (root / "pkg/include").mkdir(parents=True)
    (root / "pkg/include/textflag.h").write_text(text)
    return root


def test_a_cache_is_shared_by_the_same_tools_and_the_same_headers(tmp_path: Path) -> None:
    base = headers(tmp_path / "base", "#define NOSPLIT 4\n")
    store = Store(tmp_path / "cache")
    builder = Builder(
        store=store,
        shell=proc.Shell(logs=tmp_path / "logs", observe=lambda *_: None),
        base=GoTree(root=base, version="1.27.3", digest="a" * 64, manifest={}),
        host=Platform(goos="linux", goarch="amd64"),
        jobs=1,
        work=tmp_path,
    )
    alike = headers(tmp_path / "alike", "#define NOSPLIT 4\n")
    other = headers(tmp_path / "other", "#define NOSPLIT 8\n")
    tools = builder.base.digest
    assert builder.go(alike, tools).cache == builder.go(base, tools).cache
    assert builder.go(other, tools).cache != builder.go(base, tools).cache
    assert builder.go(base, "b" * 64).cache != builder.go(base, tools).cache
    # Of a base whose code alone differs, and of one with another compiler.
    edited = dataclasses.replace(builder, base=dataclasses.replace(builder.base, digest="c" * 64))
    assert edited.go(base, "c" * 64).cache == builder.go(base, tools).cache
    (base / "pkg/tool/linux_amd64").mkdir(parents=True)
    (base / "pkg/tool/linux_amd64/compile").write_text("another")
    rebuilt = dataclasses.replace(edited)
    assert rebuilt.go(base, "c" * 64).cache != builder.go(base, tools).cache


def test_the_patched_tree_is_a_toolchain_with_the_digest_of_its_own_tools(tmp_path: Path) -> None:
    """That of the base's where they are the same files; those are not read again."""
    base = tmp_path / "base"
    (base / "bin").mkdir(parents=True)
    (base / "bin/go").write_text("go")
    manifest = tree.scan(base)
    host = Platform(goos="linux", goarch="amd64")
    builder = Builder(
        store=Store(tmp_path / "cache"),
        shell=proc.Shell(logs=tmp_path / "logs", observe=lambda *_: None),
        base=GoTree(root=base, version="1.27.3", digest="a" * 64, manifest=manifest),
        host=host,
        jobs=1,
        work=tmp_path,
    )

    def digest(name: str) -> str:
        root = shutil.copytree(base, tmp_path / name)
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("patched")
        patched = GoTree(root=root, version="1.27.3", digest="b" * 64, manifest=tree.scan(root))
        found = build(builder, patched, "overlay", own_tools=False).digest
        assert found == tools_digest(root, host)
        return found

    same = tools_digest(base, host)
    assert digest("src/p.go") == same
    assert len({same, digest("bin/go"), digest("pkg/tool/linux_amd64/compile")}) == 3


@pytest.mark.usefixtures("processes")
@pytest.mark.skipif(os.name == "nt", reason="a shell script stands in for the go command")
def test_a_compiler_that_was_killed_is_the_machines_fault(tmp_path: Path) -> None:
    base = headers(tmp_path / "base", "")
    (base / "bin").mkdir()
    (base / "bin/go").write_text("#!/bin/sh\nkill -9 $$\n")
    (base / "bin/go").chmod(0o755)
    (base / "src").mkdir()
    store = Store(tmp_path / "cache")
    store.prepare()
    tree = GoTree(root=base, version="1.27.3", digest="a" * 64, manifest={})
    builder = Builder(
        store=store,
        shell=proc.Shell(logs=tmp_path / "logs", observe=lambda *_: None),
        base=tree,
        host=Platform(goos="linux", goarch="amd64"),
        jobs=1,
        work=tmp_path,
    )
    go = builder.go(base, tree.digest)
    how = recipes.Recipe(flags="", modules="", commands=("vet",))
    with pytest.raises(HostError, match=r"the toolchain build was stopped by this machine: .*SIGKILL"):
        compile_tools(builder, go, how, tmp_path / "out", builder.host, "tools")
    with pytest.raises(HostError, match=r"compiling p's tests was stopped by this machine: .*SIGKILL"):
        testbin.compile_one(builder, go, tree, "patched", "p", tree.digest)
    assert not [path for path in (store.area / "testbins").iterdir() if not path.name.startswith(".")]
