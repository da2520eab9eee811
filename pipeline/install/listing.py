"""What is installed where, and whether it is still what was installed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.errors import HostError
from pipeline.install import copying, registry
from pipeline.install import journal as book
from pipeline.install.beside import Beside
from pipeline.install.journal import Identity, Journal
from pipeline.install.registry import Place
from pipeline.toolchain.build import tools_digest
from pipeline.values import Platform

# unchanged: every file is what was installed; tools: bin or pkg/tool differ; files: others do;
# other: what lies there is not what was installed; gone: nothing lies there; unfinished: an install or a
# rollback is under way there, or was cut short and cannot be undone.
State = Literal["unchanged", "tools", "files", "other", "gone", "unfinished"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One place. ``backups`` are the trees that were there before, newest first. Of a first install that is
    unfinished nothing but the places is known."""

    path: str
    replaced: bool
    version: str
    series: str
    digest: str
    run: str
    state: State
    backups: tuple[str, ...]


def rows(root: Path, host: Platform) -> list[Row]:
    """Every known place. Those of which nothing is left are shown once more and forgotten."""
    found = []
    for place in registry.read(root):
        beside = Beside(goroot=Path(place.path))
        row = _row(place, beside, host)
        left = (row.state != "gone" or row.backups) if row else beside.journal.exists()
        if not left:
            registry.drop(root, place.path)
        if row:
            found.append(row)
    return found


def _row(place: Place, beside: Beside, host: Platform) -> Row | None:
    """The place, or None for one at which no install came to its end."""
    try:
        journal = book.read(beside)
    except HostError:
        journal = Journal()
    pending = journal.pending
    identity = journal.done[-1].identity if journal.done else place.identity
    identity = identity or book.identity_of(beside.goroot)
    if identity is None and pending is None:
        return None
    return Row(
        path=place.path,
        replaced=place.replaced,
        version=identity.version if identity else "",
        series=identity.series if identity else "",
        digest=identity.digest if identity else "",
        run=identity.run if identity else "",
        state="unfinished" if pending or not identity else state(beside.goroot, identity, host),
        backups=_backups(beside, journal),
    )


def _backups(beside: Beside, journal: Journal) -> tuple[str, ...]:
    pending = journal.pending
    under_way = [pending.aside, pending.backup] if pending else []
    names = [name for name in (*under_way, *(one.backup for one in reversed(journal.done))) if name]
    paths = [beside.goroot.with_name(name) for name in dict.fromkeys(names)]
    return tuple(str(path) for path in paths if path.is_dir())


def state(goroot: Path, identity: Identity, host: Platform) -> State:
    """See ``State``. Reads every file."""
    if not goroot.exists():
        return "gone"
    if book.identity_of(goroot) != identity:
        return "other"
    if copying.unchanged(goroot, identity):
        return "unchanged"
    try:
        return "files" if tools_digest(goroot, host) == identity.digest else "tools"
    except OSError:
        return "tools"
