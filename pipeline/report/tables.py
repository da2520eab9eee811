"""The samples as benchstat shows them, and as two files for plain benchstat."""

from __future__ import annotations

from collections.abc import Collection

from pipeline.benchfmt import read
from pipeline.benchstat.builder import build_tables
from pipeline.benchstat.model import TableOptions
from pipeline.benchstat.text import render_text

# Keys that change from round to round: benchstat would make a table of its own for each value.
OWN_KEYS = ("round", "layout-seed")


def benchstat_text(text: str, units: Collection[str] = ()) -> str:
    """benchstat's own table of a cell's file, one column a side; of some units only where they are given."""
    options = TableOptions(col="side", ignore=",".join(OWN_KEYS))
    found = build_tables(read(text.splitlines()), options)
    return render_text([table for table in found if not units or table.unit in units])


_OWN_LINES = tuple(f"{key}: " for key in OWN_KEYS)


def by_side(text: str) -> dict[str, str]:
    """The file's blocks by side, without the keys that only this project knows."""
    parts: dict[str, list[str]] = {"base": [], "patched": []}
    side = ""
    for line in text.splitlines():
        if line.startswith("side: "):
            side = line.removeprefix("side: ")
        elif side in parts and not line.startswith(_OWN_LINES):
            parts[side].append(line)
    return {name: "\n".join(lines) + "\n" for name, lines in parts.items()}
