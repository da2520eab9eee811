"""What a file has where a hunk nearly fits: for the people who must mend it."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence

from pipeline.patch.diff import Hunk

# A line that stands in the file oftener says nothing about the place.
_COMMON = 40
_ROWS = 60
_COLUMNS = 160


def beside(lines: Sequence[bytes], hunk: Hunk) -> tuple[int, tuple[str, ...]]:
    """The nearest place (a line from 1, 0 for none), and its lines beside those that the hunk expects.

    A row begins with a blank for what both have, ``-`` for what only the patch expects and ``+`` for what
    only the file has. Nothing in it controls a terminal.
    """
    wanted = hunk.before[:_ROWS]
    at = _nearest(lines, wanted, max(hunk.new_start - 1, 0))
    if at is None:
        return 0, ()
    there = list(lines[max(at, 0) : max(at + len(wanted), 0)])
    rows: list[str] = []
    for tag, low, high, first, end in difflib.SequenceMatcher(
        None, wanted, there, autojunk=False
    ).get_opcodes():
        if tag == "equal":
            rows += [f"  {shown(line)}" for line in wanted[low:high]]
            continue
        rows += [f"- {shown(line)}" for line in wanted[low:high]]
        rows += [f"+ {shown(line)}" for line in there[first:end]]
    return max(at, 0) + 1, tuple(rows)


def _nearest(lines: Sequence[bytes], wanted: Sequence[bytes], expected: int) -> int | None:
    """The index at which most of the hunk's lines stand where they have to; of several, the nearest."""
    where: dict[bytes, list[int]] = {line: [] for line in wanted}
    for index, line in enumerate(lines):
        if line in where:
            where[line].append(index)
    votes: Counter[int] = Counter()
    for index, line in enumerate(wanted):
        if line.strip() and len(where[line]) <= _COMMON:
            votes.update(place - index for place in where[line])
    if not votes:
        return None
    return min(votes, key=lambda at: (-votes[at], abs(at - expected), at))


def shown(line: bytes) -> str:
    """A line as a terminal may show it, without its newline; cut where it is very long."""
    text = line.removesuffix(b"\n").decode("utf-8", "replace")
    text = "".join(char if char.isprintable() or char == "\t" else f"\\u{ord(char):04x}" for char in text)
    return text if len(text) <= _COLUMNS else text[: _COLUMNS - 1] + "…"
