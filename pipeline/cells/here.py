"""This machine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from pipeline import proc
from pipeline.errors import HostError
from pipeline.store import remove_tree

CAN_PIN = hasattr(os, "sched_setaffinity")


@contextlib.contextmanager
def pinned(cpus: tuple[int, ...]) -> Iterator[None]:
    """Hold what this thread starts to ``cpus``, if any; HostError where that cannot be done."""
    if not cpus:
        yield
        return
    if not CAN_PIN:
        raise HostError(
            "this system cannot hold programs to CPUs", hint="leave pin: of this cell out in matrix.yml"
        )
    before = os.sched_getaffinity(0)
    # Asked before it is done: the system would quietly leave out what does not exist.
    if not before.issuperset(cpus):
        raise HostError(
            f"benchmarks cannot be pinned to CPU {', '.join(map(str, sorted({*cpus} - before)))}",
            meaning=f"this process may use CPU {', '.join(map(str, sorted(before)))}",
            hint="change pin: in matrix.yml, or leave it out",
        )
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Here:
    """``Where`` for this machine."""

    about = None
    can_pin = CAN_PIN

    def pinned(self, cpus: tuple[int, ...]) -> contextlib.AbstractContextManager[None]:
        """See ``pinned``."""
        return pinned(cpus)

    def make(self, folder: Path) -> None:
        """See ``Where``."""
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, path: Path, text: str) -> None:
        """See ``Where``."""
        path.write_text(text, encoding="utf-8")

    def read(self, path: Path) -> bytes:
        """See ``Where``."""
        return path.read_bytes()

    def exists(self, path: Path) -> bool:
        """See ``Where``."""
        return path.exists()

    def remove(self, path: Path) -> None:
        """See ``Where``."""
        if path.exists() or path.is_symlink():
            remove_tree(path)

    def full(self, *places: Path) -> Path | None:
        """See ``Where``."""
        return proc.full_disk(*places)


HERE = Here()
