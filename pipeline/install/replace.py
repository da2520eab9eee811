"""Putting a toolchain in a place: a list of steps, each of which can be undone.

The new tree is made beside the place and checked there; two renames put it in. What fails or is killed
on the way is undone by ``recovery``. The journal is written before each step, and the write that ends it
is the moment from which the install counts.

Run on Linux. On Windows a folder in which a file is open cannot be renamed: the install fails there and
is undone.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import HostError, InterruptedRunError, PipelineError
from pipeline.install import beside as room
from pipeline.install import copying, preflight, recovery, verify
from pipeline.install import journal as book
from pipeline.install.beside import Beside
from pipeline.install.candidate import Checked
from pipeline.install.copying import Likeness
from pipeline.install.journal import Folder, Identity, Journal, Pending, Replaced
from pipeline.install.verify import Expected

Watch = Callable[[str], None]
LAST = "write the journal"


@dataclass(frozen=True, kw_only=True)
class Old:
    """The tree that is replaced: its version, and the digest of its tools."""

    version: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class Job:
    """One install. ``old`` is None for a new place, where an ``empty`` folder may lie. ``watch`` is told
    each step before it begins."""

    beside: Beside
    checked: Checked
    identity: Identity
    expected: Expected
    old: Old | None
    empty: Folder | None
    work: Path
    watch: Watch

    @property
    def goroot(self) -> Path:
        """Where the toolchain goes."""
        return self.beside.goroot

    @property
    def new(self) -> Path:
        """Where it is made."""
        return self.beside.new(self.identity.stamp)

    @property
    def backup(self) -> Path | None:
        """Where the old one goes, if there is one."""
        return self.beside.backup(self.identity.stamp) if self.old else None

    def pending(self, step: str) -> Pending:
        """The journal's entry while ``step`` is under way."""
        return Pending(
            action="install",
            stamp=self.identity.stamp,
            step=step,
            new=self.new.name,
            backup=self.backup.name if self.backup else None,
            empty=self.empty,
        )


@dataclass(frozen=True, kw_only=True)
class Step:
    """What is done, and how."""

    name: str
    act: Callable[[], None]


def steps(job: Job) -> tuple[Step, ...]:
    """The install, from top to bottom."""
    return (
        Step(name="see that the old one can be moved", act=lambda: _movable(job)),
        Step(name="copy the toolchain", act=lambda: _copy(job)),
        Step(name="read the copy back", act=lambda: copying.check(job.checked, job.new)),
        Step(name="verify the copy", act=lambda: verify.check(job.new, job.expected, job.work)),
        Step(name="have it on disk", act=lambda: room.sync_tree(job.new)),
        Step(name="see that nothing runs from the old one", act=lambda: _unused(job)),
        Step(name="set the old one aside", act=lambda: _set_aside(job)),
        Step(name="put the new one in its place", act=lambda: _put(job)),
        Step(name="verify it in its place", act=lambda: verify.check(job.goroot, job.expected, job.work)),
    )


def run(job: Job) -> None:
    """Do every step; what fails is undone before the error is raised."""
    journal = book.read(job.beside)

    def enter(step: str) -> None:
        book.write(job.beside, journal.model_copy(update={"pending": job.pending(step)}))

    perform(job.beside, steps(job), enter, lambda: _commit(job, journal), job.watch, "install")


def perform(
    beside: Beside,
    todo: tuple[Step, ...],
    enter: Callable[[str], None],
    commit: Callable[[], None],
    watch: Watch,
    action: str,
) -> None:
    """Do the steps with the journal one ahead, then ``commit``. Whatever is raised until then undoes
    them."""
    at = todo[0].name
    try:
        for step in todo:
            at = step.name
            enter(step.name)
            watch(step.name)
            step.act()
        at = LAST
        watch(at)
        commit()
    except BaseException as error:
        told = _undone(beside, action, at, error)
        if told is error:
            raise
        raise told from error


