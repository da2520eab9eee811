"""A run's ledger: one JSON record a line, appended as things happen, never rewritten.

Records are validated on the way in and on the way out, so that a ledger from elsewhere is data to be
checked and not something to be believed. A line cut short by a killed process is dropped on reading
and cut off before the next append.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from pipeline.errors import UsageError
from pipeline.records import AnyRecord, CommandRan, GateResult, ProgramBuilt, Record, RoundEnded, StageEnded

_adapter: TypeAdapter[Any] = TypeAdapter(AnyRecord)

# They account for time, or a run that goes on makes them again: the next record takes them to the disk. There
# are hundreds, and to wait for it takes 4 ms.
_UNHURRIED = (CommandRan, GateResult, ProgramBuilt, RoundEnded, StageEnded)


class Ledger:
    """Appends records to ``path`` and keeps them in memory for the run. Safe to use from threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self.records: list[Record] = []
        if path.exists():
            self.records = list(read(path))
            _cut_partial_line(path)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    def append(self, record: Record) -> None:
        """Write one record; through to the disk, but for those in ``_UNHURRIED``."""
        line = json.dumps(
            {"at": now(), **record.model_dump(mode="json")}, separators=(",", ":"), ensure_ascii=True
        )
        with self._lock:
            with self.path.open("ab") as stream:
                stream.write(line.encode() + b"\n")
                stream.flush()
                if not isinstance(record, _UNHURRIED):
                    os.fsync(stream.fileno())
            self.records.append(record)


def now() -> str:
    """UTC to the millisecond, RFC 3339."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read(path: Path) -> Iterator[Record]:
    """The records of a ledger in order. UsageError names the line that is not a record."""
    data = path.read_bytes()
    lines = data.split(b"\n")
    for number, line in enumerate(lines[:-1], 1):  # what follows the last newline is a cut line
        try:
            value = json.loads(line)
            value.pop("at", None)
            yield _adapter.validate_python(value)
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            reason = str(error).splitlines()[0]
            raise UsageError(f"{path}:{number}: not a ledger record: {reason}") from error


def _cut_partial_line(path: Path) -> None:
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole != len(data):
        with path.open("rb+") as stream:
            stream.truncate(whole)
