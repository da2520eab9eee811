"""``toolchain-pack``: a patched toolchain for any platform, as an archive that a colleague can unpack."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
from pathlib import Path

from pipeline import git
from pipeline.commands import entry
from pipeline.console import Console
from pipeline.errors import ExitCode, HostError
from pipeline.flow import baseline, evidence, packing, testpack
from pipeline.flow.packing import Packed
from pipeline.flow.workspace import open_workspace
from pipeline.plan import plan as plan_room
from pipeline.plan.plan import Request
from pipeline.toolchain import trees
from pipeline.values import Platform


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The command line as given; '' stands for the host's own. With ``tests``, test binaries too."""

    request: Request
    goos: str = ""
    goarch: str = ""
    out: str = ""
    tests: bool = False
    json: bool = False


def main(options: Options) -> ExitCode:
    """Build, pack, and say where the archive is."""
    console = Console(quiet=options.json)
    return entry.guarded(console, lambda: _run(options, console))


def _run(options: Options, console: Console) -> ExitCode:
    # Before the build, which takes minutes.
    out = entry.folder(options.out or str(options.request.root / "dist"))
    plan = plan_room.make(options.request)
    for note in plan.origin.notes:
        console.note(f"note: {note}")
    target = Platform(goos=options.goos or plan.host.goos, goarch=options.goarch or plan.host.goarch)
    work = open_workspace(options.request.root, "toolchain-pack", plan.host, console)
    evidence.keep(work.folder, work.ledger, plan)
    place = work.place
    with console.stage("fetch"):
        source = baseline.fetch(place, plan.base, plan.sources)
        work.ledger.append(baseline.record(source))
    builder = place.builder(source)
    packing.check_target(builder, target)
    with console.stage("apply"):
        patched = trees.patched(place.store, place.shell, source, plan.series)
    with console.stage(f"toolchain for {target}"):
        made = [packing.packed(builder, patched, plan.series.name, target)]
    if options.tests:
        with console.stage(f"test binaries for {target}"):
            commit = git.describe(options.request.root)
            made.append(testpack.packed_tests(builder, patched, plan.series, target, commit))
    _show([(found, _deliver(found, out)) for found in made], options)
    return ExitCode.PASS


def _deliver(found: Packed, out: Path) -> Path:
    """Copy the archive beside its name: a copy that was cut short never has it."""
    target = out / found.path.name
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        out.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(found.path, scratch)
            scratch.replace(target)
        finally:
            scratch.unlink(missing_ok=True)
    except OSError as error:
        raise HostError(
            f"{target} cannot be written: {error.strerror}",
            meaning=f"it is built: {found.path}",
            hint="choose another place with --out; what is built is not built again",
        ) from error
    return target


def _show(made: list[tuple[Packed, Path]], options: Options) -> None:
    if options.json:
        rows = [_values(found, where) for found, where in made]
        sys.stdout.write(json.dumps(rows[0] | ({"tests": rows[1]} if rows[1:] else {}), indent=2) + "\n")
        return
    for found, where in made:
        sys.stdout.write(
            f"\n{where}\n  go{found.version}, {found.size / 1e6:.1f} MB, sha256 {found.sha256}\n"
            f"  {found.proof}\n"
        )
    more = "; README.txt in the second says how its tests are run" if made[1:] else ""
    sys.stdout.write(f"\nunpack it anywhere and run go/bin/go; go version says what it is{more}\n")


def _values(found: Packed, where: Path) -> dict[str, object]:
    return {
        "path": str(where),
        "version": found.version,
        "sha256": found.sha256,
        "size": found.size,
        "proof": found.proof,
    }
