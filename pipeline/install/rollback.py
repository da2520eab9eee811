"""Going back to the tree that an install replaced. What fails or is killed on the way is undone."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import HostError, NothingToDoError, PipelineError
from pipeline.golang import Go, host_platform
from pipeline.install import beside as room
from pipeline.install import copying, preflight, recovery, verify
from pipeline.install import journal as book
from pipeline.install.beside import Beside
from pipeline.install.journal import Journal, Pending, Replaced
from pipeline.install.replace import Step, Watch, perform
from pipeline.install.verify import Expected


@dataclass(frozen=True, kw_only=True)
class Back:
    """One rollback. ``aside`` is where the tree that lies there now goes, None when nothing does;
    ``changed`` that it is not what was installed, and so is kept."""

    beside: Beside
    last: Replaced
    stamp: str
    aside: Path | None
    changed: bool
    work: Path
    watch: Watch

    @property
    def backup(self) -> Path:
        """The tree that is put back."""
        return self.beside.goroot.with_name(self.last.backup)


def prepare(beside: Beside, work: Path, watch: Watch) -> Back:
    """What a rollback would do; NothingToDoError when nothing can be rolled back."""
    journal = book.read(beside)
    if not journal.done:
        raise NothingToDoError(
            f"there is nothing to roll back at {beside.goroot}: no install replaced a tree there",
            meaning="an install side by side replaces nothing: remove its folder to be rid of it",
            hint="./inv toolchain-list shows what is installed where",
        )
    last = journal.done[-1]
    backup = beside.goroot.with_name(last.backup)
    if not backup.is_dir():
        raise NothingToDoError(
            f"the backup {backup} is gone: there is nothing to roll back to",
            meaning="somebody moved or removed it",
            hint=f"move it back there; without it, {beside.goroot} and {beside.journal} are all there is",
        )
    there = beside.goroot.exists()
    stamp = beside.stamp()
    return Back(
        beside=beside,
        last=last,
        stamp=stamp,
        aside=beside.aside(stamp) if there else None,
        changed=there and not copying.unchanged(beside.goroot, last.identity),
        work=work,
        watch=watch,
    )


def steps(back: Back) -> tuple[Step, ...]:
    """The rollback, from top to bottom."""
    return (
        Step(name="see that nothing runs from it", act=lambda: _unused(back)),
        Step(name="set it aside", act=lambda: _set_aside(back)),
        Step(name="put the old one in its place", act=lambda: room.rename(back.backup, back.beside.goroot)),
        Step(name="verify the old one", act=lambda: _verify(back)),
    )


def run(back: Back) -> None:
    """Do every step; what fails is undone before the error is raised."""
    journal = book.read(back.beside)

    def enter(step: str) -> None:
        pending = Pending(
            action="rollback",
            stamp=back.stamp,
            step=step,
            backup=back.last.backup,
            aside=back.aside.name if back.aside else None,
        )
        book.write(back.beside, journal.model_copy(update={"pending": pending}))

    def commit() -> None:
        # A changed tree is somebody's work and stays; the other can be installed again any time.
        trash = (back.aside.name,) if back.aside and not back.changed else ()
        book.write(back.beside, Journal(done=journal.done[:-1], trash=trash))

    perform(back.beside, steps(back), enter, commit, back.watch, "rollback")
    with contextlib.suppress(PipelineError, OSError):  # it counts; the next command takes out what is left
        recovery.recover(back.beside)  # takes the trash out


def _unused(back: Back) -> None:
    preflight.refuse_users(back.beside.goroot, preflight.users(back.beside.goroot))


def _set_aside(back: Back) -> None:
    if back.aside:
        room.rename(back.beside.goroot, back.aside)


def _verify(back: Back) -> None:
    """The old tree is what it was, and runs."""
    root = back.beside.goroot
    expected = Expected(version=back.last.previous, digest=back.last.previous_digest, host=host_platform())
    try:
        verify.digest(root, expected)
        verify.ask(Go(root=root, cache=back.work / "gocache", work=back.work), "version")
    except HostError as error:
        raise HostError(
            f"the backup is not what it was: {error.what}",
            meaning="somebody changed the backup since the install",
            hint=f"see {back.backup}",
        ) from error
