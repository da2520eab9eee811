"""The stages of a run, top to bottom. Each takes frozen values, returns frozen values, and records what
it did; none reaches back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.bench import floor, measure
from pipeline.errors import PatchError, UsageError
from pipeline.flow import environment
from pipeline.flow.context import Context
from pipeline.gates import compile as compile_gate
from pipeline.gates import tests as test_gate
from pipeline.golang import Go
from pipeline.patch import reach as reach_room
from pipeline.patch.reach import Reach
from pipeline.records import (
    BenchmarkLost,
    CellEnded,
    CellReach,
    GateResult,
    NoiseFloor,
    OverlayDropped,
    PairMeasured,
    PatchApplied,
    Side,
    SourceFetched,
    ToolchainReady,
)
from pipeline.source import base as source_room
from pipeline.stats.analysis import Rules
from pipeline.stats.pairs import Key
from pipeline.toolchain import build, testbin, trees
from pipeline.toolchain.trees import PatchedTree
from pipeline.values import Cell, GoTree, TestBinary, Toolchain


@dataclass(frozen=True, kw_only=True)
class Sides:
    """Both sides of the native cell, ready to run."""

    binaries: Mapping[Side, Mapping[str, TestBinary]]
    go: Mapping[Side, Go]


def execute(context: Context) -> None:
    """Run every stage. Raises what ends the run early; what it learned until then is in the ledger."""
    source = fetch(context)
    patched = apply(context, source)
    builder = build.Builder(
        store=context.store,
        shell=context.shell,
        base=source,
        host=context.plan.host,
        jobs=context.jobs,
        work=context.work,
    )
    reach = find_reach(context, builder, patched)
    compile_platforms(context, builder, patched, reach)
    toolchain = build_toolchain(context, builder, patched)
    native = next((cell for cell in context.plan.cells if cell.native), None)
    if native is not None and (reach[native.id].reached or reach[native.id].test_packages):
        sides = build_tests(context, builder, patched, toolchain)
        run_tests(context, native, sides)
        run_benchmarks(context, native, sides)
    conclude(context, reach)


def fetch(context: Context) -> GoTree:
    """The baseline's tree, and the toolchain record of the release as it is."""
    with context.stage("fetch"):
        context.progress.step(f"Go {context.plan.base}")
        tree, _ = source_room.choose(context.plan.base).fetch(context.store, context.shell)
        earlier = [record for record in context.ledger.records if isinstance(record, SourceFetched)]
        if earlier and earlier[-1].digest != tree.digest:
            raise UsageError(
                f"the baseline {context.plan.base} changed since the run was started",
                meaning="what was measured before belongs to another tree",
                hint="start a new run without --resume",
            )
        context.ledger.append(
            SourceFetched(
                version=tree.version,
                digest=tree.digest,
                origin=tree.origin,
                proof=tree.proof,
                files=len(tree.manifest),
            )
        )
        context.ledger.append(
            ToolchainReady(
                role="base",
                version=tree.version,
                digest=build.tools_digest(tree.root, context.plan.host),
                proof=f"the release as published: {tree.proof}",
                path=str(tree.root),
                recipe="release",
            )
        )
    return tree


def apply(context: Context, source: GoTree) -> PatchedTree:
    """The patched tree; PatchError when the series does not apply."""
    with context.stage("apply"):
        patched = trees.patched(context.store, context.shell, source, context.plan.series)
        for one in patched.applied:
            context.ledger.append(
                PatchApplied(
                    file=one.patch.name,
                    subject=one.patch.subject,
                    sha256=one.patch.sha256,
                    rung=one.rung,
                    hunks=one.hunks,
                    detail=one.detail,
                    message=one.patch.message,
                )
            )
        if not patched.changed:
            raise PatchError("the series changes nothing: every file equals the baseline's")
    return patched


def _go(builder: build.Builder, tree: GoTree) -> Go:
    return builder.go(tree.root, builder.base.digest)


def find_reach(context: Context, builder: build.Builder, patched: PatchedTree) -> dict[str, Reach]:
    """Which packages change on which cell."""
    found = {}
    with context.stage("reach"):
        for cell in context.plan.cells:
            context.progress.step(f"{cell.platform}")
            reach = reach_room.of_cell(
                context.shell, cell, _go(builder, builder.base), _go(builder, patched.tree), patched.changed
            )
            found[cell.id] = reach
            context.ledger.append(
                CellReach(
                    cell=cell.id,
                    goos=cell.platform.goos,
                    goarch=cell.platform.goarch,
                    packages=list(reach.packages),
                    files=list(reach.files),
                )
            )
    return found


