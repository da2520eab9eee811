"""What a terminal shows at the end of a run."""

from __future__ import annotations

from pipeline.report.markdown import interval, unclean, verdict
from pipeline.report.model import RunReport


def render(report: RunReport, folder: str) -> str:
    """Verdict, platforms, benchmark rows, and where things are."""
    lines = [f"{report.verdict.upper()}  {report.headline}", ""]
    lines += [part for line in unclean(report) for part in (f"  NOT CLEAN  {line}", "")]
    width = max((len(cell.id) for cell in report.cells), default=0)
    lines += [f"  {cell.id:<{width}}  {cell.exercise:<10}  {cell.reason}" for cell in report.cells]
    measured = [cell for cell in report.cells if cell.benchmarks]
    wide = max((len(row.label) for cell in measured for row in cell.benchmarks), default=0)
    for cell in measured:
        lines += ["", f"  on {cell.id}:"] if len(measured) > 1 else [""]
        lines += [f"  {row.label:<{wide}}  {interval(row):<24}  {verdict(row)}" for row in cell.benchmarks]
    lines += [
        "",
        f"  {report.next_step}",
        f"  summary: {folder}/summary.md",
        f"  report:  {folder}/report.html",
    ]
    return "\n".join(lines)
