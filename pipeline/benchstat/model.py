"""The table model every renderer reads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from pipeline.benchfmt.numbers import format_fixed
from pipeline.benchfmt.units import is_binary
from pipeline.benchstat.scale import Scale, common_scale
from pipeline.stats import Comparison, Summary
from pipeline.stats.gomath import sign

GEOMEAN = "geomean"


@dataclass(frozen=True, kw_only=True, slots=True)
class TableOptions:
    """How results become tables; the defaults are benchstat's."""

    table: str = ".config"
    row: str = ".fullname"
    col: str = ".file"
    ignore: str = ""
    filter: str = "*"
    alpha: float = 0.05
    confidence: float = 0.95


class Cell(NamedTuple):
    """All measurements of one row and column: sorted, in the table's unit."""

    values: Sequence[float]
    summary: Summary
    baseline: Summary | None = None
    comparison: Comparison | None = None
    warnings: tuple[str, ...] = ()

    @property
    def ratio(self) -> float | None:
        """New centre over old centre, or None without a baseline or with one of 0."""
        if self.baseline is None or not self.baseline.center:
            return None
        return self.summary.center / self.baseline.center


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnSummary:
    """The last row of a table: geometric means of a column and of its ratios to the baseline."""

    center: float | None
    ratio: float | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """One unit under one configuration.

    ``config`` is the same list of keys in every table of a run; ``columns`` hold one value for each of
    ``column_fields``; ``cells`` are rows of columns, with None where nothing was measured. ``better`` is
    1 if higher values are better, -1 if lower ones are.
    """

    unit: str
    config: tuple[tuple[str, str], ...]
    column_fields: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]
    rows: tuple[str, ...]
    cells: tuple[tuple[Cell | None, ...], ...] = field(repr=False)
    summaries: tuple[ColumnSummary, ...]
    better: int

    @property
    def binary(self) -> bool:
        """Whether numbers take Ki, Mi, … rather than k, M, …"""
        return is_binary(self.unit)

    def row_scale(self, row: Sequence[Cell | None]) -> Scale:
        """Return the scale shared by the centres of a row."""
        return common_scale([cell.summary.center for cell in row if cell is not None], binary=self.binary)

    def column_title(self, index: int) -> str:
        """Return a column's values in one line."""
        return " ".join(value for value in self.columns[index] if value)


def format_range(summary: Summary) -> str:
    """Print an interval as a percentage of its centre: the larger side."""
    center, low, high = summary.center, summary.low, summary.high
    if math.isinf(low) or math.isinf(high):
        return "∞"
    if center > 0 and low > 0 and high > 0:
        return f"{100 * max(high / center - 1, 1 - low / center):.0f}%"
    # A bound across zero, or a NaN, is no percentage of the centre.
    side = sign(center)
    if side != sign(low) or side != sign(high):
        return "?"
    if center == 0:
        return "0%"
    return f"{format_fixed(100 * max(high / center - 1, 1 - low / center), 0)}%"


def format_delta(cell: Cell) -> str:
    """Print the change of a cell against its baseline; ``~`` if the test sees none."""
    if cell.comparison is None or cell.baseline is None:
        return ""
    if cell.comparison.p > cell.comparison.alpha:
        return "~"
    old, new = cell.baseline.center, cell.summary.center
    if old == new:
        return "0.00%"
    if old == 0:
        return "?"
    return f"{format_fixed((new / old - 1.0) * 100.0, 2, signed=True)}%"


def format_ratio(ratio: float) -> str:
    """Print a ratio as a signed percentage."""
    return f"{format_fixed((ratio - 1) * 100, 2, signed=True)}%"


@lru_cache(maxsize=4096)
def format_test(comparison: Comparison) -> str:
    """Print a test: ``p=0.008 n=10``, or ``n=9+10`` for unequal sizes; exact values have no p."""
    p = f"p={format_fixed(comparison.p, 3)} " if comparison.p != 0 else ""
    n1, n2 = comparison.n1, comparison.n2
    return f"{p}n={n1}" if n1 == n2 else f"{p}n={n1}+{n2}"
