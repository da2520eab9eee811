"""Batches of tests with the programs that run them, in the profile's builds."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline import proc
from pipeline.flow import batches as room
from pipeline.flow.sides import Batch
from pipeline.gates import events, variants
from pipeline.patch.reach import Reach
from pipeline.plan.plan import Plan
from pipeline.records import GateResult, Side
from pipeline.toolchain import programs, testbin
from pipeline.toolchain.programs import Origin
from pipeline.toolchain.stamp import Stamp
from pipeline.values import SIDES, Cell, TestBinary, Variant


@dataclass(frozen=True, kw_only=True)
class Maker:
    """What the batches of a cell are made with: ``origins``, ``stamps`` and the plain ``binaries`` by side;
    ``asked`` are the packages whose plain binaries were asked for."""

    shell: proc.Shell
    plan: Plan
    cell: Cell
    reach: Reach
    origins: Mapping[Side, Origin]
    stamps: Mapping[Side, Stamp]
    binaries: Mapping[Side, Mapping[str, TestBinary]]
    asked: Collection[str]

    def batches(self, plain: Sequence[Batch]) -> Iterator[Batch]:
        """``plain`` and those of the profile's other builds, with their programs."""
        plan, reach, cell = self.plan, self.reach, self.cell
        yield from (self._made(one) for one in plain)
        if "race" in plan.profile.variants:
            yield from self._raced(plain)
        yield from (self._made(one) for one in room.ranked(plan, cell, reach, plain))

    def _raced(self, own: Sequence[Batch]) -> Iterator[Batch]:
        builder, platform = self.origins["base"].builder, self.cell.platform
        found: Variant | str = f"-race needs cgo: it is not built for {platform} on {builder.host}"
        if platform == builder.host:
            found = variants.race(self.shell, builder.base, platform)
        if isinstance(found, str):
            yield Batch(
                package="the same tests with -race",
                scope="race",
                names=None,
                short=True,
                budget=0,
                skipped=found,
            )
            return
        yield from (self._made(room.in_build(batch, found)) for batch in own)

    def _made(self, batch: Batch) -> Batch:
        """The batch with both sides' programs, or with what stands against them."""
        if batch.package not in self.binaries["patched"] and batch.package in self.asked:
            return dataclasses.replace(batch, skipped="it has no tests on this platform")
        made: dict[Side, TestBinary] = {}
        for side in SIDES:
            if batch.package in self.asked and batch.package not in self.binaries[side]:
                continue
            try:
                made[side] = self._program(batch, side)
            except testbin.TestBuildError as error:
                if side == "base":
                    return dataclasses.replace(batch, skipped=_uncompiled(error))
                return dataclasses.replace(batch, broken=self._broken(batch, error))
        return dataclasses.replace(batch, programs=made)

    def _program(self, batch: Batch, side: Side) -> TestBinary:
        origin = dataclasses.replace(self.origins[side], variant=batch.variant)
        if batch.variant == self.origins[side].variant and batch.package in self.binaries[side]:
            return self.binaries[side][batch.package]
        compiled = testbin.compile_one(
            origin.builder,
            origin.go,
            origin.tree,
            side,
            batch.package,
            origin.tools,
            origin.target,
            variant=batch.variant,
        )
        return programs.stamped(origin, compiled, programs.kit(origin, compiled), self.stamps[side])

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


def _uncompiled(error: testbin.TestBuildError) -> str:
    last = next((line for line in reversed(error.result.tail.splitlines()) if line.strip()), "")
    return f"the baseline's tests do not compile in this build: {events.visible(last)[:200]}"