def compile_platforms(
    context: Context, builder: build.Builder, patched: PatchedTree, reach: Mapping[str, Reach]
) -> None:
    """The compile gate; PatchError names the platforms that fail."""
    plan = context.plan
    wanted = [cell for cell in plan.cells if reach[cell.id].reached]
    done: list[GateResult] = []

    def each(result: GateResult) -> None:
        done.append(result)
        context.ledger.append(result)
        context.progress.step(f"{result.cell}: {result.status}", len(done), len(wanted))

    with context.stage("compile"):
        results = compile_gate.check(
            context.shell,
            before=_go(builder, builder.base),
            after=_go(builder, patched.tree),
            cells=plan.cells,
            reach=reach,
            packages=plan.series.packages,
            jobs=context.jobs,
            each=each,
        )
        failed = [result for result in results if result.status == "fail"]
        if failed:
            shown = "\n".join(f"{one.cell}: {one.subject}\n{_indent(one.detail)}" for one in failed)
            raise PatchError(
                f"the patch does not compile on {', '.join(one.cell for one in failed)}\n{shown}",
                hint=f"logs: {context.shell.logs}/compile-*-patched.log",
            )


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines()[-12:])


def build_toolchain(context: Context, builder: build.Builder, patched: PatchedTree) -> Toolchain:
    """The patched toolchain, by the profile's recipe."""
    with context.stage("toolchain"):
        context.progress.step(context.plan.profile.toolchain)
        own = build.touches_tools(builder, patched.changed)
        toolchain = build.build(builder, patched.tree, context.plan.profile.toolchain, own_tools=own)
        context.ledger.append(
            ToolchainReady(
                role="patched",
                version=toolchain.version,
                digest=toolchain.digest,
                proof=toolchain.proof,
                path=str(toolchain.root),
                recipe=toolchain.recipe,
            )
        )
    return toolchain


def build_tests(
    context: Context, builder: build.Builder, patched: PatchedTree, toolchain: Toolchain
) -> Sides:
    """Test binaries of both sides for the packages that the series' tests and benchmarks are in."""
    series = context.plan.series
    packages = sorted({*series.tests, *series.benchmarks})
    # A compiler that the series changed must compile the patched side; the release's gives the same
    # code otherwise, and its build cache is warm.
    own = toolchain.own_tools
    tools = toolchain.digest if own else builder.base.digest
    go = builder.go(toolchain.root if own else patched.tree.root, tools)
    with context.stage("test binaries"):
        new = testbin.compile_patched(builder, go, patched.tree, tools, packages)
        old = testbin.compile_baseline(builder, patched.tree, patched.changed, packages)
        for one in old.dropped:
            context.ledger.append(OverlayDropped(file=one.file, reason=one.reason))
    return Sides(
        binaries={"base": old.binaries, "patched": new},
        go={"base": builder.go(old.tree.root, builder.base.digest), "patched": go},
    )


def run_tests(context: Context, cell: Cell, sides: Sides) -> None:
    """The test gate; PatchError names the tests that fail by the patch."""
    if context.finished("test"):
        return
    failed: list[GateResult] = []

    def each(result: GateResult) -> None:
        context.ledger.append(result)
        if result.status == "fail":
            failed.append(result)

    with context.stage("test"):
        tests = context.plan.series.tests
        for number, (package, names) in enumerate(tests.items(), 1):
            context.progress.step(f"{package}: {len(names)} tests on both sides", number, len(tests))
            pair = test_gate.Pair(
                patched=sides.binaries["patched"][package], base=sides.binaries["base"][package], go=sides.go
            )
            present = test_gate.list_functions(context.shell, pair.patched, sides.go["patched"])
            test_gate.require(package, names, present, "tests")
            on_base = test_gate.list_functions(context.shell, pair.base, sides.go["base"])
            test_gate.check(
                context.shell,
                cell=cell,
                pair=pair,
                names=names,
                on_base=on_base,
                timeout=context.plan.profile.test_timeout,
                each=each,
            )
        if failed:
            shown = "\n".join(f"{one.subject} ({one.transition})\n{_indent(one.detail)}" for one in failed)
            raise PatchError(
                f"the patch fails {len(failed)} test{'s' if len(failed) > 1 else ''} on {cell.id}: "
                f"{', '.join(one.subject for one in failed)}\n{shown}",
                hint=f"log: {context.shell.logs / failed[0].log}",
            )


