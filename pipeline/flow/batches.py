"""Which tests of which packages run in a cell, and in which builds."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from pipeline.flow.sides import Batch
from pipeline.gates import variants
from pipeline.gates.results import Own
from pipeline.patch.reach import Reach
from pipeline.plan.cells import limited
from pipeline.plan.plan import Plan
from pipeline.values import Cell, Variant

# Times the limit of one process, for one side of a package: a test that hangs leaves time for the rest.
BUDGET = 2
LISTED = "the tests that the series lists"
OWN = "the tests that the series adds or alters"
WHOLE = "the whole package"
SHORT = "the whole package, -short"


def packages(plan: Plan, reach: Reach) -> set[str]:
    """The packages that are tested: the series' own, and the changed ones where it names none or whole
    packages are wanted."""
    listed = plan.series.tests and plan.profile.tests == "listed"
    return {*plan.series.tests, *(() if listed else reach.tested)}


def limit(plan: Plan, cell: Cell) -> int:
    """Seconds for one process of tests."""
    return limited(plan.profile, cell).test_timeout


def plain(
    plan: Plan, cell: Cell, reach: Reach, own: Mapping[str, Mapping[str, Own]], *, here: bool = True
) -> Iterator[Batch]:
    """What is tested in the cell's plain build. ``own`` has what the series adds or alters, by package;
    ``here`` is that the trees are where the compiler finds them."""
    seconds, build = limit(plan, cell), variants.plain(cell)
    for package in sorted(packages(plan, reach)):
        if plan.profile.tests == "packages":
            yield Batch(
                package=package,
                scope=WHOLE,
                names=None,
                short=False,
                budget=BUDGET * seconds,
                variant=variants.whole(cell) if here else build,
            )
        elif plan.series.tests or own.get(package):
            named = plan.series.tests.get(package)
            yield Batch(
                package=package,
                scope=LISTED if named is not None else OWN,
                names=tuple(own[package]) if named is None else named,
                short=False,
                budget=BUDGET * seconds,
                variant=build,
            )
        else:
            # Nobody asked for these by name: they get the time of one process.
            yield Batch(package=package, scope=SHORT, names=None, short=True, budget=seconds, variant=build)


def ranked(plan: Plan, cell: Cell, reach: Reach, batches: Sequence[Batch]) -> Iterator[Batch]:
    """The tests of runtime with the order of its locks checked, where the profile asks for it and the series
    may change that."""
    if "staticlockranking" not in plan.profile.variants or not variants.ranks_locks(reach.packages):
        return
    own = [batch for batch in batches if batch.package == "runtime"]
    if plan.profile.tests == "packages":
        own = [
            Batch(
                package="runtime",
                scope=WHOLE,
                names=None,
                short=False,
                budget=BUDGET * limit(plan, cell),
                variant=variants.plain(cell),
            )
        ]
    yield from (in_build(batch, variants.LOCK_RANKING) for batch in own)


def in_build(batch: Batch, variant: Variant) -> Batch:
    """The same tests in another build; whole packages with -short, as upstream tests them."""
    short = batch.short or batch.names is None
    scope = SHORT if batch.names is None else batch.scope
    built = dataclasses.replace(
        variant,
        trimmed=batch.variant.trimmed,
        environment=variants.together(batch.variant.environment, variant.environment),
    )
    return dataclasses.replace(batch, variant=built, short=short, scope=scope)
