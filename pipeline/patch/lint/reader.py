"""Reading a patch as ``git apply`` does, but refusing what git would guess at.

git reads more than it writes: it looks for headers in every line that belongs to no hunk, takes blanks around
a mode, old spellings such as ``rename old``, and skips what it does not know. Whatever it may take for a
header is one here, and one that git itself would not have written is refused. What counts as a hunk's line
must be one for git as well, or a header could hide there: a hunk stands right below its header or another
hunk, and holds what its counts say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from pipeline.patch.lint import paths
from pipeline.patch.lint.characters import shown
from pipeline.patch.lint.findings import Findings

# Far above the largest changes of Go's history that are written by hand; a patch beyond them is generated, or
# made to keep every later stage busy.
MAX_FILES = 2_000
MAX_HUNKS = 20_000

_GIT = "diff --git "
_MODES = ("old mode ", "new mode ", "deleted file mode ", "new file mode ")
_RENAMES = ("copy from ", "copy to ", "rename from ", "rename to ", "rename old ", "rename new ")
_SIMILAR = ("similarity index ", "dissimilarity index ")
# What git goes on reading below ``diff --git``, in any order and as often as it comes.
_EXTENDED = ("--- ", "+++ ", *_MODES, *_RENAMES, *_SIMILAR, "index ")
# ASCII digits only, as git reads them, and few enough for every counter.
_HUNK = re.compile(r"@@ -[0-9]{1,9}(?:,([0-9]{1,9}))? \+[0-9]{1,9}(?:,([0-9]{1,9}))? @@")
_INDEX = re.compile(r"[0-9a-f]{1,64}\.\.[0-9a-f]{1,64}(?: (.*))?")
_STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?( [+-][0-9]{4})?")
_EPOCH = ("1969-12-31", "1970-01-01")
_PLAIN_MODE, _RUN_MODE = "100644", "100755"
_COMBINED = ("@@@", "diff --cc ", "diff --combined ")
_BINARY = re.compile(r"GIT binary patch|Binary files .* differ")
_NO_NEWLINE = 11  # the shortest "\ No newline at end of file" that git takes, in whichever language
_NULL = "/dev/null"


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a patch does to one file; ``line`` is where its header begins."""

    path: str
    kind: Literal["edit", "new", "delete"]
    line: int


@dataclass(kw_only=True)
class _Section:
    """One file's header as it is read: the line that each kind of header was seen in, the names that they
    give, and the lines that its hunks take and leave."""

    line: int
    git: bool
    seen: dict[str, int] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    null: set[str] = field(default_factory=set)
    epoch: set[str] = field(default_factory=set)
    run_mode: int = 0
    binary: bool = False
    hunks: int = 0
    taken: int = 0
    left: int = 0


