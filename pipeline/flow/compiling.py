"""The compile gate as a stage: which prefix is the first bad one, and on which platforms."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Sequence

from pipeline.errors import PatchError
from pipeline.flow.context import Context
from pipeline.flow.reaching import Reached
from pipeline.gates import compile as compile_gate
from pipeline.gates.checks import Place
from pipeline.gates.compile import Prefix, Wanted
from pipeline.records import GateResult
from pipeline.toolchain.build import Builder
from pipeline.values import Platform

_SHOWN = 12
_PLACES = 6
_WORDS = {
    "types": "does not compile",
    "build": "does not compile",
    "vet": "is not accepted by go vet",
    "tests": "has tests that do not compile or link",
}
_STEPS = {"types": "types", "build": "build", "vet": "vet", "tests": "test binaries"}


def run(
    context: Context, builder: Builder, reached: Reached, only: Collection[Platform] | None = None
) -> list[GateResult]:
    """The compile gate, on all platforms or ``only`` some; PatchError names the first bad patch."""
    plan = context.plan
    wanted = Wanted(
        base=builder.base,
        prefixes=[_narrowed(prefix, only) for prefix in reached.prefixes],
        depth=plan.profile.compile,
        packages=plan.series.packages,
        importing=reached.importing,
        # Of several cells of a platform the first stands for it: they differ in what they run under.
        cells={cell.platform: cell.id for cell in reversed(plan.cells)},
        host=plan.host,
    )
    place = Place(
        store=context.store,
        shell=context.shell,
        release=builder.base.digest,
        go=lambda root: builder.go(root, builder.base.digest),
        home=builder.base.root,
        tags=reached.release.tags,
        jobs=context.jobs,
    )

    def each(result: GateResult, done: int, total: int) -> None:
        context.ledger.append(result)
        context.progress.step(
            f"{_STEPS[result.signal or 'types']}: {result.platform}, patch {result.number}: {result.status}",
            done,
            total,
        )

    with context.stage("compile"):
        results = compile_gate.check(place, wanted, each)
        if any(one.status == "fail" for one in results):
            raise failure(results, len(reached.prefixes), str(context.shell.logs))
    return results


def _narrowed(prefix: Prefix, only: Collection[Platform] | None) -> Prefix:
    if only is None:
        return prefix
    return dataclasses.replace(prefix, reach={p: one for p, one in prefix.reach.items() if p in only})


def failure(results: Sequence[GateResult], patches: int, logs: str) -> PatchError:
    """What the first bad patch does where, and whether a later one mends it."""
    failed = [one for one in results if one.status == "fail"]
    first = min(one.number for one in failed)
    bad = [one for one in failed if one.number == first]
    head = (
        f"patch {first} of {patches} ({bad[0].patch}) {_WORDS[bad[0].signal or 'types']} on "
        f"{_places(one.platform for one in bad)}"
    )
    shown = [f"{one.platform}:\n{_indent(one.detail)}" for one in _grouped(bad)]
    later = sorted({(one.number, one.patch) for one in failed if one.number > first})
    notes = [_mended(results, bad, first)] if first < patches else []
    known = {one.platform for one in bad}
    notes += [
        f"patch {number} ({patch}) fails on {_places(places)}"
        for number, patch in later
        if (places := [one.platform for one in failed if one.number == number and one.platform not in known])
    ]
    return PatchError(
        "\n".join([head, *shown]),
        meaning="; ".join(note for note in notes if note),
        hint=f"logs: {logs}",
    )


def _places(platforms: Iterable[str]) -> str:
    names = list(platforms)
    more = f" and {len(names) - _PLACES} more" if len(names) > _PLACES else ""
    return ", ".join(names[:_PLACES]) + more


def _grouped(bad: Sequence[GateResult]) -> list[GateResult]:
    """One for each distinct output: 30 platforms often say the same."""
    groups: dict[str, list[GateResult]] = {}
    for one in bad:
        groups.setdefault(one.detail, []).append(one)
    return [
        group[0].model_copy(update={"platform": _places(one.platform for one in group)})
        for group in groups.values()
    ]


def _mended(results: Sequence[GateResult], bad: Sequence[GateResult], first: int) -> str:
    """Which later patch mends what ``bad`` names; '' where none does."""
    mended = {}
    for one in bad:
        later = [
            r for r in results if r.platform == one.platform and r.signal == one.signal and r.number > first
        ]
        good = next((r for r in later if r.status == "pass"), None)
        if good is not None:
            mended[one.platform] = good
    if not mended:
        return ""
    one = next(iter(mended.values()))
    return (
        f"patch {one.number} ({one.patch}) mends it on {_places(mended)}, but git bisect may stop at any "
        "patch of a series: each must compile"
    )


def _indent(text: str) -> str:
    lines = text.splitlines()
    more = [f"    … and {len(lines) - _SHOWN} more lines"] if len(lines) > _SHOWN else []
    return "\n".join([*(f"    {line}" for line in lines[:_SHOWN]), *more])
