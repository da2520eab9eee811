"""Characters that hide, reorder or fake what a reviewer sees, and text made safe to print."""

from __future__ import annotations

import re
from collections.abc import Iterator

# Tab and line feed are Go's own layout; a carriage return may only end a line. Hidden are the other controls,
# every format character (the bidirectional ones: CVE-2021-42574), separators that look like a line's end, and
# letters without a shape: Go takes U+3164 in an identifier.
_HIDDEN = (
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
    "\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
)
_LINE = re.compile(f"[{_HIDDEN}\r]")
_TEXT = re.compile(f"[{_HIDDEN}]|\r(?![\n])(?!\\Z)")
SHOWN = 80


def hidden(text: str) -> str:
    """The first character of ``text`` that is invisible, reorders it or controls a terminal, or ''."""
    found = _LINE.search(text)
    return found[0] if found else ""


def hidden_lines(text: str) -> Iterator[tuple[int, str]]:
    """Line numbers, from 1, with the first such character of each; a line may end in a carriage return."""
    line, counted, last = 1, 0, 0
    for found in _TEXT.finditer(text):
        line += text.count("\n", counted, found.start())
        counted = found.start()
        if line != last:
            yield line, found[0]
        last = line


def strip(text: str) -> str:
    """``text`` as file systems compare it that ignore such characters."""
    return _LINE.sub("", text)


def shown(text: str) -> str:
    """A piece of a hostile text for a message: at most SHOWN characters, nothing that acts on a terminal."""
    piece = text[:SHOWN]
    safe = "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in _LINE.sub(_escaped, piece))
    return safe + ("…" if len(text) > SHOWN else "")


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
