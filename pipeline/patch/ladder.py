"""The rungs that a patch holds by, for every hunk, decided on values alone.

A file is tried as it is first; then whether it holds the change already; then with less and less of what
makes a place sure. What ``allowed`` does not name is found all the same, and said.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from pipeline.patch import nearest
from pipeline.patch.account import CLEAN, HunkAccount, worst
from pipeline.patch.blobs import Blobs
from pipeline.patch.diff import FileChange, Hunk, split
from pipeline.patch.place import WAYS, Image, Placement, Way, place

PLAIN = WAYS[0]
# ours, base, theirs → merged, or None for a conflict
Merge = Callable[[bytes, bytes, bytes], bytes | None]


class Tree(Protocol):
    """The tree as the patches before leave it."""

    def read(self, path: str) -> bytes | None:
        """A file's bytes, or None where there is none."""
        ...

    def blocked(self, path: str) -> bool:
        """Whether nothing can be made at ``path``: something is there, or a file where a folder has to be."""
        ...


@dataclass(frozen=True, kw_only=True)
class FileAccount:
    """What became of one file's changes. ``after`` maps the paths that they touch to their bytes, None for
    gone; it is empty for what does not hold. ``base`` is the pre-image that it was merged with; ``present``
    says that the tree has the whole result already."""

    changes: tuple[FileChange, ...]
    hunks: tuple[HunkAccount, ...]
    rung: str
    needs: frozenset[str]
    way: Way | None = None
    base: bytes | None = None
    present: bool = False
    after: dict[str, bytes | None]

    @property
    def holds(self) -> bool:
        """Whether the change can be made."""
        return bool(self.after)


def climb(
    changes: Sequence[FileChange], tree: Tree, allowed: Collection[str], blobs: Blobs, merge: Merge
) -> list[FileAccount]:
    """An account of each file that a patch changes, in its order."""
    units: dict[str, list[FileChange]] = {}
    for change in changes:
        units.setdefault(change.path, []).append(change)
    return [_climb(unit, tree, allowed, blobs, merge) for unit in units.values()]


def _climb(
    unit: list[FileChange], tree: Tree, allowed: Collection[str], blobs: Blobs, merge: Merge
) -> FileAccount:
    if found := _impossible(unit, tree):
        return found
    source = tree.read(unit[0].old) if unit[0].old else b""
    lines = split(source or b"")
    held = _put(unit, lines, PLAIN)
    back = _undone(unit, lines)
    # Lines put in between two that are alike fit again right below themselves: git would put them in twice.
    if back is not None and (held is None or back < sum(abs(hunk.offset) for hunk in held.hunks)):
        return _present(unit)
    if held is not None:
        return held
    loose = _loosely(unit, lines, allowed)
    if loose is not None and loose.needs <= set(allowed):
        return loose
    merged = _merged(unit, source or b"", blobs, merge)
    if merged is not None and "3-way" in allowed:
        return merged
    return loose or merged or _refused(unit, lines)


def _loosely(unit: list[FileChange], lines: list[bytes], allowed: Collection[str]) -> FileAccount | None:
    """By the first way that is allowed, else by the first that holds."""
    found = [held for way in WAYS[1:] if (held := _put(unit, lines, way)) is not None]
    return next((held for held in found if held.needs <= set(allowed)), next(iter(found), None))


def _impossible(unit: list[FileChange], tree: Tree) -> FileAccount | None:
    """A file that should be there and is not, or the other way round."""
    change = unit[0]
    missing = bool(change.old) and tree.read(change.old) is None
    exists = change.new != "" and change.new != change.old and tree.blocked(change.new)
    if not missing and not exists:
        return None
    there = tree.read(change.new) if exists else None
    if (
        (change.kind == "delete" and missing)
        or (change.kind == "create" and there == _text(change))
        or (
            change.kind == "rename"
            and missing
            and there is not None
            and _undone(unit, split(there)) is not None
        )
    ):
        return _present(unit)
    rung, note = (
        ("missing-file", "no such file in this release") if missing else ("file-exists", "exists already")
    )
    return _failed(unit, [_account(change, hunk, rung, note=note) for hunk in _hunks(change)])


def _text(change: FileChange) -> bytes:
    return b"".join(line for hunk in change.hunks for line in hunk.after)


def _hunks(change: FileChange) -> Sequence[Hunk | None]:
    """The hunks, or one None for a change that has none: a rename, an empty file."""
    return change.hunks or [None]


def _account(change: FileChange, hunk: Hunk | None, rung: str, *, note: str = "") -> HunkAccount:
    return HunkAccount(
        file=change.path,
        number=hunk.number if hunk else 0,
        title=hunk.title if hunk else f"({change.kind})",
        rung=rung,
        line=hunk.new_start if hunk else 0,
        note=note,
    )


def _put(unit: list[FileChange], lines: list[bytes], way: Way) -> FileAccount | None:
    """The unit put in by one way; None when a hunk finds no place."""
    image = Image(lines)
    accounts: list[HunkAccount] = []
    needs: set[str] = set()
    for change in unit:
        image = Image(image.lines)
        for hunk in change.hunks:
            found = place(image, hunk, way)
            # What the file seems to hold already must not be put in again by a looser look.
            if found is None or (found.needs and way != PLAIN and _holds(image, hunk)):
                return None
            accounts.append(_placed(change, hunk, found, image))
            needs |= found.needs
            image.put(found)
        if not change.hunks:
            accounts.append(_account(change, None, "exact"))
    last = unit[-1]
    if last.kind == "delete" and image.lines:
        return None
    after: dict[str, bytes | None] = {last.old: None} if last.kind in {"delete", "rename"} else {}
    if last.new:
        after[last.new] = b"".join(image.lines)
    return FileAccount(
        changes=tuple(unit),
        hunks=tuple(accounts),
        rung=worst([account.rung for account in accounts]),
        needs=frozenset(needs),
        way=way,
        after=after,
    )


