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
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from pipeline.errors import HostError, InterruptedRunError

POSIX = os.name == "posix"
GRACE_SECONDS = 5.0
CAPTURE_LIMIT = 256 * 1024 * 1024
TAIL_LINES = 30
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


class _Registry:
    """The programs that run now, so that an interrupt in the main thread ends those of every thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._live: set[subprocess.Popen[bytes]] = set()
        self.stopping = threading.Event()

    def add(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._live.add(process)

    def remove(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._live.discard(process)

    def interrupt(self) -> None:
        self.stopping.set()
        with self._lock:
            live = list(self._live)
        for process in live:
            _signal_group(process, signal.SIGTERM)


_registry = _Registry()


def interrupt_all() -> None:
    """End every running program and refuse to start new ones. Called once, when the run must stop."""
    _registry.interrupt()


def reset_interrupt() -> None:
    """Allow programs again: for a process that goes on after an interrupted run (tests, a REPL)."""
    _registry.stopping.clear()


def interrupted() -> bool:
    """Whether ``interrupt_all`` was called."""
    return _registry.stopping.is_set()


def _signal_group(process: subprocess.Popen[bytes], signum: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError, OSError):
        if POSIX:
            os.killpg(process.pid, signum)
        else:
            process.terminate()


@dataclass
class Capture:
    """Where output goes while a program runs: the log, what is kept of stdout, and the last lines."""

    log: IO[bytes] | None
    lock: threading.Lock = field(default_factory=threading.Lock)
    out: list[bytes] = field(default_factory=list)
    size: int = 0
    recent: bytes = b""

    def pump(self, stream: IO[bytes], keep: bool) -> None:
        """Take everything until the end of ``stream``."""
        # A daemon that left the group may write after the run is over: the files are closed then.
        with contextlib.suppress(ValueError, OSError):
            self._pump(stream, keep)

    def _pump(self, stream: IO[bytes], keep: bool) -> None:
        while chunk := os.read(stream.fileno(), 1 << 16):
            self.add(chunk, keep)

    def add(self, chunk: bytes, keep: bool) -> None:
        """Take what a program wrote; ``keep`` is that it belongs to its ``stdout``."""
        with self.lock:
            if self.log is not None:
                # A full disk must not end the program that is measured; the log just ends early.
                with contextlib.suppress(OSError):
                    self.log.write(chunk)
            self.recent = (self.recent + chunk)[-65536:]
            if keep and self.size < CAPTURE_LIMIT:
                self.out.append(chunk)
                self.size += len(chunk)

    def stdout(self) -> str:
        """What was kept."""
        return b"".join(self.out).decode("utf-8", "replace")

    def tail(self) -> str:
        """The last lines of everything."""
        lines = self.recent.decode("utf-8", "replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:])


@dataclass
class _Usage:
    done: threading.Event = field(default_factory=threading.Event)
    returncode: int = 0
    cpu_seconds: float = 0.0
    max_rss: int = 0


def _wait(process: subprocess.Popen[bytes], usage: _Usage) -> None:
    if POSIX:
        _, status, spent = os.wait4(process.pid, 0)
        usage.returncode = os.waitstatus_to_exitcode(status)
        usage.cpu_seconds = spent.ru_utime + spent.ru_stime
        usage.max_rss = spent.ru_maxrss * (1 if os.uname().sysname == "Darwin" else 1024)
        process.returncode = usage.returncode
    else:
        usage.returncode = process.wait()
    usage.done.set()


def _end(process: subprocess.Popen[bytes], usage: _Usage) -> None:
    _signal_group(process, signal.SIGTERM)
    if not usage.done.wait(GRACE_SECONDS):
        _signal_group(process, signal.SIGKILL if POSIX else signal.SIGTERM)
        usage.done.wait(GRACE_SECONDS)


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
    if _registry.stopping.is_set():
        raise InterruptedRunError("interrupted")
    started = time.monotonic()
    with log.open("ab", buffering=0) if log is not None else contextlib.nullcontext() as sink:
        if sink is not None:
            sink.write(f"$ {shlex.join(words)}\n".encode())
        with _running(words, env=env, cwd=cwd, merge=merge, sink=sink, stdin=stdin) as (capture, usage, _):
            timed_out = not _await(usage, timeout)
    if _registry.stopping.is_set():
        raise InterruptedRunError("interrupted")
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

    _usage: _Usage
    _capture: Capture
    _threads: Sequence[threading.Thread]

    def ended(self) -> bool:
        """Whether it ended by itself."""
        return self._usage.done.is_set()

    def tail(self) -> str:
        """The last lines that it wrote, to either stream; all of them when it has ended."""
        for thread in self._threads if self.ended() else ():
            thread.join(GRACE_SECONDS)
        return self._capture.tail()


@contextlib.contextmanager
def beside(argv: Sequence[str | os.PathLike[str]], *, env: Mapping[str, str]) -> Iterator[Beside]:
    """Run ``argv`` for as long as the block does; its whole group ends with it. HostError when it cannot be
    started."""
    if _registry.stopping.is_set():
        raise InterruptedRunError("interrupted")
    words = tuple(os.fspath(word) for word in argv)
    with _running(words, env=env, cwd=None, merge=True, sink=None, stdin=b"") as (capture, usage, threads):
        yield Beside(usage, capture, threads)


@contextlib.contextmanager
def _running(
    words: tuple[str, ...],
    *,
    env: Mapping[str, str],
    cwd: Path | None,
    merge: bool,
    sink: IO[bytes] | None,
    stdin: bytes,
) -> Iterator[tuple[Capture, _Usage, Sequence[threading.Thread]]]:
    """A program from its start to the end of its whole group, which comes with the block's, at the latest."""
    process = _start(words, env=env, cwd=cwd, merge=merge)
    capture, usage = Capture(sink), _Usage()
    threads: list[threading.Thread] = []
    try:
        _registry.add(process)
        threads += _pumps(process, capture, usage, stdin)
        yield capture, usage, threads
    finally:
        try:
            _finish(process, usage, threads)
        finally:
            _registry.remove(process)


