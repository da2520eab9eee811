"""benchstat as a library and a drop-in command.

``build_tables`` turns benchmark records into one table model; ``render_text``, ``render_csv``,
``render_markdown``, ``render_html`` and ``render_json`` read it. ``python -m pipeline.benchstat`` takes
benchstat's arguments and prints its bytes.
"""

from pipeline.benchstat.builder import Builder, build_tables
from pipeline.benchstat.csv_output import render_csv
from pipeline.benchstat.json_output import render_json, tables_as_data
from pipeline.benchstat.markup import escape_html, escape_markdown, render_html, render_markdown
from pipeline.benchstat.model import Cell, ColumnSummary, Table, TableOptions
from pipeline.benchstat.text import render_text

__all__ = [
    "Builder",
    "Cell",
    "ColumnSummary",
    "Table",
    "TableOptions",
    "build_tables",
    "escape_html",
    "escape_markdown",
    "render_csv",
    "render_html",
    "render_json",
    "render_markdown",
    "render_text",
    "tables_as_data",
]
