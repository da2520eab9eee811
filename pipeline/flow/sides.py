"""Both sides of a cell, built and ready to run: all that testing and measuring need, here or elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pipeline.gates.results import Own
from pipeline.golang import Go
from pipeline.patch.touched import Touched
from pipeline.records import GateResult, Side
from pipeline.toolchain import testbin
from pipeline.toolchain.stamp import Stamp
from pipeline.values import SIDES, Binaries, Cell, GoTree, Kit, TestBinary, Variant


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Tests of one package in one build. ``names`` None is all that it has; ``budget`` is seconds a side.
    ``programs`` are both sides' binaries, the patched one alone where the baseline has no tests of the
    package. Where there are none, ``skipped`` says why, or ``broken`` what that says of the patch."""

    package: str
    scope: str
    names: tuple[str, ...] | None
    short: bool
    budget: float
    variant: Variant = testbin.PLAIN
    programs: Mapping[Side, TestBinary] = field(default_factory=dict)
    skipped: str = ""
    broken: GateResult | None = None

    @property
    def label(self) -> str:
        """The package, with the build where it is not the plain one."""
        return self.package + (f" ({self.variant.name})" if self.variant.name else "")


@dataclass(frozen=True, kw_only=True)
class Sides:
    """Both sides of ``cell``. ``binaries`` are by side and package, and ``kits`` what they are linked from,
    with ``stamps``; ``layouts`` is that the linker can lay functions out by a seed. ``go`` runs where the
    cell is. ``trees`` are those that the tests read.

    ``batches`` are the tests to run; ``own`` those that the series adds or alters, by package and name;
    ``tested`` the changed packages that have tests there, and ``touched`` their benchmarks that the series
    adds or alters. ``left_out`` has the benchmarks that do not compile on the baseline, with the reason.
    ``probe`` says what a program sees that is started there. ``attendant`` runs programs in a container, of a
    cell that may be in one."""

    cell: Cell
    go: Mapping[Side, Go]
    trees: Mapping[Side, GoTree]
    binaries: Binaries
    kits: Mapping[Side, Mapping[str, Kit]]
    stamps: Mapping[Side, Stamp]
    layouts: bool
    batches: tuple[Batch, ...]
    own: Mapping[str, Mapping[str, Own]]
    tested: tuple[str, ...]
    touched: Mapping[str, Touched]
    left_out: Mapping[str, Mapping[str, str]]
    probe: TestBinary
    attendant: TestBinary | None = None

    def programs(self) -> Iterator[TestBinary]:
        """Every program once, the plain ones first."""
        plain = (one for side in SIDES for one in self.binaries[side].values())
        others = (one for batch in self.batches for one in batch.programs.values())
        helpers = (self.probe, *([self.attendant] if self.attendant else []))
        yield from {one.path: one for one in (*plain, *others, *helpers)}.values()
