"""``test`` and ``lint``: what this project's own developers and its CI run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.config import suggest
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


def self_bench(root: Path, what: str, args: Sequence[str]) -> ExitCode:
    """Run one of the project's own benchmarks; they live with the tests and are not installed."""
    known = sorted(path.stem.removeprefix("bench_") for path in (root / "tests/perf").glob("bench_*.py"))
    if what not in known:
        sys.stderr.write(f"error: no benchmark {what!r}\n  {suggest(what, known)}\n")
        return ExitCode.USAGE
    code = f"import sys; from tests.perf.bench_{what} import main; sys.exit(main(sys.argv[1:]))"
    return ExitCode.PASS if _call(root, [sys.executable, "-c", code, *args]) == 0 else ExitCode.PATCH_FAILS


def _call(root: Path, command: Sequence[str]) -> int:
    # Their output is for the terminal they run in, so it is not captured as a run's programs are.
    environment = {**os.environ, "PYTHONPATH": str(root)}
    sys.stdout.flush()
    return subprocess.run(command, cwd=root, env=environment, check=False).returncode
