"""The one way to run a program.

List arguments only, an environment that is passed and never inherited, a process group of its own, a
time limit, output streamed to a log file, and the whole group ended on time-out, Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import running
from pipeline.running import POSIX, Capture, Usage, interrupt_all, interrupted, reset_interrupt

__all__ = [
    "POSIX",
    "Beside",
    "Capture",
    "Result",
    "Shell",
    "base_env",
    "beside",
    "full_disk",
    "interrupt_all",
    "interrupted",
    "reset_interrupt",
    "run",
]

FULL_DISK = 8 * 1024 * 1024

# What the host itself needs; everything else a program sees is passed by the caller.
_BASE_VARIABLES = (
    "PATH",
    "HOME",
    "TMPDIR",
    "TEMP",
    "TMP",
    "SYSTEMROOT",
    "SYSTEMDRIVE",
    "WINDIR",
    "COMSPEC",
    "PATHEXT",
    "USERPROFILE",
    "LOCALAPPDATA",
    "APPDATA",
)

# `file.go:12:3: …` and what is indented below it.
_ABOUT_SOURCE = re.compile(r"\s|\S+\.\w+:\d+")

# Lines by which a tool says that the machine, and not its input, is at fault.
_HOST_CAUSES = (
    "no space left on device",
    "disk quota exceeded",
    "cannot allocate memory",
    "too many open files",
    "read-only file system",
    "signal: killed",
    "resource temporarily unavailable",
    "input/output error",
)


@dataclass(frozen=True, kw_only=True)
class Result:
    """One finished program. ``seconds`` and ``cpu_seconds`` are wall and user+system time, the latter
    with all waited-for children; ``max_rss`` is bytes (0 where the host does not tell)."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    tail: str
    seconds: float
    cpu_seconds: float
    max_rss: int
    timed_out: bool
    log: Path | None

    @property
    def ok(self) -> bool:
        """Exited 0 within its time."""
        return self.returncode == 0 and not self.timed_out

    @property
    def command(self) -> str:
        """The command line as a person would type it."""
        return shlex.join(self.argv)

    def host_cause(self) -> str:
        """The line in which the tool blames the machine (disk full, out of memory), or ''.

        Lines that a compiler writes about a place in a source, and their indented continuations, are
        left out: they quote the patch.
        """
        for line in self.tail.splitlines():
            if not _ABOUT_SOURCE.match(line) and any(cause in line.lower() for cause in _HOST_CAUSES):
                return line.strip()
        return ""


def full_disk(*places: Path) -> Path | None:
    """The first of ``places`` whose disk has no room left, or None.

    What a tested program prints is no proof of it: the program is the patch's.
    """
    return next((place for place in places if shutil.disk_usage(place).free < FULL_DISK), None)


def base_env(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A scrubbed environment: what the host needs, a fixed locale, and ``extra``."""
    env = {name: os.environ[name] for name in _BASE_VARIABLES if name in os.environ}
    env.update({"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC"})
    env.update(extra or {})
    return env


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    timeout: float,
    log: Path | None = None,
    stdin: bytes = b"",
    merge: bool = True,
) -> Result:
    """Run ``argv`` and wait for it; a non-zero exit is a result, not an error.

    ``merge`` puts stderr into ``stdout`` of the result in the order written; otherwise ``stdout``
    holds standard output alone and stderr goes to the log and the tail. ``timeout`` is seconds.
    Raises HostError when the program cannot be started and InterruptedRunError when the run is being
    stopped.
    """
    words = tuple(os.fspath(word) for word in argv)
    running.refuse_when_interrupted()
    started = time.monotonic()
    with log.open("ab", buffering=0) if log is not None else contextlib.nullcontext() as sink:
        if sink is not None:
            sink.write(f"$ {shlex.join(words)}\n".encode())
        group = running.started(words, env=env, cwd=cwd, merge=merge, sink=sink, stdin=stdin)
        with group as (capture, usage, _):
            timed_out = not running.await_end(usage, timeout)
    running.refuse_when_interrupted()
    return Result(
        argv=words,
        returncode=usage.returncode,
        stdout=capture.stdout(),
        tail=capture.tail(),
        seconds=time.monotonic() - started,
        cpu_seconds=usage.cpu_seconds,
        max_rss=usage.max_rss,
        timed_out=timed_out,
        log=log,
    )


@dataclass(frozen=True)
class Beside:
    """A program that runs beside the rest."""

    _usage: Usage
    _capture: Capture
    _threads: Sequence[threading.Thread]

    def ended(self) -> bool:
        """Whether it ended by itself."""
        return self._usage.done.is_set()

    def tail(self) -> str:
        """The last lines that it wrote, to either stream; all of them when it has ended."""
        for thread in self._threads if self.ended() else ():
            thread.join(running.GRACE_SECONDS)
        return self._capture.tail()


@contextlib.contextmanager
def beside(argv: Sequence[str | os.PathLike[str]], *, env: Mapping[str, str]) -> Iterator[Beside]:
    """Run ``argv`` for as long as the block does; its whole group ends with it. HostError when it cannot be
    started."""
    running.refuse_when_interrupted()
    words = tuple(os.fspath(word) for word in argv)
    with running.started(words, env=env) as (capture, usage, threads):
        yield Beside(usage, capture, threads)


@dataclass(frozen=True, kw_only=True)
class Shell:
    """A place to run programs for one run: names each log ``logs/<name>.log`` and reports every
    finished program to ``observe`` (the run's ledger)."""

    logs: Path
    observe: Callable[[str, Result], None]

    def run(
        self,
        name: str,
        argv: Sequence[str | os.PathLike[str]],
        *,
        env: Mapping[str, str],
        timeout: float,
        cwd: Path | None = None,
        stdin: bytes = b"",
        merge: bool = True,
    ) -> Result:
        """``run`` with a log in the run's folder and a record of it."""
        self.logs.mkdir(parents=True, exist_ok=True)
        result = run(
            argv, env=env, cwd=cwd, timeout=timeout, log=self.logs / f"{name}.log", stdin=stdin, merge=merge
        )
        self.observe(name, result)
        return result
