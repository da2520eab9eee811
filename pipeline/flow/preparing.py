"""Building all that a cell runs, before anything of it runs. Where it runs nothing has to be compiled."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import parallel
from pipeline.flow import batches as room
from pipeline.flow.building import Maker
from pipeline.flow.context import Context
from pipeline.flow.sides import Sides
from pipeline.gates import variants
from pipeline.gates.results import Own
from pipeline.patch import touched
from pipeline.patch.reach import Reach, changed_packages
from pipeline.records import OverlayDropped, ProgramBuilt, Side
from pipeline.toolchain import compiled, programs, testbin
from pipeline.toolchain.build import Builder
from pipeline.toolchain.compiled import Compiled
from pipeline.toolchain.programs import Origin
from pipeline.toolchain.stamp import Stamp
from pipeline.toolchain.testbin import Dropped
from pipeline.toolchain.trees import PatchedTree
from pipeline.values import SIDES, Binaries, Cell, Kit, Platform, TestBinary, Toolchain


@dataclass(frozen=True, kw_only=True)
class Build:
    """What a run has built before its cells: see the stages that make them."""

    builder: Builder
    patched: PatchedTree
    toolchain: Toolchain


def prepare(context: Context, build: Build, cell: Cell, reach: Reach, *, here: bool = True) -> Sides:
    """Build both sides of ``cell``. ``here`` is that it runs on this machine, where the trees stay.

    PatchError when a side does not compile.
    """
    with context.stage(context.stage_of(cell, "test binaries")):
        return _Cell(context=context, build=build, cell=cell, reach=reach, here=here).sides()


@dataclass(frozen=True, kw_only=True)
class _Cell:
    context: Context
    build: Build
    cell: Cell
    reach: Reach
    here: bool

    @property
    def target(self) -> Platform | None:
        """None for this host: its binaries are those that it compiles without being asked for itself."""
        return None if self.cell.platform == self.build.builder.host else self.cell.platform

    @property
    def _contained(self) -> bool:
        """Whether it may run in a container."""
        return not self.here and self.cell.platform.goos == "linux"

    def sides(self) -> Sides:
        series, patched, builder = self.context.plan.series, self.build.patched, self.build.builder
        own = _own(builder, patched)
        plain = list(room.plain(self.context.plan, self.cell, self.reach, own, here=self.here))
        # Where the series names no benchmarks, those to choose from are in the changed packages.
        measured = {*(series.benchmarks or self.reach.tested), *self.cell.benchmarks}
        made = self._compiled(sorted({*(one.package for one in plain), *measured}))
        origins = made.origins
        stamps = made.stamps(self.context.commit, series.digest)
        kits, binaries = self._linked(origins, made.binaries, stamps)
        maker = Maker(
            shell=self.context.shell,
            plan=self.context.plan,
            cell=self.cell,
            reach=self.reach,
            origins=origins,
            stamps=stamps,
            binaries=binaries,
            asked={one.package for one in plain},
        )
        sides = Sides(
            cell=self.cell,
            go={side: origins[side].go for side in SIDES},
            trees={side: origins[side].tree for side in SIDES},
            binaries=binaries,
            # Only what is measured is laid out anew.
            kits={side: {p: kit for p, kit in kits[side].items() if p in measured} for side in SIDES},
            stamps=stamps,
            layouts=testbin.has_layouts(patched.tree),
            batches=tuple(maker.batches(plain)),
            own=own,
            tested=self.reach.tested,
            touched=touched.of_series(builder.base.root, patched.tree.root, patched.changed),
            left_out=_left_out(made.dropped, patched),
            probe=programs.probe(origins["patched"], stamps["patched"]),
            # By the baseline: a patch that breaks the runtime must not break what runs its tests.
            attendant=programs.attendant(origins["base"], stamps["base"]) if self._contained else None,
        )
        self._record(sides)
        return sides

    def _linked(
        self, origins: Mapping[Side, Origin], plain: Binaries, stamps: Mapping[Side, Stamp]
    ) -> tuple[dict[Side, dict[str, Kit]], dict[Side, dict[str, TestBinary]]]:
        """The kits of what was compiled, and its programs with their stamps."""
        kits: dict[Side, dict[str, Kit]] = {"base": {}, "patched": {}}
        binaries: dict[Side, dict[str, TestBinary]] = {"base": {}, "patched": {}}

        def one(binary: TestBinary) -> tuple[Kit, TestBinary]:
            origin = origins[binary.side]
            made_of = programs.kit(origin, binary)
            return made_of, programs.stamped(origin, binary, made_of, stamps[binary.side])

        def each(found: tuple[Kit, TestBinary]) -> None:
            made_of, binary = found
            self.context.progress.step(f"{binary.package}, {binary.side}")
            kits[binary.side][binary.package] = made_of
            binaries[binary.side][binary.package] = binary

        todo = [binary for side in SIDES for binary in plain[side].values()]
        parallel.run(self.context.jobs, one, todo, each)
        return kits, binaries

    def _compiled(self, packages: Sequence[str]) -> Compiled:
        toolchain = self.build.toolchain
        made = compiled.both(
            self.build.builder,
            self.build.patched,
            packages,
            own_tools=toolchain if toolchain.own_tools else None,
            target=self.target,
            variant=variants.plain(self.cell),
        )
        for package in (one for one in packages if one not in made.binaries["patched"]):
            self.context.progress.note(f"  {package} is skipped: it has no tests for {self.cell.platform}")
        for one in made.dropped:
            self.context.ledger.append(OverlayDropped(file=one.file, reason=one.reason))
        return made

    def _record(self, sides: Sides) -> None:
        for one in sides.programs():
            self.context.ledger.append(
                ProgramBuilt(
                    cell=self.cell.id,
                    side=one.side,
                    package=one.package,
                    variant=one.variant,
                    sha256=one.sha256,
                    compiled=one.compiled,
                    **dataclasses.asdict(sides.stamps[one.side]),
                )
            )


def _own(builder: Builder, patched: PatchedTree) -> dict[str, dict[str, Own]]:
    """The tests that the series adds or alters, by package."""
    found = touched.tests_of_series(builder.base.root, patched.tree.root, patched.changed)
    own: dict[str, dict[str, Own]] = {}
    for package, one in found.items():
        names: dict[str, Own] = dict.fromkeys(one.added, "added")
        names |= dict.fromkeys(one.altered, "altered")
        if names:
            own[package] = names
    return own


def _left_out(dropped: Sequence[Dropped], patched: PatchedTree) -> dict[str, dict[str, str]]:
    """The benchmarks in test files that do not compile on the baseline, and why, by package."""
    found: dict[str, dict[str, str]] = {}
    for one in dropped:
        names = touched.benchmarks("", _text(patched.tree.root / one.file)).added
        for package in changed_packages([one.file]):
            found.setdefault(package, {}).update(dict.fromkeys(names, f"{one.file}: {one.reason}"))
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:  # the series removes it
        return ""
