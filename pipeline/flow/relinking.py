"""Test binaries linked again where they run: as they were, or for every round in a layout of its own."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from pipeline import parallel
from pipeline.bench.measure import Relink
from pipeline.flow.context import Context
from pipeline.flow.sides import Sides
from pipeline.records import Side
from pipeline.toolchain.linking import Linker, link
from pipeline.values import SIDES, Binaries, TestBinary


@contextlib.contextmanager
def layouts(context: Context, sides: Sides) -> Iterator[Relink | None]:
    """How each round gets a layout of its own; None where the profile or the release has one for all. At the
    end none is left."""
    if context.plan.profile.layout == "fixed" or not sides.layouts:
        yield None
        return
    root = context.folder / ".layouts"
    context.where.remove(root)  # left by a run that was killed
    try:
        with ThreadPoolExecutor(1) as pool:
            yield _Layouts(context=context, sides=sides, root=root, pool=pool).linked
    finally:
        context.where.remove(root)


class _Layouts:
    """Two folders take turns: while a round is linked in one, the last round's programs go from the other.
    That takes 20 ms, in which nothing would be linked or measured; for it, two rounds have room."""

    def __init__(self, *, context: Context, sides: Sides, root: Path, pool: ThreadPoolExecutor) -> None:
        self._context, self._sides, self._root, self._pool = context, sides, root, pool
        self._turn = 0

    @contextlib.contextmanager
    def linked(self, seed: int, packages: Collection[str]) -> Iterator[Binaries]:
        """See ``Relink``."""
        old, self._turn = self._root / str(self._turn), 1 - self._turn
        folder = self._root / str(self._turn)
        todo = [
            # Names of one length: what a program is called is part of what it measures.
            (side, package, folder / str(number) / str(index))
            for number, side in enumerate(SIDES)
            for index, package in enumerate(sorted(packages))
        ]
        removing: Future[None] = self._pool.submit(self._context.where.remove, old)
        made = parallel.run(
            self._context.jobs, lambda one: relinked(self._context, self._sides, *one, seed=seed), todo
        )
        removing.result()
        yield {side: {one.package: one for one in made if one.side == side} for side in SIDES}


def relinked(
    context: Context, sides: Sides, side: Side, package: str, folder: Path, *, seed: int = 0
) -> TestBinary:
    """A side's test binary linked again in ``folder``, laid out by ``seed`` (0: as it was)."""
    binary, kit = sides.binaries[side][package], sides.kits[side][package]
    linker = Linker(
        shell=context.there,
        go=sides.go[side],
        host=sides.cell.platform,
        build=sides.cell.build,
        where=context.where,
    )
    context.where.make(folder)
    program = folder / kit.program
    link(linker, f"relink-{side}-{kit.program}", kit, sides.stamps[side], program, seed=seed)
    return dataclasses.replace(binary, path=program, sha256="", layout_seed=seed)
