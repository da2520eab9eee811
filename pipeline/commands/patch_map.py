"""``patch-map``: how a series applies to many releases, and on which platforms of each it compiles."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import secrets
import shlex
import sys
from pathlib import Path
from typing import get_args

from pipeline import proc
from pipeline.commands import entry
from pipeline.config import suggest
from pipeline.console import Console
from pipeline.errors import ExitCode, UsageError
from pipeline.flow import environment, evidence, mapping
from pipeline.flow.mapping import Compile
from pipeline.flow.workspace import open_workspace
from pipeline.plan import matrix as matrix_room
from pipeline.plan.plan import Plan, Request
from pipeline.records import MapStarted
from pipeline.report import mapping as report_room
from pipeline.report.mapping import MapReport
from pipeline.source import offered, ranges
from pipeline.store import Store, default_root

MINORS = 6


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The command line as given; None for ``bases`` is the newest release of each of the MINORS newest minor
    releases."""

    request: Request
    bases: str | None = None
    compile: str = "types"
    build_tools: bool = False
    out: str = ""
    jobs: int = 0
    json: bool = False


def main(options: Options) -> ExitCode:
    """Map and print. 0 when the series applies and compiles on every base that it is for (without a range of
    its own: on every base), 1 when it does not on one, 4 when a base could not be tried."""
    console = Console(quiet=options.json)
    return entry.guarded(console, lambda: _run(options, console))


def _run(options: Options, console: Console) -> ExitCode:
    depth = _depth(options)
    root = options.request.root
    planned = mapping.plans(options.request, _bases(options, console), depth)
    work = open_workspace(
        root,
        f"patch-map-{planned[0].series.name}",
        planned[0].host,
        console,
        out=options.out,
        jobs=options.jobs,
    )
    notes = [] if planned[0].origin.form == "folder" else list(planned[0].origin.notes)
    for note in notes:
        console.note(f"note: {note}")
    work.ledger.append(_started(options, planned, depth, notes))
    for plan in {plan.series.digest: plan for plan in planned}.values():  # one a variant
        evidence.keep(work.folder, work.ledger, plan)
    # Written at once: a map that dies leaves one that says so.
    mapping.write(work.folder, work.ledger.records)
    try:
        mapping.execute(
            work,
            planned,
            build_tools=options.build_tools,
            each=lambda: mapping.write(work.folder, work.ledger.records),
        )
    finally:
        report = mapping.write(work.folder, work.ledger.records)
        _show(report, options, _shortest(work.folder, root))
    return report.exit_code


def _depth(options: Options) -> Compile:
    entry.check_jobs(options.jobs)
    known: tuple[Compile, ...] = get_args(Compile)
    for one in known:
        if options.compile == one:
            return one
    raise UsageError(
        f"--compile {options.compile[:100]!r} is none of {', '.join(known)}",
        meaning=suggest(options.compile, known),
    )


def _bases(options: Options, console: Console) -> tuple[str, ...]:
    """The bases that were asked for; the list of releases is fetched where they need it."""
    if options.bases is not None and not ranges.needs_offer(options.bases):
        return ranges.expand(options.bases, ())
    root = options.request.root
    matrix = matrix_room.load(root / "matrix.yml")
    store = Store(default_root(), console.note)
    store.prepare()
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%d-%H%M%S")
    logs = store.shared("logs", f"offered-{stamp}-{secrets.token_hex(2)}")
    shell = proc.Shell(logs=logs, observe=lambda *_: None)
    with console.stage("releases on offer"):
        found = offered.releases(matrix.sources.settings(root, matrix.base), shell, console.note)
    return ranges.newest(found, MINORS) if options.bases is None else ranges.expand(options.bases, found)


def _started(options: Options, planned: list[Plan], depth: Compile, notes: list[str]) -> MapStarted:
    first = planned[0]
    words = ["./inv", "patch-map", *first.origin.options, f"--bases={','.join(one.base for one in planned)}"]
    words += [f"--allow={','.join(first.allowed)}"] if first.allowed else []
    words += [f"--compile={depth}", *(["--build-tools"] if options.build_tools else [])]
    piped = evidence.kept_name(first.origin.raw)  # below the map's folder
    return MapStarted(
        series=first.series.name,
        subject=first.series.subject,
        origin=first.origin.origin,
        bases=[one.base for one in planned],
        compile=depth,
        allowed=list(first.allowed),
        host=str(first.host),
        command=shlex.join(words) + (f" < {piped}" if first.origin.form == "stdin" else ""),
        environment=environment.describe(options.request.root),
        notes=notes,
    )


def _show(report: MapReport, options: Options, folder: str) -> None:
    if options.json:
        found = report_room.as_json(report)
        sys.stdout.write(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(f"\n{report_room.text(report)}\n\nthe map: {folder}/map.md, {folder}/map.json\n")
    sys.stdout.flush()


def _shortest(folder: Path, root: Path) -> str:
    return folder.relative_to(root).as_posix() if folder.is_relative_to(root) else str(folder)
