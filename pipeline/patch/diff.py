"""A unified diff as values: files, hunks, lines.

``pipeline.patch.reader`` makes them from a patch's text.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

Kind = Literal["modify", "create", "delete", "rename", "copy"]
Sign = Literal[" ", "-", "+"]
Row = tuple[Sign, bytes]


@dataclass(frozen=True, kw_only=True)
class Hunk:
    """One hunk. ``number`` counts within its file from 1; ``patch_line`` is where it stands in the patch.
    A row's text keeps its newline, or has none at the end of a file without one."""

    number: int
    patch_line: int
    old_start: int
    new_start: int
    title: str
    rows: tuple[Row, ...]

    @cached_property
    def leading(self) -> int:
        """Lines of context above the first change."""
        return next(n for n, row in enumerate(self.rows) if row[0] != " ")

    @cached_property
    def trailing(self) -> int:
        """Lines of context below the last change."""
        return next(n for n, row in enumerate(reversed(self.rows)) if row[0] != " ")

    @cached_property
    def before(self) -> list[bytes]:
        """The lines that the hunk expects."""
        return [text for sign, text in self.rows if sign != "+"]

    @cached_property
    def after(self) -> list[bytes]:
        """The lines that it leaves."""
        return [text for sign, text in self.rows if sign != "-"]

    def undo(self) -> Hunk:
        """The hunk that takes this one back, where this one left its lines."""
        swapped: dict[Sign, Sign] = {" ": " ", "-": "+", "+": "-"}
        rows = tuple((swapped[sign], text) for sign, text in self.rows)
        return replace(self, old_start=self.new_start, new_start=self.old_start, rows=rows)


@dataclass(frozen=True, kw_only=True)
class FileChange:
    """What a patch does to one file. ``old`` and ``new`` are paths below the tree, '' for none; the blobs are
    git's abbreviated ids, '' where the patch has none; ``raw`` is this part of the patch as it is."""

    kind: Kind
    old: str
    new: str
    old_blob: str
    new_blob: str
    hunks: tuple[Hunk, ...]
    raw: bytes

    @property
    def path(self) -> str:
        """The path to name it by."""
        return self.new or self.old


def split(content: bytes) -> list[bytes]:
    """Lines with their newlines. Only LF ends a line, as for git."""
    lines = [line + b"\n" for line in content.split(b"\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines
