"""A patch file or an mbox, by its path or from standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import UsageError
from pipeline.inputs import mails
from pipeline.inputs.naming import safe
from pipeline.patch.series import SERIES_FILE, is_path
from pipeline.values import Provenance, Series

STDIN = "-"
_SUFFIXES = {".patch", ".diff", ".mbox", ".mbx", ".eml"}


def is_file(given: str) -> bool:
    """Whether ``--series`` means a file: by its ending, or because a path leads to something that is no
    folder, such as the pipe that a shell makes of ``<(git format-patch …)``."""
    path = Path(given)
    if path.name == SERIES_FILE or path.is_dir():
        return False
    return path.suffix.lower() in _SUFFIXES or (is_path(given) and path.exists())


class PatchFile:
    """The file at ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, version: str) -> tuple[Series, Provenance]:
        """See ``Input.read``."""
        try:
            with self.path.open("rb") as stream:
                raw = _all(stream, str(self.path))
        except OSError as error:
            raise UsageError(
                f"{self.path} cannot be read: {error.strerror}",
                hint="--series takes a series folder, a patch, an mbox, or - for standard input",
            ) from error
        # Of /dev/null or a pipe, the name alone says nothing.
        named = self.path.suffix.lower() in _SUFFIXES
        letters = mails.read(raw, self.path.name if named else str(self.path))
        where = self.path.absolute()
        return mails.series(safe(self.path.stem, "patch"), letters, where.parent), Provenance(
            form="file",
            origin=str(where),
            options=(f"--series={where}",),
            sha256=mails.sha256(raw),
            raw=raw,
            notes=letters.notes,
        )


class Stdin:
    """Standard input, or what it gave when the run that is resumed was started."""

    def __init__(self, kept: bytes | None = None) -> None:
        self._kept = kept

    def read(self, version: str) -> tuple[Series, Provenance]:
        """See ``Input.read``. Standard input can be read once only."""
        raw = self._kept if self._kept is not None else _piped()
        letters = mails.read(raw, "stdin")
        return mails.series("stdin", letters, mails.NOWHERE), Provenance(
            form="stdin",
            origin="standard input",
            options=(f"--series={STDIN}",),
            sha256=mails.sha256(raw),
            raw=raw,
            notes=letters.notes,
        )


def _piped() -> bytes:
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "--series - reads standard input, and nothing is piped into it",
            hint="git format-patch --stdout origin/master | ./inv patch-validate --series -",
        )
    raw = _all(sys.stdin.buffer, "standard input")
    if not raw.strip():
        raise UsageError(
            "standard input is empty",
            meaning="the command before the pipe failed or had nothing to say",
            hint="git format-patch --stdout A..B writes the commits of a range",
        )
    return raw


def _all(stream: BinaryIO, what: str) -> bytes:
    raw = stream.read(mails.MAX_BYTES + 1)
    if len(raw) > mails.MAX_BYTES:
        raise UsageError(f"{what}: larger than {mails.MAX_BYTES} bytes")
    return raw
