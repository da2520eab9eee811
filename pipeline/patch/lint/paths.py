"""What a path in a patch may be: it must stay in Go's tree, and mean one file on every system."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from pipeline.patch.lint import characters

Problem = tuple[str, str]

# Where a patch may write: below these, and not directly in GOROOT, where VERSION and bin are.
_ROOMS = {"src", "test", "api", "doc", "misc", "lib"}
# What Go's own paths are made of, and a few more that no shell, file system or git quotes.
_PLAIN = re.compile(r"[A-Za-z0-9._+!@=,#%^/-]+")
_PREFIX = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*")
_DRIVE = re.compile(r"[A-Za-z]:")
# Devices on Windows, whatever the ending: opening aux.go there opens no file.
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
# Short names that Windows makes: GIT~1 is .git, GI7EB~1 is .gitmodules.
_SHORT_NAME = re.compile(r"~[0-9]")
# Go's own longest path has 105 characters; Windows allows 260 for the whole path, the tree's folder included.
MAX_PATH = 200


def of_header(raw: str) -> tuple[str, list[Problem]]:
    """The path that a header line names, below the root as ``git apply -p1`` finds it, and what is wrong."""
    shown = characters.shown(raw)
    prefix, slash, path = raw.partition("/")
    # Also of a path that is refused: a header's two names for one file must be one.
    below = path if _PREFIX.fullmatch(prefix.removeprefix('"')) else raw
    if '"' in raw:
        return below, [("path-characters", f"a path with unusual characters, in quotes: {shown}")]
    if raw.startswith("/") or "\\" in raw or _DRIVE.match(raw):
        return below, [("path-escape", f"a path that leaves the tree: {shown}")]
    if not slash:
        return raw, [("path-prefix", f"a path without the a/ or b/ that git takes off: {shown}")]
    problems = list(_problems(path))
    if not problems and not _PREFIX.fullmatch(prefix):
        problems.append(("path-prefix", f"an odd folder in place of a/ or b/: {shown}"))
    return path, problems


def _problems(path: str) -> Iterator[Problem]:
    shown = characters.shown(path)
    parts = path.split("/")
    if ".." in parts or "" in parts or _DRIVE.match(path):
        yield "path-escape", f"a path that leaves the tree: {shown}"
        return
    if any(map(_is_special, parts)):
        yield "path-special", f"a path that git treats specially: {shown}"
    if not _PLAIN.fullmatch(path) or any(part.startswith("-") for part in parts):
        yield "path-characters", f"a path with unusual characters: {shown}"
    if any(_RESERVED.fullmatch(part) or part.endswith((".", " ")) for part in parts if part != "."):
        yield "path-reserved", f"a name that Windows does not keep: {shown}"
    if parts[0] not in _ROOMS or len(parts) < 2:
        yield "path-outside", f"a path outside Go's source ({', '.join(sorted(_ROOMS))}): {shown}"
    if len(path) > MAX_PATH:
        yield "path-length", f"a path of {len(path)} characters, more than {MAX_PATH}: {shown}"


def _is_special(part: str) -> bool:
    """Whether some system takes the name for one of git's own, such as ``.git``. HFS+ ignores invisible
    characters, NTFS blanks and dots at the end and what follows a colon, and both ignore case."""
    seen = characters.strip(part).rstrip(" .").partition(":")[0].lower()
    return part == "." or seen.startswith(".git") or bool(_SHORT_NAME.search(seen))


def _folded(path: str) -> str:
    """The path as a file system knows it that ignores case and composes letters."""
    return path.lower() if path.isascii() else unicodedata.normalize("NFC", path).casefold()


class Names:
    """The files of a tree and their folders, and what cannot stand beside them on every file system."""

    def __init__(self, files: Iterable[str] = ()) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()
        self._spelling: dict[str, str] = {}
        for path in files:
            self.add(path)

    def __contains__(self, path: str) -> bool:
        return path in self._files

    def add(self, path: str) -> None:
        """A file is there from now on."""
        self._files.add(path)
        self._spelling.setdefault(_folded(path), path)
        folder = path.rpartition("/")[0]
        while folder and folder not in self._folders:
            self._folders.add(folder)
            self._spelling.setdefault(_folded(folder), folder)
            folder = folder.rpartition("/")[0]

    def remove(self, path: str) -> None:
        """A file is gone."""
        self._files.discard(path)
        self._spelling.pop(_folded(path), None)

    def clash(self, path: str) -> str:
        """Why a file of this path cannot be added, or ''."""
        if path in self._folders:
            return f"{characters.shown(path)} is a folder and cannot be a file"
        end = 0
        while end != len(path):
            end = path.find("/", end + 1)
            end = len(path) if end < 0 else end
            one = path[:end]
            other = self._spelling.get(_folded(one), one)
            if other != one:
                return f"{characters.shown(one)} and {characters.shown(other)} differ only in case"
            if end != len(path) and one in self._files:
                return f"{characters.shown(one)} is a file and cannot be a folder"
        return ""
