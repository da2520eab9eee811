"""``patch-lint``: what stands against the patches of a series, without running anything."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from pathlib import Path

from pipeline.commands import entry
from pipeline.console import Console
from pipeline.errors import ExitCode
from pipeline.patch import lint
from pipeline.plan import plan as plan_room
from pipeline.plan.plan import Request
from pipeline.values import Finding


def main(request: Request, *, as_json: bool) -> ExitCode:
    """Print every finding; 0 when none is an error, 1 otherwise."""
    console = Console(quiet=as_json)

    def action() -> ExitCode:
        ground = plan_room.ground(request)
        series, origin = plan_room.read(request, ground)
        for note in origin.notes:
            console.note(f"note: {note}")
        found = lint.of(series.patches, ground.profile.commit_rules)
        folder = series.root if origin.form == "folder" else None
        sys.stdout.write(_json(found) if as_json else _text(folder, found))
        wrong = any(one.severity == "error" for one in found)
        return ExitCode.PATCH_FAILS if wrong else ExitCode.PASS

    return entry.guarded(console, action)


def _json(found: tuple[Finding, ...]) -> str:
    return json.dumps([dataclasses.asdict(one) for one in found], indent=2, ensure_ascii=False) + "\n"


def _text(folder: Path | None, found: tuple[Finding, ...]) -> str:
    """One line a finding, in the form that editors jump to, and how many there are. Without a folder the
    patches are no files: they came in a mail, say, and have names of ours."""
    shown = folder or Path()
    with contextlib.suppress(ValueError):
        shown = shown.relative_to(Path.cwd())
    lines = [f"{shown / one.file}:{one.line}: {one.severity}: {one.rule}: {one.message}" for one in found]
    errors = sum(one.severity == "error" for one in found)
    return (
        "\n".join([*lines, f"{errors} error{'' if errors == 1 else 's'}, {len(found) - errors} advice"])
        + "\n"
    )
