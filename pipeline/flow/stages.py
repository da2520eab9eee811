"""The stages of a run, top to bottom. Each takes frozen values, returns frozen values, and records what
it did; none reaches back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from pipeline.errors import PatchError, UsageError
from pipeline.flow import measuring, proofs, testing
from pipeline.flow.context import Context
from pipeline.flow.measuring import Sides
from pipeline.gates import compile as compile_gate
from pipeline.golang import Go
from pipeline.patch import reach as reach_room
from pipeline.patch.reach import Reach
from pipeline.records import (
    BenchmarkLost,
    CellEnded,
    CellReach,
    GateResult,
    OverlayDropped,
    PairMeasured,
    PatchApplied,
    SourceFetched,
    ToolchainReady,
)
from pipeline.source import base as source_room
from pipeline.toolchain import build, testbin, trees
from pipeline.toolchain.trees import PatchedTree
from pipeline.values import Cell, GoTree, Toolchain


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
        sides = build_tests(context, builder, patched, toolchain, reach[native.id])
        testing.run(context, builder, native, sides, reach[native.id])
        measuring.run(context, native, sides)
    conclude(context, reach)


def fetch(context: Context) -> GoTree:
    """The baseline's tree, and the toolchain record of the release as it is."""
    with context.stage("fetch"):
        context.progress.step(f"Go {context.plan.base}")
        source = source_room.choose(context.plan.base, context.plan.sources, context.progress.note)
        tree, _ = source.fetch(context.store, context.shell)
        source_room.require_built(tree)
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
                proof=f"the release as published: {tree.proof}{_rebuilt(context, tree)}",
                path=str(tree.root),
                recipe="release",
            )
        )
    return tree


def _rebuilt(context: Context, tree: GoTree) -> str:
    proven = proofs.known(context.store, tree, context.plan.host)
    return "; its tools were built again from source here, bit for bit (toolchain-verify)" if proven else ""


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
        wanted = context.plan.profile.toolchain
        # The release's own tools carry the release's version in them, whatever the tree says.
        overlay = wanted == "overlay" and not own
        name = context.plan.series.name
        root = patched.tree if overlay else trees.named(context.store, patched.tree, name)
        toolchain = build.build(builder, root, wanted, own_tools=own)
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
    context: Context, builder: build.Builder, patched: PatchedTree, toolchain: Toolchain, reach: Reach
) -> Sides:
    """Test binaries of both sides for the packages that the series' tests and benchmarks are in. Where it
    names no benchmarks, those to choose from are in the changed packages."""
    series = context.plan.series
    packages = sorted({*testing.packages(context.plan, reach), *(series.benchmarks or reach.tested)})
    # A compiler that the series changed must compile the patched side; the release's gives the same
    # code otherwise, and its build cache is warm.
    own = toolchain.own_tools
    tools = toolchain.digest if own else builder.base.digest
    # In the toolchain's own tree: seen from another GOROOT, src/os is a package called std/os.
    tree = dataclasses.replace(patched.tree, root=toolchain.root) if own else patched.tree
    go = builder.go(tree.root, tools)
    with context.stage("test binaries"):
        new = testbin.compile_patched(builder, go, tree, tools, packages)
        old = testbin.compile_baseline(builder, patched.tree, patched.changed, packages)
        for one in old.dropped:
            context.ledger.append(OverlayDropped(file=one.file, reason=one.reason))
    return Sides(
        binaries={"base": old.binaries, "patched": new},
        go={"base": builder.go(old.tree.root, builder.base.digest), "patched": go},
        base=builder.base,
        patched=patched,
        tested=reach.tested,
        trees={"base": old.tree, "patched": tree},
        tools={"base": builder.base.digest, "patched": tools},
    )


def _ran(context: Context, cell: Cell) -> str:
    """What of the series came to a result on the cell, in words; '' for nothing."""
    found = [record for record in context.ledger.records if getattr(record, "cell", "") == cell.id]
    if any(isinstance(record, (PairMeasured, BenchmarkLost)) for record in found):
        return "ran natively on this host"
    if any(isinstance(r, GateResult) and r.gate == "test" and r.status != "skipped" for r in found):
        return "its tests ran natively on this host; no benchmark was measured"
    return ""


def conclude(context: Context, reach: Mapping[str, Reach]) -> None:
    """Say of every cell how far it was exercised."""
    for cell in context.plan.cells:
        found = reach[cell.id]
        ran = _ran(context, cell) if cell.native else ""
        if ran:
            level, reason = "measured", ran
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
