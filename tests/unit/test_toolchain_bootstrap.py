"""Which Go may build which."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import HostError
from pipeline.toolchain import bootstrap
from pipeline.values import GoTree


def go_tree(root: Path, version: str) -> GoTree:
    return GoTree(root=root, version=version, digest="d", manifest={}, origin=version)


def says(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text, encoding="utf-8")


# https://go.dev/doc/install/source#bootstrapping
@pytest.mark.parametrize(
    ("version", "oldest"),
    [
        ("1.19.13", "1.4"),
        ("1.20", "1.17.13"),
        ("1.21.13", "1.17.13"),
        ("1.22rc1", "1.17.13"),
        ("1.22.10", "1.20.6"),
        ("1.23.4", "1.20.6"),
        ("1.24.3", "1.22.6"),
        ("1.25.5", "1.22.6"),
        ("1.26.6", "1.24.6"),
        ("1.27.3", "1.24.6"),
        ("1.28-devel_0123456789 2026-11-25", "1.26.0"),
        ("devel go1.22-0123456789 2024-01-02", "1.20.6"),
        ("something", "1.26.0"),
    ],
)
def test_a_tree_that_does_not_say_goes_by_its_release(tmp_path: Path, version: str, oldest: str) -> None:
    assert bootstrap.minimum(go_tree(tmp_path, version)) == oldest


def test_the_trees_own_word_comes_first(tmp_path: Path) -> None:
    tree = go_tree(tmp_path, "1.27.3")
    says(tmp_path, "src/cmd/dist/buildtool.go", 'const minBootstrap = "go1.25.1"\n')
    assert bootstrap.minimum(tree) == "1.25.1"
    says(tmp_path, "src/make.bash", "# bootgo=9.9\nset -e\nbootgo=1.25.2\nbootgo=$(rm -rf /)\n")
    assert bootstrap.minimum(tree) == "1.25.2"


@pytest.mark.parametrize(
    ("version", "wanted", "enough"),
    [
        ("1.24.6", "1.24.6", True),
        ("1.24.5", "1.24.6", False),
        ("1.25.0", "1.24.6", True),
        ("1.9", "1.24.6", False),
        ("1.26rc1", "1.26.0", False),
        ("1.28-devel_0123456789 2026-11-25", "1.26.0", True),
        ("something", "1.4", False),
    ],
)
def test_new_enough(version: str, wanted: str, enough: bool) -> None:
    assert bootstrap.suffices(version, wanted) is enough


def test_a_bootstrap_that_is_too_old_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    says(tmp_path, "src/make.bash", "bootgo=1.24.6\n")
    tree = go_tree(tmp_path, "1.27.3")
    bootstrap.check(go_tree(tmp_path, "1.27.3"), tree)
    with pytest.raises(
        HostError, match=r"^Go 1\.21\.13 is too old to build Go 1\.27\.3: that takes 1\.24\.6"
    ):
        bootstrap.check(go_tree(tmp_path, "1.21.13"), tree)
