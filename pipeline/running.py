"""A program and all that it starts, as one group: from its start to the end of everything in it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

from pipeline.errors import HostError, InterruptedRunError

POSIX = os.name == "posix"
GRACE_SECONDS = 5.0
CAPTURE_LIMIT = 256 * 1024 * 1024
TAIL_LINES = 30


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


def refuse_when_interrupted() -> None:
    """InterruptedRunError when the run is being stopped."""
    if interrupted():
        raise InterruptedRunError("interrupted")


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
class Usage:
    """How a program ended, once it is ``done``, and what it used."""

    done: threading.Event = field(default_factory=threading.Event)
    returncode: int = 0
    cpu_seconds: float = 0.0
    max_rss: int = 0


def _wait(process: subprocess.Popen[bytes], usage: Usage) -> None:
    if POSIX:
        _, status, spent = os.wait4(process.pid, 0)
        usage.returncode = os.waitstatus_to_exitcode(status)
        usage.cpu_seconds = spent.ru_utime + spent.ru_stime
        usage.max_rss = spent.ru_maxrss * (1 if os.uname().sysname == "Darwin" else 1024)
        process.returncode = usage.returncode
    else:
        usage.returncode = process.wait()
    usage.done.set()


def _end(process: subprocess.Popen[bytes], usage: Usage) -> None:
    _signal_group(process, signal.SIGTERM)
    if not usage.done.wait(GRACE_SECONDS):
        _signal_group(process, signal.SIGKILL if POSIX else signal.SIGTERM)
        usage.done.wait(GRACE_SECONDS)


@contextlib.contextmanager
def started(
    words: tuple[str, ...],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    merge: bool = True,
    sink: IO[bytes] | None = None,
    stdin: bytes = b"",
) -> Iterator[tuple[Capture, Usage, Sequence[threading.Thread]]]:
    """A program from its start to the end of its whole group, which comes with the block's, at the latest."""
    with _held_back() as let_through:
        process = _start(words, env=env, cwd=cwd, merge=merge)
        capture, usage = Capture(sink), Usage()
        threads: list[threading.Thread] = []
        try:
            _registry.add(process)
            threads += _pumps(process, capture, usage, stdin)
            let_through()
            yield capture, usage, threads
        finally:
            try:
                _finish(process, usage, threads)
            finally:
                _registry.remove(process)


@contextlib.contextmanager
def _held_back() -> Iterator[Callable[[], None]]:
    """Ctrl-C and SIGTERM wait until the function given is called, or the block ends: between a program's
    start and the moment somebody waits for it, they would leave it running with nobody to end it."""
    if threading.current_thread() is not threading.main_thread():  # where no handler ever runs
        yield lambda: None
        return
    came: list[tuple[int, FrameType | None]] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    held = [number for number, handler in handlers.items() if callable(handler)]

    def let_through() -> None:
        while held:  # a signal may end this half way: the block's end goes on
            signal.signal(held[-1], handlers[held[-1]])
            held.pop()
        if came:
            number, frame = came[0]
            came.clear()
            if callable(handler := handlers[signal.Signals(number)]):
                handler(number, frame)

    try:
        for number in held:
            signal.signal(number, lambda number, frame: came.append((number, frame)))
        yield let_through
    finally:
        try:
            let_through()
        finally:
            let_through()


def _finish(process: subprocess.Popen[bytes], usage: Usage, threads: Sequence[threading.Thread]) -> None:
    try:
        if not usage.done.is_set():
            _end(process, usage)
    finally:
        # Also when a second Ctrl-C cuts the grace short: the whole group ends here.
        _signal_group(process, signal.SIGKILL if POSIX else signal.SIGTERM)
    for thread in threads:
        thread.join(GRACE_SECONDS)
    _close(process)


def await_end(usage: Usage, timeout: float) -> bool:
    """Wait until the program ends; False when its time is up. Wakes up to notice an interrupt."""
    deadline = time.monotonic() + timeout
    while not interrupted():
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
    process: subprocess.Popen[bytes], capture: Capture, usage: Usage, stdin: bytes
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
