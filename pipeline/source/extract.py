"""Unpacking an archive that nobody here has made: plain files below ``go/``, and nothing else.

Every name is checked before its file is made, and no size is believed: what is read is counted.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import os
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn, cast

from pipeline import proc, tree
from pipeline.errors import HostError, InterruptedRunError
from pipeline.source.unpack import EXECUTABLE, MAX_UNPACKED

# A release has some 15,000 files of at most 60 MB, 300 MB in all.
MAX_FILES = 200_000
MAX_FILE = 512 << 20
MAX_NAME = 400
# What may stand between two files: headers, padding, the archive's end.
_BETWEEN = 1 << 20
_TAR_KINDS = {
    tarfile.SYMTYPE: "symbolic link",
    tarfile.LNKTYPE: "hard link",
    tarfile.CHRTYPE: "device",
    tarfile.BLKTYPE: "device",
    tarfile.FIFOTYPE: "named pipe",
}
_ZIP_KINDS = {stat.S_IFREG: "", stat.S_IFDIR: "folder", stat.S_IFLNK: "symbolic link", 0: ""}
_FOLDER = "folder"
# What the readers raise for bytes they do not like; the last line is two files of one name on this system.
_DAMAGED = (
    *(tarfile.TarError, zipfile.BadZipFile, zipfile.LargeZipFile, gzip.BadGzipFile, zlib.error),
    *(EOFError, NotImplementedError, ValueError, LookupError),
    *(FileExistsError, NotADirectoryError, IsADirectoryError),
)


@dataclass(frozen=True, kw_only=True)
class _Member:
    """An entry of an archive, before anything of it is believed. ``kind`` is '' for a plain file."""

    name: str
    kind: str
    size: int
    executable: bool
    read: Callable[[], bytes]


def extract(archive: Path, root: Path, called: str) -> tree.Manifest:
    """Write the files below ``go/`` of a .tar, .tar.gz or .zip, which messages call ``called``, to ``root``;
    their manifest.

    HostError at the first thing that is no plain file of a Go tree: the caller throws away what was written
    until then.
    """
    checks = _Checks(called)
    manifest: tree.Manifest = {}
    root.mkdir(parents=True)
    try:
        with archive.open("rb") as stream:
            for member in _members(archive, called, stream):
                if proc.interrupted():
                    raise InterruptedRunError("interrupted")
                if path := checks.admit(member):
                    manifest[path] = _write(root, path, member)
    except _DAMAGED as error:
        raise HostError(
            f"{called} is damaged: {str(error) or type(error).__name__}",
            meaning="it was cut short or altered, or it is no archive",
            hint="nothing was kept; run again",
        ) from error
    return manifest


def _members(archive: Path, called: str, stream: IO[bytes]) -> Iterator[_Member]:
    if archive.suffix == ".zip":
        return _zip_members(stream)
    if archive.suffix == ".gz":
        return _tar_members(_Counted(called, gzip.GzipFile(fileobj=stream)))
    return _tar_members(_Counted(called, stream))


def _write(root: Path, path: str, member: _Member) -> str:
    """Write a file; its manifest value."""
    data = member.read()
    if len(data) != member.size:
        raise EOFError(f"{path} ends early")
    target = root / path
    try:
        stream = target.open("xb")
    except FileNotFoundError:  # its folder's first file
        target.parent.mkdir(parents=True, exist_ok=True)
        stream = target.open("xb")
    with stream:
        stream.write(data)
    # As in the wheel, a tool is recognised by its place as well.
    executable = member.executable or bool(EXECUTABLE.fullmatch(path))
    if executable:
        target.chmod(0o755)
    return hashlib.sha256(data).hexdigest() + (" x" if executable and os.name == "posix" else "")


class _Counted:
    """A stream that gives what it was allowed to: a bomb is noticed before it fills the memory."""

    def __init__(self, called: str, stream: IO[bytes] | gzip.GzipFile) -> None:
        self._called, self._stream = called, stream
        self.left = _BETWEEN

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; HostError when more come than are left."""
        data = self._stream.read(min(size, self.left + 1))
        self.left -= len(data)
        if self.left < 0:
            _refuse(self._called, "more than its headers say: a bomb")
        return data


