"""Proofs of identity, file by file: the tools rebuilt from a release's source are those that came with it; a
toolchain built again is the same; one stage gives what make.bash gives."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.records import Record, ToolchainCompared
from pipeline.store import Store, remove_tree
from pipeline.toolchain import build, cross, full, identity, recipes
from pipeline.toolchain.build import Builder
from pipeline.values import GoTree, Platform

KIND = "identities"
CAME_WITH, AGAIN, FULL = "the tools that came with it", "itself, built again", "make.bash -distpack"
Files = Mapping[str, Path]


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where proofs are made. What was built stays below ``folder`` where it is not the same."""

    builder: Builder
    folder: Path
    record: Callable[[Record], None]


def rebuild(bench: Bench, official: GoTree, target: Platform) -> ToolchainCompared:
    """Build the tools of the builder's release for ``target`` with its own tools, and compare them with those
    of ``official``: the same release as it was published for that platform."""
    builder = bench.builder
    root = builder.base.root
    go = builder.go(root, builder.base.digest)
    how = recipes.read(builder.shell, go, root, builder.host)
    out = bench.folder / f"rebuilt-{target.goos}-{target.goarch}"

    built: dict[str, Path] = {}

    def both() -> tuple[Files, Files]:
        log = f"rebuild-{target.goos}-{target.goarch}"
        built.update(build.compile_tools(builder, go, how, out, target, log))
        return built, recipes.tool_files(official.root, target)

    def keep() -> None:
        cross.keep_release(builder, target, built)

    inputs = _official(builder.base, official, target)
    return _compare(bench, builder.base, target, CAME_WITH, inputs, both, out, keep)


def again(bench: Bench, tree: GoTree, *, own_tools: bool) -> ToolchainCompared:
    """Build the staged toolchain of ``tree`` a second time, from an empty cache, and compare."""
    builder = bench.builder
    out = bench.folder / "again"

    def both() -> tuple[Files, Files]:
        first = build.build(builder, tree, "staged", own_tools=own_tools)
        other = dataclasses.replace(builder, store=Store(out))
        other.store.prepare()
        second = build.build(other, tree, "staged", own_tools=own_tools)
        return _tools(builder, second.root), _tools(builder, first.root)

    inputs = _patched(builder, tree, AGAIN)
    return _compare(bench, tree, builder.host, AGAIN, inputs, both, out)


def staged_is_full(bench: Bench, tree: GoTree, *, own_tools: bool) -> ToolchainCompared:
    """Build ``tree`` in stages and by make.bash -distpack, and compare. See ``full.build`` for what it
    raises."""
    builder = bench.builder

    def both() -> tuple[Files, Files]:
        made = full.build(builder, tree)
        staged = build.build(builder, tree, "staged", own_tools=own_tools)
        return _tools(builder, staged.root), _tools(builder, made.root)

    inputs = _patched(builder, tree, FULL)
    return _compare(bench, tree, builder.host, FULL, inputs, both, bench.folder / "full")


def known(store: Store, base: GoTree, host: Platform) -> bool:
    """Whether the release's tools were rebuilt bit for bit before, by this store's word."""
    return store.known(KIND, _official(base, base, host))


def known_of(builder: Builder, tree: GoTree, against: str) -> bool:
    """Whether ``again`` or ``staged_is_full`` was proven of ``tree`` before, by this store's word."""
    return builder.store.known(KIND, _patched(builder, tree, against))


def _compare(
    bench: Bench,
    tree: GoTree,
    target: Platform,
    against: str,
    inputs: Mapping[str, object],
    both: Callable[[], tuple[Files, Files]],
    out: Path,
    keep: Callable[[], None] = lambda: None,
) -> ToolchainCompared:
    """What is proven is kept in the store, under everything that it depends on, and not built again."""
    failed: dict[str, Any] = {}

    def prove(_: Path) -> Mapping[str, Any]:
        files = identity.compare(*both())
        likeness: dict[str, Any] = {one.name: one.likeness for one in files}
        if not identity.proven(files):
            failed.update(likeness)
            raise _NotTheSameError
        keep()
        if out.exists():
            remove_tree(out)
        return {"files": likeness}

    try:
        entry = bench.builder.store.fill(KIND, inputs, prove)
        files, reused = entry.meta["files"], entry.reused
    except _NotTheSameError:
        files, reused = failed, False
    found = ToolchainCompared(
        version=tree.version,
        goos=target.goos,
        goarch=target.goarch,
        against=against,
        proven=not failed,
        files=files,
        reused=reused,
    )
    bench.record(found)
    return found


def _tools(builder: Builder, root: Path) -> Files:
    return recipes.tool_files(root, builder.host)


def _official(base: GoTree, official: GoTree, target: Platform) -> dict[str, object]:
    return {"base": base.digest, "official": official.digest, "target": str(target)}


def _patched(builder: Builder, tree: GoTree, against: str) -> dict[str, object]:
    return {
        "tree": tree.digest,
        "base": builder.base.digest,
        "against": against,
        "target": str(builder.host),
    }


class _NotTheSameError(Exception):
    """Ends the filling of a store entry: only what is proven is kept."""
