"""Undoing what was cut short.

Whatever ends an install or a rollback, an exception or a power cut, is undone in the same way: look what
lies where, decide, rename back. It needs no space, and when it is itself cut short, the next command
decides anew from what lies where.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.install import beside as room
from pipeline.install import journal as book
from pipeline.install.beside import Beside
from pipeline.install.journal import Journal, Pending, Replaced
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
        """Whether somebody put another tree at GOROOT while it was empty."""
        return action == "install" and self.backup and self.goroot == "other"


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
    in words, '' when there was nothing to do."""
    journal = book.read(beside)
    pending = journal.pending
    if pending is None and not journal.trash:
        return ""
    said = _undo(beside, pending) if pending else ""
    for name in journal.trash:
        _discard(beside.goroot.with_name(name))
    done = journal.done
    if pending and done and _went_through(beside, pending, done[-1]):
        done = done[:-1]
    # Without space for the journal the old one stays: undoing once more then changes nothing.
    with contextlib.suppress(OSError):
        book.write(beside, Journal(done=done))
    return said


def _undo(beside: Beside, pending: Pending) -> str:
    paths = _paths(beside, pending)
    there = _look(pending, paths)
    for source, target in undo(pending, there):
        if target is None:
            _discard(paths[source])
        else:
            room.rename(paths[source], paths[target])
    said = f"{beside.goroot}: undid an {pending.action} that was cut short ({pending.step})".replace(
        "an rollback", "a rollback"
    )
    if there.strange(pending.action):
        said += f"; what lies there now is not ours and stays, and what was there before is {paths['backup']}"
    return said


def _paths(beside: Beside, pending: Pending) -> dict[Role, Path]:
    named: dict[Role, str | None] = {"new": pending.new, "backup": pending.backup, "aside": pending.aside}
    paths: dict[Role, Path] = {role: beside.goroot.with_name(name) for role, name in named.items() if name}
    return {"goroot": beside.goroot, **paths}


def _look(pending: Pending, paths: dict[Role, Path]) -> There:
    goroot: Literal["nothing", "ours", "other"] = "nothing"
    if paths["goroot"].exists():
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