def _finish(process: subprocess.Popen[bytes], usage: _Usage, threads: Sequence[threading.Thread]) -> None:
    try:
        if not usage.done.is_set():
            _end(process, usage)
    finally:
        # Also when a second Ctrl-C cuts the grace short: the whole group ends here.
        _signal_group(process, signal.SIGKILL if POSIX else signal.SIGTERM)
    for thread in threads:
        thread.join(GRACE_SECONDS)
    _close(process)


def _await(usage: _Usage, timeout: float) -> bool:
    """Wait until the program ends; False when its time is up. Wakes up to notice an interrupt."""
    deadline = time.monotonic() + timeout
    while not _registry.stopping.is_set():
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        if usage.done.wait(min(left, 0.5)):
            return True
    return True


def _start(
    words: tuple[str, ...], *, env: Mapping[str, str], cwd: Path | None, merge: bool
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            words,
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merge else subprocess.PIPE,
            start_new_session=POSIX,
        )
    except FileNotFoundError as error:
        missing = words[0] if cwd is None or cwd.is_dir() else str(cwd)
        raise HostError(f"cannot start {words[0]}: {missing} not found") from error
    except OSError as error:
        raise HostError(f"cannot start {words[0]}: {error.strerror or error}") from error


def _pumps(
    process: subprocess.Popen[bytes], capture: Capture, usage: _Usage, stdin: bytes
) -> list[threading.Thread]:
    def feed() -> None:
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError, OSError):
                process.stdin.write(stdin)
            with contextlib.suppress(BrokenPipeError, OSError):
                process.stdin.close()

    jobs: list[Callable[[], None]] = [feed, lambda: _wait(process, usage)]
    if process.stdout is not None:
        out = process.stdout
        jobs.append(lambda: capture.pump(out, True))
    if process.stderr is not None:
        err = process.stderr
        jobs.append(lambda: capture.pump(err, False))
    threads = [threading.Thread(target=job, daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    return threads


def _close(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


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
