"""What an install puts beside a GOROOT, and the lock by which one install at a time works there.

Beside it and not in a temporary folder: on the same file system a rename is all that a swap takes.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from pipeline.errors import HostError, UsageError


@dataclass(frozen=True, kw_only=True)
class Beside:
    """The paths that belong to the install at ``goroot``."""

    goroot: Path

    @property
    def journal(self) -> Path:
        """What is under way there, and what was replaced."""
        return self.goroot.with_name(f"{self.goroot.name}.gopatch.json")

    @property
    def lock(self) -> Path:
        """Held while anything is moved. The empty file stays: removing it would let two in at once."""
        return self.goroot.with_name(f".{self.goroot.name}.gopatch.lock")

    def new(self, stamp: str) -> Path:
        """Where the new tree is made."""
        return self.goroot.with_name(f".{self.goroot.name}.gopatch-new-{stamp}")

    def backup(self, stamp: str) -> Path:
        """Where the tree that was there before goes."""
        return self.goroot.with_name(f"{self.goroot.name}.gopatch-backup-{stamp}")

    def aside(self, stamp: str) -> Path:
        """Where a rollback puts the tree that it takes out."""
        return self.goroot.with_name(f"{self.goroot.name}.gopatch-aside-{stamp}")

    def stamp(self) -> str:
        """A name for one install or rollback here: the time, and what tells it from all others. An undo knows
        its own trees by it, so another's would lose a tree."""
        while True:
            stamp = f"{dt.datetime.now(dt.UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
            if not any(map(os.path.lexists, (self.new(stamp), self.backup(stamp), self.aside(stamp)))):
                return stamp


def at(path: str | Path) -> Beside:
    """The place named by the user. Links on the way are followed; that it is itself one is for the caller
    to see. UsageError when nothing can lie beside it."""
    given = Path(os.path.normpath(Path(path).expanduser().absolute()))
    if not given.name:
        raise UsageError(f"{given} is the root of a file system", hint="give the folder of a Go tree")
    return Beside(goroot=given.parent.resolve() / given.name)


@contextlib.contextmanager
def hold(beside: Beside) -> Iterator[None]:
    """Be the only one that works on this GOROOT; HostError when another process does, or when the lock
    cannot be made. The system frees it when its holder dies."""
    lock = filelock.FileLock(beside.lock)
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout as error:
        raise HostError(
            f"another install or rollback works on {beside.goroot} at this moment",
            hint="wait until it has ended, and run this again",
        ) from error
    except OSError as error:
        raise HostError(
            f"the lock {beside.lock} cannot be taken: {error.strerror or error}",
            meaning="this user may not write there, or a file of another user lies there",
            hint="install as the owner of that folder, or side by side: leave --replace out",
        ) from error
    try:
        yield
    finally:
        lock.release()


def sync_folder(folder: Path) -> None:
    """Have the names in ``folder`` on disk. Windows does not open folders, and orders renames by itself."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(root: Path) -> None:
    """Have every file below ``root`` on disk. One call syncs thousands of files at once."""
    if hasattr(os, "sync"):
        os.sync()
        return
    for path in root.rglob("*"):  # Windows: flush file by file
        if path.is_file():
            with path.open("rb+") as stream:
                os.fsync(stream.fileno())


def rename(old: Path, new: Path) -> None:
    """Rename a folder and have it on disk. Never onto something: POSIX would replace an empty folder."""
    if os.path.lexists(new):
        raise HostError(f"{old} cannot become {new}: something lies there", hint=f"move {new} away")
    old.rename(new)
    sync_folder(new.parent)


def scratch_of(path: Path) -> Path:
    """Where ``write_json`` writes first. One name, so that killed ones do not pile up."""
    return path.with_name(f".{path.name}.tmp")


def write_json(path: Path, value: Any) -> None:
    """Replace a file, as a whole or not at all, and have it on disk. For one writer at a time."""
    scratch = scratch_of(path)
    try:
        with scratch.open("w", encoding="utf-8") as stream:
            json.dump(value, stream, indent=1)
            stream.write("\n")
            stream.flush()
            os.fsync(stream.fileno())
        scratch.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            scratch.unlink()
        raise
    sync_folder(path.parent)
