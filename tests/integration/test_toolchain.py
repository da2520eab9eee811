"""When the release's tools will not do, and by which name those that are built go."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pipeline import tree
from pipeline.toolchain import build, recipes
from pipeline.toolchain.build import Builder

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
def test_what_the_tools_compute_with(builder: Builder, changed: str, touched: bool) -> None:
    assert build.touches_tools(builder, [changed]) is touched


@pytest.mark.parametrize("version", ["go1.28-devel_0123456789 2026-11-25", "devel go1.28-0123456 2026-11-25"])
def test_tools_of_a_development_tree_go_by_its_whole_name(
    builder: Builder, tmp_path: Path, version: str
) -> None:
    root = tmp_path / "tree"
    tree.clone(builder.base.root, root, [name for name in builder.base.manifest if name != "VERSION"])
    (root / "VERSION").write_text(f"{version}\n", encoding="utf-8")
    release = builder.go(builder.base.root, builder.base.digest)
    how = recipes.read(builder.shell, release, root, builder.host)
    one = recipes.Recipe(flags=how.flags, modules=how.modules, commands=("gofmt",))
    go = builder.go(root, builder.base.digest)
    built = build.compile_tools(builder, go, one, tmp_path / "out", builder.host, "gofmt")
    said = subprocess.run(
        [release.binary, "version", built["bin/gofmt"]], capture_output=True, text=True, check=True
    )
    assert said.stdout == f"{built['bin/gofmt']}: {version}\n"


def test_what_is_no_file_is_no_tool(tmp_path: Path, builder: Builder) -> None:
    """A make.bash for another platform leaves a folder in bin, and a tree without tools has none at all."""
    (tmp_path / "bin/linux_arm64").mkdir(parents=True)
    (tmp_path / "bin/go").write_text("go")
    assert list(recipes.tool_files(tmp_path, builder.host)) == ["bin/go"]
