"""Proofs of identity: a release rebuilt from its own source is the release, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipeline.records import Record, ToolchainCompared
from pipeline.store import Store, remove_tree
from pipeline.toolchain import build, identity, recipes
from pipeline.toolchain.build import Builder
from pipeline.values import GoTree, Platform

KIND = "identities"


def rebuild(
    builder: Builder, official: GoTree, target: Platform, folder: Path, record: Callable[[Record], None]
) -> ToolchainCompared:
    """Build the tools of ``builder.base`` for ``target`` with its own tools, and compare them with those of
    ``official``: the same release as it was published for that platform.

    A proof is kept in the store, under everything that it depends on. Where there is none, what was built
    stays below ``folder``.
    """
    root = builder.base.root
    go = builder.go(root, builder.base.digest)
    how = recipes.read(builder.shell, go, root, builder.host)
    out = folder / f"rebuilt-{target.goos}-{target.goarch}"
    failed: dict[str, Any] = {}

    def prove(_: Path) -> Mapping[str, Any]:
        ours = build.compile_tools(builder, go, how, out, target, f"rebuild-{target.goos}-{target.goarch}")
        files = identity.compare(ours, recipes.tool_files(official.root, target))
        likeness: dict[str, Any] = {one.name: one.likeness for one in files}
        if not identity.proven(files):
            failed.update(likeness)
            raise _NotTheSameError
        remove_tree(out)
        return {"files": likeness}

    try:
        files = builder.store.fill(KIND, _inputs(builder.base, official, target), prove).meta["files"]
    except _NotTheSameError:
        files = failed
    found = ToolchainCompared(
        version=builder.base.version,
        goos=target.goos,
        goarch=target.goarch,
        against="the official release",
        proven=not failed,
        files=files,
    )
    record(found)
    return found


def known(store: Store, base: GoTree, host: Platform) -> bool:
    """Whether the release's tools were rebuilt bit for bit before, by this store's word."""
    return store.known(KIND, _inputs(base, base, host))


def _inputs(base: GoTree, official: GoTree, target: Platform) -> dict[str, object]:
    return {"base": base.digest, "official": official.digest, "target": str(target)}


class _NotTheSameError(Exception):
    """Ends the filling of a store entry: only what is proven is kept."""
