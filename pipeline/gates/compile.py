"""The compile gate: every prefix of the series on every platform that it reaches.

Four signals, the cheapest first: types, build, vet, tests (their binaries). A signal that fails ends the
gate. A complaint is charged only for what the baseline does not say as well.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from pipeline.errors import HostError
from pipeline.gates import checks
from pipeline.gates.checks import Outcome, Place, Task
from pipeline.patch.reach import Reach, changed_packages, unlisted
from pipeline.records import GateResult, GateStatus, Signal
from pipeline.values import Depth, GoTree, Platform, Scope

SIGNALS: tuple[Signal, ...] = ("types", "build", "vet", "tests")


@dataclass(frozen=True, kw_only=True)
class Prefix:
    """Patches 1 to ``number`` of the series: the tree that they make, what differs from the baseline, and
    what that reaches. ``patch`` is the last of them."""

    number: int
    patch: str
    tree: GoTree
    changed: tuple[str, ...]
    reach: Mapping[Platform, Reach]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to check: the prefixes in order, how deep, ``packages`` that the series names besides those it
    changes, ``importing`` by platform that import what it changes there and whose types are checked with it,
    the plan's cells by platform, and the host."""

    base: GoTree
    prefixes: Sequence[Prefix]
    depth: Depth
    packages: tuple[str, ...]
    cells: Mapping[Platform, str]
    host: Platform
    importing: Mapping[Platform, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Due:
    prefix: Prefix
    task: Task


def check(place: Place, wanted: Wanted, each: Callable[[GateResult, int, int], None]) -> list[GateResult]:
    """Run the gate. ``each`` gets every result with its place among those of its signal."""
    results: list[GateResult] = []
    for signal in SIGNALS:
        due = _due(wanted, signal)
        # Types cost so little that a whole series is checked before anything is compiled.
        batches = [due] if signal == "types" else _by_prefix(due)
        found: list[GateResult] = []
        for batch in batches:
            failing = {one.platform for one in found if one.status == "fail"}
            # Once a prefix fails, the later ones only have to say whether they mend it.
            left = [one for one in batch if not failing or str(one.task.platform) in failing]
            for result in _judged(place, wanted, left):
                found.append(result)
                each(result, len(found), len(due))
        results += found
        if any(one.status == "fail" for one in found):
            break
    return results


def _by_prefix(due: Sequence[_Due]) -> list[list[_Due]]:
    numbers = sorted({one.prefix.number for one in due})
    return [[one for one in due if one.prefix.number == number] for number in numbers]


def scope(depth: Depth, signal: Signal) -> Scope:
    """Where a signal is asked for. Vet goes with the test binaries: it needs what they need."""
    return {"types": depth.types, "build": depth.build, "vet": depth.tests, "tests": depth.tests}[signal]


def _included(wanted: Wanted, signal: Signal, platform: Platform) -> bool:
    places = {
        "none": False,
        "host": platform == wanted.host,
        "cells": platform in wanted.cells,
        "all": True,
    }
    return places[scope(wanted.depth, signal)]


def _due(wanted: Wanted, signal: Signal) -> list[_Due]:
    """The tasks of a signal. A prefix whose files on a platform equal those of an earlier one has none."""
    seen: set[tuple[object, ...]] = set()
    due = []
    for prefix in wanted.prefixes:
        for platform, reach in prefix.reach.items():
            task = _task(wanted, signal, prefix, platform)
            if task is None:
                continue
            files = tuple(_files(prefix, reach, signal).items())
            if (same := (platform, task.packages, files)) not in seen:
                seen.add(same)
                due.append(_Due(prefix=prefix, task=task))
    return due


def _task(wanted: Wanted, signal: Signal, prefix: Prefix, platform: Platform) -> Task | None:
    reach = prefix.reach[platform]
    packages = set(reach.packages if signal == "build" else reach.changed)
    # Types say nothing of assembly: where some changes, only a build does, however deep the profile looks.
    unseen = signal == "build" and any(name.endswith((".s", ".S", ".h")) for name in reach.files)
    if not packages or not (unseen or _included(wanted, signal, platform)):
        return None
    files = _files(prefix, reach, signal)
    last = wanted.prefixes[-1]
    # What only uses the change is built where a profile looks closer: elsewhere it would double the time.
    near = wanted.cells if wanted.depth.build == "all" else (wanted.host,)
    whole = files == _files(last, last.reach[platform], signal)
    if signal == "build" and whole and platform in near:
        packages |= set(wanted.packages)
    if signal == "types" and reach.packages:
        packages |= set(wanted.importing.get(platform, ()))
    return Task(
        signal=signal,
        platform=platform,
        tree=prefix.tree,
        packages=tuple(sorted(packages)),
        files=_hashes(prefix, {*files, *_beside(prefix, reach)}),
    )


def _files(prefix: Prefix, reach: Reach, signal: Signal) -> dict[str, str]:
    """The changed files by which two prefixes may differ on a platform, with their hashes: what is listed
    there, and what may matter though no package lists it, such as go.mod or a file that another includes."""
    names = {*reach.files, *unlisted(prefix.reach.values(), prefix.changed)}
    if signal == "vet":  # it also reads the build lines of files that are for other platforms
        names |= _beside(prefix, reach)
    return _hashes(prefix, names)


def _beside(prefix: Prefix, reach: Reach) -> set[str]:
    """Every changed file in the folders of the changed packages. What is remembered outlives this run, so its
    key must not rest on the listing alone."""
    changed = set(reach.changed)
    return {
        name
        for name in prefix.changed
        if "testdata" not in PurePosixPath(name).parts and changed & set(changed_packages([name]))
    }


def _hashes(prefix: Prefix, names: Collection[str]) -> dict[str, str]:
    return {name: prefix.tree.manifest.get(name, "removed") for name in sorted(names)}


def _judged(place: Place, wanted: Wanted, due: Sequence[_Due]) -> list[GateResult]:
    """Results of tasks of one signal. The baseline is only asked where the patched side complains."""
    after = checks.run(place, [one.task for one in due], "patched", lambda _: None)
    doubtful = [one.task for one, outcome in zip(due, after, strict=True) if not outcome.ok]
    folders = {name.rpartition("/")[0] for name in wanted.base.manifest} if doubtful else set()
    # Several prefixes may complain about the same packages of a platform.
    asked = {one.identity: one for one in (_on_base(wanted.base, folders, task) for task in doubtful)}
    able = [one for one in asked.values() if one.packages]
    answers = checks.run(place, able, "base", lambda _: None)
    before = {one.identity: answer for one, answer in zip(able, answers, strict=True)}

    def of(task: Task, outcome: Outcome) -> Outcome | None:
        return None if outcome.ok else before.get(_on_base(wanted.base, folders, task).identity)

    after = [
        _settled(place, one.task, outcome, of(one.task, outcome))
        for one, outcome in zip(due, after, strict=True)
    ]
    return [
        _result(wanted, one, outcome, of(one.task, outcome)) for one, outcome in zip(due, after, strict=True)
    ]


def _settled(place: Place, task: Task, after: Outcome, before: Outcome | None) -> Outcome:
    """The patched side's outcome, of which it is certain whose it is. A failure without a word about code is
    the patch's when the baseline passes in between and it comes again; HostError when the baseline fails
    beside it, or fails in that way itself: both are this machine's as likely."""
    if (before is not None and before.unclear) or (after.unclear and before is not None and not before.ok):
        said = before if before.unclear else after
        raise HostError(
            f"checking {task.platform} ({task.signal}) failed without a word about code:\n{said.output}",
            meaning="the baseline fails as well: the release or this machine is at fault, and of the patch "
            "nothing is known; nothing of it is kept",
            hint=f"mend what it names and run it again; the log is {said.log}",
        )
    return checks.run(place, [task], "again", lambda _: None)[0] if after.unclear else after


def _on_base(base: GoTree, folders: Collection[str], task: Task) -> Task:
    """The same for the baseline, without packages that only the series has."""
    packages = tuple(name for name in task.packages if f"src/{name}" in folders)
    return Task(signal=task.signal, platform=task.platform, tree=base, packages=packages, files={})


def _result(wanted: Wanted, due: _Due, after: Outcome, before: Outcome | None) -> GateResult:
    status: GateStatus = "pass"
    detail = ""
    if not after.ok:
        new = checks.new_findings(after, before) if before is not None else list(after.findings)
        charged = bool(new) or before is None or before.ok
        status = "fail" if charged else "baseline-fails"
        detail = "\n".join(map(str, new)) if new else after.output
    seconds = after.seconds + (before.seconds if before is not None else 0.0)
    return GateResult(
        gate="compile",
        cell=wanted.cells.get(due.task.platform, ""),
        subject=", ".join(due.task.packages),
        status=status,
        transition="the baseline says the same" if status == "baseline-fails" else "",
        seconds=0.0 if after.reused else seconds,
        detail=detail,
        log=after.log,
        signal=due.task.signal,
        platform=str(due.task.platform),
        patch=due.prefix.patch,
        number=due.prefix.number,
        reused=after.reused,
    )
