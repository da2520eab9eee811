"""``bundle``: build on this machine what the cells' own machines run."""

from __future__ import annotations

import dataclasses
import json
import secrets
import sys
import time
from pathlib import Path

from pipeline import git
from pipeline.commands import entry, patch_validate
from pipeline.console import Console
from pipeline.errors import ExitCode
from pipeline.flow import environment, evidence, fleet
from pipeline.flow.context import LEDGER, Context, only_run, shell_for
from pipeline.ledger import Ledger
from pipeline.plan import fleet as jobs
from pipeline.plan import plan as plan_room
from pipeline.plan.plan import Plan, Request
from pipeline.records import CellBundled
from pipeline.store import Store, default_root

RUN = "run"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The command line as given."""

    request: Request
    out: str = ""
    jobs: int = 0
    github_output: str | None = None
    json: bool = False


def main(options: Options) -> ExitCode:
    """Build and pack; 0 when every bundle is there."""
    console = Console(quiet=options.json)
    return entry.guarded(console, lambda: _run(options, console))


def _run(options: Options, console: Console) -> ExitCode:
    entry.check_jobs(options.jobs)
    plan = fleet.spread(plan_room.make(options.request, here=False))
    for note in plan.origin.notes:
        console.note(f"note: {note}")
    out = entry.empty(options.out or "build")
    folder = out / RUN
    folder.mkdir(parents=True)
    with only_run(folder):
        packed = _bundle(plan, options, out, console)
    if options.github_output is not None:
        _tell(packed, options.request, Path(options.github_output))
    _show(packed, plan, out, options)
    return ExitCode.PASS


def _bundle(plan: Plan, options: Options, out: Path, console: Console) -> list[CellBundled]:
    ledger = Ledger(out / RUN / LEDGER)
    context = Context(
        plan=plan,
        folder=out / RUN,
        run_id=f"{plan.series.name}-{secrets.token_hex(8)}",
        ledger=ledger,
        store=Store(default_root(), console.note),
        shell=shell_for(out / RUN, ledger),
        progress=console,
        jobs=options.jobs or environment.cores(),
        commit=git.describe(options.request.root),
    )
    ledger.append(patch_validate.started(context, options.request).model_copy(update={"fleet": True}))
    evidence.keep(context.folder, ledger, plan)
    began = time.monotonic()
    try:
        context.store.prepare()
        return fleet.bundle(context, out)
    except (Exception, KeyboardInterrupt) as error:
        known = entry.as_pipeline_error(error)
        code = known.exit_code if known else ExitCode.BUG
        patch_validate.end(context, began, str(known) if known else f"a bug in gopatch: {error!r}", code)
        raise


def _tell(packed: list[CellBundled], request: Request, output: Path) -> None:
    """The jobs of the workflow that come next: one for each bundle."""
    ground = plan_room.ground(request)
    done = {one.cell for one in packed}
    rows = [row for row in ground.rows if row.cell.id in done]
    jobs.append(output, jobs.outputs(rows, ground.profile, ground.base))


def _show(packed: list[CellBundled], plan: Plan, out: Path, options: Options) -> None:
    if options.json:
        found = [one.model_dump(exclude={"kind"}) for one in packed]
        sys.stdout.write(json.dumps({"run": str(out / RUN), "cells": found}, indent=2) + "\n")
        return
    lines = [
        f"{one.cell:24} {sum(one.files.values()) / 1e6:7.1f} MB  {out / fleet.CELLS / one.cell}"
        for one in packed
    ]
    without = [one.id for one in plan.cells if one.id not in {cell.cell for cell in packed}]
    lines += [f"{name:24} has no bundle: see the run's ledger" for name in without]
    lines += [] if packed else ["no cell has anything to run on a machine of its own"]
    sys.stdout.write("\n".join([*lines, f"the run so far: {out / RUN}"]) + "\n")
