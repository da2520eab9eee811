"""What stands in the way of an install: looked at first, decided on then. Nothing here changes anything.

Run on Linux. Windows has no owners to keep, and reports a program in use only through its executable.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import HostError, UsageError
from pipeline.golang import EXE, read_version
from pipeline.install import owners
from pipeline.install.owners import Owner
from pipeline.values import Platform

SIDE_BY_SIDE = "install side by side: leave --replace out, and put that folder's bin first on PATH"
# Folders, the journal, and what the file system itself needs.
SPARE = 16 * 2**20
BLOCK = 4096


@dataclass(frozen=True, kw_only=True)
class Found:
    """What lies at a GOROOT. ``link`` is what it points to, ``lacking`` the parts of a Go tree that are not
    there, ``tools`` the platforms in pkg/tool, ``locked`` what this user may not write, ``foreign`` the user
    that it belongs to when that is another one; '' for none."""

    path: Path
    exists: bool
    link: str
    lacking: tuple[str, ...]
    version: str
    tools: tuple[str, ...]
    mount: bool
    locked: str
    foreign: str
    owner: Owner | None


@dataclass(frozen=True, kw_only=True)
class User:
    """A process whose executable lies in the tree."""

    pid: int
    name: str
    executable: str


@dataclass(frozen=True, kw_only=True)
class Space:
    """Bytes and files (inodes) needed and free; ``inodes`` None where the file system has no limit."""

    needed: int
    free: int
    files: int
    inodes: int | None


def look(path: Path) -> Found:
    """Look at a GOROOT and ask whose it is."""
    link = str(path.resolve()) if path.is_symlink() else ""
    parts = ("src/runtime", "VERSION", f"bin/go{EXE}")
    tools = path / "pkg/tool"
    whole = path.is_dir() and not link
    return Found(
        path=path,
        exists=os.path.lexists(path),
        link=link,
        lacking=tuple(name for name in parts if not (path / name).exists()),
        version=read_version(path),
        tools=tuple(sorted(one.name for one in tools.iterdir())) if tools.is_dir() else (),
        mount=whole and path.is_mount(),
        locked=locked(path),
        foreign=_foreign(path) if whole else "",
        owner=owners.find(path) if path.is_dir() else None,
    )


def refuse(found: Found, host: Platform) -> None:
    """Raise what stands in the way of replacing the tree, most telling first. Pure."""
    path = found.path
    if not found.exists:
        raise UsageError(f"there is no {path} to replace", hint=f"for a new folder give --to={path}")
    if found.owner:
        raise UsageError(
            f"{path} belongs to {found.owner}",
            meaning="its next upgrade would overwrite the patched toolchain or fail on it",
            hint=owners.refusal(path, found.owner),
        )
    if found.link:
        raise UsageError(
            f"{path} is a link to {found.link}",
            meaning="replacing it would leave whatever else uses that tree on the old one, or the reverse",
            hint=f"give the tree itself (--replace={found.link}), or install side by side and move the link",
        )
    if found.lacking:
        raise UsageError(
            f"{path} is not a Go tree: it has no {', '.join(found.lacking)}",
            meaning="a mistyped path, or a folder around the GOROOT",
            hint="`go env GOROOT` prints the one that your go uses",
        )
    if f"{host.goos}_{host.goarch}" not in found.tools:
        has = ", ".join(found.tools).replace("_", "/") or "no platform"
        raise UsageError(
            f"{path} holds tools for {has}, the new toolchain is for {host}",
            hint="make the run and the install on the machine that uses that tree",
        )
    _refuse_access(found)


def _refuse_access(found: Found) -> None:
    path = found.path
    if found.mount:
        raise HostError(
            f"{path} is a mount point, which cannot be renamed",
            meaning="a volume of a container, or a disk of its own",
            hint=SIDE_BY_SIDE,
        )
    refuse_locked(found.locked)
    if found.foreign:
        raise HostError(
            f"{path} belongs to the user {found.foreign}",
            meaning="a tree that you put there would belong to you instead",
            hint=f"run this as {found.foreign} or as root; or {SIDE_BY_SIDE}",
        )


def refuse_locked(locked: str) -> None:
    """Raise when something is not writable. Pure."""
    if locked:
        raise HostError(
            f"{locked} cannot be written by this user",
            meaning="it belongs to another user, or the file system is read-only",
            hint=f"run this as its owner; or {SIDE_BY_SIDE}",
        )


def refuse_store(path: Path, store: Path) -> None:
    """Raise when the place and the store lie in each other: cleaning one would hit the other. Pure."""
    if path.is_relative_to(store):
        raise UsageError(
            f"{path} lies in gopatch's own store {store}",
            meaning="what is in there is shared by all runs, and ./inv clean removes it",
            hint="give another folder, or none for the default",
        )
    if store.is_relative_to(path):
        raise UsageError(
            f"{path} has gopatch's own store {store} inside",
            hint="point GOPATCH_CACHE elsewhere, or choose another folder",
        )


def refuse_users(path: Path, users: Sequence[User]) -> None:
    """Raise when programs run from the tree. Pure."""
    if users:
        shown = ", ".join(f"{user.name} (process {user.pid})" for user in users[:5])
        more = f" and {len(users) - 5} more" if len(users) > 5 else ""
        raise HostError(
            f"{path} is in use: {shown}{more} runs from it",
            meaning="a build that starts its tools half from the old and half from the new tree goes wrong",
            hint="wait for it or stop it, and run this again",
        )


def refuse_space(path: Path, space: Space) -> None:
    """Raise when the new tree does not fit beside the old one. Pure."""
    if space.needed > space.free:
        raise HostError(
            f"no space for the new tree beside {path}: it needs {_mib(space.needed)}, "
            f"{_mib(space.free)} are free",
            meaning="the old tree is kept, so both must fit",
            hint="free some space there, or install elsewhere with --to",
        )
    if space.inodes is not None and space.files > space.inodes:
        raise HostError(
            f"no room for the new tree beside {path}: it has {space.files} files, "
            f"the file system takes {space.inodes} more",
            hint="remove some files there, or install elsewhere with --to",
        )


def _mib(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"


def need(sizes: Iterable[int]) -> tuple[int, int]:
    """Bytes and files that a tree of such files takes, in whole blocks. Pure."""
    blocks = [(size + BLOCK - 1) // BLOCK * BLOCK for size in sizes]
    # A folder is an inode and a block as well: Go has one for each eight files.
    return sum(blocks) + len(blocks) // 8 * BLOCK + SPARE, len(blocks) + len(blocks) // 8


def space(folder: Path, sizes: Iterable[int]) -> Space:
    """What is needed and free where ``folder`` is, or will be."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    needed, files = need(sizes)
    inodes = None
    if hasattr(os, "statvfs"):
        told = os.statvfs(existing)
        inodes = told.f_favail if told.f_files else None
    return Space(needed=needed, free=shutil.disk_usage(existing).free, files=files, inodes=inodes)


