"""The test stage: the tests of a cell, run on both sides, and what they come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import PatchError
from pipeline.flow import batches as room
from pipeline.flow.context import Context
from pipeline.flow.sides import Batch, Sides
from pipeline.gates import tests as test_gate
from pipeline.gates.execute import Program
from pipeline.records import GateResult, Side, TestsChosen
from pipeline.values import Cell

# Failures told in full in the error; the report has all.
SHOWN = 20


def run(context: Context, sides: Sides) -> None:
    """The test gate; PatchError names the tests that fail by the patch."""
    stage = context.stage_of(sides.cell, "test")
    if context.finished(stage):
        return
    with context.stage(stage):
        _require(context, sides)
        gate = _Gate(context=context, cell=sides.cell, sides=sides, failed=[])
        for number, batch in enumerate(sides.batches, 1):
            context.progress.step(f"{batch.label}: {batch.scope}", number, len(sides.batches))
            gate.run(batch)
        if gate.failed:
            raise PatchError(_failure(gate.failed), hint=f"log: {context.shell.logs / gate.failed[0].log}")


def _require(context: Context, sides: Sides) -> None:
    for package, names in context.plan.series.tests.items():
        binary = sides.binaries["patched"].get(package)
        if binary is None:  # its tests are for other platforms
            continue
        present = test_gate.list_functions(context.there, binary, sides.go["patched"])
        test_gate.require(package, names, present, "tests")


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
    """What the batches of a cell share; ``failed`` gathers what is charged."""

    context: Context
    cell: Cell
    sides: Sides
    failed: list[GateResult]

    def each(self, result: GateResult) -> None:
        self.context.ledger.append(result)
        if result.status == "fail":
            self.failed.append(result)

    def chosen(self, batch: Batch, *, count: int = 0, stored: str = "", skipped: str = "") -> None:
        self.context.ledger.append(
            TestsChosen(
                cell=self.cell.id,
                package=batch.label,
                scope=batch.scope,
                count=count,
                stored=stored,
                skipped=skipped,
            )
        )

    def run(self, batch: Batch) -> None:
        """Run one batch on both sides and record what it comes to."""
        if batch.broken is not None:
            self.each(batch.broken)
        if not batch.programs:
            if batch.skipped:
                self.chosen(batch, skipped=batch.skipped)
            return
        if self.context.where.about and batch.variant.environment.get("CGO_ENABLED") == "1":
            self.chosen(batch, skipped="it is built with cgo, and the container has no C library")
            return
        programs = {side: self._program(batch, side) for side in batch.programs}
        listed = {side: test_gate.list_tests(program) for side, program in programs.items()}
        names = listed["patched"]
        if batch.names is not None:
            names = tuple(name for name in batch.names if name in names)
        if not names:
            self.chosen(batch, skipped="it has no such test on this platform")
            return
        job = test_gate.Job(
            cell=self.cell,
            label=batch.label,
            # Where the baseline has no binary every test is new, and the baseline is asked for none.
            programs={"base": programs["patched"], **programs},
            tree=self.sides.trees["base"].digest,
            names=names,
            on_base=frozenset(listed.get("base", ())),
            own=self.sides.own.get(batch.package, {}),
            limit=room.limit(self.context.plan, self.cell),
            budget=batch.budget,
        )
        stored = test_gate.check(job, self.context.store, self.each)
        self.chosen(batch, count=len(names), stored=stored)

    def _program(self, batch: Batch, side: Side) -> Program:
        return Program(
            shell=self.context.there,
            where=self.context.where,
            binary=batch.programs[side],
            go=self.sides.go[side],
            environment={**self.cell.variables, **batch.variant.environment},
            short=batch.short,
        )
