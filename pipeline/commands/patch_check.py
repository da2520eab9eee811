"""``patch-check``: a series linted, applied and compiled for every platform that it reaches; nothing runs."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

from pipeline.commands import entry
from pipeline.console import Console
from pipeline.errors import ExitCode, PatchError
from pipeline.flow import checking, evidence
from pipeline.flow.workspace import open_workspace
from pipeline.plan import plan as plan_room
from pipeline.plan.plan import Request
from pipeline.report import compiling
from pipeline.report.compiling import CompileReport


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
    entry.check_jobs(options.jobs)
    plan = plan_room.make(options.request)
    for note in plan.origin.notes:
        console.note(f"note: {note}")
    # Not the latest run: there is nothing in it to go on with, or to install.
    work = open_workspace(
        options.request.root,
        f"patch-check-{plan.series.name}",
        plan.host,
        console,
        out=options.out,
        jobs=options.jobs,
    )
    evidence.keep(work.folder, work.ledger, plan)
    failure = None
    try:
        checking.execute(work.context(plan))
    except PatchError as error:
        failure = error
    _show(compiling.build(work.ledger.records, plan.as_json()), failure, options, work.folder)
    if failure is not None:
        raise failure
    return ExitCode.PASS


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
