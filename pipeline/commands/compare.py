"""``invoke compare OLD NEW…``: benchstat's tables in five formats, and an exit code that may gate."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TextIO

from pipeline.benchfmt import Reader, Result, SyntaxProblem, parse_inputs, read_inputs
from pipeline.benchstat.builder import Builder
from pipeline.benchstat.csv_output import write_csv
from pipeline.benchstat.json_output import render_json
from pipeline.benchstat.markup import render_html, render_markdown
from pipeline.benchstat.model import Cell, Table, TableOptions
from pipeline.benchstat.text import write_text
from pipeline.commands import entry
from pipeline.console import Console
from pipeline.errors import ExitCode, UsageError
from pipeline.stats import NOT_A_NUMBER, two_sided_p
from pipeline.stats.mannwhitney import RankSummary

FORMATS = ("text", "csv", "markdown", "html", "json")
_GATE = re.compile(r"regression(?::([0-9]+(?:\.[0-9]+)?)%?)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """What ``--fail-on`` asks for: fail on a significant change for the worse of ``threshold`` percent."""

    threshold: float


def compare(
    inputs: Sequence[str],
    *,
    format: str = "text",  # noqa: A002
    fail_on: str = "",
    sort: str = "",
    filter: str = "*",  # noqa: A002
    table: str = ".config",
    row: str = ".fullname",
    col: str = ".file",
    ignore: str = "",
    alpha: float = 0.05,
    confidence: float = 0.95,
    out: TextIO,
    err: TextIO | None = None,
) -> ExitCode:
    """Compare benchmark files and print tables.

    ``inputs`` are paths, ``label=path`` or ``-``; the first column is the baseline. ``fail_on`` is
    ``regression`` or ``regression:PERCENT``, ``sort`` is ``effect`` or empty. Lines that cannot be read and
    warnings of the CSV format go to ``err`` (standard error unless given).

    Returns:
        ``PASS``, or with ``fail_on``: ``PATCH_FAILS`` if a benchmark is significantly worse by the
        threshold or more, ``INCONCLUSIVE`` if some comparison could not have shown a difference, or there
        was none to make.

    Raises:
        UsageError: an option or expression is wrong.
        HostError: an input cannot be read.
    """
    err = err or sys.stderr
    gate = parse_gate(fail_on)
    _check(inputs, format, sort)
    options = TableOptions(
        table=table, row=row, col=col, ignore=ignore, filter=filter, alpha=alpha, confidence=confidence
    )
    tables = _read(inputs, options, err)
    if sort:
        tables = [sort_by_effect(one) for one in tables]
    _write(tables, format, out, err)
    if gate is None:
        return ExitCode.PASS
    code, reasons = judge(tables, gate)
    for reason in reasons:
        err.write(f"{reason}\n")
    return code


def parse_gate(text: str) -> Gate | None:
    """Read ``--fail-on``.

    Raises:
        UsageError: the text is neither ``regression`` nor ``regression:PERCENT``.
    """
    if not text:
        return None
    match = _GATE.fullmatch(text)
    if match is None:
        raise UsageError(
            f"--fail-on {text!r} is not understood",
            hint="say --fail-on regression, or --fail-on regression:2.5 for changes of 2.5 % or more",
        )
    return Gate(threshold=float(match[1] or 0))


def _check(inputs: Sequence[str], output: str, sort: str) -> None:
    if not inputs:
        raise UsageError("no files to compare", hint="say compare OLD NEW, or compare base=OLD patched=NEW")
    if output not in FORMATS:
        raise UsageError(f"--format {output!r} is not known", hint=f"choose one of {', '.join(FORMATS)}")
    if sort not in ("", "effect"):
        raise UsageError(f"--sort {sort!r} is not known", hint="say --sort effect, or leave it out")


def _read(inputs: Sequence[str], options: TableOptions, err: TextIO) -> list[Table]:
    builder = Builder(options)
    reader = Reader()
    for record in read_inputs(parse_inputs(inputs), reader):
        if isinstance(record, Result):
            builder.add(record)
        elif isinstance(record, SyntaxProblem):
            err.write(f"{record}\n")
    return builder.tables(reader.units)


def _write(tables: Sequence[Table], output: str, out: TextIO, err: TextIO) -> None:
    if output == "text":
        write_text(tables, out.write)
    elif output == "csv":
        write_csv(tables, out.write, err.write)
    else:
        render = {"markdown": render_markdown, "html": render_html, "json": render_json}[output]
        out.write(render(tables))


def sort_by_effect(table: Table) -> Table:
    """Order rows by their worst significant change, worst first; rows without one keep their order."""

    def worst(index: int) -> float:
        losses = [loss(table, cell) for cell in table.cells[index] if cell is not None]
        shown = [one for one in losses if one is not None]
        return -max(shown, default=0.0)

    order = sorted(range(len(table.rows)), key=worst)
    return replace(
        table,
        rows=tuple(table.rows[index] for index in order),
        cells=tuple(table.cells[index] for index in order),
    )


def loss(table: Table, cell: Cell) -> float | None:
    """Return by how many percent a cell is significantly worse than its baseline (negative: better).

    None without a comparison or a significant difference. From a baseline of 0 any change is infinite.
    """
    if cell.comparison is None or cell.baseline is None or not cell.comparison.significant:
        return None
    old, new = cell.baseline.center, cell.summary.center
    worse = (new - old) * -table.better
    if worse == 0:
        return 0.0
    return worse / abs(old) * 100 if old else math.copysign(math.inf, worse)


def judge(tables: Sequence[Table], gate: Gate) -> tuple[ExitCode, list[str]]:
    """Apply a gate: return the exit code and the reasons for it, one a line."""
    regressions: list[str] = []
    undecided: list[str] = []
    compared = 0
    for table in tables:
        for label, row in zip(table.rows, table.cells, strict=True):
            for index, cell in enumerate(row):
                if cell is None or cell.comparison is None:
                    continue
                compared += 1
                where = f"{label} {table.unit} ({table.column_title(index)})"
                worse = loss(table, cell)
                if worse is not None and worse > 0 and worse >= gate.threshold:
                    regressions.append(f"regression: {where} is {worse:.2f} % worse")
                elif not _could_differ(cell):
                    undecided.append(f"inconclusive: {where} has too few samples to show a difference")
    if regressions:
        return ExitCode.PATCH_FAILS, regressions
    if not compared:
        return ExitCode.INCONCLUSIVE, ["inconclusive: no benchmark is in the baseline and in another column"]
    if undecided:
        return ExitCode.INCONCLUSIVE, undecided
    return ExitCode.PASS, []


def _could_differ(cell: Cell) -> bool:
    """Tell whether samples of these sizes could have shown a difference at all."""
    comparison = cell.comparison
    if comparison is None or comparison.significant:
        return True
    if NOT_A_NUMBER in comparison.warnings:
        return False
    # Complete separation without ties is the strongest evidence there can be.
    smallest = two_sided_p(RankSummary(comparison.n1, comparison.n2, 0, ()))
    return smallest is not None and smallest <= comparison.alpha


def main(
    inputs: Sequence[str],
    *,
    format: str,  # noqa: A002
    fail_on: str,
    sort: str,
    filter: str,  # noqa: A002
) -> ExitCode:
    """The task: ``compare`` to the terminal, errors as messages."""

    def action() -> ExitCode:
        return compare(inputs, format=format, fail_on=fail_on, sort=sort, filter=filter, out=sys.stdout)

    return entry.guarded(Console(), action)
