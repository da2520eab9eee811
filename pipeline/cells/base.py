"""What the place where a cell's programs run must be able to do."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline import proc


class Shell(Protocol):
    """Runs programs, with a log and a record each: ``proc.Shell`` here."""

    @property
    def logs(self) -> Path:
        """The folder of the logs, on this machine."""

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
    ) -> proc.Result:
        """As ``proc.run``."""


@dataclass(frozen=True, kw_only=True)
class About:
    """A machine that is not this one. ``words`` say where on it programs run, ``identity`` is what of it
    decides how tests end; ``cpu`` may be ''."""

    words: str
    identity: tuple[str, ...]
    cpu: str
    cores: int


class Where(Protocol):
    """The machine on which a shell's programs run: its files, its room, its processors."""

    @property
    def about(self) -> About | None:
        """None for this machine."""

    @property
    def can_pin(self) -> bool:
        """Whether programs can be held to processors."""

    def pinned(self, cpus: tuple[int, ...]) -> AbstractContextManager[None]:
        """Hold what is started meanwhile to ``cpus``; HostError for one that is not there."""

    def make(self, folder: Path) -> None:
        """Make a folder and those above it; one that is there is left as it is."""

    def write(self, path: Path, text: str) -> None:
        """Write a whole file."""

    def read(self, path: Path) -> bytes:
        """A whole file; FileNotFoundError where there is none."""

    def exists(self, path: Path) -> bool:
        """Whether there is anything."""

    def remove(self, path: Path) -> None:
        """Remove a file, or a folder and all in it; nothing to do is no error."""

    def full(self, *places: Path) -> Path | None:
        """The first of ``places`` whose disk has no room left, or None."""
