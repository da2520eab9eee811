"""``cell``: test and measure one cell from its bundle, on this machine or in a container; nothing is
compiled."""

from __future__ import annotations

import contextlib
import dataclasses
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from pipeline.cells import contexts
from pipeline.cells.engine import Engine, connect
from pipeline.commands import entry
from pipeline.console import Console
from pipeline.errors import ExitCode, HostError, UsageError
from pipeline.flow import bundling, environment, fleet
from pipeline.flow.bundling import Bundle
from pipeline.flow.context import LEDGER, Context, only_run, shell_for
from pipeline.golang import host_platform
from pipeline.ledger import Ledger
from pipeline.records import CellEnded, CellStarted
from pipeline.store import Store, default_root, remove_tree

WORK = ".bundle"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The command line as given."""

    root: Path
    cell: str
    bundle: str = ""
    out: str = ""
    docker: str = ""


def main(options: Options) -> ExitCode:
    """Run the cell; 0 when it came to its end and its tests are not the patch's to answer for."""
    console = Console()
    return entry.guarded(console, lambda: _run(options, console))


def _run(options: Options, console: Console) -> ExitCode:
    folder = Path(options.bundle or f"build/{fleet.CELLS}/{options.cell}").absolute()
    out = entry.empty(options.out or f"build/results/{options.cell}")
    given, sha256 = bundling.load(folder)
    if given.sides.cell.id != options.cell:
        raise UsageError(
            f"the bundle in {folder} is of the cell {given.sides.cell.id}, not of {options.cell}",
            hint="name its cell, or give the folder of the other's bundle with --bundle",
        )
    out.mkdir(parents=True, exist_ok=True)
    with only_run(out):
        try:
            return _run_in(out, folder, given, sha256, options, console)
        finally:
            if (out / WORK).exists():
                remove_tree(out / WORK)


def _run_in(
    out: Path, folder: Path, given: Bundle, sha256: str, options: Options, console: Console
) -> ExitCode:
    plan, cell = fleet.here(given)
    ledger = Ledger(out / LEDGER)
    context = Context(
        plan=dataclasses.replace(plan, host=host_platform()),
        folder=out,
        run_id=given.run_id,
        ledger=ledger,
        store=Store(default_root(), console.note),
        shell=shell_for(out, ledger),
        progress=console,
        jobs=environment.cores(),
        commit=given.commit,
    )
    words = ["./inv", "cell", cell.id, *(["--docker", options.docker] if options.docker else [])]
    started = time.monotonic()
    try:
        with _machine(options) as (engine, described):
            ledger.append(
                CellStarted(
                    cell=cell.id,
                    run_id=given.run_id,
                    plan_digest=given.plan_digest,
                    bundle=sha256,
                    command=shlex.join(words),
                    environment=described,
                )
            )
            if isinstance(engine, HostError):
                raise engine
            context.store.prepare()
            fleet.run_cell(context, given, folder, out / WORK, engine)
    except (Exception, KeyboardInterrupt) as error:
        known = entry.as_pipeline_error(error)
        fleet.report(context, cell, started, known or f"a bug in gopatch: {error!r}")
        if known is None:
            raise
        console.error(known)
        return known.exit_code
    fleet.report(context, cell, started, None)
    ended = next(one for one in reversed(ledger.records) if isinstance(one, CellEnded))
    sys.stdout.write(f"{cell.id}  {ended.exercise}  {ended.reason}\nits results: {out}\n")
    return ExitCode.PASS


@contextlib.contextmanager
def _machine(options: Options) -> Iterator[tuple[Engine | HostError | None, dict[str, str]]]:
    """The engine of ``--docker``, or why there is none (None without the option), and the cell's machine for
    its first record, which must be there also when the machine is not."""
    here = environment.describe(options.root)
    if not options.docker:
        yield None, here
        return
    described = {name: here[name] for name in ("python", "gopatch")}
    with contextlib.ExitStack() as stack:
        found: Engine | HostError
        try:
            found = stack.enter_context(connect(contexts.find(options.docker)))
            described |= found.describe()
        except HostError as error:
            found = error
            described["docker"] = f"context {options.docker}"
        yield found, described
