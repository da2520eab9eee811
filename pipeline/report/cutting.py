"""Cutting Markdown to a length without breaking it: what can be spared goes first, and what went is said.

Lengths are UTF-16 units, which is what GitHub may count: never fewer than characters, and never less than a
third of the bytes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from pipeline.report.blocks import MORE_ROWS, Block, parse, units

# Fewer than that hold no verdict with its platforms.
SHORTEST = 2000
# Sections that stay as long as anything does: the verdict, and how far each platform was exercised.
KEPT = 2
_NOTICE = 700
_BENCHSTAT = "as benchstat shows them"
_CALM = re.compile(r"\| no change[^|]*\|$")
_CELL = re.compile(r"(?<!\\)\|")
# What must not be cut in two: an escape, an entity, a mark, a tag.
_TOKEN = re.compile(r"\\.(?:&#8203;)?|&#?\w+;|\*\*|<[^<>]*>|.", re.DOTALL)
_LINES = 40
_LEFT_OUT = {
    "benchstat": ("table by benchstat", "tables by benchstat"),
    "details": ("collapsed part", "collapsed parts"),
    "row": ("row", "rows"),
    "output": ("block of output", "blocks of output"),
    "paragraph": ("paragraph", "paragraphs"),
}


@dataclass
class _Page:
    blocks: list[Block]
    budget: int
    left_out: Counter[str] = field(default_factory=Counter)
    sections: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.size = sum(block.size for block in self.blocks)

    @property
    def fits(self) -> bool:
        return self.size <= self.budget

    def drop(self, block: Block, what: str) -> None:
        self.size -= block.size
        block.lines = []
        self.left_out[what] += 1

    def replace(self, block: Block, lines: list[str], rows: int = 0) -> None:
        self.size -= block.size
        block.lines, block.rows = lines, block.rows + rows
        self.size += block.size

    def last_first(self, *kinds: str, kept: bool = False) -> Iterator[Block]:
        """Blocks to cut, as long as the page is too long: those of the sections that are ``kept``, or the
        others."""
        for block in reversed(self.blocks):
            if self.fits:
                return
            if block.lines and block.kind in kinds and (block.section < KEPT) == kept:
                yield block


def fit(text: str, limit: int, whole: str) -> str:
    """``text`` when it has at most ``limit`` units, else what matters most of it and a sentence that says
    what is left out, and that all of it is in ``whole``. Fences and collapsed parts stay closed."""
    if units(text) <= limit:
        return text
    if limit < SHORTEST:
        raise ValueError(f"a summary cannot be cut to {limit} characters")
    page = _Page(list(parse(text)), limit - _NOTICE - units(whole))
    steps: tuple[Callable[[_Page], None], ...] = (
        lambda page: _details(page, _BENCHSTAT, "benchstat"),
        lambda page: _details(page, "", "details"),
        lambda page: _rows(page, _CALM),
        lambda page: _rows(page, None),
        _fences,
        _sections,
        _head,
    )
    for step in steps:
        if page.fits:
            break
        step(page)
    return "\n\n".join(block.text() for block in page.blocks if block.lines) + _notice(page, whole)


def divide(text: str) -> tuple[str, str]:
    """The sections that stay as long as anything does, and the others."""
    blocks = list(parse(text))
    head = "\n\n".join(block.text() for block in blocks if block.section < KEPT)
    return head + "\n", "\n\n".join(block.text() for block in blocks if block.section >= KEPT) + "\n"


def _details(page: _Page, word: str, what: str) -> None:
    for kept in (False, True):
        for block in page.last_first("details", kept=kept):
            if word in block.lines[0]:
                page.drop(block, what)


def _rows(page: _Page, which: re.Pattern[str] | None, kept: bool = False) -> None:
    """Drop rows from the ends of tables: those that ``which`` finds, or all; the head of a table stays."""
    for table in page.last_first("table", kept=kept):
        head, rows = table.lines[:2], table.lines[2:]
        over = page.size - page.budget + (0 if table.rows else MORE_ROWS)
        gone: set[int] = set()
        for number in range(len(rows) - 1, -1, -1):
            if over <= 0:
                break
            if which is None or which.search(rows[number]):
                gone.add(number)
                over -= units(rows[number]) + 1
        if gone:
            left = [row for number, row in enumerate(rows) if number not in gone]
            page.replace(table, head + left, rows=len(gone))
            page.left_out["row"] += len(gone)


def _fences(page: _Page) -> None:
    for block in sorted(page.last_first("fence"), key=lambda one: -one.size):
        if not page.fits:
            page.drop(block, "output")


def _sections(page: _Page) -> None:
    for number in range(max((block.section for block in page.blocks), default=0), KEPT - 1, -1):
        if page.fits:
            return
        inside = [block for block in page.blocks if block.section == number and block.lines]
        if inside:
            page.sections.insert(0, shorten(inside[0].lines[0].lstrip("# "), 60))
        for block in inside:
            page.drop(block, "")


def _head(page: _Page) -> None:
    """Shorten what stays: long output first, then long texts, then the rows of the platforms."""
    for block in page.last_first("fence", kept=True):
        _few_lines(page, block, 200)
    for block in page.last_first("text", "heading", kept=True):
        _few_lines(page, block, 1000)
    for width in (120, 40, 16):
        for table in page.last_first("table", kept=True):
            page.replace(table, [_narrow(row, width) for row in table.lines])
            page.left_out["end"] += 1
    _rows(page, None, kept=True)
    for block in page.last_first("text", "heading", "table", "fence", kept=True):
        if block is page.blocks[0] and block.kind in {"heading", "text"}:
            page.replace(block, [shorten(line, 200) for line in block.lines[:2]])
        else:
            page.drop(block, "paragraph")


def _few_lines(page: _Page, block: Block, width: int) -> None:
    lines = block.lines
    if block.kind == "fence":
        kept = [line if units(line) <= width else _clipped(line, width) for line in lines[1:-1][:_LINES]]
        lines = [lines[0], *kept, *(["…"] * (len(lines) - 2 > _LINES)), lines[-1]]
    else:
        lines = [shorten(line, width) for line in lines[:_LINES]]
    if lines != block.lines:
        page.replace(block, lines)
        page.left_out["end"] += 1


def _clipped(line: str, width: int) -> str:
    """Text of a fence, where nothing is an escape."""
    kept, size = [], 0
    for char in line:
        size += units(char)
        if size >= width:
            break
        kept.append(char)
    return "".join(kept) + "…"


def _narrow(row: str, width: int) -> str:
    cells = _CELL.split(row)
    if len(cells) < 3 or set(row) <= set("|-: "):
        return shorten(row, 200)
    return "| " + " | ".join(shorten(cell.strip(), width) for cell in cells[1:-1]) + " |"


def shorten(text: str, limit: int) -> str:
    """One line of Markdown, at most ``limit`` units: no escape, entity, tag or character is cut in two, and
    what was strong or code is closed."""
    if units(text) <= limit:
        return text
    kept, size = [], 4  # room for what closes it
    for found in _TOKEN.finditer(text):
        size += units(found.group())
        if size > limit:
            break
        kept.append(found.group())
    short = "".join(kept).rstrip()
    code = "`" * (kept.count("`") % 2)
    strong = "**" * (kept.count("**") % 2)
    return f"{short}…{code}{strong}"


def _notice(page: _Page, whole: str) -> str:
    found = page.left_out
    parts = [f"{found[what]} {words[found[what] > 1]}" for what, words in _LEFT_OUT.items() if found[what]]
    if page.sections:
        more = f" and {len(page.sections) - 4} more" if len(page.sections) > 4 else ""
        parts.append(f"of the sections {', '.join(page.sections[:4])}{more} everything")
    if found["end"]:
        parts.append("the ends of long texts")
    return f"\n\n*Cut here to fit. Left out: {'; '.join(parts)}. All of it is in {whole}.*\n"
