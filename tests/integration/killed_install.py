"""An install or rollback that kills or stops itself: ``python -m tests.integration.killed_install SIGNAL
ACTION AT RUN GOROOT STORE LIST WORK``. AT is the step at whose start it happens."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.golang import host_platform
from pipeline.install import beside, install, verify
from pipeline.install.install import Ground, Request
from pipeline.store import Store


def ground(store: Path, root: Path, work: Path, watch: Callable[[str], None]) -> Ground:
    """What an install stands on, with a build cache that stays, and without waiting for the disk, which a
    kill does not lose: either would take minutes in all."""

    @contextlib.contextmanager
    def scratch(store: Store) -> Iterator[Path]:
        yield work

    def at_once(root: Path) -> None:
        del root

    verify.scratch = scratch
    beside.sync_tree = at_once
    return Ground(store=Store(store), root=root, host=host_platform(), watch=watch, note=print)


def main(name: str, action: str, at: str, run: str, goroot: str, *places: str) -> None:
    """See the module."""

    def watch(step: str) -> None:
        if step == at or (at.endswith(" of ") and step.startswith(at)):
            os.kill(os.getpid(), signal.Signals[name])

    store, root, work = map(Path, places)
    made = ground(store, root, work, watch)
    if action == "install":
        install.install(Request(run=Path(run), replace=goroot), made)
    else:
        install.roll_back(goroot, made)


if __name__ == "__main__":
    main(*sys.argv[1:])
