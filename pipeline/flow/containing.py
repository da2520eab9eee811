"""A cell in a container: what was unpacked goes there, and everything that the cell runs is run there."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

from pipeline import proc
from pipeline.cells import archive
from pipeline.cells.attendant import Attendant
from pipeline.cells.base import About
from pipeline.cells.container import Container
from pipeline.cells.engine import Engine, container
from pipeline.errors import HostError
from pipeline.flow.context import LOGS, Context, observer
from pipeline.flow.sides import Sides
from pipeline.store import file_sha256, remove_tree

CPU_INFO = Path("/proc/cpuinfo")


@contextlib.contextmanager
def inside(context: Context, engine: Engine, sides: Sides, root: Path) -> Iterator[Context]:
    """The context of a cell that runs in a container on ``engine``. What was unpacked at ``root`` is there at
    the same path, and no longer here."""
    attendant = sides.attendant
    if attendant is None:
        raise HostError(
            f"the bundle of {sides.cell.id} has nothing that runs it in a container",
            meaning="only bundles of linux cells do, by this version of the project",
            hint="make it again with ./inv bundle",
        )
    # The first process vouches for the others.
    if file_sha256(attendant.path) != attendant.sha256:
        raise HostError("attendant.go in the bundle is not the one that was built", hint="download it again")
    if not proc.POSIX or root.parts[1] in archive.RESERVED:
        raise HostError(
            f"a container cannot have its files at {root}",
            meaning="they have the same path there as here",
            hint="choose another place for --out, on a machine whose paths begin with /",
        )
    with contextlib.ExitStack() as stack:
        with context.stage("container"):
            line = stack.enter_context(container(engine, root, attendant.path))
            remove_tree(root)
            name = f"the container on {engine.said('Name') or 'the Docker host'}"
            place = Container(
                attendant=Attendant(line=line, name=name),
                about=_about(engine, ""),
                root=root,
                logs=context.folder / LOGS,
                observe=observer(context.folder, context.ledger),
            )
            place.about = _about(engine, _model(place.read(CPU_INFO)))
        yield dataclasses.replace(context, elsewhere=place, where=place)


def _about(engine: Engine, cpu: str) -> About:
    machine = engine.describe()
    return About(
        words=f"in a container on the Docker host {machine.get('name', engine.context)}",
        identity=("docker", *(f"{name}={value}" for name, value in sorted(machine.items()))),
        cpu=cpu,
        cores=engine.cores,
    )


def _model(info: bytes) -> str:
    lines = info.decode("utf-8", "replace").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
