"""``workflows``: writes ``.github/workflows``, or says how it differs from what it should be."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pipeline.commands import entry
from pipeline.console import Console
from pipeline.errors import ExitCode, UsageError
from pipeline.github import workflows as room
from pipeline.plan import plan as plan_room
from pipeline.plan.plan import Request


def main(root: Path, *, check: bool) -> ExitCode:
    """Write what differs, 0; with ``check`` write nothing, and 2 with a diff when anything does."""
    console = Console()

    def action() -> ExitCode:
        wanted = room.render(root, _fleet(root))
        there = room.present(root)
        difference = room.drift(there, wanted)
        if check and difference:
            sys.stdout.write(difference)
            raise UsageError(
                f"{room.TARGET} is not what {room.TEMPLATES}/ and matrix.yml make",
                meaning="one of them was edited after the last ./inv workflows",
                hint="edit the templates or matrix.yml, run ./inv workflows, and commit what it writes",
            )
        if not check:
            _write(root, there, wanted)
        return ExitCode.PASS

    return entry.guarded(console, action)


def _fleet(root: Path) -> room.Fleet:
    ground = plan_room.ground(Request(root=root))
    pins = {name: room.Pin(sha=one.sha, version=one.version) for name, one in ground.matrix.actions.items()}
    return room.fleet(ground.cells, list(ground.matrix.profiles), pins)


def _write(root: Path, there: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """Only what differs, each file whole or not at all. A file that was not generated is never touched."""
    for path in wanted:
        if path not in there and (root / path).exists():
            raise UsageError(
                f"{path} was not generated, and a template of its name wants its place",
                hint="move it, or rename the template",
            )
    for path in sorted({*there, *wanted}):
        if there.get(path) == wanted.get(path):
            continue
        if path in wanted:
            _replace(root / path, wanted[path])
        else:
            (root / path).unlink()
        sys.stdout.write(f"{'wrote' if path in wanted else 'removed'} {path}\n")


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        Path(scratch).chmod(0o644)
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise
