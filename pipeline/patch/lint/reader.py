"""Reading a patch as ``git apply`` does, but refusing what git would guess at.

git reads more than it writes: it looks for headers in every line that belongs to no hunk, takes blanks around
a mode, old spellings such as ``rename old``, and skips what it does not know. Whatever it may take for a
header is one here, and one that git itself would not have written is refused. What counts as a hunk's line
must be one for git as well, or a header could hide there: a hunk stands right below its header or another
hunk, and holds what its counts say.
"""

from __future__ import annotations

import re

from pipeline.patch.lint import hunk, paths
from pipeline.patch.lint.characters import shown
from pipeline.patch.lint.findings import Findings
from pipeline.patch.lint.section import CREATED, NEW, OLD, REMOVED, Change, Section

# Far above the largest changes of Go's history that are written by hand; a patch beyond them is generated, or
# made to keep every later stage busy.
MAX_FILES = 2_000
MAX_HUNKS = 20_000

_GIT = "diff --git "
_MODES = ("old mode ", "new mode ")
_RENAMES = ("copy from ", "copy to ", "rename from ", "rename to ", "rename old ", "rename new ")
_SIMILAR = ("similarity index ", "dissimilarity index ")
# What git goes on reading below ``diff --git``, in any order and as often as it comes.
_EXTENDED = (OLD, NEW, *_MODES, CREATED, REMOVED, *_RENAMES, *_SIMILAR, "index ")
_INDEX = re.compile(r"[0-9a-f]{1,64}\.\.[0-9a-f]{1,64}(?: (.*))?")
_STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?( [+-][0-9]{4})?")
_EPOCH = ("1969-12-31", "1970-01-01")
_PLAIN_MODE, _RUN_MODE = "100644", "100755"
_COMBINED = ("@@@", "diff --cc ", "diff --combined ")
_FILES_DIFFER = re.compile(r"Files .* differ")
_BINARY = re.compile(r"GIT binary patch|Binary files .* differ")
_NULL = "/dev/null"


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
        elif _BINARY.match(line) or (self._begun(at) and _FILES_DIFFER.match(line)):
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
        section = Section(line=at + 1, git=git)
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
        section.binary = bool(_BINARY.match(below) or _FILES_DIFFER.match(below))
        while end < len(self._lines) and self._lines[end].startswith("@@ -") and self._hunks <= MAX_HUNKS:
            end = self._hunk(section, end)
        for problem in section.problems():
            self._found.add("header", section.line, problem)
        self.changes += section.changes()
        return end

    def _names(self, section: Section, at: int) -> None:
        """``diff --git a/x b/x``: the only line that names an empty file."""
        raw = self._lines[at].removeprefix(_GIT)
        if raw.endswith("\r"):
            self._carriage_return(at)
            raw = raw[:-1]
        halves = raw.split(" ")
        if len(halves) != 2 or "\t" in raw or '"' in raw:
            self._once("path-characters", at, f"a path with unusual characters: {shown(raw)}")
            return
        for half in halves:
            self._name(section, at, half)

    def _name(self, section: Section, at: int, raw: str) -> None:
        path, problems = paths.of_header(raw)
        for rule, message in problems:
            self._once(rule, at, message)
        section.names.add(path)

    def _once(self, rule: str, at: int, message: str) -> None:
        # A section names its file up to four times.
        self._found.once(rule, at + 1, message)

    def _header(self, section: Section, at: int) -> None:
        line = self._lines[at]
        if line.endswith("\r"):
            self._carriage_return(at)
            line = line[:-1]
        key = next(one for one in _EXTENDED if line.startswith(one))
        value = line.removeprefix(key)
        if key in section.seen:
            self._found.add("header", at + 1, f"a second {key.strip()!r} line for one file")
        elif section.seen & {OLD, NEW} and key != NEW:
            self._found.add("header", at + 1, f"a {key.strip()!r} line below those of the file's name")
        section.seen.add(key)
        if key in (OLD, NEW):
            self._named(section, at, key, value)
        elif key in (CREATED, REMOVED):
            self._mode(at, value)
        elif key in _MODES:
            # Also where both are the plain one: git sets the mode of a file that has another.
            self._found.add("mode", at + 1, f"a change of the file mode: {shown(line)}")
        elif key in _RENAMES:
            section.renamed = True
            self._once("rename", at, f"a rename or copy, which shows no content: {shown(line)}")
        elif key == "index ":
            self._index(section, at, value)

    def _named(self, section: Section, at: int, key: str, value: str) -> None:
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

    def _index(self, section: Section, at: int, value: str) -> None:
        found = _INDEX.fullmatch(value)
        mode = re.search(r"\.\.[^ ]* (.*)", value)
        if found and found[1] == _RUN_MODE and not section.seen & {CREATED, REMOVED}:
            return  # an edit of a script that may be run already changes no mode
        if mode:
            self._mode(at, mode[1])
        elif not found:
            self._found.add("header", at + 1, f"an index line that is not git's: {shown(value)}")

    def _hunk(self, section: Section, at: int) -> int:
        """One hunk; the number of the line after it, or after a broken one of the next file."""
        section.hunks += 1
        self._hunks += 1
        if self._hunks > MAX_HUNKS:
            self._found.add("size", at + 1, f"more than {MAX_HUNKS} hunks")
        if self._lines[at].endswith("\r"):
            self._carriage_return(at)
        found = hunk.read(self._lines, at)
        section.old += found.old
        section.new += found.new
        if found.wrong:
            self._found.add(*found.wrong)
            return self._next_header(found.end)
        return found.end

    def _next_header(self, at: int) -> int:
        """The next line that surely begins a file: after a broken hunk everything else would only add
        noise, and the patch is refused already."""
        while at < len(self._lines) and not (self._lines[at].startswith(_GIT) or self._is_pair(at)):
            at += 1
        return at
