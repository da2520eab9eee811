"""A run spread over machines, small: a plan of the real matrix, and both sides of a cell in a few files."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest

from pipeline import tree
from pipeline.flow.bundling import Contents
from pipeline.flow.sides import Batch, Sides
from pipeline.golang import Go
from pipeline.plan import plan as room
from pipeline.plan.plan import Plan, Request, make
from pipeline.records import Side
from pipeline.toolchain.stamp import Stamp
from pipeline.values import SIDES, Cell, GoTree, Kit, Machine, Platform, TestBinary

ROOT = Path(__file__).resolve().parents[2]
LINUX = Platform(goos="linux", goarch="amd64")
HERE = Cell(id="linux-amd64", platform=LINUX, native=True, machine=Machine(labels=("any",)))
RUN = "kqueue-retry-backoff-0123456789abcdef"
STAMPS: dict[Side, Stamp] = {
    "base": Stamp(commit="c0ffee", series="5" * 64, tree="b" * 64),
    "patched": Stamp(commit="c0ffee", series="5" * 64, tree="a" * 64),
}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def plan(monkeypatch: pytest.MonkeyPatch) -> Plan:
    """The real plan, with a machine for the host's cell alone."""
    monkeypatch.setattr(room, "host_platform", lambda: LINUX)
    found = make(Request(root=ROOT, profile="quick"))
    cells = tuple(
        dataclasses.replace(
            one, native=one.id == HERE.id, machine=HERE.machine if one.id == HERE.id else None
        )
        for one in found.cells
    )
    return dataclasses.replace(found, cells=cells)


def go_tree(root: Path, text: str) -> GoTree:
    """A tree of a source file, a script, a tool of the host, and a VERSION."""
    files = {
        "VERSION": "go1.27.3",
        "src/runtime/a.go": f"package runtime // {text}",
        "src/runtime/same.go": "package runtime",
        "src/run.bash": "echo run",
        "bin/go": "the host's go",
        "pkg/tool/linux_amd64/link": "the host's link",
    }
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(0o755 if content.startswith(("echo", "the host")) else 0o644)
    manifest = tree.scan(root)
    return GoTree(root=root, version="1.27.3", digest=tree.digest(manifest), manifest=manifest)


def program(folder: Path, side: Side, package: str, content: str) -> TestBinary:
    """A program that was built."""
    path = folder / "built" / side / f"{package.replace('/', '_')}.test"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return TestBinary(
        package=package, side=side, path=path, sha256=sha256(content), goroot=folder / side, compiled="0" * 64
    )


def sides(folder: Path) -> Sides:
    """Both sides of the host's cell: runtime and its tests."""
    trees: dict[Side, GoTree] = {
        "base": go_tree(folder / "base", "old"),
        "patched": go_tree(folder / "patched", "new"),
    }
    archives = folder / "archives"
    archives.mkdir()
    for content in ("main", "runtime"):
        (archives / sha256(content)).write_text(content)
    kit = Kit(
        folder=archives,
        program="runtime.test",
        archives={"runtime": sha256("runtime")},
        main=sha256("main"),
        flags=("-buildmode=exe",),
        environment={"GOROOT": ""},
        settings="path\truntime.test\n",
    )
    binaries: dict[Side, dict[str, TestBinary]] = {
        "base": {"runtime": program(folder, "base", "runtime", "base program")},
        "patched": {"runtime": program(folder, "patched", "runtime", "patched program")},
    }
    programs = {side: found["runtime"] for side, found in binaries.items()}
    batch = Batch(
        package="runtime", scope="listed", names=("TestA",), short=False, budget=10, programs=programs
    )
    return Sides(
        cell=HERE,
        go={side: Go(root=trees[side].root, cache=folder / "c", work=folder / "w") for side in SIDES},
        trees=trees,
        binaries=binaries,
        kits={"base": {"runtime": kit}, "patched": {"runtime": kit}},
        stamps=STAMPS,
        layouts=True,
        batches=(batch,),
        own={"runtime": {"TestA": "added"}},
        tested=("runtime",),
        touched={},
        left_out={},
        probe=program(folder, "patched", "gopatch/environment", "probe"),
    )


def contents(folder: Path, plan: Plan) -> Contents:
    """What to pack for a machine with other tools than the host's."""
    tools = folder / "tools"
    tools.mkdir()
    (tools / "go.exe").write_text("the other go")
    (tools / "link.exe").write_text("the other link")
    found = {"bin/go.exe": tools / "go.exe", "pkg/tool/windows_amd64/link.exe": tools / "link.exe"}
    return Contents(
        run_id=RUN,
        commit="c0ffee",
        plan=plan,
        plan_digest=plan.digest,
        sides=sides(folder),
        tools={"base": found, "patched": found},
        host=LINUX,
    )
