"""Where errors become messages and exit codes: the only handler of everything."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline import proc
from pipeline.console import Console
from pipeline.errors import ExitCode, HostError, InterruptedRunError, PipelineError, UsageError

_HOST_ERRNOS = {
    errno.ENOSPC: "free some space, or point GOPATCH_CACHE and --out to another disk",
    errno.EDQUOT: "free some of your quota, or point GOPATCH_CACHE and --out to another disk",
    errno.EROFS: "point GOPATCH_CACHE and --out to places you can write to",
    errno.EACCES: "check the permissions, or point GOPATCH_CACHE and --out elsewhere",
    errno.EPERM: "check the permissions, or point GOPATCH_CACHE and --out elsewhere",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENOMEM: "free some memory",
}


def as_pipeline_error(error: BaseException) -> PipelineError | None:
    """The expected failure that ``error`` is or stands for; None for a bug."""
    if isinstance(error, PipelineError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return InterruptedRunError("interrupted")
    if isinstance(error, BrokenPipeError):
        return HostError("whoever read this command's output went away")
    if isinstance(error, OSError) and error.errno in _HOST_ERRNOS:
        where = f": {error.filename}" if error.filename else ""
        return HostError(f"{error.strerror}{where}", hint=_HOST_ERRNOS[error.errno])
    return None


@contextlib.contextmanager
def termination_as_interrupt() -> Iterator[None]:
    """SIGTERM stops a run as Ctrl-C does."""

    def stop(_signum: int, _frame: object) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread: the caller's handlers stay
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def guarded(console: Console, action: Callable[[], ExitCode]) -> ExitCode:
    """Run a command's action; show what goes wrong once and return the exit code."""
    try:
        with termination_as_interrupt():
            return action()
    except BaseException as error:  # the one place where everything ends
        if isinstance(error, SystemExit):
            raise
        known = as_pipeline_error(error)
        if known is None:
            return bug(console, error)
        if isinstance(known, InterruptedRunError):
            proc.interrupt_all()
        console.error(known)
        return known.exit_code


def bug(console: Console, error: BaseException) -> ExitCode:
    """Keep the traceback in a file and say where."""
    text = "".join(traceback.format_exception(error))
    place = ""
    with contextlib.suppress(OSError):
        handle, place = tempfile.mkstemp(prefix="gopatch-bug-", suffix=".log")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
    console.error(
        PipelineError(
            f"a bug in gopatch: {type(error).__name__}: {error}",
            meaning="this says nothing about the patch",
            hint=f"the traceback is in {place}" if place else text,
        )
    )
    return ExitCode.BUG


def finish(code: ExitCode) -> None:
    """Leave with ``code``; a task that passed just returns, so that Invoke runs the next one."""
    sys.stdout.flush()
    if code is not ExitCode.PASS:
        sys.exit(int(code))


def split(values: list[str]) -> tuple[str, ...]:
    """Repeated options and comma-separated lists alike."""
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip())


def check_jobs(jobs: int) -> None:
    """UsageError for a number of jobs that is none; 0 is every core."""
    if jobs < 0:
        raise UsageError(
            f"--jobs {jobs}: should not be negative",
            hint="leave it out, or give 0, to use every core",
        )


def empty(out: str) -> Path:
    """``--out`` as a path; UsageError unless it is new, or an empty folder."""
    path = Path(out).absolute()
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UsageError(f"{path} exists and is not an empty folder", hint="choose another with --out")
    return path


def folder(out: str) -> Path:
    """``--out`` as the path of a folder to put files in, new or not; UsageError when it is a file, HostError
    when it cannot be made or written to. Makes nothing: what is asked for may yet fail."""
    path = Path(out).absolute()
    there = next(one for one in (path, *path.parents) if os.path.lexists(one))
    if not there.is_dir():
        below = "" if there == path else f"; {path} cannot lie below it"
        raise UsageError(f"--out {out}: {there} is not a folder{below}", hint="choose another with --out")
    if not os.access(there, os.W_OK | os.X_OK):
        raise HostError(
            f"--out {out}: {there} cannot be written by this user", hint="choose another with --out"
        )
    return path


def project_root(tasks_file: str) -> Path:
    """The folder of tasks.py: where matrix.yml and patches/ are."""
    return Path(tasks_file).resolve().parent
