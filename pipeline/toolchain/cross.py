"""The tools of a tree for another platform, compiled on this machine and kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipeline.golang import Go
from pipeline.toolchain import build, recipes
from pipeline.toolchain.build import Builder
from pipeline.toolchain.recipes import Recipe
from pipeline.values import Platform


def tools(builder: Builder, go: Go, by: str, source: str, target: Platform) -> dict[str, Path]:
    """The files of bin and pkg/tool for ``target``, by their path below GOROOT. ``go`` compiles its own tree,
    whose digest is ``source``; ``by`` is that of its tools. PatchError when they do not compile, HostError
    when the machine stopped it."""
    how = _recipe(builder, go)

    def compile_(folder: Path) -> Mapping[str, Path]:
        log = f"tools-{target.goos}-{target.goarch}"
        return build.compile_tools(builder, go, how, folder, target, log)

    return _filled(builder, _key(how, by, source, target), compile_)


def keep_release(builder: Builder, target: Platform, built: Mapping[str, Path]) -> None:
    """Keep the release's tools for ``target`` that somebody compiled, and proved, and needs no more."""
    base = builder.base
    how = _recipe(builder, builder.go(base.root, base.digest))

    def move(folder: Path) -> Mapping[str, Path]:
        folder.mkdir()
        # The store may be on another disk.
        return {name: Path(shutil.move(path, folder / path.name)) for name, path in built.items()}

    _filled(builder, _key(how, base.digest, base.digest, target), move)


def release(builder: Builder, target: Platform) -> dict[str, Path]:
    """The release's own tools for ``target``; see ``tools``."""
    base = builder.base
    return tools(builder, builder.go(base.root, base.digest), base.digest, base.digest, target)


def _recipe(builder: Builder, go: Go) -> Recipe:
    first = builder.go(builder.base.root, builder.base.digest)
    return recipes.read(builder.shell, first, go.root, builder.host)


def _key(how: Recipe, by: str, source: str, target: Platform) -> dict[str, object]:
    return {"tree": source, "by": by, "how": how.as_json(), "target": str(target)}


def _filled(
    builder: Builder, inputs: Mapping[str, object], make: Callable[[Path], Mapping[str, Path]]
) -> dict[str, Path]:
    def fill(folder: Path) -> Mapping[str, Any]:
        made = make(folder / "tools")
        return {"files": {name: path.relative_to(folder).as_posix() for name, path in made.items()}}

    entry = builder.store.fill("tools", inputs, fill)
    return {str(name): entry.path / str(path) for name, path in entry.meta["files"].items()}
