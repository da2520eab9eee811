"""``patch-validate``: a series through every stage, to a verdict."""

from __future__ import annotations

import dataclasses
import json
import secrets
import shlex
import sys
import time
from pathlib import Path

from pipeline import git
from pipeline.commands import entry, matrix_text
from pipeline.console import Console
from pipeline.errors import ExitCode, InterruptedRunError, PipelineError
from pipeline.flow import environment, evidence, folder, measuring, stages
from pipeline.flow.context import (
    LEDGER,
    Context,
    check_resumable,
    latest,
    only_run,
    open_folder,
    shell_for,
)
from pipeline.inputs.stream import STDIN
from pipeline.ledger import Ledger
from pipeline.plan import plan as plan_room
from pipeline.plan.plan import Plan, Request
from pipeline.records import RunEnded, RunResumed, RunStarted
from pipeline.report import model, text
from pipeline.report.model import RunReport
from pipeline.store import Store, default_root
from pipeline.values import Threshold


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The command line as given."""

    request: Request
    out: str = ""
    jobs: int = 0
    dry_run: bool = False
    resume: bool = False
    json: bool = False


def main(options: Options) -> ExitCode:
    """Run and print; the exit code is the verdict's."""
    console = Console(quiet=options.json)
    return entry.guarded(console, lambda: _run(options, console))


def _run(options: Options, console: Console) -> ExitCode:
    entry.check_jobs(options.jobs)
    plan = plan_room.make(_with_kept(options))
    for note in plan.origin.notes:
        console.note(f"note: {note}")
    if options.dry_run:
        _show_plan(plan, options)
        return ExitCode.PASS
    where, resumed = open_folder(options.request.root, options.out, plan, resume=options.resume)
    with only_run(where):
        report = _run_in(where, resumed, plan, options, console)
    show(report, where, options.request.root, json_=options.json)
    return ExitCode(report.exit_code)


def _with_kept(options: Options) -> Request:
    """The request; standard input of a run that goes on is what the run's folder keeps of it."""
    request = options.request
    if not options.resume or request.series != STDIN:
        return request
    where = Path(options.out).absolute() if options.out else latest(request.root / "runs")
    return dataclasses.replace(request, kept=evidence.kept(where))


def _run_in(where: Path, resumed: bool, plan: Plan, options: Options, console: Console) -> RunReport:
    if resumed:
        check_resumable(where, plan)
    store = Store(default_root(), console.note)
    ledger = Ledger(where / LEDGER)
    context = Context(
        plan=plan,
        folder=where,
        run_id=_run_id(ledger) or f"{where.name}-{secrets.token_hex(2)}",
        ledger=ledger,
        store=store,
        shell=shell_for(where, ledger),
        progress=console,
        jobs=options.jobs or environment.cores(),
        commit=git.describe(options.request.root),
    )
    if resumed:
        measuring.restore(context)
    ledger.append(RunResumed() if resumed else started(context, options.request))
    evidence.keep(where, ledger, plan)
    folder.begin(where, ledger.records)
    return _execute(context, console)


def _run_id(ledger: Ledger) -> str:
    """The id of the run that is resumed; its seed orders the rounds."""
    return next((record.run_id for record in ledger.records if isinstance(record, RunStarted)), "")


def started(context: Context, request: Request) -> RunStarted:
    """The first record of a run."""
    plan = context.plan
    return RunStarted(
        run_id=context.run_id,
        plan_digest=plan.digest,
        plan=plan.as_json(),
        command=shlex.join(_words(plan, request)) + _piped(context, request.root),
        environment=environment.describe(request.root),
    )


def _words(plan: Plan, request: Request) -> list[str]:
    return [
        "./inv",
        "patch-validate",
        *plan.origin.options,
        f"--base={plan.base}",
        f"--profile={plan.profile.name}",
        *(f"--cells={cell}" for cell in request.cells),
        *([f"--allow={','.join(plan.allowed)}"] if plan.allowed else []),
    ]


def _piped(context: Context, root: Path) -> str:
    if context.plan.origin.form != "stdin":
        return ""
    kept = context.folder / evidence.kept_name(context.plan.origin.raw)
    return f" < {shlex.quote(_shortest(kept, root))}"


