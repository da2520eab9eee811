"""Platforms that no changed file reaches, proven: their test binaries have the same bits on both sides."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pipeline.flow.context import Context
from pipeline.flow.reaching import Reached
from pipeline.patch.listing import is_package
from pipeline.patch.reach import Reach, changed_packages, is_test_file
from pipeline.records import SameBits
from pipeline.toolchain import testbin
from pipeline.toolchain.build import Builder
from pipeline.toolchain.trees import PatchedTree
from pipeline.values import Cell, Platform


def prove(context: Context, builder: Builder, patched: PatchedTree, reached: Reached) -> list[Cell]:
    """Compare the binaries of every cell that the series does not reach; returns the cells where they differ
    all the same."""
    cells = [cell for cell in context.plan.cells if reached.supports(cell) and not reached.of(cell).files]
    surprising = []
    if cells:
        with context.stage("same bits"):
            for number, cell in enumerate(cells, 1):
                context.progress.step(f"{cell.platform}", number, len(cells))
                record = _compare(builder, patched, cell, packages(context, patched))
                context.ledger.append(record)
                if record.base != record.patched:
                    context.progress.note(f"  {cell.id}: {record.reason}")
                    surprising.append(cell)
    return surprising


def packages(context: Context, patched: PatchedTree) -> list[str]:
    """The packages whose code changes somewhere; where there is none, those that the series names."""
    series = context.plan.series
    code = changed_packages(name for name in patched.changed if not is_test_file(name))
    named = {*series.packages, *series.tests, *series.benchmarks}
    return [name for name in code if is_package(name)] or sorted(named)


def _compare(builder: Builder, patched: PatchedTree, cell: Cell, names: Sequence[str]) -> SameBits:
    base: dict[str, str] = {}
    after: dict[str, str] = {}
    absent = []
    for package in names:
        base[package], why = testbin.fingerprint(builder, builder.base, "base", package, cell.platform)
        after[package], then = testbin.fingerprint(builder, patched.tree, "patched", package, cell.platform)
        if not base[package] and not after[package]:
            absent.append(f"{package}: {why or then}")
    differing = [package for package in names if base[package] != after[package]]
    reason = f"there is no test binary to compare ({'; '.join(absent)})" if absent else ""
    if differing:
        reason = f"no changed file is compiled there, and yet the tests of {', '.join(differing)} differ"
    return SameBits(
        cell=cell.id,
        base=base,
        patched=after,
        same=not differing and any(base.values()),
        reason=reason,
    )


def with_surprises(reached: Reached, cells: Sequence[Cell], names: Sequence[str]) -> Reached:
    """``reached`` with the whole series counted as reaching ``cells``."""
    last = reached.prefixes[-1]
    extra: dict[Platform, Reach] = {
        cell.platform: Reach(
            platform=cell.platform,
            packages=tuple(names),
            test_packages=(),
            tested=(),
            files=last.changed,
        )
        for cell in cells
    }
    last = dataclasses.replace(last, reach={**last.reach, **extra})
    return dataclasses.replace(reached, prefixes=(*reached.prefixes[:-1], last))
