"""A run that is spread over machines: what this one builds for the others, and what each of them does."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path

from pipeline.cells.engine import Engine
from pipeline.errors import ExitCode, HostError, PipelineError
from pipeline.flow import bundling, concluding, containing, preparing, stages
from pipeline.flow.bundling import Bundle, Contents
from pipeline.flow.context import Context
from pipeline.flow.sides import Sides
from pipeline.flow.stages import Gated
from pipeline.plan.plan import Plan
from pipeline.records import CellBundled, CellReported, Side
from pipeline.store import file_sha256
from pipeline.toolchain import cross, recipes
from pipeline.values import SIDES, Cell

CELLS = "cells"


def spread(plan: Plan) -> Plan:
    """The plan as a fleet carries it out: a cell is native on the machine that it is given, and nowhere
    without one."""
    cells = tuple(dataclasses.replace(one, native=one.machine is not None) for one in plan.cells)
    return dataclasses.replace(plan, cells=cells)


def here(bundle: Bundle) -> tuple[Plan, Cell]:
    """The plan of a cell's own machine, and the cell there."""
    cell = dataclasses.replace(bundle.sides.cell, native=True)
    return dataclasses.replace(bundle.plan, cells=(cell,), host=cell.platform), cell


def bundle(context: Context, out: Path) -> list[CellBundled]:
    """Go through the gates and pack a bundle for every cell that the series reaches and a machine waits for,
    in folders below ``out``. What else there is to say of the other cells is recorded."""
    gated = stages.through_gates(context)
    packed = []
    for cell in context.plan.cells:
        reach = gated.reached.of(cell)
        if cell.native and reach.files:
            sides = preparing.prepare(context, gated.build, cell, reach, here=False)
            with context.stage(f"bundle {cell.id}"):
                packed.append(_pack(context, gated, sides, out / CELLS / cell.id))
            context.ledger.append(packed[-1])
    done = {one.cell for one in packed}
    rest = [one for one in context.plan.cells if one.id not in done]
    concluding.conclude(context, gated.reached, rest)
    return packed


def _pack(context: Context, gated: Gated, sides: Sides, folder: Path) -> CellBundled:
    files = bundling.pack(
        Contents(
            run_id=context.run_id,
            commit=context.commit,
            plan=dataclasses.replace(context.plan, cells=(sides.cell,)),
            plan_digest=context.plan.digest,
            sides=sides,
            tools=_tools(gated, sides),
            host=context.plan.host,
        ),
        folder,
    )
    return CellBundled(cell=sides.cell.id, files=files, sha256=file_sha256(folder / bundling.MANIFEST))


def _tools(gated: Gated, sides: Sides) -> Mapping[Side, Mapping[str, Path]]:
    """The tools of both sides' trees on the cell's platform: the release's, but for a compiler that the
    series changes."""
    build, target = gated.build, sides.cell.platform
    builder = build.builder
    if target == builder.host:
        return {side: recipes.tool_files(sides.trees[side].root, target) for side in SIDES}
    found = cross.release(builder, target)
    if not build.toolchain.own_tools:
        return dict.fromkeys(SIDES, found)
    own = build.toolchain
    go = builder.go(own.root, own.digest)
    return {
        "base": found,
        "patched": cross.tools(builder, go, own.digest, sides.trees["patched"].digest, target),
    }


def run_cell(context: Context, given: Bundle, folder: Path, work: Path, engine: Engine | None = None) -> None:
    """Unpack a bundle, make sure that its programs are what was built, and test and measure them, on this
    machine or in a container on ``engine``."""
    (cell,) = context.plan.cells
    host = engine.platform if engine else context.plan.host
    if cell.platform != host:
        # Also where the host could emulate it: numbers of an emulator are none.
        named = f"the Docker host of the context {engine.context}" if engine else "this machine"
        raise HostError(
            f"{cell.id} is {cell.platform}, and {named} is {host}",
            hint="run it on a machine of that platform",
        )
    with context.stage("unpack"):
        sides = dataclasses.replace(bundling.unpack(folder, given, work), cell=cell)
    inside = containing.inside(context, engine, sides, work) if engine else contextlib.nullcontext(context)
    with inside as there:
        stages.run_cell(there, sides, again=True)
        concluding.conclude_ran(there, cell)


def report(context: Context, cell: Cell, started: float, failure: PipelineError | str | None) -> CellReported:
    """The last record of a cell: how it ended."""
    code = failure.exit_code if isinstance(failure, PipelineError) else ExitCode.BUG
    record = CellReported(
        cell=cell.id,
        seconds=round(time.monotonic() - started, 3),
        failure=str(failure) if failure else "",
        failure_code=int(code) if failure else 0,
    )
    context.ledger.append(record)
    return record
