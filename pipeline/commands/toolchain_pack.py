"""``toolchain-pack``: a patched toolchain for any platform, as an archive that a colleague can unpack."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import secrets
import shutil
import sys
from pathlib import Path

from pipeline.commands import entry
from pipeline.console import Console
from pipeline.errors import ExitCode
from pipeline.flow import environment, evidence, packing
from pipeline.flow.context import LEDGER, shell_for
from pipeline.flow.packing import Packed
from pipeline.ledger import Ledger
from pipeline.plan import plan as plan_room
from pipeline.plan.plan import Request
from pipeline.source import base as source_room
from pipeline.store import Store, default_root
from pipeline.toolchain import trees
from pipeline.toolchain.build import Builder
from pipeline.values import Platform


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The command line as given; '' stands for the host's own."""

    request: Request
    goos: str = ""
    goarch: str = ""
    out: str = ""
    json: bool = False


def main(options: Options) -> ExitCode:
    """Build, pack, and say where the archive is."""
    console = Console(quiet=options.json)
    return entry.guarded(console, lambda: _run(options, console))


def _run(options: Options, console: Console) -> ExitCode:
    plan = plan_room.make(options.request)
    for note in plan.origin.notes:
        console.note(f"note: {note}")
    target = Platform(goos=options.goos or plan.host.goos, goarch=options.goarch or plan.host.goarch)
    store = Store(default_root(), console.note)
    store.prepare()
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%d-%H%M%S")
    folder = options.request.root / "runs" / f"{stamp}-toolchain-pack-{secrets.token_hex(2)}"
    ledger = Ledger(folder / LEDGER)
    evidence.keep(folder, ledger, plan)
    shell = shell_for(folder, ledger)
    with console.stage("fetch"):
        source, _ = source_room.choose(plan.base, plan.sources, console.note).fetch(store, shell)
        source_room.require_built(source)
    builder = Builder(
        store=store,
        shell=shell,
        base=source,
        host=plan.host,
        jobs=environment.cores(),
        work=store.shared("work"),
    )
    packing.check_target(builder, target)
    with console.stage("apply"):
        patched = trees.patched(store, shell, source, plan.series)
    with console.stage(f"toolchain for {target}"):
        found = packing.packed(builder, patched, plan.series.name, target)
    out = Path(options.out).absolute() if options.out else options.request.root / "dist"
    _show(found, _deliver(found, out), options)
    return ExitCode.PASS


def _deliver(found: Packed, out: Path) -> Path:
    """Copy the archive beside its name: a copy that was cut short never has it."""
    out.mkdir(parents=True, exist_ok=True)
    target = out / found.path.name
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        shutil.copyfile(found.path, scratch)
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)
    return target


def _show(found: Packed, where: Path, options: Options) -> None:
    if options.json:
        values = {
            "path": str(where),
            "version": found.version,
            "sha256": found.sha256,
            "size": found.size,
            "proof": found.proof,
        }
        sys.stdout.write(json.dumps(values, indent=2) + "\n")
        return
    sys.stdout.write(
        f"\n{where}\n  go{found.version}, {found.size / 1e6:.1f} MB, sha256 {found.sha256}\n  {found.proof}\n"
        "  unpack it anywhere and run go/bin/go; go version says what it is\n"
    )
