"""CSV tables, byte for byte benchstat's, quirks of the cell references in warnings included."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipeline.benchfmt.numbers import format_float
from pipeline.benchstat.lexer import is_space
from pipeline.benchstat.model import (
    GEOMEAN,
    Cell,
    Table,
    format_delta,
    format_range,
    format_ratio,
    format_test,
)
from pipeline.benchstat.text import config_changes, start_column

_COLUMNS = 2  # centre and range; change and test

Write = Callable[[str], object]


def render_csv(tables: Sequence[Table]) -> tuple[str, str]:
    """Render tables as CSV; the second text holds the warnings, by spreadsheet cell."""
    out: list[str] = []
    warnings: list[str] = []
    write_csv(tables, out.append, warnings.append)
    return "".join(out), "".join(warnings)


def write_csv(tables: Sequence[Table], write: Write, warn: Write) -> None:
    """Write tables as CSV and their warnings elsewhere."""
    sheet = _Sheet(write, warn)
    for index, (changes, table) in enumerate(config_changes(tables)):
        for line in ([""] if index else []) + changes:
            sheet.row = [line]
            sheet.end()
        _write_table(sheet, table)


class _Sheet:
    def __init__(self, write: Write, warn: Write) -> None:
        self.row: list[str] = []
        self.number = 1
        self._write = write
        self._warn = warn

    def pad(self, column: int) -> None:
        self.row += [""] * (column - len(self.row))

    def end(self, width: int = 0) -> None:
        self.pad(width)
        self._write(",".join(map(_quote, self.row)) + "\n")
        self.row = []
        self.number += 1

    def warn(self, messages: Sequence[str]) -> None:
        for message in messages:
            self._warn(f"{_column_name(len(self.row))}{self.number}: {message}\n")


def _column(index: int) -> int:
    return start_column(index, _COLUMNS, _COLUMNS)


def _write_table(sheet: _Sheet, table: Table) -> None:
    width = _column(len(table.columns))
    for level in range(len(table.column_fields)):
        for index, column in enumerate(table.columns):
            sheet.pad(_column(index))
            sheet.row.append(column[level])
        sheet.end(width)
    for index in range(len(table.columns)):
        sheet.pad(_column(index))
        sheet.row += [table.unit, "CI"]
        if index:
            sheet.row += ["vs base", "P"]
    sheet.end()
    for label, cells in zip(table.rows, table.cells, strict=True):
        sheet.row.append(label)
        for index, cell in enumerate(cells):
            if cell is not None:
                _write_cell(sheet, index, cell)
        sheet.end()  # benchstat leaves a row short when its last cells are missing
    _write_summary(sheet, table)


def _write_cell(sheet: _Sheet, index: int, cell: Cell) -> None:
    sheet.pad(_column(index))
    sheet.warn(cell.warnings)
    sheet.warn(cell.summary.warnings)
    sheet.row += [format_float(cell.summary.center), format_range(cell.summary)]
    if cell.comparison is not None:
        sheet.warn(cell.comparison.warnings)
        sheet.row += [format_delta(cell), format_test(cell.comparison)]


def _write_summary(sheet: _Sheet, table: Table) -> None:
    sheet.row.append(GEOMEAN)
    for index, summary in enumerate(table.summaries):
        sheet.pad(_column(index))
        sheet.warn(summary.warnings)
        if summary.center is not None:
            sheet.row.append(format_float(summary.center))
        if index:
            sheet.pad(_column(index) + _COLUMNS)
            sheet.row.append("?" if summary.ratio is None else format_ratio(summary.ratio))
    sheet.end(_column(len(table.columns)))


def _column_name(index: int) -> str:
    """Name a column as benchstat does: base 26 with A as zero, which is wrong from the 27th on."""
    name = ""
    while index > 0:
        name = chr(ord("A") + index % 26) + name
        index //= 26
    return name or "A"


def _quote(text: str) -> str:
    """Quote a field by the rules of Go's csv writer."""
    if not text:
        return text
    if text != "\\." and not is_space(text[0]) and not any(char in text for char in ',"\r\n'):
        return text
    return '"' + text.replace('"', '""') + '"'
