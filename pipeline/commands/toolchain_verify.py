"""``toolchain-verify``: a release, or a patched toolchain, built again, bit for bit."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from pathlib import Path

from pipeline.commands import entry
from pipeline.console import Console, duration
from pipeline.errors import ExitCode, UsageError
from pipeline.flow import baseline, proofs
from pipeline.flow.proofs import Bench
from pipeline.flow.workspace import Workspace, open_workspace
from pipeline.plan import plan as plan_room
from pipeline.plan.plan import Request
from pipeline.records import ToolchainCompared
from pipeline.source import base as source_room
from pipeline.source.wheel import WheelRelease
from pipeline.toolchain import build, trees
from pipeline.values import GoTree, Platform, Series


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The command line as given; '' stands for the host's own. With ``full``, make.bash is the measure."""

    request: Request
    goos: str = ""
    goarch: str = ""
    full: bool = False
    json: bool = False


def main(options: Options) -> ExitCode:
    """Rebuild and compare; 0 when every file is the same, 1 when one is not."""
    console = Console(quiet=options.json)
    return entry.guarded(console, lambda: _run(options, console))


def _run(options: Options, console: Console) -> ExitCode:
    series = plan_room.make(options.request).series if options.request.names_series else None
    ground = plan_room.ground(options.request)
    host = ground.host
    target = Platform(goos=options.goos or host.goos, goarch=options.goarch or host.goarch)
    if target != host and (options.full or series):
        raise UsageError(
            f"--full and --series are for this host, {host}", hint="leave --goos and --goarch out"
        )
    if source_room.release(ground.base) == "" and not options.full and series is None:
        raise UsageError(
            f"{ground.base[:100]} has no official build to be compared with",
            hint="give a release, such as --base 1.27.3; or add --full to compare with its own make.bash",
        )
    work = open_workspace(options.request.root, "toolchain-verify", host, console)
    with console.stage("fetch"):
        source = baseline.fetch(work.place, ground.base, ground.sources)
        official = source
        if target != host:
            official, _ = WheelRelease(source.version, target).fetch(work.place.store, work.place.shell)
        for one in dict.fromkeys((source.digest, official.digest)):
            work.ledger.append(baseline.record(source if one == source.digest else official))
    started = time.monotonic()
    found = _prove(work, source, official, target, series, full=options.full)
    seconds = time.monotonic() - started
    if options.json:
        sys.stdout.write(json.dumps(found.model_dump(exclude={"kind"}), indent=2) + "\n")
    else:
        sys.stdout.write(_text(found, official, seconds, work.folder))
    return ExitCode.PASS if found.proven else ExitCode.PATCH_FAILS


def _prove(
    work: Workspace,
    source: GoTree,
    official: GoTree,
    target: Platform,
    series: Series | None,
    *,
    full: bool,
) -> ToolchainCompared:
    place = work.place
    bench = Bench(builder=place.builder(source), folder=work.folder, record=work.ledger.append)
    tree, own_tools = source, False
    if series is not None:
        with place.progress.stage("apply"):
            patched = trees.patched(place.store, place.shell, source, series)
            own_tools = build.touches_tools(bench.builder, patched.changed)
            # make.bash has no way to give the tools of one stage another name: see docs/decisions/0006.
            tree = patched.tree if full else trees.named(place.store, patched.tree, series.name)
    with place.progress.stage(f"rebuild for {target}"):
        if full:
            return proofs.staged_is_full(bench, tree, own_tools=own_tools)
        if series is not None:
            return proofs.again(bench, tree, own_tools=own_tools)
        return proofs.rebuild(bench, official, target)


_WORDS = {
    "same": "the same",
    "unsigned": "the same without the code signature",
    "differs": "DIFFERS",
    "missing": "is only on one side",
}
_PROVEN = {
    proofs.CAME_WITH: "rebuilt from its source {}, are those that came with it {}",
    proofs.AGAIN: "built again from an empty cache {}, are the same {}",
    proofs.FULL: "built in stages and by make.bash -distpack {}, are the same {}",
}
_OTHERS = {
    proofs.CAME_WITH: "are not what their source gives",
    proofs.AGAIN: "differ when they are built again",
    proofs.FULL: "differ between stages and make.bash -distpack",
}


def _text(found: ToolchainCompared, official: GoTree, seconds: float, folder: Path) -> str:
    lines = ["", *(f"  {name:<40} {_WORDS[one]}" for name, one in found.files.items()), ""]
    count = len(found.files)
    release = f"Go {found.version} for {found.goos}/{found.goarch}"
    if found.proven:
        when = "before, by the store's word" if found.reused else f"in {duration(seconds)}"
        alike = "but for the code signature" if "unsigned" in found.files.values() else "bit for bit"
        lines.append(f"PROVEN  {release}: all {count} tools, {_PROVEN[found.against].format(when, alike)}.")
    else:
        wrong = sum(one in {"differs", "missing"} for one in found.files.values())
        lines.append(
            f"NOT PROVEN  {release}: {wrong} of {count} tools {_OTHERS[found.against]}. What was built, and "
            f"the log: {folder}"
        )
    lines.append(f"{'came with' if found.against == proofs.CAME_WITH else 'baseline'}: {official.origin}")
    return "\n".join(lines) + "\n"
