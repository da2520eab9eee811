"""A patched toolchain for any platform, built on this machine and packed as the official archives are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError
from pipeline.store import file_sha256
from pipeline.toolchain import build, cross, pack, recipes, trees
from pipeline.toolchain.build import Builder
from pipeline.toolchain.trees import PatchedTree
from pipeline.values import GoTree, Platform, Toolchain


@dataclass(frozen=True, kw_only=True)
class Packed:
    """An archive in the store. ``size`` is bytes."""

    path: Path
    version: str
    sha256: str
    size: int
    proof: str
    reused: bool


def check_target(builder: Builder, target: Platform) -> None:
    """UsageError for a platform that the release does not know, by its own list."""
    go = builder.go(builder.base.root, builder.base.digest)
    known = go.platforms(builder.shell)
    if target not in known:
        near = [str(one) for one in known if target.goos == one.goos or target.goarch == one.goarch]
        raise UsageError(
            f"Go {builder.base.version} does not know {target}",
            meaning=f"near it: {', '.join(near[:8])}" if near else "",
            hint="go tool dist list names every platform",
        )


def packed(builder: Builder, patched: PatchedTree, series: str, target: Platform) -> Packed:
    """The toolchain of the patched tree for ``target``, as an archive; from the store when it is there."""
    named = trees.named(builder.store, patched.tree, series)
    own = build.touches_tools(builder, patched.changed)
    toolchain = None
    if own or target == builder.host:
        toolchain = build.build(builder, named, "staged", own_tools=own)
    name = pack.archive_name(named.version, target)

    def fill(folder: Path) -> Mapping[str, Any]:
        built = _tools(builder, named, toolchain, target)
        archive = folder / name
        pack.write(archive, pack.members(named, builder.host, built), pack.released(named.root))
        return {"sha256": file_sha256(archive), "size": archive.stat().st_size}

    by = toolchain.digest if toolchain else builder.base.digest
    inputs = {"tree": named.digest, "by": by, "target": str(target), "form": pack.FORM}
    entry = builder.store.fill("archives", inputs, fill)
    return Packed(
        path=entry.path / name,
        version=named.version,
        sha256=str(entry.meta["sha256"]),
        size=int(entry.meta["size"]),
        proof=toolchain.proof if toolchain else "one stage by the release's tools, cross-compiled",
        reused=entry.reused,
    )


def _tools(
    builder: Builder, named: GoTree, toolchain: Toolchain | None, target: Platform
) -> Mapping[str, Path]:
    if toolchain is None:
        go, by = builder.go(named.root, builder.base.digest), builder.base.digest
    elif target == builder.host:
        return recipes.tool_files(toolchain.root, target)
    else:
        # What the series changed of the compiler must compile the others as well.
        go, by = builder.go(toolchain.root, toolchain.digest), toolchain.digest
    return cross.tools(builder, go, by, named.digest, target)
