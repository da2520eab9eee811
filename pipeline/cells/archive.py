"""What a container holds, as tar streams: a root file system without a system, and an unpacked bundle."""

from __future__ import annotations

import io
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

# What Go's tests expect of any Linux. Docker brings /proc, /sys, /dev, /etc/hosts and resolv.conf itself.
_FOLDERS = {
    "tmp": 0o1777,
    "var": 0o755,
    "var/tmp": 0o1777,
    "root": 0o700,
    "etc": 0o755,
    # Without a program, but tests go there.
    "usr": 0o755,
    "usr/bin": 0o755,
}
_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}
# Below these a container has Docker's own.
RESERVED = frozenset({"proc", "sys", "dev", "etc"})
_PORTION = 1 << 18


def system() -> bytes:
    """The root file system, as a tar file."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as writer:
        for name, mode in _FOLDERS.items():
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            writer.addfile(folder)
        for name, text in _FILES.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text), 0o644
            writer.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


def tree(root: Path) -> Iterator[bytes]:
    """Everything below ``root``, by its whole path and as root's: a tar file in portions. A file that is
    there twice as a hard link is sent once."""
    sent: dict[tuple[int, int], str] = {}
    own = PurePosixPath(root.as_posix()).relative_to("/")
    for parent in reversed([own, *own.parents][:-1]):
        if parent.as_posix() not in _FOLDERS:
            yield _head(parent.as_posix(), kind=tarfile.DIRTYPE, mode=0o755)
    for path in sorted(root.rglob("*")):
        found = path.lstat()
        name = path.as_posix().lstrip("/")
        if stat.S_ISDIR(found.st_mode):
            yield _head(name, kind=tarfile.DIRTYPE, mode=0o755)
            continue
        mode = 0o755 if found.st_mode & stat.S_IXUSR else 0o644
        first = sent.setdefault((found.st_dev, found.st_ino), name)
        if first != name:
            yield _head(name, kind=tarfile.LNKTYPE, mode=mode, link=first)
            continue
        yield _head(name, kind=tarfile.REGTYPE, mode=mode, size=found.st_size)
        yield from _content(path, found.st_size)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _head(name: str, *, kind: bytes, mode: int, size: int = 0, link: str = "") -> bytes:
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.size, member.linkname = kind, mode, size, link
    return member.tobuf(tarfile.GNU_FORMAT)


def _content(path: Path, size: int) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while portion := stream.read(_PORTION):
            yield portion
    yield bytes(-size % tarfile.BLOCKSIZE)