def _execute(context: Context, console: Console) -> RunReport:
    """Run the stages; whatever ends them, the folder holds a report that says so."""
    began = time.monotonic()
    failure: PipelineError | None = None
    try:
        context.store.prepare()
        stages.execute(context)
    except (Exception, KeyboardInterrupt) as error:
        failure = entry.as_pipeline_error(error)
        if failure is None:
            end(context, began, f"a bug in gopatch: {error!r}", ExitCode.BUG)
            folder.write(context.folder, context.ledger.records)
            raise
        console.error(failure)
    message, code = (str(failure), failure.exit_code) if failure else ("", ExitCode.PASS)
    end(context, began, message, code)
    report = folder.write(context.folder, context.ledger.records)
    if isinstance(failure, InterruptedRunError):
        out = shlex.quote(f"--out={context.folder}")
        console.note(f"nothing is lost; this goes on with it:\n  {report.started.command} {out} --resume")
    return report


def end(context: Context, began: float, failure: str, code: ExitCode) -> None:
    """Append the last record of a run that began at ``began`` by the monotonic clock."""
    seconds = round(time.monotonic() - began, 3)
    context.ledger.append(RunEnded(seconds=seconds, failure=failure, failure_code=int(code)))


def show(report: RunReport, where: Path, root: Path, *, json_: bool) -> None:
    """Print what a run came to, as text or as report.json."""
    if json_:
        sys.stdout.write(json.dumps(model.as_json(report), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("\n" + text.render(report, _shortest(where, root)) + "\n")


def _shortest(where: Path, root: Path) -> str:
    try:
        return where.relative_to(root).as_posix()
    except ValueError:
        return str(where)


def _origin(plan: Plan) -> str:
    origin = plan.origin
    words = [origin.origin]
    words += [f"commit {origin.revision[:12]}"] if origin.revision else []
    words += [f"sha256 {origin.sha256}"] if origin.sha256 else []
    return "; ".join(words)


def _allowed(plan: Plan) -> list[str]:
    applied = [rung for rung in plan.allowed if rung != "already-applied"]
    lines = [f"{', '.join(applied)}: not clean, and applied all the same"] if applied else []
    if len(applied) < len(plan.allowed):
        lines.append("already-applied: a patch that the base holds already is left out")
    return [f"allowed   {line}" for line in lines]


def _limits(one: Threshold) -> str:
    effect, margin = 100 * one.effect, 100 * one.margin
    return f"a change counts from {effect:g} %, no change means within ±{margin:g} %"


def _show_plan(plan: Plan, options: Options) -> None:
    if options.json:
        origin = plan.origin
        given = {name: getattr(origin, name) for name in ("form", "origin", "revision", "sha256", "notes")}
        sys.stdout.write(json.dumps({**plan.as_json(), "input": given}, indent=2, ensure_ascii=False) + "\n")
        return
    profile = plan.profile
    depth = profile.compile
    lines = [
        f"series    {plan.series.name}: {plan.series.subject}",
        *(f"          {patch.name}" for patch in plan.series.patches),
        f"from      {_origin(plan)}",
        *([f"variant   for Go {plan.series.variant}"] if plan.series.variant else []),
        f"base      {plan.base}",
        *_allowed(plan),
        f"profile   {profile.name}: {profile.rounds} rounds of pairs, at most "
        f"{profile.max_rounds} while anything is open; benchtime {profile.benchtime}; "
        f"toolchain {profile.toolchain}",
        f"compile   every prefix: types on {depth.types}, build on {depth.build}, vet and test binaries on "
        f"{depth.tests} of the release's platforms that it reaches",
        *(
            f"cell      {cell.id}: {'measured here' if cell.native else 'compiled'}, if it is reached"
            + (f"; {under}" if (under := matrix_text.conditions(cell)) else "")
            for cell in plan.cells
        ),
        f"decision  {_limits(plan.threshold)}; at most {profile.max_seconds} s for what is open",
        *(f"          {unit}: {_limits(one)}" for unit, one in plan.units.items()),
        *(f"tests     {package}: {', '.join(names)}" for package, names in plan.series.tests.items()),
        *(["tests     whole packages: those named, and the changed ones"] * (profile.tests == "packages")),
        *([f"tests     also built with {', '.join(profile.variants)}"] if profile.variants else []),
        *(f"measure   {package}: {', '.join(names)}" for package, names in plan.series.benchmarks.items()),
        "stages    fetch, apply, reach, compile, same bits, toolchain, test binaries, test, benchmarks, "
        "report",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
