"""What a patch may not contain, checked before anything runs.

A patch is hostile until checked: git itself refuses absolute and ``..`` paths, but would create links
and then write through them, change modes, and take binaries.
"""

from __future__ import annotations

import re
import unicodedata

from pipeline.errors import PatchError

# Wider than what git writes, because git reads more than it writes: blanks before the number, text after.
_MODE = re.compile(r"(?:new file mode|new mode|old mode|deleted file mode) (\s*[+-]?[0-9].*)")
_INDEX_MODE = re.compile(r"index [^ ]*\.\.[^ ]* (.*)")
# ASCII digits only, as git reads them: what git takes for no hunk must not hide the lines below it.
_HUNK = re.compile(r"@@ -[0-9]{1,9}(?:,([0-9]{1,9}))? \+[0-9]{1,9}(?:,([0-9]{1,9}))? @@")
_GIT_HEADER = "diff --git "
_HEADERS = (_GIT_HEADER, "--- ", "+++ ", "rename from ", "rename to ", "copy from ", "copy to ")
_PLAIN_MODE = "100644"
_ROOMS = {"src", "test", "api", "doc", "misc", "lib"}
# Controls that reorder or hide text (CVE-2021-42574). Tab is Go's own indentation.
_HIDDEN = {
    0x00AD,
    0x061C,
    0x180E,
    *range(0x200B, 0x2010),
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2065),
    *range(0x2066, 0x2070),
    0xFEFF,
    *range(0xE0000, 0xE0080),
}


def check(name: str, content: bytes) -> tuple[str, ...]:
    """The paths that the patch touches, below GOROOT. PatchError names what is refused and where."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        at = content[: error.start].count(b"\n") + 1
        raise _refused(name, at, "not UTF-8: binary or otherwise unreadable content") from error
    files: list[str] = []
    reader = _Hunks()
    lines = text.split("\n")
    git_style = False
    for number, line in enumerate(lines, 1):
        check_characters(name, number, line)
        if reader.inside(line):
            continue
        if line.startswith(("GIT binary patch", "Binary files ")):
            raise _refused(name, number, "a binary file")
        _check_mode(name, number, line)
        git_style = git_style or line.startswith(_GIT_HEADER)
        if git_style or _plain_header(lines, number - 1):
            files += [path for path in _paths(name, number, line) if path not in files]
    if not files:
        raise PatchError(
            f"{name}: no file is changed: not a patch", hint="expected a unified diff of Go's tree"
        )
    _check_case(name, files)
    return tuple(files)


class _Hunks:
    """Tells the lines of hunks from headers by counting, as git does: a removed line may look like a
    header ("--- x" is the removed line "-- x")."""

    def __init__(self) -> None:
        self._old = self._new = 0

    def inside(self, line: str) -> bool:
        if self._old > 0 or self._new > 0:
            self._old -= line.startswith(("-", " ")) or line == ""
            self._new -= line.startswith(("+", " ")) or line == ""
            return True
        if found := _HUNK.match(line):
            self._old = int(found.group(1) or 1)
            self._new = int(found.group(2) or 1)
            return True
        return False


def _refused(name: str, line: int, what: str) -> PatchError:
    return PatchError(
        f"{name}:{line}: refused: {what}",
        hint="a series may change plain text files below src/, and nothing else",
    )


def check_characters(name: str, number: int, line: str) -> None:
    """PatchError for a character that hides or reorders what a reviewer sees."""
    if char := hidden(line.removesuffix("\r")):
        raise _refused(name, number, f"an invisible or control character (U+{ord(char):04X})")


def hidden(text: str) -> str:
    """The first character of ``text`` that is invisible, reorders it or controls a terminal, or ''."""
    for char in text:
        if ord(char) in _HIDDEN or (unicodedata.category(char) == "Cc" and char != "\t"):
            return char
    return ""


def _check_mode(name: str, number: int, line: str) -> None:
    found = _MODE.match(line) or _INDEX_MODE.match(line)
    if not found or found.group(1) == _PLAIN_MODE:
        return
    mode = found.group(1).strip()[:40]
    what = {"120000": "a symbolic link", "160000": "a submodule"}.get(mode, f"file mode {mode}")
    raise _refused(name, number, what)


def _plain_header(lines: list[str], at: int) -> bool:
    """Whether git would take the line for a header without ``diff --git``: such headers come in pairs. A
    commit message may well quote ``--- FAIL: TestX``."""
    above = lines[at - 1] if at else ""
    below = lines[at + 1] if at + 1 < len(lines) else ""
    line = lines[at]
    return (line.startswith("--- ") and below.startswith("+++ ")) or (
        line.startswith("+++ ") and above.startswith("--- ")
    )


def _paths(name: str, number: int, line: str) -> list[str]:
    """The paths named by a header line, below the tree's root as ``git apply -p1`` finds them."""
    prefix = next((one for one in _HEADERS if line.startswith(one)), None)
    if prefix is None:
        return []
    if line.endswith("\r"):
        raise _refused(name, number, "lines that end in CR LF: the patch was converted on its way here")
    raw = line.removeprefix(prefix)
    # -p1 cuts the first folder, whatever its name is; renames name the path itself.
    strip = prefix in (_GIT_HEADER, "--- ", "+++ ")
    if prefix == _GIT_HEADER:
        # The only line that names an empty file. Of a rename the halves differ: other lines name it.
        if '"' in raw:
            raise _refused(name, number, f"a path with unusual characters: {raw[:80]}")
        raw = next((raw[: gap.start()] for gap in re.finditer(r"[ \t]", raw) if _same(raw, gap.start())), "")
    raw = raw.split("\t")[0]
    if raw == "/dev/null" or (strip and not raw):
        return []
    return [_checked(name, number, raw, strip=strip)]


def _same(both: str, gap: int) -> bool:
    """Whether what stands before and after ``gap`` is one path but for its first folder."""
    return both[:gap].partition("/")[2] == both[gap + 1 :].partition("/")[2]


def _checked(name: str, number: int, raw: str, *, strip: bool) -> str:
    if raw.startswith('"') or " " in raw:
        raise _refused(name, number, f"a path with unusual characters: {raw[:80]}")
    if raw.startswith("/") or "\\" in raw or re.match(r"[A-Za-z]:", raw):
        raise _refused(name, number, f"a path that leaves the tree: {raw[:80]}")
    path = raw.partition("/")[2] if strip else raw
    parts = path.split("/")
    if ".." in parts or "" in parts or re.match(r"[A-Za-z]:", path):
        raise _refused(name, number, f"a path that leaves the tree: {raw[:80]}")
    if any(part.lower() in {".git", ".", ".gitattributes", ".gitmodules"} for part in parts):
        raise _refused(name, number, f"a path that git treats specially: {path[:80]}")
    if parts[0] not in _ROOMS or len(parts) < 2:
        raise _refused(name, number, f"a path outside Go's source: {path[:80]}")
    return path


def _check_case(name: str, files: list[str]) -> None:
    seen: dict[str, str] = {}
    for path in files:
        other = seen.setdefault(path.lower(), path)
        if other != path:
            raise _refused(name, 1, f"two paths that differ only in case: {other} and {path}")
