"""The last stage: how far every cell was exercised, and what says so."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.flow.context import Context
from pipeline.flow.reaching import Reached
from pipeline.records import BenchmarkLost, CellEnded, Exercise, GateResult, PairMeasured, SameBits
from pipeline.values import Cell

# Enough of a hash to tell two apart; report.json has all of it.
_DIGITS = 16


def conclude(context: Context, reached: Reached, cells: Sequence[Cell] | None = None) -> None:
    """Say of every cell, or of ``cells``, how far it was exercised."""
    for cell in context.plan.cells if cells is None else cells:
        _record(context, cell, *_level(context, cell, reached))


def conclude_ran(context: Context, cell: Cell) -> None:
    """Say the same of a cell on a machine of its own, which knows that the series reaches it."""
    ran = _ran(context, cell)
    level: Exercise = "measured" if ran else "compiled"
    _record(context, cell, level, ran or f"no test or benchmark of the series ran {_place(context)}")


def _record(context: Context, cell: Cell, level: Exercise, reason: str) -> None:
    context.ledger.append(
        CellEnded(
            cell=cell.id,
            goos=cell.platform.goos,
            goarch=cell.platform.goarch,
            exercise=level,
            reason=reason,
        )
    )


def _level(context: Context, cell: Cell, reached: Reached) -> tuple[Exercise, str]:
    found = reached.of(cell)
    ran = _ran(context, cell) if cell.native else ""
    if ran:
        return "measured", ran
    if not reached.supports(cell):
        return "skipped", f"Go {context.plan.base} does not support it"
    if found.reached:
        surprise = _same_bits(context, cell)
        if surprise is not None:
            return "compiled", f"{surprise.reason}: it was compiled, and counts as reached"
        return "compiled", (
            "no test or benchmark of the series ran on this host"
            if cell.native
            else "this host cannot run it: the changed packages were compiled, nothing ran"
        )
    if found.files:
        return "skipped", "only test files change there, and this host did not run them"
    return _proof(context, cell)


def _proof(context: Context, cell: Cell) -> tuple[Exercise, str]:
    """Unaffected is only what is proven to be."""
    found = _same_bits(context, cell)
    if found is None or not found.same:
        why = found.reason if found else "nothing was compared"
        return "skipped", f"no changed file is compiled there, by go list of both trees; not proven: {why}"
    shown = ", ".join(
        f"{package.rpartition('/')[2]}.test sha256 {sha256[:_DIGITS]}…"
        for package, sha256 in found.base.items()
        if sha256
    )
    rest = f"; {found.reason}" if found.reason else ""
    return "unaffected", f"no changed file is compiled there; same bits on both sides: {shown}{rest}"


def _same_bits(context: Context, cell: Cell) -> SameBits | None:
    found = [r for r in context.ledger.records if isinstance(r, SameBits) and r.cell == cell.id]
    return found[-1] if found else None


def _ran(context: Context, cell: Cell) -> str:
    """What of the series came to a result on the cell, in words; '' for nothing."""
    found = [record for record in context.ledger.records if getattr(record, "cell", "") == cell.id]
    if any(isinstance(record, (PairMeasured, BenchmarkLost)) for record in found):
        return f"ran natively {_place(context)}"
    if any(isinstance(r, GateResult) and r.gate == "test" and r.status != "skipped" for r in found):
        return f"its tests ran natively {_place(context)}; no benchmark was measured"
    return ""


def _place(context: Context) -> str:
    about = context.where.about
    return about.words if about else "on this host"