class Reader:
    """Reads one patch. ``changes`` are the files it names, ``first`` the line (from 0) of a header."""

    def __init__(self, lines: list[str], found: Findings) -> None:
        self._lines = lines
        self._found = found
        self._hunks = 0
        self.changes: list[Change] = []
        self.first = len(lines)

    def read(self) -> None:
        """Go through all lines, a file's section at a time, and no further once there is too much."""
        at = 0
        while at < len(self._lines) and self._hunks <= MAX_HUNKS:
            if len(self.changes) > MAX_FILES:
                self._found.add("size", self.changes[MAX_FILES].line, f"more than {MAX_FILES} files")
                return
            if self._lines[at].startswith(_GIT):
                at = self._section(at, git=True)
            elif self._is_pair(at):
                at = self._section(at, git=False)
            else:
                self._stray(at)
                at += 1

    def _is_pair(self, at: int) -> bool:
        """Whether a header without ``diff --git`` begins here. A commit message may well quote the one line
        ``--- FAIL: TestX``."""
        below = self._lines[at + 1] if at + 1 < len(self._lines) else ""
        return self._lines[at].startswith("--- ") and below.startswith("+++ ")

    def _stray(self, at: int) -> None:
        """A line outside of any file's section."""
        line = self._lines[at]
        if line.endswith("\r"):
            self._carriage_return(at)
        if line.startswith(_COMBINED):
            self._found.once("combined", at + 1, "a combined diff of a merge, which git does not apply")
        elif line.startswith("@@ -"):
            self._found.add("hunk", at + 1, f"a hunk without a header above it: {shown(line)}")
        elif _BINARY.match(line) or (self._begun(at) and re.match(r"Files .* differ", line)):
            self._found.add("binary", at + 1, "a binary file")
        elif self._begun(at) and line.startswith(_EXTENDED):
            self._found.add("header", at + 1, f"a header line that belongs to no file: {shown(line)}")

    def _begun(self, at: int) -> bool:
        return at > self.first

    def _carriage_return(self, at: int) -> None:
        self._found.once("crlf", at + 1, "lines that end in CR LF: the patch was converted on its way here")

    def _section(self, at: int, *, git: bool) -> int:
        """One file, from its first header line to its last hunk; the number of the line after it."""
        self.first = min(self.first, at)
        section = _Section(line=at + 1, git=git)
        if git:
            self._names(section, at)
        end = at + 1 if git else at
        while end < len(self._lines) and self._lines[end].startswith(_EXTENDED):
            self._header(section, end)
            end += 1
            if not git and end == at + 2:
                break
        if end == len(self._lines):  # what follows the last line feed is no whole line
            self._found.add("truncated", end, "the patch ends within a header")
        below = self._lines[end] if end < len(self._lines) else ""
        if _BINARY.match(below) or re.match(r"Files .* differ", below):
            section.binary = True
        while end < len(self._lines) and self._lines[end].startswith("@@ -") and self._hunks <= MAX_HUNKS:
            end = self._hunk(section, end)
        self._finish(section)
        return end

    def _names(self, section: _Section, at: int) -> None:
        """``diff --git a/x b/x``: the only line that names an empty file."""
        raw = self._lines[at].removeprefix(_GIT)
        if raw.endswith("\r"):
            self._carriage_return(at)
            raw = raw[:-1]
        halves = raw.split(" ")
        if len(halves) != 2 or "\t" in raw or '"' in raw:
            self._once("path-characters", at, f"a path with unusual characters: {shown(raw)}")
            return
        section.seen[_GIT] = at + 1
        for half in halves:
            self._name(section, at, half)

    def _name(self, section: _Section, at: int, raw: str) -> None:
        path, problems = paths.of_header(raw)
        for rule, message in problems:
            self._once(rule, at, message)
        section.names.add(path)

    def _once(self, rule: str, at: int, message: str) -> None:
        # A section names its file up to four times.
        self._found.once(rule, at + 1, message)

    def _header(self, section: _Section, at: int) -> None:
        line = self._lines[at]
        if line.endswith("\r"):
            self._carriage_return(at)
            line = line[:-1]
        key = next(one for one in _EXTENDED if line.startswith(one))
        value = line.removeprefix(key)
        if key in section.seen:
            self._found.add("header", at + 1, f"a second {key.strip()!r} line for one file")
        elif section.seen.keys() & {"--- ", "+++ "} and key != "+++ ":
            self._found.add("header", at + 1, f"a {key.strip()!r} line below those of the file's name")
        section.seen[key] = at + 1
        if key in ("--- ", "+++ "):
            self._named(section, at, key, value)
        elif key in _MODES:
            self._mode(at, value)
        elif key in _RENAMES or key == "similarity index ":
            if not any(one in section.seen for one in (*_RENAMES, *_SIMILAR) if one != key):
                self._found.add(
                    "rename",
                    at + 1,
                    "a rename or copy, which shows no content (git format-patch --no-renames)",
                )
        elif key == "index ":
            self._index(section, at, value)

    def _named(self, section: _Section, at: int, key: str, value: str) -> None:
        raw, _, stamp = value.partition("\t")
        if stamp and not _STAMP.fullmatch(stamp):
            # git may count some of it to the name, depending on where a date begins.
            self._once("path-characters", at, f"text after the path that is no date: {shown(value)}")
        if stamp.startswith(_EPOCH):
            section.epoch.add(key)
        if raw == _NULL:
            section.null.add(key)
        else:
            self._name(section, at, raw)

    def _mode(self, at: int, value: str) -> None:
        if value != _PLAIN_MODE:
            mode = shown(value.strip())
            kinds = {"120000": "a symbolic link", "160000": "a submodule"}
            self._found.add("mode", at + 1, kinds.get(mode, f"file mode {mode}: only 100644 is allowed"))

    def _index(self, section: _Section, at: int, value: str) -> None:
        found = _INDEX.fullmatch(value)
        if found and found[1] == _RUN_MODE:
            section.run_mode = at + 1  # an edit of a script that may be run already changes no mode
        elif found and found[1] is None:
            return
        elif mode := re.search(r"\.\.[^ ]* (.*)", value):
            self._mode(at, mode[1])
        else:
            self._found.add("header", at + 1, f"an index line that is not git's: {shown(value)}")

    def _finish(self, section: _Section) -> None:
        """What only the whole section shows: whether its lines agree with each other and with its hunks."""
        seen, at = section.seen, section.line
        # Without the line of the mode, /dev/null below diff --git is for git a file dev/null.
        new = "new file mode " in seen if section.git else "--- " in section.null
        deleted = "deleted file mode " in seen if section.git else "+++ " in section.null
        renamed = any(one in seen for one in (*_RENAMES, *_SIMILAR))
        if len(section.names) > 1 and not renamed:
            both = " and ".join(map(shown, sorted(section.names)))
            self._found.add("header", at, f"one file's header names several: {both}")
        if section.null == {"--- ", "+++ "} or (new and deleted):
            self._found.add("header", at, "a file that is both made and removed")
        elif ("--- " in seen) != ("+++ " in seen) or (section.hunks and "--- " not in seen):
            self._found.add("header", at, "a header without its pair of --- and +++ lines")
        elif "--- " in seen and (new != ("--- " in section.null) or deleted != ("+++ " in section.null)):
            self._found.add(
                "header", at, "lines that disagree on whether the file is new, changed or removed"
            )
        elif not (section.hunks or new or deleted or renamed or section.binary):
            self._found.add("header", at, "a header without any change below it")
        if (new and section.taken) or (deleted and section.left):
            what = "a new file takes lines from an old one" if new else "a removed file keeps lines"
            self._found.add("header", at, what)
        if section.run_mode and (new or deleted):
            self._mode(section.run_mode - 1, _RUN_MODE)
        epoch_new = "--- " in section.epoch and not section.taken
        epoch_gone = "+++ " in section.epoch and not section.left
        kind: Literal["edit", "new", "delete"] = "edit"
        if new or epoch_new:
            kind = "new"
        elif deleted or epoch_gone:
            kind = "delete"
        for path in sorted(section.names):
            self.changes.append(Change(path=path, kind=kind, line=at))

    def _hunk(self, section: _Section, at: int) -> int:
        """One hunk; the number of the line after it."""
        lines = self._lines
        section.hunks += 1
        self._hunks += 1
        if self._hunks == MAX_HUNKS + 1:
            self._found.add("size", at + 1, f"more than {MAX_HUNKS} hunks")
        if lines[at].endswith("\r"):
            self._carriage_return(at)
        found = _HUNK.match(lines[at])
        if not found:
            self._found.add("hunk", at + 1, f"a hunk's header that is not git's: {shown(lines[at])}")
            return self._next_header(at + 1)
        if at == len(lines) - 1:
            self._found.add("truncated", at + 1, "the patch ends with a hunk's header")
            return at + 1
        old, new = (int(count if count is not None else 1) for count in found.groups())
        section.taken += old
        section.left += new
        wanted = f"{old} old and {new} new lines"
        changed = False
        at += 1
        while old or new:
            if at >= len(lines) - 1:  # what follows the last line feed is no whole line
                last = len(lines) - (not lines[-1])
                self._found.add("truncated", last, f"the patch ends within a hunk of {wanted}")
                return len(lines)
            sign = lines[at][:1]
            if sign == "\\" and lines[at].startswith("\\ ") and len(lines[at]) >= _NO_NEWLINE:
                at += 1
                continue
            takes, leaves = sign in ("", " ", "-"), sign in ("", " ", "+")
            if not (takes or leaves) or (takes and not old) or (leaves and not new):
                self._found.add("hunk", at + 1, f"a line that does not fit a hunk of {wanted}")
                return self._next_header(at)
            changed = changed or takes != leaves
            old -= takes
            new -= leaves
            at += 1
        if not changed:
            self._found.add("hunk", at, "a hunk that changes nothing")
        if lines[at].startswith("\\ ") and len(lines[at]) >= _NO_NEWLINE:
            at += 1
        return self._after_hunk(at, wanted)

    def _after_hunk(self, at: int, wanted: str) -> int:
        """git skips what follows a hunk: a line that was meant for it must not be lost like that. ``-- ``
        begins the signature of a mail."""
        line = self._lines[at] if at < len(self._lines) else ""
        if line.startswith(("+", "-", " ", "\\")) and line.rstrip() != "--" and not self._is_pair(at):
            self._found.add("hunk", at + 1, f"one line more than the hunk's {wanted}")
            return self._next_header(at)
        return at

    def _next_header(self, at: int) -> int:
        """The next line that surely begins a file: after a broken hunk everything else would only add
        noise, and the patch is refused already."""
        while at < len(self._lines) and not (self._lines[at].startswith(_GIT) or self._is_pair(at)):
            at += 1
        return at
