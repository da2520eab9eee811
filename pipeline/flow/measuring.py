"""Measuring a cell: what is measured, under which conditions, on which binaries; and then the rounds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from pipeline.bench import choose, floor, machine, measure, runner
from pipeline.bench.exclusive import exclusive
from pipeline.bench.findings import UNSEEN, findings
from pipeline.bench.measure import Target
from pipeline.bench.runner import Runner
from pipeline.flow import environment, relinking
from pipeline.flow.context import Context
from pipeline.flow.sides import Sides
from pipeline.gates import tests as test_gate
from pipeline.plan.cells import limited, merged
from pipeline.records import (
    BenchmarkLost,
    BenchmarksChosen,
    MachineChecked,
    MachineFinding,
    NoiseFloor,
    Side,
)
from pipeline.stats.analysis import Rules
from pipeline.stats.pairs import Key
from pipeline.values import Cell


def run(context: Context, sides: Sides, watch: machine.Watch) -> None:
    """Measure the series' benchmarks and the cell's that both sides have, or those chosen; one that the
    baseline lacks is ``new``. ``watch`` began with the cell."""
    plan, cell = context.plan, sides.cell
    with context.stage(context.stage_of(cell, "benchmarks")), relinking.layouts(context, sides) as relink:
        setup = measure.Setup(
            runner=Runner(
                shell=context.there, cell=cell, profile=limited(plan.profile, cell), where=context.where
            ),
            rules=Rules(threshold=plan.threshold, units=plan.units),
            seed=context.run_id,
            binaries=sides.binaries,
            go=sides.go,
            file=context.bench_file(cell.id),
            record=context.ledger.append,
            progress=context.progress,
            relink=relink,
            meter=machine.Unmetered if context.where.about else machine.Meter.start,
        )
        with exclusive(context.progress.note) as waited:
            if waited:  # what the other run did is over
                watch = machine.Watch()
            targets = _targets(context, cell, sides, _wanted(context, setup, sides))
            if not targets:
                context.progress.note("  nothing to measure: no benchmark that both sides have")
                return
            before = _check(context, cell, watch)
            watch, meter = machine.Watch(), setup.meter()
            measure.measure(_with_floors(context, setup, targets), targets, list(context.ledger.records))
            _check(context, cell, watch, before, meter.usage())


def _wanted(context: Context, setup: measure.Setup, sides: Sides) -> Mapping[str, Sequence[str]]:
    """What to measure, by package: the series' benchmarks, or those chosen for it, and the cell's suites'."""
    own = context.plan.series.benchmarks or _chosen(context, setup, sides)
    return merged(own, setup.cell.benchmarks)


def restore(context: Context) -> None:
    """Before a resumed run is reported on: every benchfmt file as it was when its last pair was recorded."""
    for cell in context.plan.cells:
        measure.restore_file(context.bench_file(cell.id), cell.id, context.ledger.records)


def _check(
    context: Context,
    cell: Cell,
    watch: machine.Watch,
    before: machine.MachineState | None = None,
    usage: machine.Usage | None = None,
) -> machine.MachineState:
    """Look at the machine, and at who else used it since the watch began, and record what disturbs it; a
    warning is shown while something can be done."""
    about = context.where.about
    state = machine.unseen(about.cores) if about else watch.state()
    found = [UNSEEN] if about else findings(state, usage, before=before)
    context.ledger.append(
        MachineChecked(
            cell=cell.id,
            when="after" if before else "before",
            cores=state.cores,
            state=dataclasses.asdict(state),
            findings=[MachineFinding(**dataclasses.asdict(one)) for one in found],
        )
    )
    for one in found:
        if one.severity == "warning":
            context.progress.note(f"  {one.what}: {one.advice}")
    return state


def _chosen(context: Context, setup: measure.Setup, sides: Sides) -> dict[str, list[str]]:
    """Benchmarks for a series that names none, by package. A resumed run keeps those it started with."""
    cell = setup.cell
    earlier = [r for r in context.ledger.records if isinstance(r, BenchmarksChosen) and r.cell == cell.id]
    if earlier:
        targets = choose.of_record(earlier[-1])
    else:
        choice = _choose(context, setup, sides)
        context.ledger.append(choice.record(cell.id, context.plan.profile.budget))
        targets = choice.chosen
    found: dict[str, list[str]] = {}
    for target in targets:
        found.setdefault(target.package, []).append(target.benchmark)
    return found