def _tar_members(stream: _Counted) -> Iterator[_Member]:
    # A stream and not a seekable file: what is skipped is counted as well.
    with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r|") as archive:
        for info in archive:
            yield _Member(
                name=info.name,
                kind=_tar_kind(info),
                size=info.size,
                executable=bool(info.mode & 0o100),
                read=functools.partial(_tar_read, archive, info, stream),
            )
            stream.left = _BETWEEN
    while stream.read(1 << 16):  # to the end, where gzip's checksum is
        pass


def _tar_kind(info: tarfile.TarInfo) -> str:
    if info.isdir():
        return _FOLDER
    if info.type in {tarfile.REGTYPE, tarfile.AREGTYPE} and not info.issparse():
        return ""
    return _TAR_KINDS.get(info.type, "special file")


def _tar_read(archive: tarfile.TarFile, info: tarfile.TarInfo, stream: _Counted) -> bytes:
    stream.left += info.size
    found = archive.extractfile(info)
    return found.read() if found is not None else b""


def _zip_members(stream: IO[bytes]) -> Iterator[_Member]:
    with zipfile.ZipFile(stream) as archive:
        for info in archive.infolist():
            yield _Member(
                name=info.orig_filename,  # as it stands there: `filename` ends at a NUL
                kind=_zip_kind(info),
                size=info.file_size,
                executable=bool((info.external_attr >> 16) & 0o100),
                read=functools.partial(_zip_read, archive, info),
            )


def _zip_kind(info: zipfile.ZipInfo) -> str:
    kind = _ZIP_KINDS.get(stat.S_IFMT(info.external_attr >> 16), "special file")
    if kind == "" and info.filename.endswith("/"):
        return _FOLDER
    if info.flag_bits & 1 or info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        return "file that is encrypted or packed in an unusual way"
    return kind


def _zip_read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with archive.open(info) as stream:
        return stream.read(info.file_size + 1)


class _Checks:
    """What has been seen of one archive, to notice what is too much or twice there."""

    def __init__(self, called: str) -> None:
        self._called = called
        self._bytes = 0
        # Each path, and each of its folders, as a file system sees it that ignores case: how it was spelt,
        # and whether it is a folder.
        self._seen: dict[str, tuple[str, bool]] = {}

    def admit(self, member: _Member) -> str:
        """The path below ``go/`` to write the member to, '' for a folder; HostError for what may not be."""
        folder = member.kind == _FOLDER
        name = member.name.removesuffix("/") if folder else member.name
        parts, short = name.split("/"), repr(name[:80])
        odd = not name.isprintable() or len(name) > MAX_NAME or "\\" in name or ":" in name
        if odd or any(part in {"", ".", ".."} for part in parts):
            _refuse(self._called, f"a hostile path: {short}")
        if member.kind and not folder:
            _refuse(self._called, f"a {member.kind}: {short}")
        if parts[0] != "go" or (len(parts) == 1 and not folder):
            _refuse(self._called, f"something outside its folder go: {short}")
        self._once(parts, folder)
        self._bytes += member.size
        if not 0 <= member.size <= MAX_FILE or self._bytes > MAX_UNPACKED or len(self._seen) > MAX_FILES:
            _refuse(self._called, f"more files or bytes than a Go release, at {short}")
        return "" if folder else "/".join(parts[1:])

    def _once(self, parts: list[str], folder: bool) -> None:
        for count in range(1, len(parts) + 1):
            path, is_folder = "/".join(parts[:count]), folder or count < len(parts)
            key = unicodedata.normalize("NFC", path).casefold()
            before = self._seen.get(key)
            if before is None:
                self._seen[key] = (path, is_folder)
            elif before[0] != path:
                _refuse(self._called, f"names that differ only in case: {before[0][:80]!r}, {path[:80]!r}")
            elif not (before[1] and is_folder):
                _refuse(self._called, f"a file twice, or one that is a folder as well: {path[:80]!r}")


def _refuse(called: str, what: str) -> NoReturn:
    raise HostError(
        f"{called} holds {what}",
        meaning="no Go tree has such a thing: this was altered, or is something else",
        hint="nothing was kept; check where it comes from (`sources:` in matrix.yml)",
    )
