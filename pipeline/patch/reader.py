"""Reads a unified diff as ``git apply -p1`` does, but for what is not ordinary: where git guesses, or takes
what it could not have written itself, this refuses. What both read, they must read alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NoReturn

from pipeline.errors import PatchError
from pipeline.patch.diff import FileChange, Hunk, Kind, Row, Sign, split

_HUNK = re.compile(rb"@@ -([0-9]{1,9})(?:,([0-9]{1,9}))? \+([0-9]{1,9})(?:,([0-9]{1,9}))? @@")
_GIT = b"diff --git "
_INDEX = re.compile(rb"([0-9a-f]{4,64})\.\.([0-9a-f]{4,64})(?: [0-7]{6})?")
_EXTENDED = (
    b"index ",
    b"new file mode ",
    b"deleted file mode ",
    b"old mode ",
    b"new mode ",
    b"similarity index ",
    b"dissimilarity index ",
    b"rename from ",
    b"rename to ",
    b"copy from ",
    b"copy to ",
    b"rename old ",
    b"rename new ",
    b"--- ",
    b"+++ ",
)
_KINDS: dict[bytes, Kind] = {
    b"new file mode ": "create",
    b"deleted file mode ": "delete",
    b"rename from ": "rename",
    b"rename to ": "rename",
    b"copy from ": "copy",
    b"copy to ": "copy",
}
_MODE = re.compile(rb"[0-7]{6}")
_FORMS = {
    b"index ": _INDEX,
    b"new file mode ": _MODE,
    b"deleted file mode ": _MODE,
    b"similarity index ": re.compile(rb"[0-9]{1,3}%"),
    b"dissimilarity index ": re.compile(rb"[0-9]{1,3}%"),
}
_REFUSED = {b"old mode ", b"new mode ", b"rename old ", b"rename new "}
_SIGNS: dict[bytes, Sign] = {b" ": " ", b"-": "-", b"+": "+"}
_NULL = b"/dev/null"
# GNU diff's way to say that a file was not there; git reads it, and nobody sees it.
_EPOCH = re.compile(rb"\t\s*(1969-12-31|1970-01-01)\b")


def parse(name: str, content: bytes) -> tuple[FileChange, ...]:
    """The files that the patch changes, in its order. PatchError with the line that cannot be read."""
    reader = _Reader(name, split(content))
    changes: list[FileChange] = []
    while reader.at < len(reader.lines):
        if reader.line.startswith(_GIT):
            changes.append(reader.git_change())
        elif reader.plain_header():
            changes.append(reader.plain_change())
        elif _HUNK.match(reader.line):
            reader.corrupt("a hunk that belongs to no file")
        else:
            reader.at += 1
    if not changes:
        raise PatchError(f"{name}: no file is changed: not a patch", hint="expected a unified diff")
    _check_paths(name, changes)
    return tuple(changes)


class _Reader:
    """A place in the patch, and what is read from there."""

    def __init__(self, name: str, lines: Sequence[bytes]) -> None:
        self.name, self.lines, self.at = name, lines, 0

    @property
    def line(self) -> bytes:
        return self.lines[self.at] if self.at < len(self.lines) else b""

    def corrupt(self, why: str, at: int | None = None) -> NoReturn:
        line = (self.at if at is None else at) + 1
        raise PatchError(
            f"{self.name}: corrupt patch at line {line}: {why}",
            meaning="it was edited by hand, cut short or wrapped by a mailer, perhaps",
            hint="make it again: git format-patch or git diff",
        )

    def plain_header(self) -> bool:
        """Whether git takes this line for a header without ``diff --git``."""
        starts = (b"--- ", b"+++ ", b"@@ -")
        rows = self.lines[self.at : self.at + 3]
        return len(rows) == 3 and all(row.startswith(s) for row, s in zip(rows, starts, strict=True))

    def plain_change(self) -> FileChange:
        start = self.at
        old, new = self.lines[start][4:], self.lines[start + 1][4:]
        if _EPOCH.search(old) or _EPOCH.search(new):
            self.corrupt("a date that stands for no file")
        before, after = self._path(old), self._path(new)
        if not before and not after:
            self.corrupt("both names are /dev/null")
        if before and after and before != after:
            self.corrupt(f"two names for one file: {before} and {after}")
        self.at += 2
        kind: Kind = "modify" if before and after else "delete" if before else "create"
        return self._change(start, kind, before, after, b"")

    def git_change(self) -> FileChange:
        start = self.at
        named = self._same_halves(self.line.removeprefix(_GIT).rstrip(b"\n"))
        found = self._extended()
        kinds = list({kind for prefix, kind in _KINDS.items() if prefix in found})
        if len(kinds) > 1 or not found:
            self.corrupt("headers that contradict each other" if found else "a header and no change", start)
        if not _REFUSED.isdisjoint(found):
            self.corrupt("a change of a file's mode, or a rename in a form of long ago", start)
        if any(not form.fullmatch(found[prefix]) for prefix, form in _FORMS.items() if prefix in found):
            self.corrupt("a header that git would not write", start)
        kind = kinds[0] if kinds else "modify"
        old, new = self._names(found, kind, named, start)
        change = self._change(start, kind, old, new, found.get(b"index ", b""))
        if kind == "modify" and not change.hunks:
            self.corrupt("a header and no change", start)
        return change

    def _extended(self) -> dict[bytes, bytes]:
        """The header lines below ``diff --git``, by their first words."""
        found: dict[bytes, bytes] = {}
        self.at += 1
        while prefix := next((one for one in _EXTENDED if self.line.startswith(one)), b""):
            if prefix in found:
                self.corrupt("a header twice")
            found[prefix] = self.line.removeprefix(prefix).rstrip(b"\n")
            self.at += 1
        return found

    def _names(self, found: dict[bytes, bytes], kind: Kind, named: str, start: int) -> tuple[str, str]:
        if (b"--- " in found) != (b"+++ " in found):
            self.corrupt("one of the lines --- and +++ without the other", start)
        given = [self._path(found[way]) for way in (b"--- ", b"+++ ") if way in found]
        if kind in {"rename", "copy"}:
            pair = [self._plain(found.get(f"{kind} {way} ".encode(), b"")) for way in ("from", "to")]
        else:
            named = named or next(filter(None, given), "")
            pair = ["" if kind == "create" else named, "" if kind == "delete" else named]
        if given and given != pair:
            self.corrupt("the names in the lines below it are others", start)
        if not any(pair) or (kind in {"rename", "copy"} and not all(pair)):
            self.corrupt("a header that names no file", start)
        return pair[0], pair[1]

    def _same_halves(self, both: bytes) -> str:
        """The path of ``a/PATH b/PATH``; '' where the halves differ."""
        for gap in re.finditer(rb"[ \t]", both):
            half = both[: gap.start()].partition(b"/")[2]
            if half and half == both[gap.end() :].partition(b"/")[2]:
                return self._plain(half)
        return ""

    def _path(self, raw: bytes) -> str:
        raw = raw.rstrip(b"\n").split(b"\t")[0]
        return "" if raw == _NULL else self._plain(raw.partition(b"/")[2])

    def _plain(self, raw: bytes) -> str:
        parts = raw.split(b"/")
        if b'"' in raw or b".." in parts or b"" in parts or b"." in parts or re.search(rb"\s", raw):
            self.corrupt("a path with unusual characters")
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            self.corrupt("a path with unusual characters")

    def _change(self, start: int, kind: Kind, old: str, new: str, index: bytes) -> FileChange:
        hunks: list[Hunk] = []
        while self.line.startswith(b"@@ -"):
            if hunks and any(not text.endswith(b"\n") for _, text in hunks[-1].rows):
                self.corrupt("a hunk below the end of the file")
            hunks.append(self._hunk(len(hunks) + 1))
        if kind == "create" and any(hunk.before for hunk in hunks):
            self.corrupt("a new file that depends on old contents", start)
        if kind == "delete" and any(hunk.after for hunk in hunks):
            self.corrupt("a deleted file that still has contents", start)
        blobs = _INDEX.fullmatch(index)
        return FileChange(
            kind=kind,
            old=old,
            new=new,
            old_blob=blobs[1].decode() if blobs else "",
            new_blob=blobs[2].decode() if blobs else "",
            hunks=tuple(hunks),
            raw=b"".join(self.lines[start : self.at]),
        )

    def _hunk(self, number: int) -> Hunk:
        start = self.at
        header = _HUNK.match(self.line)
        if header is None:
            self.corrupt("a hunk's header")
        old, new = int(header[2] or 1), int(header[4] or 1)
        self.at += 1
        rows: list[Row] = []
        ended: set[str] = set()  # the sides whose last line has been seen
        while old or new:
            row = self._row()
            sides = {" ": "-+", "-": "-", "+": "+"}[row[0]]
            old, new = old - ("-" in sides), new - ("+" in sides)
            if old < 0 or new < 0 or ended & set(sides):
                self.corrupt("more lines than the hunk's header says")
            self.at += 1
            if self.line.startswith(b"\\"):
                row = (row[0], self._without_newline(row[1]))
                ended.update(sides)
            rows.append(row)
        if all(sign == " " for sign, _ in rows):
            self.corrupt("a hunk that changes nothing", start)
        return Hunk(
            number=number,
            patch_line=start + 1,
            old_start=int(header[1]),
            new_start=int(header[3]),
            title=self.lines[start].rstrip(b"\n").decode("utf-8", "replace"),
            rows=tuple(rows),
        )

    def _without_newline(self, text: bytes) -> bytes:
        """The line above ``\\ No newline at end of file``, whatever the language of that."""
        if not self.line.startswith(b"\\ ") or len(self.line) <= 12 or text == b"\n":
            self.corrupt("a mark for the end of the file where there is none")
        self.at += 1
        return text[:-1]

    def _row(self) -> Row:
        line = self.line
        if not line.endswith(b"\n"):
            self.corrupt("it ends within a hunk")
        if line == b"\n":  # newer GNU diff: an empty line of context
            return " ", line
        sign = _SIGNS.get(line[:1])
        if sign is None:
            self.corrupt("a line that is no part of a hunk, before the hunk's end")
        return sign, line[1:]


def _check_paths(name: str, changes: Sequence[FileChange]) -> None:
    """Refuse a path that one part of the patch makes, moves or removes and another touches: what git does
    then depends on their order. A copy's source is not touched: it is taken as it was before the patch."""
    touched = [path for one in changes for path in _touched(one)]
    for path in (path for one in changes if one.kind != "modify" for path in _touched(one)):
        if touched.count(path) > 1:
            raise PatchError(
                f"{name}: {path} is changed by two parts of the patch, and one of them makes, moves or "
                "removes it",
                hint="make it two patches",
            )


def _touched(change: FileChange) -> set[str]:
    return {change.new} if change.kind == "copy" else {change.old, change.new} - {""}
