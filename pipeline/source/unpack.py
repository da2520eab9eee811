"""From a release wheel to the files of its Go tree: checked, and written by several threads at once.

The wheel is read into memory and everything comes from those bytes: what was hashed is what is unpacked.
Inflating, hashing and writing leave Python's lock, and nearly all the time is theirs as long as the loop
over the files does little else. With ``zipfile``'s reader and ``pathlib`` in it, threads gain nothing.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import lzma
import os
import re
import stat
import struct
import threading
import zipfile
import zlib
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline import tree
from pipeline.errors import HostError
from pipeline.golang import read_version

MAX_WHEEL = 1 << 30
MAX_UNPACKED = 3 << 30
# More threads than this wait for Python's lock and for the file system's journal.
MAX_THREADS = 4
# One portion of work, and what making a file costs beside writing its bytes, in bytes.
_PORTION, _PER_FILE = 4 << 20, 32 << 10
# What zipfile and csv raise for bytes they do not like; the last line is a file that is a folder as well,
# or two files of one name (on this file system).
_BAD_ARCHIVE = (
    *(zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError, LookupError, ValueError),
    csv.Error,
    *(FileExistsError, NotADirectoryError, IsADirectoryError),
)
EXECUTABLE = re.compile(r"bin/[^/]+|pkg/tool/[^/]+/[^/]+")
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
# A member's own header in a zip file: signature, flags, lengths of the name and of the extra field after
# it. Times and sizes are taken from the directory.
_HEADER = struct.Struct("<4s2xH18xHH")
_UTF8_NAME = 0x800
_PATCH_OR_ENCRYPTED = 0x61


@dataclass(frozen=True, slots=True)
class _Member:
    """A file to unpack: its path below GOROOT, and where the next member of the archive begins."""

    info: zipfile.ZipInfo
    name: str
    end: int


@dataclass(frozen=True, kw_only=True)
class _Job:
    """What the threads share. Each takes portions until there is none; to stop them all, clear it."""

    archive: zipfile.ZipFile
    view: memoryview
    record: Mapping[str, str]
    root: Path
    portions: deque[list[_Member]]
    lock: threading.Lock = field(default_factory=threading.Lock)


def unpack(wheel: Path, sha256: str, folder: Path) -> Mapping[str, Any]:
    """Write the Go tree of ``wheel`` to ``folder / "tree"`` and its manifest beside it; what to remember.

    HostError for a wheel that is not what it should be. Whatever is raised, no thread writes any more.
    """
    if wheel.stat().st_size > MAX_WHEEL:
        raise HostError(f"{wheel.name} is larger than {MAX_WHEEL >> 30} GiB: refused")
    data = wheel.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise HostError(
            f"{wheel} changed since it was downloaded",
            hint="nothing was kept; run again",
        )
    try:
        manifest = _write_tree(wheel.name, data, folder / "tree")
    except _BAD_ARCHIVE as error:
        raise HostError(f"{wheel.name} is damaged: {error}", hint="nothing was kept; run again") from error
    version = read_version(folder / "tree")
    if not version or "src/runtime/proc.go" not in manifest:
        raise HostError(
            f"{wheel.name} holds no Go release (no VERSION or no src/runtime)",
            hint="nothing was kept; check the index that pip uses",
        )
    tree.save(manifest, folder / "manifest.json")
    return {"version": version, "digest": tree.digest(manifest), "files": len(manifest)}


def _write_tree(wheel: str, data: bytes, root: Path) -> tree.Manifest:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = archive.infolist()
        record = _record(archive, wheel)
        if sum(info.file_size for info in infos) > MAX_UNPACKED:
            raise HostError(f"{wheel} unpacks to more than {MAX_UNPACKED >> 30} GiB: refused")
        members = _members(wheel, infos, len(data))
        tree.make_folders(root, [member.name for member in members])
        job = _Job(
            archive=archive,
            view=memoryview(data),
            record=record,
            root=root,
            portions=deque(_portions(members)),
        )
        return _share_out(job, min(os.cpu_count() or 1, MAX_THREADS))


def _share_out(job: _Job, threads: int) -> tree.Manifest:
    """Have every portion unpacked; the first error of a thread, or an interrupt of this one, ends them all.

    This thread works as well: where it only waited, Windows would not let a Ctrl-C through to it.
    """
    helpers: list[Future[tree.Manifest]] = []
    with ThreadPoolExecutor(MAX_THREADS) as pool:
        try:
            for _ in range(threads - 1):
                helpers.append(pool.submit(_work, job))
            manifest = _work(job)
            for helper in helpers:
                manifest |= helper.result()
        finally:
            job.portions.clear()  # leaving the pool waits for the portions that are being written
    return manifest


def _work(job: _Job) -> tree.Manifest:
    """Unpack portions until there is none left."""
    manifest: tree.Manifest = {}
    start = os.path.join(job.root, "")  # noqa: PTH118 - it ends in a separator
    try:
        while job.portions:
            try:
                portion = job.portions.popleft()
            except IndexError:  # another thread was quicker
                break
            for member in portion:
                manifest[member.name] = _extract(job, member, start + member.name)
    except BaseException:
        job.portions.clear()
        raise
    return manifest


def _portions(members: Sequence[_Member]) -> list[list[_Member]]:
    """The members by folder (two threads that make files in one folder wait for each other), in portions
    of about the same work, the largest first."""
    sized: list[tuple[int, list[_Member]]] = []
    folders: dict[str, list[_Member]] = {}
    for member in members:
        folders.setdefault(member.name.rpartition("/")[0], []).append(member)
    for inside in folders.values():
        size, portion = 0, list[_Member]()
        for member in inside:
            size += member.info.file_size + _PER_FILE
            portion.append(member)
            if size >= _PORTION:
                sized.append((size, portion))
                size, portion = 0, []
        sized.append((size, portion))
    return [portion for _, portion in sorted(sized, key=lambda pair: -pair[0])]


def _members(wheel: str, infos: Iterable[zipfile.ZipInfo], size: int) -> list[_Member]:
    """Go's files in an archive of ``size`` bytes; every name is checked before anything is written."""
    infos = list(infos)
    starts = sorted({info.header_offset for info in infos})
    ends = dict(zip(starts, [*starts[1:], size], strict=True))
    return [_Member(info, name, ends[info.header_offset]) for info in infos if (name := _member(wheel, info))]


