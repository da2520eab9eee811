"""``patch-lint``: what stands against the patches of a series, without running anything."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

from pipeline.commands import entry
from pipeline.config import suggest
from pipeline.console import Console
from pipeline.errors import ExitCode, UsageError
from pipeline.patch import series as series_room
from pipeline.plan import matrix as matrix_room
from pipeline.values import Finding


def main(root: Path, *, series: str | None, profile: str, as_json: bool) -> ExitCode:
    """Print every finding; 0 when none is an error, 1 otherwise. ``series`` is a name below patches/ or a
    path, None for the one of matrix.yml."""
    console = Console()

    def action() -> ExitCode:
        matrix = matrix_room.load(root / "matrix.yml")
        if series == "":
            raise UsageError(
                "--series is empty",
                meaning="a variable that is not set, perhaps",
                hint="give it a value, or leave it out for the default of matrix.yml",
            )
        if profile not in matrix.profiles:
            raise UsageError(f"no profile {profile!r}", meaning=suggest(profile, list(matrix.profiles)))
        folder = series_room.find(series or matrix.series, root / "patches")
        found = series_room.findings(folder, matrix.profiles[profile].commit_rules)
        sys.stdout.write(_json(found) if as_json else _text(folder, found))
        wrong = any(one.severity == "error" for one in found)
        return ExitCode.PATCH_FAILS if wrong else ExitCode.PASS

    return entry.guarded(console, action)


def _json(found: tuple[Finding, ...]) -> str:
    return json.dumps([dataclasses.asdict(one) for one in found], indent=2, ensure_ascii=False) + "\n"


def _text(folder: Path, found: tuple[Finding, ...]) -> str:
    """One line a finding, in the form that editors jump to, and how many there are."""
    try:
        shown = folder.relative_to(Path.cwd())
    except ValueError:
        shown = folder
    lines = [f"{shown / one.file}:{one.line}: {one.severity}: {one.rule}: {one.message}" for one in found]
    errors = sum(one.severity == "error" for one in found)
    return "\n".join([*lines, f"{errors} errors, {len(found) - errors} advice"]) + "\n"