def _movable(job: Job) -> None:
    """Rename the old tree and rename it back: before the copy, which takes long. The journal's entry is the
    swap's, so that a kill between the two is undone alike. No other way of asking is certain: an overlay
    lets those folders be renamed that no lower layer has."""
    if job.backup:
        _away(job.goroot, job.backup)
        room.rename(job.backup, job.goroot)


def _away(goroot: Path, backup: Path) -> None:
    try:
        room.rename(goroot, backup)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        raise HostError(
            f"{goroot} cannot be renamed where it is: it lies in a lower layer of an overlay file system",
            meaning="a container has it from its image, whose layers are only read",
            hint=preflight.SIDE_BY_SIDE,
        ) from error


def _copy(job: Job) -> None:
    likeness = Likeness(root=job.goroot if job.old else None)

    def each(done: int, total: int) -> None:
        job.watch(f"copy the toolchain: {done} of {total} files")

    copying.copy(job.checked, job.new, job.identity, likeness, each)


def _unused(job: Job) -> None:
    if job.old:
        preflight.refuse_users(job.goroot, preflight.users(job.goroot))


def _set_aside(job: Job) -> None:
    if job.backup:
        _away(job.goroot, job.backup)
    elif job.empty:
        job.goroot.rmdir()  # --to may name a folder that is there and empty


def _put(job: Job) -> None:
    room.rename(job.new, job.goroot)


def _commit(job: Job, journal: Journal) -> None:
    if not (job.backup and job.old):
        book.write(job.beside, journal.model_copy(update={"pending": None}))
        return
    last = Replaced(
        identity=job.identity,
        backup=job.backup.name,
        previous=job.old.version,
        previous_digest=job.old.digest,
    )
    book.write(job.beside, Journal(done=(*journal.done, last)))


def _undone(beside: Beside, action: str, step: str, error: BaseException) -> BaseException:
    """Undo, and the error that says both what went wrong and what is now."""
    try:
        pending = book.read(beside).pending
        if step == LAST and pending is None:
            return error  # it counts already: an interrupt came a moment too late
        recovery.recover(beside)
        stuck = recovery.stuck(beside)
    except (PipelineError, OSError, KeyboardInterrupt) as second:
        kind = InterruptedRunError if isinstance(second, KeyboardInterrupt) else HostError
        return kind(
            f"the {action} at {beside.goroot} failed ({step}: {_why(error)}) and could not be undone: "
            f"{_why(second)}",
            meaning=f"what lies beside it is all there: see {beside.goroot.parent} and {beside.journal}",
            hint="mend the cause; ./inv toolchain-list then undoes it",
        )
    if stuck:
        return explained(action, step, error, stuck.what, stuck.hint)
    foreign = pending and not (pending.backup or pending.empty) and os.path.lexists(beside.goroot)
    now = "was put there by somebody else" if foreign else "is as it was before"
    back = f"it was undone: {beside.goroot} {now}, nothing of the {action} is left"
    return explained(action, step, error, back, "")


def explained(action: str, step: str, error: BaseException, now: str, hint: str) -> BaseException:
    """The error with what is ``now``, and with ``hint`` in place of its own unless that is ''. Pure; a bug
    stays the bug that it is."""
    if isinstance(error, KeyboardInterrupt | InterruptedRunError):
        return InterruptedRunError(f"interrupted ({step})", meaning=now, hint=hint)
    failed = f"the {action} failed ({step})"
    if isinstance(error, PipelineError):
        meaning = f"{error.meaning}\n  {now}" if error.meaning else now
        return type(error)(f"{failed}: {error.what}", meaning=meaning, hint=hint or error.hint)
    if isinstance(error, OSError):
        return HostError(
            f"{failed}: {_why(error)}",
            meaning=now,
            hint=hint or "mend that (more space, permission), and run this again",
        )
    error.add_note(f"{now}\n{hint}".rstrip())
    return error


def _why(error: BaseException) -> str:
    if isinstance(error, PipelineError):
        return error.what
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error) or type(error).__name__
