"""A tree copied for use: files of its own, with the modes and the owner of the place that it is for.

Never hard links: an edit in the installed tree would reach the store, and with it every later run.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline import tree
from pipeline.errors import HostError
from pipeline.install import journal
from pipeline.install.candidate import Checked
from pipeline.install.journal import MARKER, Identity

FILE, PROGRAM, FOLDER = 0o644, 0o755, 0o755
EVERY = 1000


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """The tree whose modes and owner a copy takes over; None for a new place."""

    root: Path | None

    def mode(self, name: str, source: int) -> int:
        """The mode of a file or folder: the old one's when it is of the same kind, else the usual one. The
        store's own does not count: it depends on the umask of whoever ran first."""
        usual = FOLDER if stat.S_ISDIR(source) else PROGRAM if source & stat.S_IXUSR else FILE
        try:
            old = os.lstat(self.root / name).st_mode if self.root else 0
        except OSError:
            return usual
        return like(source, old, usual)

    def owner(self) -> tuple[int, int] | None:
        """The user and group to give the files to; None to leave them this user's."""
        if self.root is None or os.name != "posix":
            return None
        found = self.root.stat()
        return found.st_uid, found.st_gid


def like(source: int, old: int, usual: int) -> int:
    """The old mode when both are of one kind and agree on whether the file may be run. Pure."""
    same = stat.S_IFMT(source) == stat.S_IFMT(old) and bool(source & 0o100) == bool(old & 0o100)
    # Without write permission for the owner the copy could not be finished, nor removed.
    return stat.S_IMODE(old) & 0o777 | stat.S_IWUSR if same else usual


def copy(
    checked: Checked, target: Path, identity: Identity, likeness: Likeness, each: Callable[[int, int], None]
) -> None:
    """Make ``target``. The note of what it is comes first: a tree that was cut short is known by it.
    ``each`` is told how many files of how many are there."""
    source, names = checked.candidate.root, sorted(checked.manifest)
    target.mkdir()
    (target / MARKER).write_text(identity.model_dump_json(indent=1) + "\n", encoding="utf-8")
    tree.make_folders(target, names)
    for number, name in enumerate(names, 1):
        shutil.copyfile(source / name, target / name)
        shutil.copystat(source / name, target / name)
        if number % EVERY == 0:
            each(number, len(names))
    _dress(target, [MARKER, *names], likeness)


def _dress(target: Path, names: Iterable[str], likeness: Likeness) -> None:
    owner = likeness.owner()
    names = list(names)
    for name in [*names, *_folders(names), ""]:
        path = target / name
        if owner:
            _give(path, *owner)
        if os.name == "posix":  # after chown, which takes bits away
            path.chmod(likeness.mode(name, path.stat().st_mode))


def _folders(names: Iterable[str]) -> set[str]:
    return {parent.as_posix() for name in names for parent in Path(name).parents} - {"."}


def _give(path: Path, user: int, group: int) -> None:
    found = path.stat()
    if found.st_uid != user:
        os.chown(path, user, -1)
    if found.st_gid != group:
        try:
            os.chown(path, -1, group)
        except PermissionError:
            # This user is not in the group that the old tree belonged to; the files stay theirs.
            return


def check(checked: Checked, target: Path) -> None:
    """Read the whole copy back; HostError when a file is not what was copied, or shared with the store."""
    found = contents(target)
    wrong = tree.changed(checked.manifest, found)
    if wrong:
        raise HostError(
            f"the copy in {target} is not what was copied: {', '.join(wrong[:5])} differ",
            meaning="the disk is failing, or somebody wrote into one of the two meanwhile",
        )
    for name in found:
        if (target / name).stat().st_nlink > 1:
            raise HostError(f"{target / name} is shared with another tree by a hard link")


def contents(root: Path) -> tree.Manifest:
    """The files of an installed tree, without our own note."""
    return {name: value for name, value in tree.scan(root).items() if name != MARKER}


def unchanged(root: Path, identity: Identity) -> bool:
    """Whether the tree at ``root`` is, to the last file, the one that was installed."""
    found = journal.identity_of(root)
    try:
        return found == identity and tree.digest(contents(root)) == identity.tree
    except (OSError, HostError):
        return False
