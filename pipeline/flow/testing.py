"""The test stage: which tests of which packages run, in which builds, and what they come to."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.errors import PatchError
from pipeline.flow.context import Context
from pipeline.flow.measuring import Sides
from pipeline.gates import events, variants
from pipeline.gates import tests as test_gate
from pipeline.gates.execute import Program
from pipeline.gates.results import Own
from pipeline.patch import touched
from pipeline.patch.reach import Reach
from pipeline.plan.plan import Plan
from pipeline.records import GateResult, Side, TestsChosen
from pipeline.toolchain import testbin
from pipeline.toolchain.build import Builder
from pipeline.values import SIDES, Cell, TestBinary, Variant

# Times the limit of one process, for one side of a package: a test that hangs leaves time for the rest.
BUDGET = 2
# Failures told in full in the error; the report has all.
SHOWN = 20
LISTED = "the tests that the series lists"
OWN = "the tests that the series adds or alters"
WHOLE = "the whole package"
SHORT = "the whole package, -short"


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Tests of one package in one build. ``names`` None is all that it has; ``budget`` is seconds a side."""

    package: str
    scope: str
    names: tuple[str, ...] | None
    short: bool
    budget: float
    variant: Variant = testbin.PLAIN

    @property
    def label(self) -> str:
        """The package, with the build where it is not the plain one."""
        return self.package + (f" ({self.variant.name})" if self.variant.name else "")


def packages(plan: Plan, reach: Reach) -> set[str]:
    """The packages that are tested: the series' own, and the changed ones where it names none or whole
    packages are wanted."""
    listed = plan.series.tests and plan.profile.tests == "listed"
    return {*plan.series.tests, *(() if listed else reach.tested)}


def batches(plan: Plan, reach: Reach, own: Mapping[str, Mapping[str, Own]]) -> Iterator[Batch]:
    """What is tested in the plain build. ``own`` has what the series adds or alters, by package."""
    limit = plan.profile.test_timeout
    for package in sorted(packages(plan, reach)):
        if plan.profile.tests == "packages":
            yield Batch(
                package=package,
                scope=WHOLE,
                names=None,
                short=False,
                budget=BUDGET * limit,
                variant=variants.WHOLE,
            )
        elif plan.series.tests or own.get(package):
            named = plan.series.tests.get(package)
            yield Batch(
                package=package,
                scope=LISTED if named is not None else OWN,
                names=tuple(own[package]) if named is None else named,
                short=False,
                budget=BUDGET * limit,
            )
        else:
            # Nobody asked for these by name: they get the time of one process.
            yield Batch(package=package, scope=SHORT, names=None, short=True, budget=limit)


def run(context: Context, builder: Builder, cell: Cell, sides: Sides, reach: Reach) -> None:
    """The test gate; PatchError names the tests that fail by the patch."""
    if context.finished("test"):
        return
    with context.stage("test"):
        own = _own(sides)
        plain = list(batches(context.plan, reach, own))
        _require(context, sides)
        gate = _Gate(
            context=context,
            builder=builder,
            cell=cell,
            sides=sides,
            own=own,
            asked=packages(context.plan, reach),
            failed=[],
        )
        wanted = [*plain, *gate.others(plain, reach)]
        for number, batch in enumerate(wanted, 1):
            context.progress.step(f"{batch.label}: {batch.scope}", number, len(wanted))
            gate.run(batch)
        if gate.failed:
            raise PatchError(_failure(gate.failed), hint=f"log: {context.shell.logs / gate.failed[0].log}")


def _require(context: Context, sides: Sides) -> None:
    for package, names in context.plan.series.tests.items():
        binary = sides.binaries["patched"].get(package)
        if binary is None:  # its tests are for other platforms
            continue
        present = test_gate.list_functions(context.shell, binary, sides.go["patched"])
        test_gate.require(package, names, present, "tests")


def _own(sides: Sides) -> dict[str, dict[str, Own]]:
    """The tests that the series adds or alters, by package."""
    found = touched.tests_of_series(sides.base.root, sides.patched.tree.root, sides.patched.changed)
    own: dict[str, dict[str, Own]] = {}
    for package, one in found.items():
        names: dict[str, Own] = dict.fromkeys(one.added, "added")
        names |= dict.fromkeys(one.altered, "altered")
        if names:
            own[package] = names
    return own


def _failure(failed: Sequence[GateResult]) -> str:
    names = ", ".join(one.subject for one in failed[:SHOWN])
    more = f" and {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
    shown = "\n".join(
        f"{one.subject} ({one.transition}: {one.note})\n{_indent(one.detail)}" for one in failed[:SHOWN]
    )
    count = f"{len(failed)} test{'s' if len(failed) > 1 else ''}"
    return f"the patch fails {count} on {failed[0].cell}: {names}{more}\n{shown}"


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines()[-12:])


