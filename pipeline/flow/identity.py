"""What runs is what was built: every program of a cell is looked at before it is run."""

from __future__ import annotations

import hashlib

from pipeline.errors import HostError
from pipeline.flow.context import Context
from pipeline.flow.relinking import relinked
from pipeline.flow.sides import Sides
from pipeline.records import ProgramRan
from pipeline.toolchain import stamp


def check(context: Context, sides: Sides, *, again: bool = False) -> None:
    """Record the sha256 and stamp of every program; HostError for one that is not what was built. With
    ``again`` those that are measured are linked once more here, and must come out the same: so will the
    rounds' layouts."""
    folder = context.folder / ".again"
    try:
        for one in sides.programs():
            data = context.where.read(one.path)
            found = stamp.find(data)
            kit = sides.kits[one.side].get(one.package)
            plain = again and kit is not None and one == sides.binaries[one.side].get(one.package)
            linked = ""
            if plain:
                program = relinked(context, sides, one.side, one.package, folder / one.side / one.package)
                linked = _sha256(context.where.read(program.path))
            record = ProgramRan(
                cell=sides.cell.id,
                side=one.side,
                package=one.package,
                variant=one.variant,
                sha256=_sha256(data),
                commit=found.commit if found else "",
                series=found.series if found else "",
                tree=found.tree if found else "",
                relinked=linked,
            )
            context.ledger.append(record)
            if record.sha256 != one.sha256 or found != sides.stamps[one.side]:
                raise HostError(
                    f"the {one.side} test binary of {one.package} is not the one that was built: sha256 "
                    f"{record.sha256}, and not {one.sha256}",
                    hint="it was changed on its way here or in the store: ./inv clean, or download it again",
                )
            if linked and linked != one.sha256:
                raise HostError(
                    f"linked again on this machine, the {one.side} test binary of {one.package} is another "
                    "program",
                    meaning=f"sha256 {linked}, and not {one.sha256}: its rounds would measure something else",
                )
    finally:
        context.where.remove(folder)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