def run_benchmarks(context: Context, cell: Cell, sides: Sides) -> None:
    """Measure the series' benchmarks that both sides have; one that the baseline lacks is ``new``."""
    plan = context.plan
    targets = []
    with context.stage("benchmarks"):
        for package, names in plan.series.benchmarks.items():
            present = test_gate.list_functions(
                context.shell, sides.binaries["patched"][package], sides.go["patched"]
            )
            test_gate.require(package, names, present, "benchmarks")
            on_base = test_gate.list_functions(
                context.shell, sides.binaries["base"][package], sides.go["base"]
            )
            targets += [measure.Target(package, name) for name in names if name in on_base]
            for name in names:
                if name not in on_base:
                    _new_benchmark(context, cell, package, name)
        setup = measure.Setup(
            shell=context.shell,
            cell=cell,
            profile=plan.profile,
            rules=Rules(threshold=plan.threshold, units=plan.units),
            seed=context.run_id,
            binaries=sides.binaries,
            go=sides.go,
            file=context.bench_file(cell.id),
            record=context.ledger.append,
            progress=context.progress,
        )
        # Runs that share this cache measure one at a time.
        with context.store.lock("machine", "this machine's benchmarks"):
            measure.measure(_with_floors(context, setup, targets), targets, list(context.ledger.records))


def _with_floors(context: Context, setup: measure.Setup, targets: Sequence[measure.Target]) -> measure.Setup:
    """``setup`` with the design of every comparison fixed by this host's noise floor, which is measured
    first where it is not known. A resumed run keeps the designs it started with."""
    floors = [
        record
        for record in context.ledger.records
        if isinstance(record, NoiseFloor) and record.cell == setup.cell.id
    ]
    if not floors:
        place = floor.Place(folder=context.store.shared("noise"), conditions=_conditions(context))
        floors = floor.measure(setup, targets, place)
        for record in floors:
            context.ledger.append(record)
    designs = {str(Key(one.package, one.name, one.unit)): one.design for one in floors}
    return dataclasses.replace(setup, rules=dataclasses.replace(setup.rules, designs=designs))


def _conditions(context: Context) -> dict[str, object]:
    """What else than the benchmark decides which noise floor is meant."""
    return {
        "cpu": environment.cpu_model(),
        "cores": environment.cores(),
        "platform": str(context.plan.host),
        "base": context.plan.base,
        "benchtime": context.plan.profile.benchtime,
    }


def _new_benchmark(context: Context, cell: Cell, package: str, name: str) -> None:
    context.ledger.append(
        BenchmarkLost(
            cell=cell.id,
            package=package,
            benchmark=name,
            side="base",
            state="new",
            reason="it does not compile on the baseline, so there is nothing to compare it with",
        )
    )


def _ran(context: Context, cell: Cell) -> bool:
    """Whether a test or a benchmark of the series came to a result on the cell."""
    return any(
        (isinstance(record, GateResult) and record.gate == "test" and record.status != "skipped")
        or isinstance(record, (PairMeasured, BenchmarkLost))
        for record in context.ledger.records
        if getattr(record, "cell", "") == cell.id
    )


def conclude(context: Context, reach: Mapping[str, Reach]) -> None:
    """Say of every cell how far it was exercised."""
    for cell in context.plan.cells:
        found = reach[cell.id]
        if cell.native and _ran(context, cell):
            level, reason = "measured", "ran natively on this host"
        elif cell.native and found.reached:
            level, reason = "compiled", "no test or benchmark of the series ran on this host"
        elif found.reached:
            level, reason = (
                "compiled",
                "this host cannot run it: the changed packages were compiled, nothing ran",
            )
        elif found.test_packages:
            level, reason = "skipped", "only test files change there, and this host did not run them"
        else:
            level, reason = "unaffected", "no changed file is compiled there, by go list of both trees"
        context.ledger.append(
            CellEnded(
                cell=cell.id,
                goos=cell.platform.goos,
                goarch=cell.platform.goarch,
                exercise=level,
                reason=reason,
            )
        )
