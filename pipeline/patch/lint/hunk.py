"""One hunk of a patch: as many lines as its header says, not one fewer and not one more."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.patch.lint.characters import shown

# ASCII digits only, as git reads them, and few enough for every counter.
_HEAD = re.compile(r"@@ -[0-9]{1,9}(?:,([0-9]{1,9}))? \+[0-9]{1,9}(?:,([0-9]{1,9}))? @@")
_NO_NEWLINE = 11  # the shortest "\ No newline at end of file" that git takes, in whichever language


@dataclass(frozen=True, kw_only=True)
class Hunk:
    """``end``: the number, from 0, of the line below it. ``old`` and ``new``: the lines that it takes and
    leaves. ``wrong``: a rule, a line from 1 and a text, or None; where it ends is a guess then."""

    end: int
    old: int = 0
    new: int = 0
    wrong: tuple[str, int, str] | None = None


def read(lines: Sequence[str], at: int) -> Hunk:
    """The hunk whose header is line ``at``. The last of ``lines`` is what follows the last line feed: it is
    no whole line, and so none of a hunk."""
    found = _HEAD.match(lines[at])
    if not found:
        return Hunk(
            end=at + 1, wrong=("hunk", at + 1, f"a hunk's header that is not git's: {shown(lines[at])}")
        )
    old, new = (int(count if count is not None else 1) for count in found.groups())
    wanted = f"a hunk of {old} old and {new} new lines"
    take, leave, changed, end = old, new, False, at + 1
    while take or leave:
        if end >= len(lines) - 1:
            last = len(lines) - (not lines[-1])
            return Hunk(end=len(lines), wrong=("truncated", last, f"the patch ends within {wanted}"))
        sign = lines[end][:1]
        if sign == "\\" and _is_no_newline(lines[end]):
            end += 1
            continue
        takes, leaves = sign in ("", " ", "-"), sign in ("", " ", "+")
        if not (takes or leaves) or takes > take or leaves > leave:
            return Hunk(end=end, wrong=("hunk", end + 1, f"a line that does not fit {wanted}"))
        changed = changed or takes != leaves
        take -= takes
        leave -= leaves
        end += 1
    if not changed:
        return Hunk(end=end, wrong=("hunk", at + 1, "a hunk that changes nothing"))
    if end < len(lines) and _is_no_newline(lines[end]):
        end += 1
    return Hunk(end=end, old=old, new=new, wrong=_more(lines, end, wanted))


def _is_no_newline(line: str) -> bool:
    return line.startswith("\\ ") and len(line) >= _NO_NEWLINE


def _more(lines: Sequence[str], at: int, wanted: str) -> tuple[str, int, str] | None:
    """git skips what follows a hunk: a line that was meant for it must not be lost like that. ``-- `` begins
    the signature of a mail, ``--- `` perhaps the next file."""
    line = lines[at] if at < len(lines) else ""
    header = line.startswith("--- ") and at + 1 < len(lines) and lines[at + 1].startswith("+++ ")
    if line.startswith(("+", "-", " ", "\\")) and line.rstrip() != "--" and not header:
        return "hunk", at + 1, f"one line more than {wanted}"
    return None
