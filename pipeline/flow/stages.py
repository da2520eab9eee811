"""The stages of a run, top to bottom. Each takes frozen values, returns frozen values, and records what
it did; none reaches back."""

from __future__ import annotations

import dataclasses
import threading
from dataclasses import dataclass

from pipeline.bench import machine
from pipeline.errors import NothingToDoError, PatchError, UsageError
from pipeline.flow import (
    applying,
    baseline,
    compiling,
    concluding,
    identity,
    measuring,
    preparing,
    proofs,
    reaching,
    samebits,
    seeing,
    testing,
    tracing,
)
from pipeline.flow.context import Context
from pipeline.flow.preparing import Build
from pipeline.flow.reaching import Reached
from pipeline.flow.sides import Sides
from pipeline.records import (
    LintFinding,
    SourceFetched,
    ToolchainReady,
)
from pipeline.report import html
from pipeline.stats import paired
from pipeline.toolchain import build, trees
from pipeline.toolchain.build import Builder
from pipeline.toolchain.trees import PatchedTree
from pipeline.values import GoTree, Toolchain


@dataclass(frozen=True, kw_only=True)
class Gated:
    """What the stages before the first cell made: the series compiles wherever it was asked to."""

    build: Build
    reached: Reached


def execute(context: Context) -> None:
    """Run every stage. Raises what ends the run early; what it learned until then is in the ledger."""
    gated = through_gates(context)
    threading.Thread(target=_load, daemon=True).start()
    for cell in (one for one in context.plan.cells if one.native):
        reach = gated.reached.of(cell)
        if reach.files:
            run_cell(context, preparing.prepare(context, gated.build, cell, reach))
    concluding.conclude(context, gated.reached)


def _load() -> None:
    """What is needed later, while test binaries compile: there it costs nothing, and between two rounds it
    would be in their way."""
    paired.load()
    html.template()


def through_gates(context: Context) -> Gated:
    """Fetch, apply, compile everywhere, and build the patched toolchain."""
    builder = fetch(context)
    patched = apply(context, builder.base)
    reached = reaching.find(context, builder, patched)
    compiling.run(context, builder, reached)
    if surprising := samebits.prove(context, builder, patched, reached):
        reached = samebits.with_surprises(reached, surprising, samebits.packages(context, patched))
        compiling.run(context, builder, reached, only={cell.platform for cell in surprising})
    toolchain = build_toolchain(context, builder, patched)
    return Gated(build=Build(builder=builder, patched=patched, toolchain=toolchain), reached=reached)


def run_cell(context: Context, sides: Sides, *, again: bool = False) -> None:
    """Test and measure what was built for a cell; ``again`` is as in ``identity.check``."""
    identity.check(context, sides, again=again)
    watch = machine.Watch()
    seeing.record(context, sides)
    testing.run(context, sides)
    measuring.run(context, sides, watch)
    tracing.run(context, sides)


def fetch(context: Context) -> Builder:
    """The baseline's tree as what everything is built from, and the toolchain record of it as it is."""
    with context.stage("fetch"):
        tree = baseline.fetch(context.place, context.plan.base, context.plan.sources)
        earlier = [record for record in context.ledger.records if isinstance(record, SourceFetched)]
        if earlier and earlier[-1].digest != tree.digest:
            raise UsageError(
                f"the baseline {context.plan.base} changed since the run was started",
                meaning="what was measured before belongs to another tree",
                hint="start a new run without --resume",
            )
        builder = context.place.builder(tree)
        context.ledger.append(baseline.record(tree))
        context.ledger.append(
            ToolchainReady(
                role="base",
                version=tree.version,
                digest=builder.tools,
                proof=f"{tree.proof}{_rebuilt(context, tree)}",
                path=str(tree.root),
                recipe="release",
            )
        )
    return builder


def _rebuilt(context: Context, tree: GoTree) -> str:
    proven = proofs.known(context.store, tree, context.plan.host)
    return "; its tools were built again from source here, bit for bit (toolchain-verify)" if proven else ""


def apply(context: Context, source: GoTree) -> PatchedTree:
    """The patched tree. PatchError when the series does not apply, NothingToDoError when all of it is there
    already."""
    with context.stage("apply"):
        plan = context.plan
        outcome = trees.applied(context.store, context.shell, source, plan.series, plan.allowed)
        for one in outcome.applied:  # also when one fails: the report shows where
            context.ledger.append(applying.record(one))
            for advice in (found for found in one.patch.findings if found.severity == "advice"):
                context.ledger.append(LintFinding(**dataclasses.asdict(advice)))
        patched = trees.written(context.store, source, plan.series, outcome)
        if all(one.skipped for one in outcome.applied):
            raise NothingToDoError(
                f"the series changes nothing: {source.version} holds every patch of it already",
                meaning="--allow already-applied left them all out",
                hint="choose an older --base, or close the series",
            )
        if not patched.changed:
            raise PatchError("the series changes nothing: every file equals the baseline's")
    return patched


def build_toolchain(context: Context, builder: Builder, patched: PatchedTree) -> Toolchain:
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
        # The proofs are of stages; an overlay has the release's own tools.
        proven = "" if toolchain.recipe == "overlay" else _proven(builder, patched.tree, root)
        context.ledger.append(
            ToolchainReady(
                role="patched",
                version=toolchain.version,
                digest=toolchain.digest,
                proof=toolchain.proof + proven,
                path=str(toolchain.root),
                recipe=toolchain.recipe,
            )
        )
    return toolchain


def _proven(builder: Builder, tree: GoTree, named: GoTree) -> str:
    words = {
        "built a second time from an empty cache, bit for bit": (named, proofs.AGAIN),
        "without its own version text, one stage gives every file of make.bash -distpack": (
            tree,
            proofs.FULL,
        ),
    }
    found = [said for said, (one, against) in words.items() if proofs.known_of(builder, one, against)]
    return "".join(f"; {said} (toolchain-verify)" for said in found)
