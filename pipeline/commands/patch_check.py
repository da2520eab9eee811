"""``patch-check``: a series linted, applied and compiled for every platform that it reaches; nothing runs."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import secrets
import sys
from pathlib import Path

from pipeline.commands import entry
from pipeline.console import Console
from pipeline.errors import ExitCode, HostError, PatchError, UsageError
from pipeline.flow import checking, environment
from pipeline.flow.context import LEDGER, Context, only_run, shell_for
from pipeline.ledger import Ledger
from pipeline.plan import plan as plan_room
from pipeline.plan.plan import Request
from pipeline.report import compiling
from pipeline.report.compiling import CompileReport
from pipeline.store import Store, default_root


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The command line as given."""

    request: Request
    out: str = ""
    jobs: int = 0
    json: bool = False


def main(options: Options) -> ExitCode:
    """Check and print; 0 when every patch compiles wherever it was asked to, 1 when one does not."""
    console = Console(quiet=options.json)
    return entry.guarded(console, lambda: _run(options, console))


def _run(options: Options, console: Console) -> ExitCode:
    if options.jobs < 0:
        raise UsageError(
            f"--jobs {options.jobs}: should not be negative",
            hint="leave it out, or give 0, to use every core",
        )
    plan = plan_room.make(options.request)
    folder = _folder(options, plan.series.name)
    store = Store(default_root(), console.note)
    store.prepare()
    with only_run(folder):
        ledger = Ledger(folder / LEDGER)
        context = Context(
            plan=plan,
            folder=folder,
            run_id=folder.name,
            ledger=ledger,
            store=store,
            shell=shell_for(folder, ledger),
            progress=console,
            jobs=options.jobs or environment.cores(),
        )
        failure = None
        try:
            checking.execute(context)
        except PatchError as error:
            failure = error
        _show(compiling.build(ledger.records, plan.as_json()), failure, options, folder)
    if failure is not None:
        raise failure
    return ExitCode.PASS


def _folder(options: Options, series: str) -> Path:
    """A new folder. Not the latest run: there is nothing in it to go on with, or to install."""
    if options.out:
        folder = Path(options.out).absolute()
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"--out {options.out} exists and is not an empty folder")
    else:
        stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%d-%H%M%S")
        folder = options.request.root / "runs" / f"{stamp}-patch-check-{series}-{secrets.token_hex(2)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HostError(
            f"the folder {folder} cannot be made: {error.strerror}",
            hint="choose a place you can write to with --out",
        ) from error
    return folder


def _show(report: CompileReport | None, failure: PatchError | None, options: Options, folder: Path) -> None:
    if options.json:
        found = {
            "passed": failure is None,
            "failure": str(failure) if failure else "",
            "folder": str(folder),
            "compile": compiling.as_json(report) if report else None,
        }
        sys.stdout.write(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    elif report is not None:
        sys.stdout.write("\n" + compiling.text(report) + "\n")
        sys.stdout.flush()