@dataclass(frozen=True, kw_only=True)
class _Gate:
    """What the batches of a cell share. ``asked`` are the packages whose plain binaries were asked for;
    ``failed`` gathers what is charged."""

    context: Context
    builder: Builder
    cell: Cell
    sides: Sides
    own: Mapping[str, Mapping[str, Own]]
    asked: Collection[str]
    failed: list[GateResult]

    def each(self, result: GateResult) -> None:
        self.context.ledger.append(result)
        if result.status == "fail":
            self.failed.append(result)

    def others(self, plain: Sequence[Batch], reach: Reach) -> Iterator[Batch]:
        """The batches of the profile's other builds; whole packages with -short, as upstream tests them."""
        wanted = self.context.plan.profile.variants
        if "race" in wanted:
            found = variants.race(self.context.shell, self.sides.base, self.context.plan.host)
            if isinstance(found, str):
                self.chosen("the same tests with -race", "race", skipped=found)
            else:
                yield from (_in_build(batch, found) for batch in plain)
        if "staticlockranking" in wanted and variants.ranks_locks(reach.packages):
            own = [batch for batch in plain if batch.package == "runtime"]
            if self.context.plan.profile.tests == "packages":
                limit = self.context.plan.profile.test_timeout
                own = [Batch(package="runtime", scope=WHOLE, names=None, short=False, budget=BUDGET * limit)]
            yield from (_in_build(batch, variants.LOCK_RANKING) for batch in own)

    def chosen(self, scope: str, label: str, *, count: int = 0, stored: str = "", skipped: str = "") -> None:
        self.context.ledger.append(
            TestsChosen(
                cell=self.cell.id, package=label, scope=scope, count=count, stored=stored, skipped=skipped
            )
        )

    def run(self, batch: Batch) -> None:
        """Run one batch on both sides and record what it comes to."""
        programs = self._programs(batch)
        if not programs:
            return
        listed = {side: test_gate.list_tests(program) for side, program in programs.items()}
        names = listed["patched"]
        if batch.names is not None:
            names = tuple(name for name in batch.names if name in names)
        if not names:
            self.chosen(batch.scope, batch.label, skipped="it has no such test on this platform")
            return
        job = test_gate.Job(
            cell=self.cell,
            label=batch.label,
            # Where the baseline has no binary every test is new, and the baseline is asked for none.
            programs={"base": programs["patched"], **programs},
            tree=self.sides.trees["base"].digest,
            names=names,
            on_base=frozenset(listed.get("base", ())),
            own=self.own.get(batch.package, {}),
            limit=self.context.plan.profile.test_timeout,
            budget=batch.budget,
        )
        stored = test_gate.check(job, self.context.store, self.each)
        self.chosen(batch.scope, batch.label, count=len(names), stored=stored)

    def _programs(self, batch: Batch) -> dict[Side, Program]:
        """Both sides' binaries, the patched one alone where the baseline has no tests of the package; none
        where the baseline's does not compile, or the patched one fails or has no tests here."""
        programs: dict[Side, Program] = {}
        if self._untested(batch.package, "patched"):
            self.chosen(batch.scope, batch.label, skipped="it has no tests on this platform")
            return {}
        for side in SIDES:
            if self._untested(batch.package, side):
                continue
            try:
                binary = self._binary(batch, side)
            except testbin.TestBuildError as error:
                if side == "base":
                    self.chosen(batch.scope, batch.label, skipped=_uncompiled(error))
                else:
                    self.each(self._broken(batch, error))
                return {}
            programs[side] = Program(
                shell=self.context.shell,
                binary=binary,
                go=self.sides.go[side],
                environment=batch.variant.environment,
                short=batch.short,
            )
        return programs

    def _untested(self, package: str, side: Side) -> bool:
        return package in self.asked and package not in self.sides.binaries[side]

    def _binary(self, batch: Batch, side: Side) -> TestBinary:
        if batch.variant == testbin.PLAIN:
            return self.sides.binaries[side][batch.package]
        return testbin.compile_one(
            self.builder,
            self.sides.go[side],
            self.sides.trees[side],
            side,
            batch.package,
            self.sides.tools[side],
            variant=batch.variant,
        )

    def _broken(self, batch: Batch, error: testbin.TestBuildError) -> GateResult:
        return GateResult(
            gate="test",
            cell=self.cell.id,
            subject=batch.label,
            status="fail",
            transition="compiles→does not compile",
            note="the baseline's tests compile in this build",
            detail=events.visible(error.result.tail),
            log=error.result.log.name if error.result.log else "",
            package=batch.label,
        )


def _in_build(batch: Batch, variant: Variant) -> Batch:
    short = batch.short or batch.names is None
    scope = SHORT if batch.names is None else batch.scope
    built = dataclasses.replace(variant, trimmed=batch.variant.trimmed)
    return dataclasses.replace(batch, variant=built, short=short, scope=scope)


def _uncompiled(error: testbin.TestBuildError) -> str:
    last = next((line for line in reversed(error.result.tail.splitlines()) if line.strip()), "")
    return f"the baseline's tests do not compile in this build: {events.visible(last)[:200]}"
