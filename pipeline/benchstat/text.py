"""Plain text tables, byte for byte benchstat's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pipeline.benchstat.layout import CENTER, LEFT, RIGHT, Layout, Span
from pipeline.benchstat.model import (
    GEOMEAN,
    Cell,
    Table,
    format_delta,
    format_range,
    format_ratio,
    format_test,
)
from pipeline.benchstat.scale import common_scale

_LABEL_COLUMNS = 1
_CENTER_COLUMNS = 3  # centre, range, footnotes
_DELTA_COLUMNS = 3  # change, test, footnotes
_RULE = " │ "
_RIGHT_RULE = " │"
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def start_column(index: int, center: int = _CENTER_COLUMNS, delta: int = _DELTA_COLUMNS) -> int:
    """Return the first layout column of a table column; the baseline has no columns for a change."""
    if index == 0:
        return _LABEL_COLUMNS
    return _LABEL_COLUMNS + center + (index - 1) * (center + delta)


def config_changes(tables: Sequence[Table]) -> Iterator[tuple[list[str], Table]]:
    """Yield each table with the configuration lines to print before it: those that changed."""
    previous: dict[str, str] | None = None
    for table in tables:
        current = dict(table.config)
        yield (
            [f"{key}: {value}" for key, value in table.config if previous is None or previous[key] != value],
            table,
        )
        previous = current


def render_text(tables: Sequence[Table]) -> str:
    """Render tables as text."""
    parts: list[str] = []
    write_text(tables, parts.append)
    return "".join(parts)


def write_text(tables: Sequence[Table], write: Callable[[str], object]) -> None:
    """Write tables as text, one at a time."""
    for index, (changes, table) in enumerate(config_changes(tables)):
        lines = ([""] if index else []) + changes
        if lines:
            write("\n".join(lines) + "\n")
        _TextTable(table).write(write)


class Footnotes:
    """Numbers warnings in the order in which they are first seen."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def marks(self, *groups: Sequence[str]) -> str:
        """Return the superscripts for warnings."""
        marks = []
        for group in groups:
            for message in group:
                number = self.numbers.setdefault(message, len(self.numbers) + 1)
                marks.append(superscript(number))
        return " ".join(marks)


def superscript(number: int) -> str:
    """Print a number in raised digits."""
    return str(number).translate(_SUPERSCRIPTS)


class _TextTable:
    def __init__(self, table: Table) -> None:
        self.table = table
        self.layout = Layout()
        self.notes = Footnotes()
        # Room for one more column than there are: benchstat's right rule stands there.
        self.edge = start_column(len(table.columns) + 1)

    def write(self, write: Callable[[str], object]) -> None:
        self._titles()
        self._units()
        for label, row in zip(self.table.rows, self.table.cells, strict=True):
            self.layout.rows.append(self._row(label, row))
        if len(self.table.rows) > 1:
            self.layout.rows.append(self._summary())
        self.layout.render(write)
        if self.notes.numbers:
            write("".join(f"{superscript(n)} {text}\n" for text, n in self.notes.numbers.items()))

    def _right_rule(self) -> Span:
        return Span(self.edge, 1, "", LEFT, _RIGHT_RULE)

    def _titles(self) -> None:
        """One row for each column field; neighbours with equal values up to that field share a title."""
        columns = self.table.columns
        for level in range(len(self.table.column_fields)):
            row: list[Span] = []
            start = 0
            for end in range(1, len(columns) + 1):
                if end < len(columns) and columns[end][: level + 1] == columns[start][: level + 1]:
                    continue
                left, right = start_column(start), start_column(end)
                row.append(Span(left, right - left, columns[start][level], CENTER, _RULE))
                start = end
            row.append(self._right_rule())
            self.layout.rows.append(row)

    def _units(self) -> None:
        row: list[Span] = []
        for index in range(len(self.table.columns)):
            left = start_column(index)
            row.append(Span(left, _CENTER_COLUMNS, self.table.unit, CENTER, _RULE))
            if index:
                row.append(Span(left + _CENTER_COLUMNS, _DELTA_COLUMNS, "vs base", LEFT, "  "))
            self.layout.shrink.update(range(left + 1, start_column(index + 1)))
        row.append(self._right_rule())
        self.layout.rows.append(row)

    def _row(self, label: str, cells: Sequence[Cell | None]) -> list[Span]:
        scale = self.table.row_scale(cells)
        marks = self.notes.marks
        row = [Span(0, 1, label, LEFT, "")]
        for index, cell in enumerate(cells):
            if cell is None:
                continue
            at = start_column(index)
            notes = ""
            if cell.warnings or cell.summary.warnings:
                notes = marks(cell.warnings, cell.summary.warnings)
            row += (
                Span(at, 1, scale.format(cell.summary.center), RIGHT, " "),
                Span(at + 1, 1, format_range(cell.summary), RIGHT, " ± "),
                Span(at + 2, 1, notes, LEFT, " " if notes else ""),
            )
            comparison = cell.comparison
            if comparison is not None:
                notes = marks(comparison.warnings) if comparison.warnings else ""
                row += (
                    Span(at + 3, 1, format_delta(cell), RIGHT, " "),
                    Span(at + 4, 1, f"({format_test(comparison)})", LEFT, " "),
                    Span(at + 5, 1, notes, LEFT, " " if notes else ""),
                )
        return row

    def _summary(self) -> list[Span]:
        row = [Span(0, 1, GEOMEAN, LEFT, "")]
        for index, summary in enumerate(self.table.summaries):
            at = start_column(index)
            if summary.center is not None:
                scale = common_scale([summary.center], binary=self.table.binary)
                row.append(Span(at, 1, scale.format(summary.center), RIGHT, " "))
            if index:
                ratio = summary.ratio
                text, align = ("?", LEFT) if ratio is None else (format_ratio(ratio), RIGHT)
                row.append(Span(at + _CENTER_COLUMNS, 1, text, align, " "))
            notes = self.notes.marks(summary.warnings)
            row.append(Span(start_column(index + 1) - 1, 1, notes, LEFT, " " if notes else ""))
        return row
