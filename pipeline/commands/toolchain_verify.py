"""``toolchain-verify``: the official release, built again, bit for bit."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import secrets
import sys
import time
from pathlib import Path

from pipeline.commands import entry
from pipeline.console import Console, duration
from pipeline.errors import ExitCode, UsageError
from pipeline.flow import environment, proofs
from pipeline.flow.context import LEDGER, shell_for
from pipeline.ledger import Ledger
from pipeline.plan import plan as plan_room
from pipeline.plan.plan import Request
from pipeline.records import ToolchainCompared
from pipeline.source import base as source_room
from pipeline.source.wheel import WheelRelease
from pipeline.store import Store, default_root
from pipeline.toolchain.build import Builder
from pipeline.values import GoTree, Platform


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The command line as given; '' stands for the host's own."""

    root: Path
    base: str | None = None
    goos: str = ""
    goarch: str = ""
    json: bool = False


def main(options: Options) -> ExitCode:
    """Rebuild and compare; 0 when every file is the same, 1 when one is not."""
    console = Console(quiet=options.json)
    return entry.guarded(console, lambda: _run(options, console))


def _run(options: Options, console: Console) -> ExitCode:
    ground = plan_room.ground(Request(root=options.root, base=options.base))
    if source_room.is_path(ground.base):
        raise UsageError(
            "a local tree has no official build to be compared with",
            hint="give a release, such as --base 1.27.3",
        )
    target = Platform(goos=options.goos or ground.host.goos, goarch=options.goarch or ground.host.goarch)
    store = Store(default_root(), console.note)
    store.prepare()
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%d-%H%M%S")
    folder = options.root / "runs" / f"{stamp}-toolchain-verify-{secrets.token_hex(2)}"
    ledger = Ledger(folder / LEDGER)
    shell = shell_for(folder, ledger)
    with console.stage("fetch"):
        source, _ = source_room.choose(ground.base, ground.sources, console.note).fetch(store, shell)
        source_room.require_built(source)
        official = source
        if target != ground.host:
            official, _ = WheelRelease(source.version, target).fetch(store, shell)
    builder = Builder(
        store=store,
        shell=shell,
        base=source,
        host=ground.host,
        jobs=environment.cores(),
        work=store.shared("work"),
    )
    started = time.monotonic()
    with console.stage(f"rebuild for {target}"):
        found = proofs.rebuild(builder, official, target, folder, ledger.append)
    seconds = time.monotonic() - started
    if options.json:
        sys.stdout.write(json.dumps(found.model_dump(exclude={"kind"}), indent=2) + "\n")
    else:
        sys.stdout.write(_text(found, official, seconds, folder))
    return ExitCode.PASS if found.proven else ExitCode.PATCH_FAILS


_WORDS = {
    "same": "the same",
    "unsigned": "the same without the code signature",
    "differs": "DIFFERS",
    "missing": "is only on one side",
}


def _text(found: ToolchainCompared, official: GoTree, seconds: float, folder: Path) -> str:
    lines = ["", *(f"  {name:<40} {_WORDS[one]}" for name, one in found.files.items()), ""]
    count = len(found.files)
    release = f"Go {found.version} for {found.goos}/{found.goarch}"
    if found.proven:
        lines.append(
            f"PROVEN  {release}: all {count} tools, rebuilt from source in {duration(seconds)}, are the "
            "official ones bit for bit."
        )
    else:
        wrong = sum(one in {"differs", "missing"} for one in found.files.values())
        lines.append(
            f"NOT PROVEN  {release}: {wrong} of {count} tools are not the official ones. What was built, and "
            f"the log: {folder}"
        )
    lines.append(f"official: {official.origin}")
    return "\n".join(lines) + "\n"
