"""Where a hunk goes in a file: what ``git apply`` would do, as a pure function.

git tries the line that the hunk names, then one line below, one above, two below and so on, and takes the
first place that matches. Without context above, a hunk must be at the beginning; without any below, at the
end. Lines that an earlier hunk of the patch has touched match nothing. With ``-C``, it gives up these two
rules first, then context line by line.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from pipeline.patch.account import worst
from pipeline.patch.diff import Hunk, Row

# No hunk is placed on less: one line of context on each side that had any, and two lines less on each. git
# itself would go on for as long as there is context.
LEAST_CONTEXT = 1
MOST_FUZZ = 2
_BLANKS = re.compile(rb"[ \t\r\n]+")  # git's own isspace, which has no form feed


@dataclass(frozen=True, kw_only=True)
class Way:
    """How ``git apply`` is asked to look: ``blanks`` ignores how much white space there is, ``fuzz`` gives up
    context, see ``LEAST_CONTEXT``."""

    blanks: bool = False
    fuzz: bool = False

    @property
    def options(self) -> list[str]:
        """git's options for it."""
        found = ["--ignore-whitespace"] if self.blanks else []
        return [*found, f"-C{LEAST_CONTEXT}"] if self.fuzz else found


WAYS = (Way(), Way(blanks=True), Way(fuzz=True), Way(blanks=True, fuzz=True))


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where a hunk fits. ``at`` counts lines from 0 in the file as the hunks before it leave it; ``offset``
    is in lines; ``context`` is what is left of it above and below. ``loose``: the hunk was made for the
    file's beginning or end, and is elsewhere; ``blanks``: the file's lines differ in white space. ``places``
    fit as well as this one, itself included."""

    at: int
    offset: int
    fuzz: int
    context: tuple[int, int]
    loose: bool
    blanks: bool
    places: int
    removed: int
    inserted: tuple[bytes, ...]

    @property
    def needs(self) -> frozenset[str]:
        """The rungs that it takes beyond exact and offset."""
        return frozenset(["fuzz"] * (self.fuzz > 0 or self.loose) + ["whitespace"] * self.blanks)

    @property
    def rung(self) -> str:
        """The worst of what it takes."""
        if self.needs:
            return worst(self.needs)
        return "offset" if self.offset else "exact"


class Image:
    """A file that hunks are put into, one after another. ``taken`` marks the lines that one has touched."""

    def __init__(self, lines: Sequence[bytes]) -> None:
        self.lines = list(lines)
        self.taken = [False] * len(self.lines)

    def put(self, placement: Placement) -> None:
        """Replace the lines of the place by those of the hunk."""
        place = slice(placement.at, placement.at + placement.removed)
        self.lines[place] = placement.inserted
        self.taken[place] = [True] * len(placement.inserted)


def place(image: Image, hunk: Hunk, way: Way) -> Placement | None:
    """Where git would put the hunk, or None for nowhere.

    None also where git would do what no diff means: put lines without any context at the end of the file,
    join two lines because one of them has no newline, or give up more than ``MOST_FUZZ`` lines.
    """
    if not hunk.before and image.lines:
        return None
    leading, trailing = hunk.leading, hunk.trailing
    first, last = hunk.old_start <= 1, trailing == 0
    start = max(hunk.new_start - 1, 0)
    if _stands(image, hunk.before, start, first=first, last=last):
        return _placement(image, hunk, start, hunk.rows, same=True, places=1)
    least = LEAST_CONTEXT if way.fuzz else max(leading, trailing)
    while True:
        above, below = hunk.leading - leading, hunk.trailing - trailing
        rows = hunk.rows[above : len(hunk.rows) - below]
        before = [text for sign, text in rows if sign != "+"]
        # git searches around start - above, though the rest of the hunk stands below start.
        found = _find(image, before, start - above, first=first, last=last, way=way)
        if found is not None:
            break
        if max(leading, trailing) <= least or max(above, below) >= MOST_FUZZ:
            return None
        if first or last:
            first = last = False
            continue
        if leading >= trailing:
            leading -= 1
        if trailing > leading:
            trailing -= 1
    at, same, places = found
    loose = (hunk.old_start <= 1 and not first) or (hunk.trailing == 0 and not last)
    return _placement(
        image, hunk, at, rows, same=same, places=places, context=(leading, trailing), loose=loose
    )


def _stands(image: Image, before: Sequence[bytes], at: int, *, first: bool, last: bool) -> bool:
    """Whether the hunk fits where it says it does: git takes that, however many more places there are."""
    end = at + len(before)
    return (
        image.lines[at:end] == before
        and not any(image.taken[at:end])
        and end <= len(image.lines)
        and not (first and at)
        and not (last and end != len(image.lines))
    )


def _placement(
    image: Image,
    hunk: Hunk,
    at: int,
    rows: Sequence[Row],
    *,
    same: bool,
    places: int,
    context: tuple[int, int] | None = None,
    loose: bool = False,
) -> Placement | None:
    above, below = context or (hunk.leading, hunk.trailing)
    before = [text for sign, text in rows if sign != "+"]
    there = image.lines[at : at + len(before)]
    inserted = _inserted(rows, there, same)
    if _joins(image.lines, at, len(before), inserted):
        return None
    return Placement(
        at=at,
        offset=at - (hunk.leading - above) - max(hunk.new_start - 1, 0),
        fuzz=hunk.leading - above + hunk.trailing - below,
        context=(above, below),
        loose=loose,
        blanks=there != before,
        places=places,
        removed=len(before),
        inserted=inserted,
    )


def _inserted(rows: Sequence[Row], there: Sequence[bytes], same: bool) -> tuple[bytes, ...]:
    """What the hunk leaves. Where only blanks differ, context stays as the file has it."""
    old = iter(there)
    inserted: list[bytes] = []
    for sign, text in rows:
        mine = next(old) if sign != "+" else text
        if sign != "-":
            inserted.append(text if same else mine)
    return tuple(inserted)


def _joins(lines: Sequence[bytes], at: int, removed: int, inserted: Sequence[bytes]) -> bool:
    """Whether a line without a newline would come before another line."""
    around = [*lines[max(at - 1, 0) : at], *inserted, *lines[at + removed : at + removed + 1]]
    return any(not line.endswith(b"\n") for line in around[:-1])


def _find(
    image: Image, before: Sequence[bytes], start: int, *, first: bool, last: bool, way: Way
) -> tuple[int, bool, int] | None:
    """The place that git takes, whether the lines are the same there byte for byte, and how many fit."""
    size = len(image.lines)
    if first:
        start = 0
    elif last:
        start = size - len(before)
    if not 0 <= start <= size:
        start = size  # also for a line above the file: git compares without a sign
    same = _matches(image, before, start, whole=last)
    blank = _blank_matches(image, before) if way.blanks else []
    found = [
        at for at in {*same, *blank} if (not first or at == 0) and (not last or at + len(before) == size)
    ]
    if not found:
        return None
    at = min(found, key=lambda one: (abs(one - start), one < start))
    return at, at in same, len(found)


def _matches(image: Image, before: Sequence[bytes], start: int, *, whole: bool) -> set[int]:
    """The places where the file has these lines, byte for byte."""
    if before and not whole and not before[-1].endswith(b"\n"):
        # git compares only so many bytes as the hunk has: a last line without a newline is the beginning of
        # any that goes on with blanks.
        end, count = before[-1], len(before)
        heads = _matches(image, before[:-1], start, whole=False)
        return {
            at
            for at in heads
            if at + count <= len(image.lines)
            and not image.taken[at + count - 1]
            and image.lines[at + count - 1].startswith(end)
            and not image.lines[at + count - 1][len(end) :].strip(b" \t\r\n")
        }
    tokens = [None if taken else line for line, taken in zip(image.lines, image.taken, strict=True)]
    return set(occurrences(tokens, before))


def _blank_matches(image: Image, before: Sequence[bytes]) -> list[int]:
    tokens = [None if taken else squeezed(line) for line, taken in zip(image.lines, image.taken, strict=True)]
    return occurrences(tokens, [squeezed(line) for line in before])


def squeezed(line: bytes) -> bytes:
    """A line as ``--ignore-whitespace`` sees it: no end of line, one blank for several."""
    return _BLANKS.sub(b" ", line.rstrip(b"\r\n"))


def occurrences(tokens: Sequence[Hashable], wanted: Sequence[Hashable]) -> list[int]:
    """Every index at which ``wanted`` begins in ``tokens``, overlapping ones too, in linear time: a hostile
    patch has thousands of lines that are all the same (Knuth, Morris and Pratt)."""
    if not wanted:
        return list(range(len(tokens) + 1))
    fall = [0]
    for token in wanted[1:]:
        known = fall[-1]
        while known and wanted[known] != token:
            known = fall[known - 1]
        fall.append(known + (wanted[known] == token))
    found, known = [], 0
    for index, token in enumerate(tokens):
        while known and (known == len(wanted) or wanted[known] != token):
            known = fall[known - 1]
        if wanted[known] == token:
            known += 1
        if known == len(wanted):
            found.append(index + 1 - known)
    return found
