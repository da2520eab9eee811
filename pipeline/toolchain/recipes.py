"""How a Go tree builds its own tools for a release, read from the tree: it changed over the years."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline import proc
from pipeline.errors import HostError
from pipeline.golang import EXE, LIST_TIMEOUT, Go
from pipeline.values import Platform

_BIN = {"go", "gofmt"}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What to compile and how. ``flags`` is GOFLAGS; ``modules`` is GO111MODULE, '' for its default;
    ``commands`` are the names below cmd/."""

    flags: str
    modules: str
    commands: tuple[str, ...]

    @property
    def environment(self) -> dict[str, str]:
        """The variables to set, and nothing for the defaults."""
        return {"GOFLAGS": self.flags, **({"GO111MODULE": self.modules} if self.modules else {})}

    def named(self, version: str) -> list[str]:
        """The flags by which what is linked calls itself ``version``: a linker writes its own otherwise.
        They take the place of the linker's flags in ``flags``."""
        found = re.search(r"-ldflags=(\S+)", self.flags)
        return [f"-ldflags={found.group(1) if found else ''} -X=runtime.buildVersion={version}"]

    def as_json(self) -> Mapping[str, object]:
        """For the keys of what is built by it."""
        return {"flags": self.flags, "modules": self.modules, "commands": list(self.commands)}


def read(shell: proc.Shell, go: Go, root: Path, host: Platform) -> Recipe:
    """The recipe of the tree at ``root``. ``go`` is the release that it comes from: which tools belong to it
    is what its archive for ``host`` carries."""
    dist = (root / "src/cmd/dist/build.go").read_text(encoding="utf-8")
    flags = re.search(r'"GOFLAGS=(-trimpath[^"]*)"', dist)
    return Recipe(
        flags=flags.group(1) if flags else "",
        modules=_modules(shell, go),
        commands=tuple(_commands(go.root, host)),
    )


def _modules(shell: proc.Shell, go: Go) -> str:
    """The GO111MODULE under which the release was built: it decides over the DefaultGODEBUG that every main
    package carries (off to 1.22, the default since), and the release's own gofmt tells."""
    carried = _ask(shell, go, "version", "-m", str(go.root / f"bin/gofmt{EXE}"), modules="")
    found = re.search(r"^\tbuild\tDefaultGODEBUG=(.*)$", carried, re.MULTILINE)
    wanted = found.group(1) if found else ""
    for modules in ("", "off"):
        listed = _ask(shell, go, "list", "-f", "{{.DefaultGODEBUG}}", "cmd/gofmt", modules=modules)
        if listed.strip() == wanted:
            return modules
    return ""


def _ask(shell: proc.Shell, go: Go, *words: str, modules: str) -> str:
    extra = {"GO111MODULE": modules} if modules else {}
    result = shell.run(
        f"recipe-{words[0]}",
        go.command(*words),
        env=go.env(extra=extra),
        cwd=go.root / "src",
        timeout=LIST_TIMEOUT,
        merge=False,
    )
    if not result.ok:
        raise HostError(f"go {words[0]} failed:\n{result.tail}", hint=f"the log is {result.log}")
    return result.stdout


def tool_files(root: Path, target: Platform) -> dict[str, Path]:
    """The files of bin and pkg/tool of a tree for ``target``, by their path below it."""
    folders = (root / "bin", root / "pkg/tool" / f"{target.goos}_{target.goarch}")
    paths = (path for folder in folders for path in folder.iterdir())
    # Go puts what it builds for another platform into a folder below bin.
    return {path.relative_to(root).as_posix(): path for path in paths if path.is_file()}


def place(command: str, target: Platform) -> str:
    """Where a tree for ``target`` has a command: its path below GOROOT."""
    exe = ".exe" if target.goos == "windows" else ""
    folder = "bin" if command in _BIN else f"pkg/tool/{target.goos}_{target.goarch}"
    return f"{folder}/{command}{exe}"


def _commands(root: Path, host: Platform) -> list[str]:
    names = [path.name.removesuffix(EXE) for path in tool_files(root, host).values()]
    return sorted(name for name in names if (root / "src/cmd" / name).is_dir())
