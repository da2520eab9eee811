"""Text layout of a table: column widths, spans, margins, and the quirks of Go's ``%*s``.

Widths count characters. A negative width pads on the other side, as Go's does; it occurs where a title is
wider than the columns it spans.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

LEFT, CENTER, RIGHT = "left", "center", "right"


class Span(NamedTuple):
    """A cell: where it starts, how many columns it covers, what it shows and how."""

    column: int
    columns: int
    text: str
    align: str
    margin: str


@dataclass(slots=True)
class Layout:
    """Rows of cells. ``shrink`` columns never grow for the sake of a cell that spans several."""

    rows: list[list[Span]] = field(default_factory=list)
    shrink: set[int] = field(default_factory=set)

    def render(self, write: Callable[[str], object]) -> None:
        """Write the table, one line a row; empty cells at the end of a row leave no trailing space."""
        count = max((span.column + span.columns for row in self.rows for span in row), default=0)
        margins = self._margins(count)
        widths = self._widths(count, margins)
        offsets = [0]
        for width in widths:
            offsets.append(offsets[-1] + width)
        lines: list[str] = []
        pending = 0
        for row in self.rows:
            line = _line(row, margins, offsets)
            if line is None:
                pending += 1
                continue
            lines += [""] * pending + [line]
            pending = 0
        if self.rows:
            write("\n".join(lines) + "\n")

    def _margins(self, count: int) -> list[int]:
        margins = [0] * count
        for row in self.rows:
            for span in row:
                if len(span.margin) > margins[span.column]:
                    margins[span.column] = len(span.margin)
        return margins

    def _widths(self, count: int, margins: Sequence[int]) -> list[int]:
        widths = [0] * count
        wide: list[Span] = []
        for row in self.rows:
            for span in row:
                column, columns, text, _, _ = span
                if columns != 1:
                    wide.append(span)
                elif (width := len(text) + margins[column]) > widths[column]:
                    widths[column] = width
        for span in sorted(wide, key=lambda span: span.columns):
            self._widen(widths, span, len(span.text) + margins[span.column])
        return widths

    def _widen(self, widths: list[int], span: Span, need: int) -> None:
        """Grow the columns under a cell until it fits, the wider ones first so that excess is shared."""
        covered = range(span.column, span.column + span.columns)
        if sum(widths[column] for column in covered) >= need:
            return
        need -= sum(widths[column] for column in covered if column in self.shrink)
        growing = [column for column in covered if column not in self.shrink]
        growing.sort(key=lambda column: -widths[column])
        for left, column in zip(range(len(growing), 0, -1), growing, strict=True):
            widths[column] = max(widths[column], _go_divide(need + left - 1, left))
            need -= widths[column]


def _line(row: Sequence[Span], margins: Sequence[int], offsets: Sequence[int]) -> str | None:
    parts: list[str] = []
    at = 0
    for column, columns, text, align, margin in row:
        if (not text and not margin) or (not text.strip() and not margin.strip()):
            continue
        spaces = offsets[column] - at
        width = margins[column]
        total = offsets[column + columns] - offsets[column] - width
        if align == RIGHT:
            shown = text.rjust(total) if total >= 0 else text.ljust(-total)
        elif align == CENTER:
            shown = " " * abs(_go_divide(total - len(text), 2)) + text
        else:
            shown = text
        parts += (" " * abs(spaces), margin.rjust(width), shown)
        at += spaces + width + len(shown)
    return "".join(parts) if parts else None


def _go_divide(a: int, b: int) -> int:
    """Integer division that truncates towards zero."""
    return a // b if a >= 0 else -(-a // b)