def only_there(root: Path, manifest: Collection[str]) -> tuple[str, ...]:
    """What lies in the Go tree at ``root`` and not in the one of ``manifest``: names at the top, and programs
    in bin and pkg/tool, where ``go install`` and people put theirs. Go's own are no loss: each is made from a
    folder of src/cmd, and releases differ in those that they ship."""
    top = {name.split("/", 1)[0] for name in manifest}
    found = {path.name for path in root.iterdir()} - top
    own = {path.name for path in (root / "src/cmd").iterdir()} if (root / "src/cmd").is_dir() else set()
    for folder, _, names in (step for part in ("bin", "pkg/tool") for step in os.walk(root / part)):
        paths = [(Path(folder) / name).relative_to(root).as_posix() for name in names]
        added = {path for path in paths if Path(path).name.removesuffix(EXE) not in own}
        found |= {path for path in added - set(manifest) if path.split("/", 1)[0] in top}
    return tuple(sorted(found))


def users(root: Path) -> tuple[User, ...]:
    """The processes whose executable lies in ``root``. Those of other users can be seen only by root."""
    import psutil

    home = root.resolve()
    found = []
    for process in psutil.process_iter(["pid", "name", "exe"]):
        path = str(process.info["exe"] or "").removesuffix(" (deleted)")
        if path and Path(path).is_relative_to(home):
            name = "".join(c for c in str(process.info["name"]) if c.isprintable())[:40]
            found.append(User(pid=int(process.info["pid"]), name=name, executable=path))
    return tuple(found)


def locked(path: Path) -> str:
    """What cannot be written: the folder in which names change, or the tree itself."""
    parent = next(one for one in path.parents if one.exists())
    for folder in (parent, path):
        if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
            return str(folder)
    return ""


def _foreign(path: Path) -> str:
    if os.name != "posix" or os.geteuid() in (0, path.stat().st_uid):
        return ""
    try:
        return path.owner()
    except KeyError:  # a user of another system: a container's, or one that was removed
        return str(path.stat().st_uid)
