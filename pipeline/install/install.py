"""Installing the patched toolchain of a run: where, whether, and then step by step.

Side by side by default; ``replace`` swaps it into an existing GOROOT and keeps what was there. See
``replace`` for the steps and ``recovery`` for what happens when one of them does not end.
"""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import HostError, NothingToDoError, PipelineError, UsageError
from pipeline.golang import Go, read_version, spelled
from pipeline.install import beside as room
from pipeline.install import candidate as candidates
from pipeline.install import copying, preflight, recovery, registry, replace, rollback, verify
from pipeline.install import journal as book
from pipeline.install.beside import Beside
from pipeline.install.candidate import Candidate, Checked
from pipeline.install.journal import Identity
from pipeline.install.preflight import Space
from pipeline.install.registry import Place
from pipeline.install.replace import Job, Old
from pipeline.install.verify import Expected
from pipeline.store import Store
from pipeline.toolchain.build import tools_digest
from pipeline.values import Platform


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What every command here stands on: the store, and the folder of the toolchains with its list. ``watch``
    is told each step before it begins, ``note`` what the user must know of."""

    store: Store
    root: Path
    host: Platform
    watch: Callable[[str], None]
    note: Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Request:
    """``run`` is a run's folder. ``to`` is a new folder and ``replace`` an existing GOROOT; '' for none."""

    run: Path
    to: str = ""
    replace: str = ""


@dataclass(frozen=True, kw_only=True)
class Installed:
    """What an install did, or would do. ``left_out`` is what only the old tree has: names at its top, and
    programs in bin and pkg/tool that are not Go's own."""

    goroot: Path
    identity: Identity
    verdict: str
    backup: Path | None
    previous: str
    left_out: tuple[str, ...]
    space: Space
    steps: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RolledBack:
    """What a rollback did. ``kept`` is where a tree that was changed since its install is now."""

    goroot: Path
    version: str
    left: Path | None
    kept: Path | None


def plan(request: Request, ground: Ground) -> Installed:
    """What ``install`` would do; refuses what it would refuse, and changes nothing."""
    checked = _checked(request, ground)
    beside = place(request, checked.candidate, ground)
    recovery.refuse_stuck(beside)
    if book.read(beside).pending:
        raise HostError(
            f"an earlier install or rollback at {beside.goroot} was cut short",
            hint="./inv toolchain-list undoes it; so does an install without --dry-run",
        )
    with verify.scratch(ground.store) as work:
        return _shown(_job(request, checked, beside, ground, work), checked)


def install(request: Request, ground: Ground) -> Installed:
    """Install, or raise and leave everything as it was."""
    checked = _checked(request, ground)
    beside = place(request, checked.candidate, ground)
    with verify.scratch(ground.store) as work, _claimed(request, checked, beside, ground, work):
        job = _job(request, checked, beside, ground, work)
        shown = _shown(job, checked)
        replaced = bool(request.replace)
        # Known before anything lies there: a killed install is found by any later command.
        registry.put(ground.root, Place(path=str(beside.goroot), replaced=replaced))
        replace.run(job)
        now = Place(path=str(beside.goroot), replaced=replaced, identity=job.identity)
        _list(ground, beside, now, "the toolchain is installed")
        return shown


def _checked(request: Request, ground: Ground) -> Checked:
    checked = candidates.check(candidates.from_run(request.run), ground.host)
    if checked.note:
        ground.note(checked.note)
    return checked


def _list(ground: Ground, beside: Beside, place: Place | None, done: str) -> None:
    """Write to the list what counts already: that the list cannot be written must not make it a failure."""
    try:
        if place:
            registry.put(ground.root, place)
        else:
            registry.drop(ground.root, str(beside.goroot))
    except HostError as error:
        undo = f", and so does ./inv toolchain-rollback --goroot={shlex.quote(str(beside.goroot))}"
        ground.note(
            f"note: {done}, but {error.what}. What is in {beside.goroot} works without the list"
            f"{undo if book.read(beside).done else ''}; for later installs: {error.hint}"
        )


def place(request: Request, candidate: Candidate, ground: Ground) -> Beside:
    """Where the toolchain goes. UsageError for options that do not go together, or a place in the store."""
    if request.to and request.replace:
        raise UsageError("--to and --replace do not go together", hint="--to is a new folder; leave one out")
    beside = room.at(request.replace or request.to or ground.root / candidate.name)
    preflight.refuse_store(beside.goroot, ground.store.root.resolve())
    return beside


@contextlib.contextmanager
def _claimed(
    request: Request, checked: Checked, beside: Beside, ground: Ground, work: Path
) -> Iterator[None]:
    """Be alone at the place, with whatever was cut short there undone."""
    if not beside.journal.exists():
        _job(request, checked, beside, ground, work)  # refuses before anything is written there
    beside.goroot.parent.mkdir(parents=True, exist_ok=True)
    with room.hold(beside):
        if said := recovery.recover(beside):
            ground.note(said)
        recovery.refuse_stuck(beside)
        yield