def _choose(context: Context, setup: measure.Setup, sides: Sides) -> choose.Choice:
    def once(target: Target) -> runner.Sample:
        context.progress.step(f"{setup.cell.id} trying {target.benchmark}")
        binary = sides.binaries["patched"][target.package]
        return setup.runner.run(binary, sides.go["patched"], target.benchmark)

    def listed(side: Side) -> dict[str, tuple[str, ...]]:
        return {package: _listed(context, sides, side, package) for package in sides.tested}

    profile = context.plan.profile
    return choose.choose(
        touched=sides.touched,
        listed=listed("patched"),
        on_base=listed("base"),
        rounds=profile.rounds,
        budget=profile.budget,
        probe=choose.timed(once),
    )


def _targets(context: Context, cell: Cell, sides: Sides, wanted: Mapping[str, Sequence[str]]) -> list[Target]:
    targets = []
    for package, names in wanted.items():
        if package not in sides.binaries["patched"]:  # the report has them as missing
            context.progress.note(f"  {package} has no benchmarks for {cell.platform}")
            continue
        present = _listed(context, sides, "patched", package)
        test_gate.require(package, _of_series(context, cell, package, names), present, "benchmarks")
        on_base = _listed(context, sides, "base", package)
        targets += [Target(package, name) for name in names if name in on_base and name in present]
        for name in names:
            if name not in present:
                _absent_benchmark(context, cell, package, name)
            elif name not in on_base:
                _new_benchmark(context, cell, sides, package, name)
    return targets


def _of_series(context: Context, cell: Cell, package: str, names: Sequence[str]) -> list[str]:
    """Those of ``names`` that the series names itself; the others are a suite's, which is for many trees."""
    own = context.plan.series.benchmarks.get(package, ())
    return [name for name in names if name in own or name not in cell.benchmarks.get(package, ())]


def _listed(context: Context, sides: Sides, side: Side, package: str) -> tuple[str, ...]:
    """The tests and benchmarks of one side's binary; none where it has no binary."""
    binary = sides.binaries[side].get(package)
    return test_gate.list_functions(context.there, binary, sides.go[side]) if binary else ()


def _with_floors(context: Context, setup: measure.Setup, targets: Sequence[Target]) -> measure.Setup:
    """``setup`` with the design of every comparison fixed by this host's noise floor, which is measured
    first where it is not known. A resumed run keeps the designs it started with."""
    floors = [
        record
        for record in context.ledger.records
        if isinstance(record, NoiseFloor) and record.cell == setup.cell.id
    ]
    if not floors:
        place = floor.Place(folder=context.store.shared("noise"), conditions=_conditions(context, setup))
        floors = floor.measure(setup, targets, place)
        for record in floors:
            context.ledger.append(record)
    designs = {str(Key(one.package, one.name, one.unit)): one.design for one in floors}
    return dataclasses.replace(setup, rules=dataclasses.replace(setup.rules, designs=designs))


def _conditions(context: Context, setup: measure.Setup) -> dict[str, object]:
    """What else than the benchmark decides which noise floor is meant."""
    about = context.where.about
    host: dict[str, object] = {"cpu": environment.cpu_model(), "cores": environment.cores()}
    if about is not None:
        host = {"cpu": about.cpu, "cores": about.cores, "host": list(about.identity)}
    return {
        **host,
        "platform": str(setup.cell.platform),
        "base": context.plan.base,
        "benchtime": context.plan.profile.benchtime,
        "parameters": setup.cell.variables,
        "pin": list(setup.cell.pin),
    }


def _absent_benchmark(context: Context, cell: Cell, package: str, name: str) -> None:
    context.ledger.append(
        BenchmarkLost(
            cell=cell.id,
            package=package,
            benchmark=name,
            side="both sides",
            state="missing",
            reason="a suite of matrix.yml names it, and this tree does not have it",
        )
    )


def _new_benchmark(context: Context, cell: Cell, sides: Sides, package: str, name: str) -> None:
    why = sides.left_out.get(package, {}).get(name, "")
    context.ledger.append(
        BenchmarkLost(
            cell=cell.id,
            package=package,
            benchmark=name,
            side="base",
            state="new",
            reason=f"it does not compile on the baseline{f' ({why})' if why else ''}, so there is nothing to "
            "compare it with",
        )
    )
