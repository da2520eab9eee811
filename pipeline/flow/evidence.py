"""What a run was given, kept in its folder: every patch as it is applied, and the bytes that came in."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import UsageError
from pipeline.inputs import mails
from pipeline.ledger import Ledger
from pipeline.plan.plan import Plan
from pipeline.records import SeriesRead

PATCHES = "patches"
_MBOX, _DIFF = "input.mbox", "input.patch"


def keep(folder: Path, ledger: Ledger, plan: Plan) -> None:
    """Write the patches below the run's folder, and the record of where they are from."""
    place, origin = folder / PATCHES, plan.origin
    place.mkdir(exist_ok=True)
    for patch in plan.series.patches:
        (place / patch.name).write_bytes(patch.content)
    name = kept_name(origin.raw)
    if name:
        (folder / name).write_bytes(origin.raw)
    ledger.append(
        SeriesRead(
            form=origin.form,
            origin=origin.origin,
            revision=origin.revision,
            sha256=origin.sha256,
            kept=name,
            variant=plan.series.variant,
            notes=list(origin.notes),
        )
    )


def kept_name(raw: bytes) -> str:
    """Where below a run's folder the bytes that came in are kept; '' when there are none."""
    if not raw:
        return ""
    return f"{PATCHES}/{_MBOX if mails.is_mail(raw) else _DIFF}"


def kept(folder: Path) -> bytes:
    """What standard input gave to the run in ``folder``; UsageError when it is not there."""
    for name in (_MBOX, _DIFF):
        path = folder / PATCHES / name
        if path.is_file():
            return path.read_bytes()
    raise UsageError(
        f"{folder / PATCHES} holds nothing that standard input gave",
        meaning="the run was started with another --series",
        hint="give --resume the options of the first start",
    )
