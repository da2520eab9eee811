"""A GOROOT of a few files and a run that built a patched one: what the tests of an install work on."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline import tree
from pipeline.golang import EXE, host_platform
from pipeline.install import beside as room
from pipeline.install import install, owners, preflight, verify
from pipeline.install.beside import Beside
from pipeline.install.install import Ground, Request
from pipeline.store import Store
from pipeline.toolchain.build import tools_digest

HOST = host_platform()


def make_tree(root: Path, word: str) -> Path:
    """A Go tree by its looks."""
    tools = root / "pkg/tool" / f"{HOST.goos}_{HOST.goarch}"
    for folder in (root / "src/runtime", root / "bin", tools):
        folder.mkdir(parents=True)
    (root / "VERSION").write_text("go1.27.3\n")
    (root / "src/runtime/proc.go").write_text(f"package runtime // {word}\n")
    for program in (root / "bin" / f"go{EXE}", tools / f"compile{EXE}"):
        program.write_text(word)
        program.chmod(0o755)
    return root


class World:
    """A GOROOT, a run that built a patched toolchain, and what an install is told."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.opt = home / "opt"
        self.old = make_tree(self.opt / "go", "old")
        self.before = tree.scan(self.old)
        self.patched = make_tree(home / "store/v1/toolchains/key/tree", "patched")
        self.run = home / "runs/one"
        self.report()
        self.said: list[str] = []
        self.ground = Ground(
            store=Store(home / "store"),
            root=home / "data/toolchains",
            host=HOST,
            watch=lambda _: None,
            note=self.said.append,
        )
        self.request = Request(run=self.run, replace=str(self.old))

    @property
    def beside(self) -> Beside:
        return room.at(self.old)

    def report(self, **changes: Any) -> None:
        row = {
            "role": "patched",
            "version": "1.27.3",
            "digest": tools_digest(self.patched, HOST),
            "path": str(self.patched),
            "recipe": "staged",
        }
        data = {
            "run_id": "one-1234",
            "verdict": "pass",
            "series": {"name": "my-series"},
            "toolchains": [{"role": "base"}, row | changes],
        }
        self.run.mkdir(parents=True, exist_ok=True)
        (self.run / "report.json").write_text(json.dumps(data))

    def watched(self, watch: Callable[[str], None]) -> Ground:
        """The ground of which ``watch`` is told each step."""
        return dataclasses.replace(self.ground, watch=watch)

    def install(self) -> install.Installed:
        return install.install(self.request, self.ground)

    def assert_as_before(self) -> None:
        assert tree.scan(self.old) == self.before
        assert [path.name for path in self.opt.iterdir() if not path.name.endswith(".lock")] == ["go"]


def a_world(home: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """One in which no program of the trees is started, and nobody else is asked."""
    monkeypatch.setattr(owners, "find", lambda _: None)
    monkeypatch.setattr(preflight, "users", lambda _: ())
    monkeypatch.setattr(verify, "ask", lambda *_: "go version go1.27.3")
    for check in ("hello", "version", "goroot"):
        monkeypatch.setattr(verify, check, lambda *_: None)
    return World(home)
