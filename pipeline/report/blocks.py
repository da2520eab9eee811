"""Markdown as blocks of lines that belong together, and its length."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["heading", "details", "fence", "table", "text"]
# What a table gets below it when it has lost rows.
MORE_ROWS = 40
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_OPENS = re.compile(r"(?<!\\)<details\b")
_CLOSES = re.compile(r"(?<!\\)</details>")


@dataclass
class Block:
    """Lines that belong together. ``section`` counts the headings of the third level and below so far;
    ``rows`` is how many rows a table has lost."""

    kind: Kind
    lines: list[str]
    section: int
    rows: int = 0

    def text(self) -> str:
        """As Markdown."""
        more = f"\n\n*and {self.rows} more row{'s' if self.rows > 1 else ''}*" if self.rows else ""
        return "\n".join(self.lines) + more

    @property
    def size(self) -> int:
        """At least what it takes of a page."""
        return units("\n".join(self.lines)) + 2 + (MORE_ROWS if self.rows else 0)


def units(text: str) -> int:
    """The length of a text in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def parse(text: str) -> Iterator[Block]:
    """The blocks of a text; a fence or a collapsed part that is not closed is, and what closes nothing is
    left out."""
    lines = text.split("\n")
    section, at = 0, 0
    while at < len(lines):
        line = lines[at]
        if not line.strip():
            at += 1
            continue
        if line.startswith("##") and not line.startswith("## "):
            section += 1
        kind, end, found = _block(lines, at)
        at = end
        if found:
            yield Block(kind, found, section)


def _block(lines: list[str], at: int) -> tuple[Kind, int, list[str]]:
    """The kind of block that begins at a line, where it ends, and its lines, closed where they were not."""
    line = lines[at]
    if _FENCE.match(line):
        end, found = _fenced(lines, at)
        return "fence", end, found
    if _OPENS.search(line):
        end, found = _collapsed(lines, at)
        return "details", end, found
    if line.startswith("#"):
        return "heading", at + 1, [_without_ends(line)]
    kind: Kind = "table" if line.startswith("|") else "text"
    end = at + 1
    while end < len(lines) and _goes_on(lines[end], kind):
        end += 1
    found = [_without_ends(one) for one in lines[at:end]]
    return kind, end, [one for one in found if one.strip()]


def _goes_on(line: str, kind: str) -> bool:
    if not line.strip() or _FENCE.match(line) or _OPENS.search(line) or line.startswith("#"):
        return False
    return line.startswith("|") == (kind == "table")


def _without_ends(line: str) -> str:
    return _CLOSES.sub("", line)


def _fenced(lines: list[str], at: int) -> tuple[int, list[str]]:
    opened = _FENCE.match(lines[at])
    mark = opened.group(1) if opened else "```"
    closing = re.compile(rf" {{0,3}}{mark}{mark[0]}*\s*$")
    for end in range(at + 1, len(lines)):
        if closing.match(lines[end]):
            return end + 1, lines[at : end + 1]
    return len(lines), [*lines[at:], mark]


def _collapsed(lines: list[str], at: int) -> tuple[int, list[str]]:
    depth, found = 0, []
    while at < len(lines):
        line = lines[at]
        if depth and _FENCE.match(line):
            at, block = _fenced(lines, at)
            found += block
            continue
        depth += len(_OPENS.findall(line)) - len(_CLOSES.findall(line))
        found.append(line)
        at += 1
        if depth <= 0:
            break
    return at, [*found, *["</details>"] * depth]