def _member(wheel: str, info: zipfile.ZipInfo) -> str | None:
    """The path below GOROOT of an archive member; None for what is not Go's. Hostile names are refused."""
    name = info.filename
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if name.startswith("/") or "\\" in name or ".." in parts or ":" in name or not parts:
        raise HostError(f"{wheel} holds a hostile path: {name[:80]!r}")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise HostError(f"{wheel} holds a symbolic link: {name[:80]!r}")
    # go/__init__.py makes the wheel importable; it is not part of the release.
    if name.endswith("/") or parts[0] != "go" or parts[1:] == ["__init__.py"]:
        return None
    if len(parts) == 1:
        raise HostError(f"{wheel} holds a hostile path: {name[:80]!r}")
    return "/".join(parts[1:])


def _record(archive: zipfile.ZipFile, wheel: str) -> dict[str, str]:
    """The sha256 (hex) of every file by the wheel's RECORD."""
    names = [name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/RECORD", name)]
    if len(names) != 1:
        raise HostError(f"{wheel} has no RECORD: not a wheel")
    rows = csv.reader(io.StringIO(_read(archive, names[0]).decode("utf-8")))
    found: dict[str, str] = {}
    for row in rows:
        if len(row) == 3 and row[1].startswith("sha256="):
            text = row[1].removeprefix("sha256=")
            found[row[0]] = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).hex()
    return found


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo | str) -> bytes:
    """A member's bytes. BadZipFile for whatever its decompressor does not like."""
    try:
        return archive.read(member)
    except (zlib.error, lzma.LZMAError, OSError, RuntimeError, NotImplementedError) as error:
        raise zipfile.BadZipFile(str(error)) from error


def _inflate(job: _Job, member: _Member) -> bytes:
    """What ``zipfile`` would return for a deflated member, with its checks but a third of its time."""
    info = member.info
    if info.compress_type != zipfile.ZIP_DEFLATED or info.flag_bits & _PATCH_OR_ENCRYPTED:
        with job.lock:  # a ZipFile counts its readers, and not safely
            return _read(job.archive, info)
    start = info.header_offset + _HEADER.size
    header = job.view[info.header_offset : start]
    if len(header) != _HEADER.size:
        raise zipfile.BadZipFile(f"truncated header of {info.filename!r}")
    signature, flags, name_length, extra_length = _HEADER.unpack(header)
    name = info.orig_filename.encode("utf-8" if flags & _UTF8_NAME else "cp437")
    if signature != b"PK\3\4" or job.view[start : start + name_length] != name:
        raise zipfile.BadZipFile(f"the header of {info.filename!r} is not that of the directory")
    start += name_length + extra_length
    if start + info.compress_size > member.end:
        raise zipfile.BadZipFile(f"{info.filename!r} overlaps what follows it")
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        # One byte more than there may be: a bomb is noticed without being inflated.
        data = stream.decompress(job.view[start : start + info.compress_size], info.file_size + 1)
    except zlib.error as error:
        raise zipfile.BadZipFile(f"{info.filename!r}: {error}") from error
    if not stream.eof or len(data) != info.file_size or zlib.crc32(data) != info.CRC:
        raise zipfile.BadZipFile(f"{info.filename!r} is not of the size or checksum of the directory")
    return data


def _extract(job: _Job, member: _Member, path: str) -> str:
    """Write a file; its manifest value."""
    info = member.info
    data = _inflate(job, member)
    sha256 = hashlib.sha256(data).hexdigest()
    if job.record.get(info.filename) != sha256:
        raise HostError(
            f"{member.name} in the wheel does not match the wheel's RECORD",
            meaning="the wheel was altered",
            hint="nothing was kept; check the index that pip uses",
        )
    _write(path, data)
    # Not every zip tool keeps run bits: a tool is recognised by its place as well.
    executable = bool((info.external_attr >> 16) & 0o100 or EXECUTABLE.fullmatch(member.name))
    if executable:
        Path(path).chmod(0o755)
    return sha256 + (" x" if executable and os.name == "posix" else "")


def _write(path: str, data: bytes) -> None:
    """Make a new file: a second one of its name is an error, not what remains."""
    handle = os.open(path, _CREATE, 0o666)
    try:
        left = memoryview(data)
        while left:  # one call may write less than it is given
            left = left[os.write(handle, left) :]
    finally:
        os.close(handle)
