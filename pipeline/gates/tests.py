"""The test gate: the same tests on both sides, charged only where the patch is at fault."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from pipeline import config
from pipeline.cells.base import Shell
from pipeline.errors import HostError, UsageError
from pipeline.gates import events, execute, results, stored
from pipeline.gates.execute import Outcomes, Program
from pipeline.gates.repeat import Kind, repeat
from pipeline.gates.results import Compared, Own
from pipeline.golang import Go
from pipeline.patch import touched
from pipeline.records import GateResult, Side
from pipeline.store import Store
from pipeline.values import Cell, TestBinary

LIST_TIMEOUT = 60.0


@dataclass(frozen=True, kw_only=True)
class Job:
    """Tests of one package, or of a variant of it, on both sides. ``on_base`` is what the baseline has of
    them; ``own`` are those that the series adds or alters; ``tree`` is the digest of the baseline's tree;
    ``limit`` is seconds of one process, ``budget`` those of one side."""

    cell: Cell
    label: str
    programs: Mapping[Side, Program]
    tree: str
    names: Sequence[str]
    on_base: Collection[str]
    own: Mapping[str, Own]
    limit: int
    budget: float


def list_functions(
    shell: Shell, binary: TestBinary, go: Go, environment: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """The tests and benchmarks that a binary holds, in its order."""
    variant = f"-{binary.variant}" if binary.variant else ""
    result = shell.run(
        f"list-{binary.side}-{binary.package.replace('/', '_')}{variant}",
        [binary.path, "-test.list=.*"],
        env=go.env(extra={"GOROOT": str(binary.goroot), **(environment or {})}),
        cwd=binary.cwd,
        timeout=LIST_TIMEOUT,
    )
    if not result.ok:
        raise HostError(
            f"the {binary.side} test binary of {binary.package} cannot list its tests:\n"
            f"{events.visible(result.tail)}",
            hint=f"the log is {result.log}",
        )
    return tuple(result.stdout.split())


def list_tests(program: Program) -> tuple[str, ...]:
    """What ``-test.run`` can run of a program."""
    found = list_functions(program.shell, program.binary, program.go, program.environment)
    return tuple(name for name in found if touched.is_test(name))


def require(package: str, wanted: Sequence[str], present: Collection[str], key: str) -> None:
    """UsageError when series.yml names a function that the patched package does not have."""
    for name in wanted:
        if name not in present:
            raise UsageError(
                f"series.yml: {key}.{package}: {name} does not exist in the patched tree on this host",
                meaning=config.suggest(name, sorted(present)),
            )


def check(job: Job, store: Store, each: Callable[[GateResult], None]) -> str:
    """Run the job and report one result a test, and one for each subtest whose change its test's own does
    not show. Returns the day of the baseline's results where they came from the store, else ''."""
    shared = [name for name in job.names if name in job.on_base]
    base = stored.outcomes(store, job.tree, job.programs["base"], shared, limit=job.limit, budget=job.budget)
    new, _ = execute.run(job.programs["patched"], job.names, limit=job.limit, budget=job.budget)
    old, live = _confirmed(job, base.outcomes, new)
    kinds = _kinds(job, old, new)
    passing = {
        name: one.seconds for found in (new, old) for name, one in found.items() if one.outcome == "pass"
    }
    compared = Compared(
        old=old,
        new=new,
        kinds=kinds,
        counts=repeat(job.programs, kinds, passing=passing, limit=job.limit),
        stored=base.stored,
        live=live | {events.top(name) for name in kinds},
        complete=base.complete,
        subtests=_subtests(old.keys() | new.keys()),
    )
    place = results.Place(
        cell=job.cell.id,
        package=job.label,
        log=f"test-{job.programs['patched'].name}.log",
        on_base=job.on_base,
        own=job.own,
    )
    for name in job.names:
        for result in results.of_test(place, compared, name):
            each(result)
    return base.stored


def _confirmed(job: Job, old: Outcomes, new: Outcomes) -> tuple[Outcomes, set[str]]:
    """The baseline's outcomes, where a failure that would excuse the patch was asked for again, and the
    tests for which it was. One that does not come again excuses nothing."""
    both = [name for name in job.names if _failed(old, name) and _failed(new, name)]
    if not both:
        return old, set()
    again, _ = execute.run(
        job.programs["base"], both, limit=job.limit, budget=float(job.limit), tag="-confirm"
    )
    sound = {
        name: one
        for name, one in again.items()
        # Of a test that fails again, a subtest that failed once has failed.
        if not (_failed(old, name) and "/" in name and _failed(again, events.top(name)))
    }
    # What could not be asked again excuses nothing either: it is repeated like what never failed there.
    kept = {name: one for name, one in old.items() if name in again or name not in both}
    return {**kept, **sound}, set(both)


def _subtests(names: Collection[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        if "/" in name:
            found.setdefault(events.top(name), []).append(name)
    return found


def _failed(found: Outcomes, name: str) -> bool:
    return name in found and found[name].outcome == "fail"


def _kinds(job: Job, old: Outcomes, new: Outcomes) -> dict[str, Kind]:
    """What has to be repeated, and why."""
    kinds: dict[str, Kind] = {}
    for name in job.names:
        if _failed(new, name):
            if name not in job.on_base:
                kinds[name] = "new"
            elif not _failed(old, name):
                kinds[name] = "broken"
        elif _failed(old, name) and name in new and new[name].outcome == "pass":
            kinds[name] = "mended"
    for name in new:
        # A test that fails on both sides may hide a subtest that fails on one.
        test = events.top(name)
        hidden = name != test and _failed(old, test) and _failed(new, test)
        if hidden and _failed(new, name) and name in old and not _failed(old, name):
            kinds[name] = "broken"
    return kinds
