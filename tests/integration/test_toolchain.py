"""When the release's tools will not do: what the series changes decides, by the release's own list."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import proc, tree
from pipeline.golang import host_platform
from pipeline.store import Store
from pipeline.toolchain import build
from pipeline.values import GoTree

pytestmark = pytest.mark.go


@pytest.mark.parametrize(
    ("changed", "touched"),
    [
        ("src/runtime/netpoll_kqueue.go", False),
        ("src/internal/poll/fd_unix.go", False),
        ("src/net/dial.go", False),
        ("src/cmd/compile/internal/ssa/rewrite.go", True),
        ("src/cmd/compile/internal/ssa/rewrite_test.go", False),
        ("src/internal/abi/map.go", True),
        ("src/internal/runtime/maps/map.go", True),
        ("src/math/big/int.go", True),
    ],
)
def test_what_the_tools_compute_with(
    cache: Path, release: Path, tmp_path: Path, changed: str, touched: bool
) -> None:
    manifest = tree.load(release.parent / "manifest.json")
    base = GoTree(root=release, version="1.27.3", digest=tree.digest(manifest), manifest=manifest)
    builder = build.Builder(
        store=Store(cache),
        shell=proc.Shell(logs=tmp_path, observe=lambda _name, _result: None),
        base=base,
        host=host_platform(),
        jobs=2,
        work=tmp_path,
    )
    assert build.touches_tools(builder, [changed]) is touched
