"""Traces of what was measured, where a cell asks for them. They decide nothing: they are for whoever looks
for the cause of a difference."""

from __future__ import annotations

from pipeline.bench import xctrace
from pipeline.bench.runner import environment_of
from pipeline.bench.xctrace import Tracer
from pipeline.flow.context import Context
from pipeline.flow.sides import Sides
from pipeline.plan.cells import limited
from pipeline.records import PairMeasured, TraceTaken
from pipeline.values import SIDES

FOLDER = "traces"


def run(context: Context, sides: Sides) -> None:
    """One trace of each measured benchmark on each side; what could not be taken is recorded with the
    reason."""
    cell = sides.cell
    if not cell.trace:
        return
    pairs = [one for one in context.ledger.records if isinstance(one, PairMeasured) and one.cell == cell.id]
    targets = sorted({(one.package, one.benchmark) for one in pairs})
    with context.stage(context.stage_of(cell, "traces")):
        xcrun = xctrace.find()
        tracer = Tracer(
            shell=context.shell, cell=cell, profile=limited(context.plan.profile, cell), xcrun=xcrun or ""
        )
        (context.folder / FOLDER).mkdir(exist_ok=True)
        for package, benchmark in targets:
            for side in SIDES:
                context.progress.step(f"{benchmark}, {side}")
                name = f"{cell.id}-{package.replace('/', '_')}-{benchmark}-{side}.trace"
                binary, go = sides.binaries[side][package], sides.go[side]
                reason = "there is no xcrun on this machine: Xcode has it"
                if xcrun:
                    out = context.folder / FOLDER / name
                    reason = tracer.take(binary, environment_of(cell, binary, go), benchmark, out)
                context.ledger.append(
                    TraceTaken(
                        cell=cell.id,
                        package=package,
                        benchmark=benchmark,
                        side=side,
                        path="" if reason else f"{FOLDER}/{name}",
                        reason=reason,
                    )
                )
