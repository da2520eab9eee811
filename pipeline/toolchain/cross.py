"""The tools of a tree for another platform, compiled on this machine and kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.golang import Go
from pipeline.toolchain import build, recipes
from pipeline.toolchain.build import Builder
from pipeline.values import Platform


def tools(builder: Builder, go: Go, by: str, source: str, target: Platform) -> dict[str, Path]:
    """The files of bin and pkg/tool for ``target``, by their path below GOROOT. ``go`` compiles its own tree,
    whose digest is ``source``; ``by`` is that of its tools. PatchError when they do not compile, HostError
    when the machine stopped it."""
    release = builder.go(builder.base.root, builder.base.digest)
    how = recipes.read(builder.shell, release, go.root, builder.host)

    def fill(folder: Path) -> Mapping[str, Any]:
        log = f"tools-{target.goos}-{target.goarch}"
        built = build.compile_tools(builder, go, how, folder / "tools", target, log)
        return {"files": {name: path.relative_to(folder).as_posix() for name, path in built.items()}}

    inputs = {"tree": source, "by": by, "how": how.as_json(), "target": str(target)}
    entry = builder.store.fill("tools", inputs, fill)
    return {str(name): entry.path / str(path) for name, path in entry.meta["files"].items()}
