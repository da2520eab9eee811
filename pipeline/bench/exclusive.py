"""One run at a time measures on a machine."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline import proc
from pipeline.errors import HostError, InterruptedRunError

LOCK_NAME = "gopatch-measure.lock"
WAITING = "another run measures on this machine"
POLL_SECONDS = 0.2


@contextlib.contextmanager
def exclusive(waiting: Callable[[str], None], *, path: Path | None = None) -> Iterator[bool]:
    """Hold this machine's lock for measuring, across users and caches; the system frees it when this
    process ends, however it ends. Not to be nested: it would wait for itself.

    Gives whether it had to wait for another run that has it, of which ``waiting`` is told once. Raises
    HostError when what lies at the lock's path cannot be locked, and InterruptedRunError when the run is
    stopped while it waits. Containers with a /tmp of their own do not see each other, and on Windows each
    user has a temporary folder of their own.
    """
    target = path or _lock_path()
    attempt = _flock if proc.POSIX else _filelock
    release = attempt(target)
    if waited := release is None:
        waiting(WAITING)
    while release is None:
        if proc.interrupted():
            raise InterruptedRunError("interrupted")
        time.sleep(POLL_SECONDS)
        release = attempt(target)
    try:
        yield waited
    finally:
        release()


def _lock_path() -> Path:
    # Not $TMPDIR first: it differs between users, who would then not see each other's lock.
    shared = Path("/tmp")  # noqa: S108 - _open takes what others may have put there into account
    folder = shared if proc.POSIX and os.access(shared, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
    return folder / LOCK_NAME


def _filelock(path: Path) -> Callable[[], None] | None:
    import filelock

    lock = filelock.FileLock(path)
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        return None
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error
    return lock.release


def _flock(path: Path) -> Callable[[], None] | None:
    """Take the lock if it is free: what gives it back, or None."""
    import fcntl

    file = _open(path)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Something that tidies /tmp may have removed the file meanwhile: the next run would make its own.
        if os.path.samestat(os.fstat(file), os.lstat(path)):
            with contextlib.suppress(OSError):
                os.utime(file)  # and this keeps it from looking old; only the owner may
            return lambda: os.close(file)
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError as error:
        os.close(file)
        raise _unusable(path, error.strerror or str(error)) from error
    os.close(file)
    return None


def _open(path: Path) -> int:
    """The lock file's descriptor, for reading only: that suffices for flock, and other users' files can be
    locked so. Everyone may write to the folder, so neither a link is followed nor a FIFO waited for."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    deadline = time.monotonic() + 0.5
    while True:
        try:
            with contextlib.suppress(FileExistsError):
                file = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o644)
                os.fchmod(file, 0o644)  # whatever the umask: others must be able to open it
                return file
            file = os.open(path, flags)
        except OSError as error:
            # Just removed, or just made by a user whose umask hides it until it is opened up.
            if error.errno not in (errno.ENOENT, errno.EACCES) or time.monotonic() > deadline:
                raise _unusable(path, error.strerror or str(error)) from error
            time.sleep(0.05)
            continue
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise _unusable(path, "it is not a regular file")
        return file


def _unusable(path: Path, reason: str) -> HostError:
    return HostError(
        f"cannot lock {path}, by which runs measure one at a time: {reason}",
        hint=f"see what it is and who put it there (ls -l {path}), and remove it",
    )
