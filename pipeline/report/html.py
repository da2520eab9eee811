"""``report.html``: one file with everything, no script and nothing loaded from elsewhere."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.console import duration
from pipeline.report import conditions, gates, markdown
from pipeline.report.benchmarks import BenchmarkRow
from pipeline.report.compiling import TITLES
from pipeline.report.model import RunReport

if TYPE_CHECKING:
    import jinja2

PLOT_WIDTH = 130.0


@dataclass(frozen=True, kw_only=True)
class Mark:
    """One row's interval in a plot: x positions in pixels."""

    low: float
    high: float
    center: float


@functools.cache
def template() -> jinja2.Template:
    """What the page is made with, compiled on first use."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline.report"),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")


def render(report: RunReport, tables: Mapping[str, str], logs: Sequence[str]) -> str:
    """The page. Everything from outside is escaped by the template engine."""
    return template().render(
        report=report,
        tables=tables,
        titles=TITLES,
        logs=logs,
        duration=duration,
        interval=markdown.interval,
        p_value=markdown.p_value,
        verdict=markdown.verdict,
        noise=markdown.noise,
        benchstat_p=markdown.benchstat_p,
        machine_lines=markdown.machine_lines,
        condition_lines=lambda cell: conditions.lines(cell.conditions),
        unclean=markdown.unclean(report),
        groups=gates.groups,
        notable=gates.notable,
        counted=gates.counted,
        own=gates.own,
        worth=gates.worth,
        result=gates.result,
        quiet=gates.QUIET,
        center=markdown.center,
        plots={cell.id: _plot(report, cell.benchmarks) for cell in report.cells},
        width=PLOT_WIDTH,
        version=report.source.version if report.source else report.plan["base"],
    )


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A forest plot: a symmetric percent scale, the margin's edges (those of sec/op), and a mark a row (None:
    no number)."""

    limit: float
    margin: float
    effect: float
    zero: float
    margin_low: float
    margin_high: float
    marks: tuple[Mark | None, ...]


def _plot(report: RunReport, rows: Sequence[BenchmarkRow]) -> Plot:
    limits = report.plan["unit_thresholds"].get("sec/op", report.plan["threshold"])
    margin = float(limits["margin"])
    bounds = [abs(bound - 1) for row in rows for bound in (*row.ci, row.ratio) if 0 < bound < math.inf]
    # A wild row must not squeeze all others into a line: what lies beyond is drawn at the edge.
    limit = min(1.1 * max([*bounds, margin]), 4 * margin)

    def x(change: float) -> float:
        clipped = max(-limit, min(limit, change))
        return round(PLOT_WIDTH * (clipped + limit) / (2 * limit), 1)

    marks = tuple(
        Mark(low=x(row.ci[0] - 1), high=x(row.ci[1] - 1), center=x(row.ratio - 1))
        if math.isfinite(row.ratio)
        else None
        for row in rows
    )
    return Plot(
        limit=limit,
        margin=margin,
        effect=float(limits["effect"]),
        zero=x(0),
        margin_low=x(-margin),
        margin_high=x(margin),
        marks=marks,
    )
