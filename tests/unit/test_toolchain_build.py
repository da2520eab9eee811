"""Which builds may share Go's build cache."""

from __future__ import annotations

from pathlib import Path

from pipeline import proc
from pipeline.store import Store
from pipeline.toolchain.build import Builder
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
