"""Opening inputs and cutting them into lines, block by block, with Go's limits and messages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pipeline.benchfmt.records import InputError

_BLOCK = 1 << 18
_LONGEST_LINE = 1 << 16  # Go's scanner gives up on a line that fills its buffer
_MOST_BYTES_A_CHARACTER = 4
_PYTHON_ONLY_SPACE = re.compile("[\x1c-\x1f]")


def blocks(stream: BinaryIO, file: str) -> Iterator[tuple[list[str], bool]]:
    """Yield the lines of one block, and whether what Python takes for white space there is Go's too.

    Raises:
        InputError: reading fails, or a line is too long; the lines before it have been yielded.
    """
    rest = b""
    count = 0
    while True:
        try:
            block = stream.read(_BLOCK)
        except OSError as error:
            raise InputError(f"{file}:{count}: read {file}: {_reason(error)}") from error
        end = block.rfind(b"\n") + 1 if block else 0
        if block and not end:
            rest += block
            _refuse_long(rest, file, count)
            continue
        text = (rest + block[:end]).decode("utf-8", "surrogateescape")
        rest = block[end:]
        lines = text.split("\n")
        if not lines[-1]:
            lines.pop()
        too_long = _first_too_long(lines)
        if too_long is not None:
            yield lines[:too_long], False
            raise _too_long(file, count + too_long)
        yield lines, not _PYTHON_ONLY_SPACE.search(text)
        count += len(lines)
        _refuse_long(rest, file, count)
        if not block:
            return


def _first_too_long(lines: list[str]) -> int | None:
    suspicious = _LONGEST_LINE // _MOST_BYTES_A_CHARACTER
    if not lines or max(map(len, lines)) < suspicious:
        return None
    for index, line in enumerate(lines):
        if len(line) >= suspicious and len(line.encode("utf-8", "surrogateescape")) >= _LONGEST_LINE:
            return index
    return None


def _refuse_long(rest: bytes, file: str, count: int) -> None:
    if len(rest) >= _LONGEST_LINE:
        raise _too_long(file, count)


def _too_long(file: str, count: int) -> InputError:
    return InputError(f"{file}:{count}: bufio.Scanner: token too long")


def _reason(error: OSError) -> str:
    """Return the system's reason as Go spells it."""
    reason = error.strerror or str(error)
    return reason[:1].lower() + reason[1:]


def open_input(path: str) -> BinaryIO:
    """Open a file for reading.

    Raises:
        InputError: with Go's wording.
    """
    try:
        return Path(path).open("rb", buffering=0) if path else _missing(path)
    except IsADirectoryError as error:
        raise InputError(f"{path}:0: read {path}: is a directory") from error
    except OSError as error:
        raise InputError(f"open {path}: {_reason(error)}") from error


def _missing(path: str) -> BinaryIO:
    raise FileNotFoundError(2, "No such file or directory", path)
