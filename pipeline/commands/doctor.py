"""``doctor``: what this machine lacks, with a line each that mends it."""

from __future__ import annotations

import dataclasses
import json
import sys

from pipeline.commands import entry
from pipeline.console import Console
from pipeline.errors import ExitCode
from pipeline.health import golang, measuring, needs, platforms
from pipeline.health.base import Check, Finding, Host

CHECKS: tuple[Check, ...] = (
    needs.python,
    needs.git,
    platforms.macos,
    platforms.windows,
    needs.pip,
    needs.disk,
    needs.docker,
    golang.go,
    golang.owner,
    measuring.cores,
    measuring.quiet,
)


def main(*, as_json: bool) -> ExitCode:
    """Print every finding; 0 when nothing stands in the way, 4 otherwise."""
    console = Console()

    def action() -> ExitCode:
        host = Host()
        found = [finding for check in CHECKS for finding in check(host)]
        if as_json:
            sys.stdout.write(json.dumps([dataclasses.asdict(one) for one in found], indent=2) + "\n")
        else:
            sys.stdout.write(_text(found))
        broken = any(one.severity == "error" for one in found)
        return ExitCode.ENVIRONMENT if broken else ExitCode.PASS

    return entry.guarded(console, action)


def _text(found: list[Finding]) -> str:
    width = max(len(one.check) for one in found)
    lines = []
    for one in found:
        lines.append(f"{one.severity:<5}  {one.check:<{width}}  {one.found}")
        if one.fix:
            lines.append(f"{'':<5}  {'':<{width}}  {'fix' if one.severity != 'ok' else 'note'}: {one.fix}")
    return "\n".join(lines) + "\n"
