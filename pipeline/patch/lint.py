"""What a patch may not contain, checked before anything runs.

A patch is hostile until checked: git itself refuses absolute and ``..`` paths, but would create links
and then write through them, change modes, and take binaries.
"""

from __future__ import annotations

import re
import unicodedata

from pipeline.errors import PatchError

_MODE = re.compile(r"^(?:new file mode|new mode|old mode|deleted file mode) (\d+)$")
_INDEX_MODE = re.compile(r"^index [0-9a-f]+\.\.[0-9a-f]+ (\d+)$")
_HUNK = re.compile(r"^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_PLAIN_MODES = {"100644"}
# Controls that reorder or hide text (CVE-2021-42574). Tab is Go's own indentation.
_HIDDEN = {
    0x00AD,
    0x061C,
    0x180E,
    *range(0x200B, 0x2010),
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2065),
    *range(0x2066, 0x206A),
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
    for number, line in enumerate(text.split("\n"), 1):
        _check_characters(name, number, line)
        if reader.inside(line):
            continue
        if line.startswith(("GIT binary patch", "Binary files ")):
            raise _refused(name, number, "a binary file")
        _check_mode(name, number, line)
        path = _path(name, number, line)
        if path is not None and path not in files:
            files.append(path)
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


def _check_characters(name: str, number: int, line: str) -> None:
    for char in line.removesuffix("\r"):
        code = ord(char)
        if code in _HIDDEN or (unicodedata.category(char) == "Cc" and char != "\t"):
            raise _refused(name, number, f"an invisible or control character (U+{code:04X})")


def _check_mode(name: str, number: int, line: str) -> None:
    found = _MODE.match(line) or _INDEX_MODE.match(line)
    if not found or found.group(1) in _PLAIN_MODES:
        return
    mode = found.group(1)
    what = {"120000": "a symbolic link", "160000": "a submodule"}.get(mode, f"file mode {mode}")
    raise _refused(name, number, what)


def _path(name: str, number: int, line: str) -> str | None:
    """The path named by a header line, without its a/ or b/; None for other lines."""
    for prefix in ("--- ", "+++ ", "rename from ", "rename to ", "copy from ", "copy to "):
        if line.startswith(prefix):
            raw = line.removeprefix(prefix).split("\t")[0].removesuffix("\r")
            break
    else:
        return None
    if raw == "/dev/null" or line.startswith(("--- \t", "+++ \t")):
        return None
    if raw.startswith('"'):
        raise _refused(name, number, f"a path with unusual characters: {raw[:80]}")
    path = raw[2:] if prefix in ("--- ", "+++ ") and raw[:2] in ("a/", "b/") else raw
    parts = path.split("/")
    if path.startswith("/") or "\\" in path or re.match(r"^[A-Za-z]:", path) or ".." in parts or "" in parts:
        raise _refused(name, number, f"a path that leaves the tree: {path[:80]}")
    if any(part.lower() in {".git", ".", ".gitattributes", ".gitmodules"} for part in parts):
        raise _refused(name, number, f"a path that git treats specially: {path[:80]}")
    if parts[0] not in {"src", "test", "api", "doc", "misc", "lib"}:
        raise _refused(name, number, f"a path outside Go's source: {path[:80]}")
    return path


def _check_case(name: str, files: list[str]) -> None:
    seen: dict[str, str] = {}
    for path in files:
        other = seen.setdefault(path.lower(), path)
        if other != path:
            raise _refused(name, 1, f"two paths that differ only in case: {other} and {path}")
