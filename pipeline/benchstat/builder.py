"""Sorting results into tables, and finishing the tables with statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pipeline.benchfmt import Config, Record, Result, Unit, UnitMetadata, UnitTable
from pipeline.benchfmt.numbers import format_float
from pipeline.benchstat.direction import direction
from pipeline.benchstat.filters import Filter
from pipeline.benchstat.lexer import ExpressionError
from pipeline.benchstat.model import Cell, ColumnSummary, Table, TableOptions
from pipeline.benchstat.projection import Key, Projection, ProjectionParser
from pipeline.errors import UsageError
from pipeline.stats import (
    Comparison,
    Summary,
    compare,
    compare_exact,
    geomean,
    sort_sample,
    summarize,
    summarize_exact,
)

_SET_DIFFERS = "benchmark set differs from baseline; geomeans may not be comparable"
_NO_CENTER = "summaries must be >0 to compute geomean"
_NO_RATIO = "ratios must be >0 to compute geomean"


@dataclass(slots=True)
class _Samples:
    values: list[float] = field(default_factory=list)
    residues: set[Key] = field(default_factory=set)


@dataclass(slots=True)
class _Draft:
    rows: dict[Key, None] = field(default_factory=dict)
    columns: dict[Key, None] = field(default_factory=dict)
    cells: dict[tuple[Key, Key], _Samples] = field(default_factory=dict)


def _discard(_value: float) -> None:
    """Take a measurement that the filter drops."""


class Builder:
    """Collects results and turns them into tables.

    Raises:
        UsageError: an option cannot be understood; the message names the option.
    """

    def __init__(self, options: TableOptions) -> None:
        self._options = options
        try:
            self._filter = Filter(options.filter)
        except ExpressionError as error:
            raise UsageError(f"parsing -filter: {error.what}") from error
        parser = ProjectionParser(self._filter)
        self._table_by = _projection(parser, "-table", options.table, with_unit=True)
        self._row_by = _projection(parser, "-row", options.row)
        self._column_by = _projection(parser, "-col", options.col)
        _projection(parser, "-ignore", options.ignore)
        self._residue = parser.residue()
        if options.alpha < 0 or options.alpha > 1:
            raise UsageError("-alpha must be in range [0, 1]")
        if not 0 <= options.confidence <= 1:
            raise UsageError("-confidence must be in range [0, 1]")
        self._drafts: dict[Key, _Draft] = {}
        # Where the measurements of a configuration, name and set of units go: worked out once.
        self._routes: dict[tuple[Config, str, tuple[Unit, ...]], tuple[Callable[[float], None], ...]] = {}

    def add(self, result: Result) -> None:
        """Put every measurement of a result into its cell."""
        key = (result.config, result.name, result.units)
        route = self._routes.get(key)
        if route is None:
            route = self._routes[key] = self._route(result)
        for put, value in zip(route, result.values, strict=False):
            put(value)

    def _route(self, result: Result) -> tuple[Callable[[float], None], ...]:
        kept = self._filter.selects(result)
        if kept is not None:
            if not any(kept):
                return ()
            units = tuple(unit for unit, keep in zip(result.units, kept, strict=True) if keep)
            puts = iter(self._route_units(result._replace(units=units)))
            return tuple(next(puts) if keep else _discard for keep in kept)
        return tuple(self._route_units(result))

    def _route_units(self, result: Result) -> list[Callable[[float], None]]:
        tables = self._table_by.project_units(result)
        row = self._row_by.project(result)
        column = self._column_by.project(result)
        residue = self._residue.project(result)
        puts: list[Callable[[float], None]] = []
        for table in tables:
            draft = self._drafts.get(table)
            if draft is None:
                draft = self._drafts[table] = _Draft()
            samples = draft.cells.get((row, column))
            if samples is None:
                samples = draft.cells[row, column] = _Samples()
                draft.rows[row] = draft.columns[column] = None
            samples.residues.add(residue)
            puts.append(samples.values.append)
        return puts

    def tables(self, units: UnitTable) -> list[Table]:
        """Finish the tables. ``units`` tells which units are exact and which direction is better."""
        self._routes.clear()
        maker = _TableMaker(self._options, self._residue)
        fields = [one for one in self._table_by.fields() if one is not self._table_by.unit_field]
        unit_field = self._table_by.unit_field
        tables: list[Table] = []
        for key in self._table_by.sort(self._drafts):
            draft = self._drafts.pop(key)
            unit = unit_field.of(key) if unit_field else ""
            rows, columns = self._row_by.sort(draft.rows), self._column_by.sort(draft.columns)
            column_fields = self._column_by.fields()
            row_fields_text = self._row_by.text
            cells = maker.cells(draft, rows, columns, exact=units.is_exact(unit))
            tables.append(
                Table(
                    unit=unit,
                    config=tuple((one.name, one.of(key)) for one in fields),
                    column_fields=tuple(one.name for one in column_fields),
                    columns=tuple(tuple(one.of(column) for one in column_fields) for column in columns),
                    rows=tuple(map(row_fields_text, rows)),
                    cells=cells,
                    summaries=_summarize_columns(cells, len(columns)),
                    better=direction(unit, units),
                )
            )
        return tables


def _projection(
    parser: ProjectionParser, flag: str, expression: str, *, with_unit: bool = False
) -> Projection:
    try:
        return parser.parse(expression, with_unit=with_unit)
    except ExpressionError as error:
        raise UsageError(f"parsing {flag}: {error.what}") from error


class _TableMaker:
    """Computes cells under one set of options."""

    def __init__(self, options: TableOptions, residue: Projection) -> None:
        self._confidence = options.confidence
        self._alpha = options.alpha
        self._confidence_text = format_float(options.confidence)
        self._alpha_text = format_float(options.alpha)
        self._residue = residue

    def cells(
        self, draft: _Draft, rows: list[Key], columns: list[Key], *, exact: bool
    ) -> tuple[tuple[Cell | None, ...], ...]:
        out: list[tuple[Cell | None, ...]] = []
        for row in rows:
            baseline: Cell | None = None
            cells: list[Cell | None] = []
            for index, column in enumerate(columns):
                samples = draft.cells.pop((row, column), None)
                cell = None if samples is None else self._cell(samples, baseline, exact=exact)
                if not index:
                    baseline = cell
                cells.append(cell)
            out.append(tuple(cells))
        return tuple(out)

    def _cell(self, samples: _Samples, baseline: Cell | None, *, exact: bool) -> Cell:
        values = sort_sample(samples.values)
        comparison: Comparison | None = None
        if exact:
            summary = summarize_exact(values, format_float(values[0]), format_float(values[-1]))
            if baseline is not None:
                comparison = compare_exact(baseline.values, values)
        else:
            summary = summarize(values, self._confidence, self._confidence_text)
            if baseline is not None:
                comparison = compare(baseline.values, values, self._alpha, self._alpha_text)
        warnings: tuple[str, ...] = ()
        if len(samples.residues) > 1:
            warnings = ("benchmarks vary in " + ", ".join(self._residue.varying(samples.residues)),)
        return Cell(values, summary, baseline.summary if baseline else None, comparison, warnings)


def _summarize_columns(cells: tuple[tuple[Cell | None, ...], ...], columns: int) -> tuple[ColumnSummary, ...]:
    paired = sum(row[0] is not None for row in cells)
    return tuple(
        _summarize_column([row[index] for row in cells], paired, is_baseline=index == 0)
        for index in range(columns)
    )


def _summarize_column(column: list[Cell | None], paired: int, *, is_baseline: bool) -> ColumnSummary:
    """Geometric means of one column.

    The ratio is the mean of ratios, not the ratio of means: with differing sets of benchmarks only the
    former compares like with like.
    """
    ratios: list[float] = []
    bad_ratio = False
    centers: list[float] = []
    for cell in column:
        if cell is None:
            continue
        centers.append(cell.summary.center)
        if cell.baseline is not None:
            ratio = _ratio(cell.summary, cell.baseline)
            bad_ratio = bad_ratio or ratio is None
            ratios.append(ratio or 0.0)
    warnings: list[str] = []
    if not is_baseline and paired != len(ratios):
        warnings.append(_SET_DIFFERS)
    center = geomean(centers)
    if center is None:
        warnings.append(_NO_CENTER)
    ratio = None
    if not is_baseline and not bad_ratio:
        ratio = geomean(ratios)
        if ratio is None:
            warnings.append(_NO_RATIO)
    return ColumnSummary(center=center, ratio=ratio, warnings=tuple(warnings))


def _ratio(new: Summary, old: Summary) -> float | None:
    if new.center == old.center:
        return 1.0  # 0/0 counts as no change
    return None if old.center == 0 else new.center / old.center


def build_tables(
    records: Iterable[Record], options: TableOptions | None = None, units: UnitTable | None = None
) -> list[Table]:
    """Turn records into tables: results into cells, unit metadata into assumptions and directions.

    Syntax problems are skipped. ``units`` holds metadata known beforehand, such as a reader's own table.

    Raises:
        UsageError: an option cannot be understood.
    """
    builder = Builder(options or TableOptions())
    known = units or UnitTable()
    for record in records:
        if isinstance(record, Result):
            builder.add(record)
        elif isinstance(record, UnitMetadata):
            known.add(record)
    return builder.tables(known)