def _placed(change: FileChange, hunk: Hunk, found: Placement, image: Image) -> HunkAccount:
    notes = []
    if found.offset:
        notes.append(
            f"{abs(found.offset)} {_lines(found.offset)} further {'down' if found.offset > 0 else 'up'}"
        )
    if found.blanks:
        notes.append("the file's context differs in white space")
    if found.fuzz:
        notes.append(f"context cut to {found.context[0]} above and {found.context[1]} below")
    if found.loose:
        notes.append("made for the file's beginning or end, and not there")
    if found.places > 1:
        notes.append(f"{found.places} places match; git takes the nearest")
    if found.rung != "exact" and _holds(image, hunk):
        notes.append("the file may hold this change already: taking it back fits too")
    return replace(
        _account(change, hunk, found.rung, note="; ".join(notes)),
        line=found.at + 1,
        offset=found.offset,
        fuzz=found.fuzz,
        blanks=found.blanks,
    )


def _lines(count: int) -> str:
    return "line" if abs(count) == 1 else "lines"


def _holds(image: Image, hunk: Hunk) -> bool:
    """Whether the file has what the hunk leaves."""
    undo = replace(hunk.undo(), new_start=hunk.new_start)
    return bool(undo.before) and place(image, undo, PLAIN) is not None


def _undone(unit: list[FileChange], lines: list[bytes]) -> int | None:
    """None unless the file holds all of the unit: unless it can be taken back, the last change first. By how
    many lines its hunks are off then, in all."""
    if not any(change.hunks for change in unit) or unit[0].kind == "copy":
        return None
    if unit[-1].kind == "delete":  # an empty file is still there; one that is gone does not come here
        return None
    off = 0
    for change in reversed(unit):
        image = Image(lines)
        for hunk in change.hunks:
            found = place(image, hunk.undo(), PLAIN)
            if found is None:
                return None
            off += abs(found.offset)
            image.put(found)
        lines = image.lines
    return off if unit[0].kind != "create" or not lines else None


def _present(unit: list[FileChange]) -> FileAccount:
    note = "the file holds it already" if unit[0].kind != "delete" else "the file is gone already"
    hunks = [
        _account(change, hunk, "already-applied", note=note) for change in unit for hunk in _hunks(change)
    ]
    return replace(_failed(unit, hunks), present=True)


def _failed(unit: list[FileChange], hunks: Sequence[HunkAccount]) -> FileAccount:
    rung = worst([hunk.rung for hunk in hunks])
    return FileAccount(changes=tuple(unit), hunks=tuple(hunks), rung=rung, needs=frozenset({rung}), after={})


def _merged(unit: list[FileChange], ours: bytes, blobs: Blobs, merge: Merge) -> FileAccount | None:
    """The three-way merge with the pre-image that the patch names; None without one, or for a conflict."""
    change = unit[0]
    if len(unit) > 1 or change.kind != "modify" or not change.old_blob:
        return None
    base = blobs.find(change.old, change.old_blob)
    theirs = _put(unit, split(base), PLAIN) if base is not None else None
    if base is None or theirs is None:
        return None
    result = merge(ours, base, theirs.after[change.new] or b"")
    if result is None:
        return None
    alone = _refused(unit, split(ours)).hunks
    hunks = [
        replace(
            one,
            rung="3-way",
            offset=0,
            fuzz=0,
            blanks=False,
            beside=(),
            note=f"merged; by itself: {one.rung}",
        )
        for one in alone
    ]
    return FileAccount(
        changes=tuple(unit),
        hunks=tuple(hunks),
        rung="3-way",
        needs=frozenset({"3-way"}),
        base=base,
        after={change.new: result},
    )


def _refused(unit: list[FileChange], lines: list[bytes]) -> FileAccount:
    """Why the unit does not hold, hunk by hunk: what fits is put in, so that the next is judged after it."""
    accounts: list[HunkAccount] = []
    image = Image(lines)
    for change in unit:
        image = Image(image.lines)
        for hunk in change.hunks:
            found = next((one for way in WAYS if (one := place(image, hunk, way)) is not None), None)
            if (found is None or found.needs) and _holds(image, hunk):
                accounts.append(_account(change, hunk, "already-applied", note="the file holds it already"))
            elif found is None:
                accounts.append(_conflict(change, hunk, image))
            else:
                accounts.append(_placed(change, hunk, found, image))
                image.put(found)
        if not change.hunks:
            accounts.append(_account(change, None, "exact"))
    rungs = {one.rung for one in accounts}
    if rungs == {"already-applied"} or rungs <= {*CLEAN, "whitespace", "fuzz"}:
        why = "each hunk fits alone, or is there alone, and not with the others"
        if unit[-1].kind == "delete":
            why = "the file holds more than the patch removes"
        accounts[-1] = replace(accounts[-1], rung="conflict", note=why)
    return _failed(unit, accounts)


def _conflict(change: FileChange, hunk: Hunk, image: Image) -> HunkAccount:
    line, rows = nearest.beside(image.lines, hunk)
    note = f"nearest place: line {line}" if line else "nothing like it in the file"
    if not hunk.leading and not hunk.trailing and hunk.old_start > 1:
        note += "; the hunk has no context, so it fits nowhere: make the patch with three lines of it"
    account = _account(change, hunk, "conflict", note=note)
    return replace(account, line=line or hunk.old_start, beside=rows)