def _job(request: Request, checked: Checked, beside: Beside, ground: Ground, work: Path) -> Job:
    """The install as a value; raises what stands in its way."""
    goroot, found = beside.goroot, checked.candidate
    _refuse_same(goroot, checked)
    old = _old(goroot, ground, work) if request.replace else None
    if old is None:
        _refuse_taken(goroot)
    sizes = ((found.root / name).stat().st_size for name in checked.manifest)
    preflight.refuse_space(goroot, preflight.space(goroot.parent, sizes))
    return Job(
        beside=beside,
        checked=checked,
        identity=Identity(
            stamp=beside.stamp(),
            version=found.version,
            series=found.series,
            digest=found.digest,
            tree=checked.tree,
            recipe=found.recipe,
            run=found.run,
        ),
        expected=Expected(version=found.version, digest=found.digest, host=ground.host),
        old=old,
        empty=None if old else recovery.folder_at(goroot),
        work=work,
        watch=ground.watch,
    )


def _old(goroot: Path, ground: Ground, work: Path) -> Old:
    """The tree that is to be replaced; raises whatever speaks against it."""
    preflight.refuse(preflight.look(goroot), ground.host)
    preflight.refuse_users(goroot, preflight.users(goroot))
    try:
        verify.ask(Go(root=goroot, cache=work / "gocache", work=work), "version")
    except HostError as error:
        raise HostError(
            f"the toolchain in {goroot} does not work as it is: {error.what}",
            meaning="there would be nothing to roll back to",
            hint="move it away and give --to instead of --replace",
        ) from error
    return Old(version=read_version(goroot) or "devel", digest=tools_digest(goroot, ground.host))


def _refuse_same(goroot: Path, checked: Checked) -> None:
    found = book.identity_of(goroot)
    if found and found.tree == checked.tree and copying.unchanged(goroot, found):
        raise NothingToDoError(
            f"that toolchain is installed already: {goroot}", hint=f"put {goroot / 'bin'} first on PATH"
        )


def _refuse_taken(goroot: Path) -> None:
    preflight.refuse_locked(preflight.locked(goroot))
    if not os.path.lexists(goroot) or _empty(goroot):
        return
    if found := book.identity_of(goroot):
        raise UsageError(
            f"{goroot} holds another toolchain: {spelled(found.version)} with {found.series}, "
            f"of run {found.run}",
            meaning="an earlier state of the series, or a toolchain that was changed since",
            hint=f"replace it (--replace={goroot} keeps it as a backup), or choose another folder with --to",
        )
    raise UsageError(
        f"{goroot} exists and is not an empty folder",
        meaning="a new toolchain gets a folder of its own",
        hint=f"choose another with --to; if it is a GOROOT to be replaced: --replace={goroot}",
    )


def _empty(folder: Path) -> bool:
    return folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir())


def _shown(job: Job, checked: Checked) -> Installed:
    sizes = ((checked.candidate.root / name).stat().st_size for name in checked.manifest)
    return Installed(
        goroot=job.goroot,
        identity=job.identity,
        verdict=checked.candidate.verdict,
        backup=job.backup,
        previous=job.old.version if job.old else "",
        left_out=preflight.only_there(job.goroot, {*checked.manifest, book.MARKER}) if job.old else (),
        space=preflight.space(job.goroot.parent, sizes),
        steps=tuple(step.name for step in replace.steps(job)),
    )


def roll_back(goroot: str, ground: Ground) -> RolledBack:
    """Put back what the last install at ``goroot`` replaced; '' takes the only one that there is."""
    beside = room.at(goroot) if goroot else _only(ground)
    preflight.refuse_locked(preflight.locked(beside.goroot))
    if not beside.journal.exists():
        rollback.prepare(beside, Path(), ground.watch)  # raises that there is nothing, and leaves no lock
    with verify.scratch(ground.store) as work, room.hold(beside):
        if said := recovery.recover(beside):
            ground.note(said)
        recovery.refuse_stuck(beside)
        back = rollback.prepare(beside, work, ground.watch)
        rollback.run(back)
        left = book.read(beside).done
        identity = left[-1].identity if left else None
        now = Place(path=str(beside.goroot), replaced=True, identity=identity)
        # A journal without replacements names what could not be removed, which a later command shall find.
        _list(ground, beside, now if beside.journal.exists() else None, "the old toolchain is back")
        return RolledBack(
            goroot=beside.goroot,
            version=back.last.previous,
            left=beside.goroot.with_name(left[-1].backup) if left else None,
            kept=back.aside if back.changed else None,
        )


def _only(ground: Ground) -> Beside:
    known = [Beside(goroot=Path(one.path)) for one in registry.read(ground.root)]
    found = [beside for beside in known if book.read(beside).done] or list(filter(recovery.stuck, known))
    if not found:
        raise NothingToDoError(
            "there is nothing to roll back: no install that is known here replaced a tree",
            hint="./inv toolchain-list shows what is installed where; name another GOROOT with --goroot",
        )
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} trees were replaced: {', '.join(str(beside.goroot) for beside in found)}",
            hint="say which one with --goroot",
        )
    return found[0]


def mend(ground: Ground) -> None:
    """Undo whatever was cut short at any known place; what another process is at is left to it."""
    for one in registry.read(ground.root):
        beside = Beside(goroot=Path(one.path))
        try:
            journal = book.read(beside)
            if not (journal.pending or journal.trash):
                continue
            with room.hold(beside):
                said = recovery.recover(beside)
        except (PipelineError, OSError) as error:
            ground.note(f"{beside.goroot}: not looked after: {str(error).splitlines()[0]}")
            continue
        if said:
            ground.note(said)
