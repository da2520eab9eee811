"""Undoing what was cut short.

Whatever ends an install or a rollback, an exception or a power cut, is undone in the same way: look what
lies where, decide, rename back. It needs no space, and when it is itself cut short, the next command
decides anew from what lies where.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.errors import HostError
from pipeline.install import beside as room
from pipeline.install import journal as book
from pipeline.install.beside import Beside
from pipeline.install.journal import Folder, Pending, Replaced
from pipeline.store import remove_tree

Role = Literal["goroot", "new", "backup", "aside"]
# A rename, or the removal of what is named first.
Act = tuple[Role, Role | None]


@dataclass(frozen=True, kw_only=True)
class There:
    """What lies where. ``goroot`` is ``ours`` when it is the tree that this very install made."""

    goroot: Literal["nothing", "ours", "other"]
    new: bool = False
    backup: bool = False
    aside: bool = False

    def strange(self, action: str) -> bool:
        """Whether somebody put another tree at GOROOT while it was empty: no rename puts things right."""
        taken = self.goroot == "other" and self.backup
        return taken and (action == "install" or self.aside)


@dataclass(frozen=True, kw_only=True)
class Stuck:
    """What only the user can decide: in words, and what there is to be done."""

    what: str
    hint: str


def undo(pending: Pending, there: There) -> tuple[Act, ...]:
    """What puts everything back as it was before ``pending`` began. Pure."""
    return _undo_install(there) if pending.action == "install" else _undo_rollback(there)


def _undo_install(there: There) -> tuple[Act, ...]:
    acts: list[Act] = []
    if there.goroot == "ours":
        acts += [("new", None)] if there.new else []
        acts.append(("goroot", "new"))
    # Another Go that somebody put there since stays, and the backup as well.
    if there.backup and there.goroot != "other":
        acts.append(("backup", "goroot"))
    # Last: the old toolchain works again before anything that takes time.
    if there.new or there.goroot == "ours":
        acts.append(("new", None))
    return tuple(acts)


def _undo_rollback(there: There) -> tuple[Act, ...]:
    if not there.aside:
        return ()
    if there.goroot == "nothing":
        return (("aside", "goroot"),)
    # With the backup still in its place, what lies at GOROOT is neither of the two.
    return () if there.backup else (("goroot", "backup"), ("aside", "goroot"))


def recover(beside: Beside) -> str:
    """Undo what is under way and remove what is left over; under the GOROOT's lock. Returns what was done
    in words, '' when there was nothing to do. What is ``stuck`` stays in the journal, and says so."""
    journal = book.read(beside)
    pending = journal.pending
    if pending is None and not journal.trash:
        return ""
    said = _undo(beside, pending) if pending else ""
    for name in journal.trash:
        _discard(beside.goroot.with_name(name))
    found = stuck(beside)
    left = journal.model_copy(update={"pending": pending if found else None, "trash": ()})
    if pending and left.done and _went_through(beside, pending, left.done[-1]):
        left = left.model_copy(update={"done": left.done[:-1]})
    # Without space for the journal the old one stays: undoing once more then changes nothing.
    with contextlib.suppress(OSError):
        if left != journal:
            book.write(beside, left)
    return found.what if found else said


def stuck(beside: Beside) -> Stuck | None:
    """What is under way and cannot be undone, because another tree lies in the way; None for anything
    else."""
    pending = book.read(beside).pending
    if pending is None:
        return None
    paths = _paths(beside, pending)
    if not _look(pending, paths).strange(pending.action):
        return None
    goroot, kept = beside.goroot, paths["backup" if pending.action == "install" else "aside"]
    return Stuck(
        what=f"{goroot}: {_named(pending)} that was cut short ({pending.step}) cannot be undone: what lies "
        f"there now is not ours and stays, and what was there before is {kept}",
        hint=f"to have that back, move {goroot} away; to keep what lies there, move {kept} elsewhere; "
        "then ./inv toolchain-list",
    )


def refuse_stuck(beside: Beside) -> None:
    """Raise where something is stuck: to go on would lose sight of a tree."""
    if found := stuck(beside):
        raise HostError(found.what, meaning="every tree is still there", hint=found.hint)


def _named(pending: Pending) -> str:
    return "an install" if pending.action == "install" else "a rollback"


def _undo(beside: Beside, pending: Pending) -> str:
    paths = _paths(beside, pending)
    there = _look(pending, paths)
    for source, target in undo(pending, there):
        if target is None:
            _discard(paths[source])
        else:
            room.rename(paths[source], paths[target])
    if pending.empty and not os.path.lexists(beside.goroot):
        _make_again(pending.empty, paths["new"], beside.goroot)
    return f"{beside.goroot}: undid {_named(pending)} that was cut short ({pending.step})"


def _make_again(folder: Folder, new: Path, goroot: Path) -> None:
    """Have the empty folder there that was there before; under another name until it is like it was."""
    new.mkdir()
    if os.name == "posix":
        found = new.stat()
        if (found.st_uid, found.st_gid) != (folder.user, folder.group):
            with contextlib.suppress(PermissionError):  # only root may give it away
                os.chown(new, folder.user, folder.group)
        new.chmod(folder.mode)
    room.rename(new, goroot)


def folder_at(path: Path) -> Folder | None:
    """What to remember of a folder; None where there is none."""
    if not path.is_dir():
        return None
    found = path.stat()
    return Folder(mode=stat.S_IMODE(found.st_mode), user=found.st_uid, group=found.st_gid)


def _paths(beside: Beside, pending: Pending) -> dict[Role, Path]:
    named: dict[Role, str | None] = {"new": pending.new, "backup": pending.backup, "aside": pending.aside}
    paths: dict[Role, Path] = {role: beside.goroot.with_name(name) for role, name in named.items() if name}
    return {"goroot": beside.goroot, **paths}


def _look(pending: Pending, paths: dict[Role, Path]) -> There:
    goroot: Literal["nothing", "ours", "other"] = "nothing"
    if os.path.lexists(paths["goroot"]):
        found = book.identity_of(paths["goroot"])
        goroot = "ours" if found and found.stamp == pending.stamp else "other"
    return There(
        goroot=goroot,
        new="new" in paths and paths["new"].exists(),
        backup="backup" in paths and paths["backup"].exists(),
        aside="aside" in paths and paths["aside"].exists(),
    )


def _went_through(beside: Beside, pending: Pending, last: Replaced) -> bool:
    """Whether a rollback that had nothing to set aside has its backup in place already."""
    backup = beside.goroot.with_name(last.backup)
    moved = beside.goroot.exists() and not backup.exists()
    return pending.action == "rollback" and pending.aside is None and moved


def _discard(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        remove_tree(path)
