"""A fleet of one: the verbs, and what they leave."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.integration import forked
from tests.integration.harness import ROOT, Outcome, command, environment

CELL = "linux-amd64"


def run(
    cache: Path, *words: str, env: Mapping[str, str] | None = None, root: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """``./inv WORDS`` to its end; ``env`` comes on top. ``root`` is as in ``command``."""
    return forked.run(
        command(*words, root=root), cwd=ROOT, env={**environment(cache), **(env or {})}, timeout=900
    )


def records(folder: Path) -> list[dict[str, Any]]:
    """The whole lines of a ledger so far; none where it is not there yet."""
    try:
        lines = (folder / "ledger.jsonl").read_text().split("\n")[:-1]
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines]


def merged(cache: Path, built: Path, results: Path, out: Path) -> Outcome:
    """What ``./inv merge`` makes of a build and results."""
    done = run(cache, "merge", str(built / "run"), str(results), f"--out={out}")
    return Outcome(code=done.returncode, out=done.stdout, err=done.stderr, folder=out)
