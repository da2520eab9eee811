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
    rows = [row for cell in report.cells for row in cell.benchmarks]
    if rows:
        lines.append("")
        labels = [row.label for row in rows]
        wide = max(map(len, labels))
        for label, row in zip(labels, rows, strict=True):
            lines.append(f"  {label:<{wide}}  {interval(row):<24}  {verdict(row)}")
    lines += [
        "",
        f"  {report.next_step}",
        f"  summary: {folder}/summary.md",
        f"  report:  {folder}/report.html",
    ]
    return "\n".join(lines)
