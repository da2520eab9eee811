"""A map: one series on many releases, one after the other, each as far as it comes."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.version import Version

from pipeline.console import Progress
from pipeline.errors import HostError, PatchError, UsageError
from pipeline.flow import applying, baseline, compiling, reaching
from pipeline.flow.context import Context
from pipeline.flow.workspace import Workspace
from pipeline.patch import lint, ranges
from pipeline.plan import plan as plan_room
from pipeline.plan.plan import Ground, Plan, Request
from pipeline.records import BaseTried, Record, Signal
from pipeline.report import mapping
from pipeline.report.mapping import MapReport
from pipeline.source import base as source_room
from pipeline.suites import typecheck
from pipeline.toolchain import bootstrap, trees
from pipeline.values import Depth, GoTree, Provenance, Series, Threshold

Compile = Literal["none", "types", "build"]
_DEPTHS: dict[Compile, Depth] = {
    "none": Depth(types="none", build="none"),
    "types": Depth(types="all", build="none"),
    "build": Depth(types="all", build="all"),
}


@dataclass(frozen=True, kw_only=True)
class _End:
    """Where trying a base ended, and by whose fault; see BaseTried."""

    version: str
    asked: tuple[Signal, ...]
    ended: Literal["fetch", "apply", "compile", ""] = ""
    blame: Literal["patch", "host", ""] = ""
    reason: str = ""
    notes: tuple[str, ...] = ()


def plans(request: Request, bases: Sequence[str], depth: Compile) -> list[Plan]:
    """A plan for each base, before anything is fetched: a series folder may have another variant for each,
    what comes in another form is read once. UsageError and PatchError as of ``plan.make``, except that a
    release which the series is not for is no mistake."""
    allowed = plan_room.allowed_rungs(request.allowed)
    found: list[Plan] = []
    read: tuple[Series, Provenance] | None = None
    for base in bases:
        asked = dataclasses.replace(request, base=base)
        ground = plan_room.ground(asked)
        if read is None or read[1].form == "folder":
            read = plan_room.read(asked, ground)
            lint.refuse(lint.of(read[0].patches))
        found.append(_plan(ground, read, depth, allowed))
    return found


def _plan(ground: Ground, read: tuple[Series, Provenance], depth: Compile, allowed: tuple[str, ...]) -> Plan:
    return Plan(
        series=read[0],
        origin=read[1],
        base=ground.base,
        profile=dataclasses.replace(ground.profile, name=f"map-{depth}", compile=_DEPTHS[depth]),
        threshold=Threshold(effect=ground.limits.effect, margin=ground.limits.margin),
        units={},
        cells=(),  # every platform of each release is looked at alike
        host=ground.host,
        sources=ground.sources,
        allowed=allowed,
    )


def execute(
    work: Workspace, planned: Sequence[Plan], *, build_tools: bool, each: Callable[[], object]
) -> None:
    """Try every base and record it; ``each`` is called after each. What ends one does not end the others,
    but for an interrupt and a bug."""
    for number, plan in enumerate(planned, 1):
        # Each base has its own logs: they have the same names for all.
        logs = work.place.shell.logs / _folder_name(number, plan.base)
        context = dataclasses.replace(
            work.context(plan),
            shell=dataclasses.replace(work.place.shell, logs=logs),
            progress=_Inside(work.place.progress),
        )
        with work.place.progress.stage(f"Go {plan.base} ({number} of {len(planned)})"):
            started = time.monotonic()
            end = _try(context, build_tools=build_tools)
            work.ledger.append(_record(plan, end, time.monotonic() - started))
        each()


def _folder_name(number: int, base: str) -> str:
    return f"{number:02d}-" + re.sub(r"[^A-Za-z0-9.+-]+", "-", base)[-40:]


def _try(context: Context, *, build_tools: bool) -> _End:
    plan = context.plan
    end = _End(version=plan_room.version_of(plan.base), asked=_signals(plan), ended="fetch")
    try:
        tree = _fetch(context, build_tools=build_tools)
        end = dataclasses.replace(end, version=tree.version, ended="apply")
        outcome = trees.applied(context.store, context.shell, tree, plan.series, plan.allowed)
        for one in outcome.applied:
            context.ledger.append(applying.record(one))
        outcome.require()
        end = dataclasses.replace(end, ended="compile")
        if end.asked:
            end = _able(end, tree)
            return _compile(context, tree, trees.written(context.store, tree, plan.series, outcome), end)
    except PatchError as error:
        return dataclasses.replace(end, blame="patch", reason=str(error))
    except (HostError, UsageError) as error:
        return dataclasses.replace(end, blame="host", reason=str(error))
    return dataclasses.replace(end, ended="")


def _signals(plan: Plan) -> tuple[Signal, ...]:
    depth = plan.profile.compile
    wanted: dict[Signal, str] = {"types": depth.types, "build": depth.build}
    return tuple(signal for signal, scope in wanted.items() if scope != "none")


def _fetch(context: Context, *, build_tools: bool) -> GoTree:
    plan = context.plan
    if build_tools:
        tree = baseline.fetch(context.place, plan.base, plan.sources)
    else:
        context.progress.step("fetch")
        source = source_room.choose(plan.base, plan.sources, context.progress.note)
        tree, _ = source.fetch(context.store, context.shell)
    context.ledger.append(baseline.record(tree))
    return tree


def _able(end: _End, tree: GoTree) -> _End:
    """``end`` with the signals that this tree can give; HostError when that leaves none."""
    if not tree.built:
        raise HostError(
            "no tools: not built", hint="--build-tools has make.bash build them, once; it takes ten minutes"
        )
    number = bootstrap.number(tree.version)
    if number is None or number >= Version(typecheck.OLDEST) or "types" not in end.asked:
        return end
    asked = tuple(signal for signal in end.asked if signal != "types")
    too_old = f"types not checked: the checker needs Go {typecheck.OLDEST} or later, this is {tree.version}"
    if not asked:
        raise HostError(too_old, hint="--compile build has the release itself build it")
    return dataclasses.replace(end, asked=asked, notes=(*end.notes, too_old))


def _compile(context: Context, tree: GoTree, patched: trees.PatchedTree, end: _End) -> _End:
    done = dataclasses.replace(end, ended="")
    if not patched.changed:
        note = "nothing to compile: the tree holds the whole series already"
        return dataclasses.replace(done, notes=(*end.notes, note))
    depth = Depth(
        types="all" if "types" in end.asked else "none", build="all" if "build" in end.asked else "none"
    )
    profile = dataclasses.replace(context.plan.profile, compile=depth)
    here = dataclasses.replace(context, plan=dataclasses.replace(context.plan, profile=profile))
    builder = here.place.builder(tree)
    compiling.run(here, builder, reaching.find(here, builder, patched))
    return done


def _record(plan: Plan, end: _End, seconds: float) -> BaseTried:
    series = plan.series
    return BaseTried(
        base=plan.base,
        version=end.version,
        within=within(series, end.version),
        range=" or ".join(series.ranges or (series.base,)),
        variant=series.variant,
        patches=[patch.name for patch in series.patches],
        asked=list(end.asked),
        ended=end.ended,
        blame=end.blame,
        reason=end.reason,
        # The notes of other forms are about the series, whatever the base.
        notes=[*(plan.origin.notes if plan.origin.form == "folder" else ()), *end.notes],
        seconds=round(seconds, 3),
    )


def within(series: Series, version: str) -> bool:
    """Whether the series, by one of its ranges, is for the release; True for a tree that has no number, and
    for a series without a range."""
    texts = series.ranges or (series.base,)
    return not ranges.number(version) or any(ranges.admits(text, version) for text in texts)


def write(folder: Path, records: Sequence[Record]) -> MapReport:
    """Write map.json and map.md of what is known so far, and return the report."""
    report = mapping.build(records)
    data = json.dumps(mapping.as_json(report), indent=2, ensure_ascii=False) + "\n"
    for name, content in (("map.json", data), ("map.md", mapping.markdown(report))):
        scratch = folder / f".{name}.tmp"
        scratch.write_text(content, encoding="utf-8")
        scratch.replace(folder / name)
    return report


class _Inside:
    """The progress of one base: the stages of trying it are steps of its own stage."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    @contextlib.contextmanager
    def stage(self, name: str, estimate: float = 0.0) -> Iterator[None]:
        """See ``Progress.stage``."""
        self._progress.step(name)
        yield

    def step(self, text: str, done: int = 0, total: int = 0) -> None:
        """See ``Progress.step``."""
        self._progress.step(text, done, total)

    def note(self, text: str) -> None:
        """See ``Progress.note``."""
        self._progress.note(text)
