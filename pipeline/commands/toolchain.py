"""``toolchain-install``, ``toolchain-rollback``, ``toolchain-list``: a run's patched toolchain, for use."""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.commands import entry
from pipeline.console import Console
from pipeline.errors import ExitCode, UsageError
from pipeline.flow.context import LATEST, latest
from pipeline.golang import host_platform, spelled
from pipeline.install import install as room
from pipeline.install import listing, registry
from pipeline.install.install import Ground, Installed, Request, RolledBack
from pipeline.install.listing import Row
from pipeline.store import Store, default_root

_STATES = {
    "unchanged": "unchanged",
    "tools": "CHANGED: its tools are not those that were installed",
    "files": "changed: the tools are those that were installed, other files are not",
    "other": "something else lies there now",
    "gone": "gone",
    "unfinished": "not finished: an install or a rollback is under way there, or cannot be undone",
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """The command line of ``toolchain-install`` as given."""

    root: Path
    run: str | None = None
    to: str | None = None
    replace: str | None = None
    dry_run: bool = False
    json: bool = False


def install(options: Options) -> ExitCode:
    """Install and say where; with ``dry_run``, say what would be done."""

    def action(ground: Ground, console: Console) -> ExitCode:
        runs = options.root / "runs"
        # runs/latest by name too: it is a file on Windows.
        given = _given("--run", options.run)
        run = Path(given).absolute() if given else runs / LATEST
        request = Request(
            run=latest(runs) if run == runs / LATEST else run,
            to=_given("--to", options.to),
            replace=_given("--replace", options.replace),
        )
        if options.dry_run:
            done = room.plan(request, ground)
        else:
            room.mend(ground)
            with console.stage("install"):
                done = room.install(request, ground)
        if options.json:
            _print_json(done)
        else:
            sys.stdout.write(_planned(done) if options.dry_run else _installed(done))
        return ExitCode.PASS

    return _guarded(action, quiet=options.json)


def rollback(goroot: str | None) -> ExitCode:
    """Put the replaced toolchain back; 3 when there is none."""

    def action(ground: Ground, console: Console) -> ExitCode:
        chosen = _given("--goroot", goroot)
        room.mend(ground)
        with console.stage("roll back"):
            done = room.roll_back(chosen, ground)
        sys.stdout.write(_rolled_back(done))
        return ExitCode.PASS

    return _guarded(action)


def show(*, as_json: bool) -> ExitCode:
    """Print what is installed where."""

    def action(ground: Ground, _: Console) -> ExitCode:
        room.mend(ground)
        rows = listing.rows(ground.root, ground.host)
        if as_json:
            _print_json(rows)
        else:
            sys.stdout.write("".join(map(_row, rows)) or "no toolchain is installed\n")
        return ExitCode.PASS

    return _guarded(action, quiet=as_json)


def _given(option: str, value: str | None) -> str:
    """An option's value, '' when it was left out. UsageError for an empty one: --replace=$GOROOT without a
    GOROOT must not install elsewhere."""
    if value == "":
        raise UsageError(
            f"{option} is empty",
            meaning="a variable that is not set, perhaps",
            hint="give it a value, or leave it out for the default",
        )
    return value or ""


def _guarded(action: Callable[[Ground, Console], ExitCode], *, quiet: bool = False) -> ExitCode:
    console = Console(quiet=quiet)

    def prepared() -> ExitCode:
        store = Store(default_root(), console.note)
        store.prepare()
        return action(
            Ground(
                store=store,
                root=registry.default_root(),
                host=host_platform(),
                watch=console.step,
                note=console.note,
            ),
            console,
        )

    return entry.guarded(console, prepared)


def _installed(done: Installed) -> str:
    lines = [
        f"installed {spelled(done.identity.version)} with {done.identity.series} in {done.goroot}",
        f"  verified: go version, go env GOROOT, a static program, digest {done.identity.digest[:12]}",
        *_verdict(done),
        *_unnamed(done),
        f"  use it: export PATH={shlex.quote(str(done.goroot / 'bin'))}:$PATH",
    ]
    if done.backup:
        lines += [
            f"  {spelled(done.previous)} that was there is kept: {done.backup}",
            f"  back to it: ./inv toolchain-rollback --goroot={shlex.quote(str(done.goroot))}",
            *_left_out(done),
        ]
    return "\n".join(lines) + "\n"


def _planned(done: Installed) -> str:
    lines = [
        f"would install {spelled(done.identity.version)} with {done.identity.series} in {done.goroot}",
        f"  from run {done.identity.run}: digest {done.identity.digest[:12]}, recipe {done.identity.recipe}",
        *_verdict(done),
        *_unnamed(done),
        f"  needs {done.space.needed / 2**20:.0f} MiB of the {done.space.free / 2**20:.0f} MiB free there",
    ]
    if done.backup:
        lines.append(f"  {spelled(done.previous)} that is there would be kept beside it")
        lines += _left_out(done)
    lines += [f"  {number}. {step}" for number, step in enumerate(done.steps, 1)]
    return "\n".join(lines) + "\n"


def _verdict(done: Installed) -> list[str]:
    return [] if done.verdict == "pass" else [f"  note: that run's verdict is {done.verdict}"]


def _unnamed(done: Installed) -> list[str]:
    """Of the release's own tools, which cannot say what tree they are on."""
    if done.identity.recipe != "overlay":
        return []
    return [
        "  note: its tools are the release's own (recipe overlay), so go version does not name the series; "
        "what it compiles has the patches",
    ]


def _left_out(done: Installed) -> list[str]:
    if not done.left_out:
        return []
    return [f"  only in the old one: {', '.join(done.left_out)}"]


def _rolled_back(done: RolledBack) -> str:
    lines = [f"rolled back: {done.goroot} is {spelled(done.version)} again"]
    if done.kept:
        lines.append(f"  what was there had been changed since its install, and is kept: {done.kept}")
    if done.left:
        lines.append(f"  an older one can be rolled back to as well: {done.left}")
    return "\n".join(lines) + "\n"


def _row(row: Row) -> str:
    what = f"  {spelled(row.version)} with {row.series}, digest {row.digest[:12]}, of run {row.run}"
    lines = [
        row.path,
        *([what] if row.version else []),
        f"  {_STATES[row.state]}",
        *(f"  backup: {path}" for path in row.backups),
    ]
    return "\n".join(lines) + "\n"


def _print_json(value: Installed | list[Row]) -> None:
    data: Any = [dataclasses.asdict(row) for row in value] if isinstance(value, list) else _as_json(value)
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def _as_json(done: Installed) -> dict[str, Any]:
    return {
        "goroot": str(done.goroot),
        **done.identity.model_dump(),
        "verdict": done.verdict,
        "backup": str(done.backup) if done.backup else None,
        "previous": done.previous,
        "left_out": list(done.left_out),
        "space": dataclasses.asdict(done.space),
        "steps": list(done.steps),
    }
