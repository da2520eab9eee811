"""``patch-apply``: whether a series applies, and how each hunk of it does. Nothing is built or run."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import secrets
import sys
from pathlib import Path

from pipeline import proc
from pipeline.commands import entry
from pipeline.console import Console
from pipeline.errors import ExitCode, PatchError
from pipeline.flow import applying
from pipeline.patch import explain
from pipeline.patch import series as series_room
from pipeline.patch.account import Applied, HunkAccount
from pipeline.patch.apply import Outcome
from pipeline.plan import plan as plan_room
from pipeline.plan.plan import Request
from pipeline.source import base as source_room
from pipeline.store import Store, default_root
from pipeline.toolchain import trees
from pipeline.values import GoTree, Series


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The command line as given."""

    request: Request
    out: str = ""
    json: bool = False


def main(options: Options) -> ExitCode:
    """Apply, and print the account."""
    console = Console(quiet=options.json)
    return entry.guarded(console, lambda: _run(options, console))


def _run(options: Options, console: Console) -> ExitCode:
    allowed = plan_room.allowed_rungs(options.request.allowed)
    found = plan_room.ground(options.request)
    series, origin = plan_room.read(options.request, found)
    for note in origin.notes:
        console.note(f"note: {note}")
    out = Path(options.out).absolute() if options.out else None
    if out is not None:
        applying.check_out(out)
    store = Store(default_root(), console.note)
    store.prepare()
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%d-%H%M%S")
    logs = store.shared("logs", f"patch-apply-{stamp}-{secrets.token_hex(2)}")
    shell = proc.Shell(logs=logs, observe=lambda *_: None)
    with console.stage("fetch"):
        base, _ = source_room.choose(found.base, found.sources, console.note).fetch(store, shell)
    if not series_room.supports(series, base.version):
        console.note(f"series {series.name} says that it is for Go {series.base}; tried on {base.version}")
    with console.stage("apply"):
        outcome = trees.applied(store, shell, base, series, allowed)
        if out is not None and outcome.failure is None:
            applying.deliver(base, outcome, out)
    _show(series, base, outcome, out, options)
    if outcome.failure is None:
        return ExitCode.PASS
    console.error(_short(outcome.failure))
    return outcome.failure.exit_code


def _short(failure: PatchError) -> PatchError:
    """The failure without the places: the table above it has them."""
    return PatchError(failure.what.split("\n", 1)[0].rstrip(":"), meaning=failure.meaning, hint=failure.hint)


def _show(series: Series, base: GoTree, outcome: Outcome, out: Path | None, options: Options) -> None:
    rest = [patch.name for patch in series.patches[len(outcome.applied) :]]
    if options.json:
        values = {
            "series": series.name,
            "base": base.version,
            "digest": base.digest,
            "ok": outcome.failure is None,
            "patches": [applying.record(one).model_dump(exclude={"kind"}) for one in outcome.applied],
            "not_tried": rest,
            "out": str(out) if out is not None and outcome.failure is None else "",
        }
        sys.stdout.write(json.dumps(values, indent=2, ensure_ascii=False) + "\n")
        return
    lines = [f"{series.name} on Go {base.version}"]
    for one in outcome.applied:
        lines += ["", *_patch(one)]
    lines += [f"{name}  not tried" for name in rest]
    if out is not None and outcome.failure is None:
        lines += ["", f"the patched tree: {out}"]
    sys.stdout.write("\n".join(lines) + "\n")


def _patch(one: Applied) -> list[str]:
    needs = sorted({rung for hunk in one.hunks for rung in hunk.needs})
    word = ", skipped" if one.skipped else f", allowed: {', '.join(needs)}" if one.ok and needs else ""
    lines = [f"{one.patch.name}  {one.rung}{word}"]
    places = [explain.at(hunk) for hunk in one.hunks]
    width = max(map(len, places), default=0)
    for hunk, place in zip(one.hunks, places, strict=True):
        lines.append(f"  {place:<{width}}  {_number(hunk):<8}  {hunk.rung:<15}  {hunk.note}".rstrip())
        lines += [f"      {row}" for row in explain.beside(hunk)]
    return lines


def _number(hunk: HunkAccount) -> str:
    return f"hunk {hunk.number}" if hunk.number else ""
