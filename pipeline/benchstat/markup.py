"""Markdown and HTML tables. Names come from files and are hostile until escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

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
from pipeline.benchstat.text import Footnotes, config_changes, superscript

# Everything that could start markup in GitHub's Markdown, a table cell's own separator, mentions and issue
# references included. Entities are used because a backslash is not enough inside a table.
_SPECIAL = re.compile(r"[\\`*_{}\[\]()<>#+!|~&$@:\"']")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def escape_markdown(text: str) -> str:
    """Make ``text`` plain inside a Markdown table cell."""
    clean = _CONTROL.sub(_REPLACEMENT, text)
    return _SPECIAL.sub(lambda match: f"&#{ord(match[0])};", clean)


def escape_html(text: str) -> str:
    """Make ``text`` plain inside HTML, in an attribute too."""
    return html.escape(_CONTROL.sub(_REPLACEMENT, text), quote=True)


def _grid(table: Table, notes: Footnotes) -> tuple[list[str], list[list[str]]]:
    """Return the head and the rows of a table as plain texts."""
    head = [table.unit]
    for index in range(len(table.columns)):
        head.append(table.column_title(index))
        if index:
            head += ["vs base", "test"]
    rows = [[label, *_cells(table, row, notes)] for label, row in zip(table.rows, table.cells, strict=True)]
    if len(table.rows) > 1:
        rows.append(_summary(table, notes))
    return head, rows


def _cells(table: Table, row: Sequence[Cell | None], notes: Footnotes) -> list[str]:
    scale = table.row_scale(row)
    out: list[str] = []
    for index, cell in enumerate(row):
        if cell is None:
            out += ["", "", ""] if index else [""]
            continue
        marks = notes.marks(cell.warnings, cell.summary.warnings)
        out.append(_noted(f"{scale.format(cell.summary.center)} ± {format_range(cell.summary)}", marks))
        if cell.comparison is not None:
            marks = notes.marks(cell.comparison.warnings)
            out += [format_delta(cell), _noted(format_test(cell.comparison), marks)]
        elif index:
            out += ["", ""]
    return out


def _summary(table: Table, notes: Footnotes) -> list[str]:
    out = [GEOMEAN]
    for index, summary in enumerate(table.summaries):
        center = ""
        if summary.center is not None:
            center = common_scale([summary.center], binary=table.binary).format(summary.center)
        out.append(_noted(center, notes.marks(summary.warnings)))
        if index:
            out += ["?" if summary.ratio is None else format_ratio(summary.ratio), ""]
    return out


def _noted(text: str, marks: str) -> str:
    return f"{text} {marks}".strip()


def render_markdown(tables: Sequence[Table]) -> str:
    """Render tables as GitHub Markdown; warnings follow each table."""
    blocks: list[str] = []
    for changes, table in config_changes(tables):
        if changes:
            blocks.append("  \n".join(map(escape_markdown, changes)))
        notes = Footnotes()
        head, rows = _grid(table, notes)
        lines = [_markdown_row(head), "|" + "|".join([":--"] + ["--:"] * (len(head) - 1)) + "|"]
        lines += map(_markdown_row, rows)
        blocks.append("\n".join(lines))
        if notes.numbers:
            blocks.append(
                "  \n".join(f"{superscript(n)} {escape_markdown(text)}" for text, n in notes.numbers.items())
            )
    return "".join(f"{block}\n\n" for block in blocks).removesuffix("\n")


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(escape_markdown, cells)) + " |"


def render_html(tables: Sequence[Table]) -> str:
    """Render tables as an HTML fragment; a significant change carries class ``better`` or ``worse``."""
    parts: list[str] = ['<div class="benchstat">\n']
    for changes, table in config_changes(tables):
        if changes:
            parts.append(f"<p>{'<br>'.join(map(escape_html, changes))}</p>\n")
        parts.append(_html_table(table))
    return "".join(parts) + "</div>\n"


def _html_table(table: Table) -> str:
    notes = Footnotes()
    head, rows = _grid(table, notes)
    lines = ["<table>\n<thead><tr>"]
    lines += (f'<th scope="col">{escape_html(text)}</th>' for text in head)
    lines.append("</tr></thead>\n<tbody>\n")
    for index, (label, *cells) in enumerate(rows):
        classes = _row_classes(table, index)
        lines.append(f'<tr><th scope="row">{escape_html(label)}</th>')
        for text, name in zip(cells, classes, strict=True):
            lines.append(f'<td class="{name}">' if name else "<td>")
            lines.append(f"{escape_html(text)}</td>")
        lines.append("</tr>\n")
    lines.append("</tbody>\n</table>\n")
    if notes.numbers:
        items = "<br>".join(f"{superscript(n)} {escape_html(text)}" for text, n in notes.numbers.items())
        lines.append(f'<p class="notes">{items}</p>\n')
    return "".join(lines)


def _row_classes(table: Table, index: int) -> list[str]:
    names: list[str] = []
    for column in range(len(table.columns)):
        names.append("")
        if column:
            cell = table.cells[index][column] if index < len(table.cells) else None
            names += [_verdict(table, cell), ""]
    return names


def _verdict(table: Table, cell: Cell | None) -> str:
    if cell is None or cell.comparison is None or cell.baseline is None or not cell.comparison.significant:
        return ""
    change = (cell.summary.center - cell.baseline.center) * table.better
    return "better" if change > 0 else "worse" if change < 0 else ""
