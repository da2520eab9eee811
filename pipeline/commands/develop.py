"""``test`` and ``lint``: what this project's own developers and its CI run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import ExitCode


def test(root: Path, *, everything: bool, args: Sequence[str]) -> ExitCode:
    """pytest; with ``everything`` no marker is left out and a skip is a failure."""
    command = [sys.executable, "-m", "pytest", *(["--everything"] if everything else []), *args]
    return ExitCode.PASS if _call(root, command) == 0 else ExitCode.PATCH_FAILS


def lint(root: Path) -> ExitCode:
    """Every check, also after one has failed."""
    python = sys.executable
    scripts = Path(python).parent
    steps = (
        [python, "-m", "ruff", "check", "."],
        [python, "-m", "ruff", "format", "--check", "."],
        [python, "-m", "mypy"],
        [str(scripts / "lint-imports"), "--no-cache"],
    )
    failed = [step for step in steps if _call(root, step) != 0]
    for step in failed:
        sys.stderr.write(f"failed: {' '.join(step[1:] if step[0] == python else step)}\n")
    return ExitCode.PATCH_FAILS if failed else ExitCode.PASS


def _call(root: Path, command: Sequence[str]) -> int:
    # Their output is for the terminal they run in, so it is not captured as a run's programs are.
    environment = {**os.environ, "PYTHONPATH": str(root)}
    sys.stdout.flush()
    return subprocess.run(command, cwd=root, env=environment, check=False).returncode
