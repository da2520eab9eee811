"""The commit message with its measurements, in the form that Go's reviewers expect.

A GitHub pull request's title and description become the commit message, so the description is the
same plain text: no Markdown, sentences wrapped by their author, tables indented.
"""

from __future__ import annotations

import re

from pipeline.report import tables
from pipeline.report.cell import CellReport
from pipeline.report.model import RunReport

_TRAILER = re.compile(r"(Fixes|Updates|For) (\S+/\S+)?#\d+|(Change-Id|Co-authored-by|Reviewed-on): .+")


def commit_message(report: RunReport) -> str:
    """The message of the series as one change, which is what Go makes of a pull request: that of its main
    patch (whose subject is the series'), the others' subjects and texts, benchstat's tables of the measured
    cells, and everybody's trailers. An issue named by the series is added as Updates."""
    subject = str(report.plan["subject"])
    main = next((p for p in report.patches if p.subject == subject), None) or next(iter(report.patches), None)
    body, trailers = _split(main.message if main else "")
    for other in (one for one in report.patches if one is not main):
        text, more = _split(other.message)
        body = "\n\n".join(part for part in (body, other.subject, text) if part)
        trailers += [line for line in more if line not in trailers]
    issue = str(report.plan["issue"])
    repository, _, number = issue.partition("#")
    if number and not any(f"#{number}" in line for line in trailers):
        elsewhere = "" if repository == "golang/go" else repository
        trailers.insert(0, f"Updates {elsewhere}#{number}")
    measured = [_table(cell, report.bench_text.get(cell.id, "")) for cell in report.cells]
    parts = [main.subject if main and main.subject else subject, body, *measured, "\n".join(trailers)]
    return "\n\n".join(part for part in parts if part) + "\n"


def description(report: RunReport) -> str:
    """The pull request's description: the message, then what was exercised, below a line that git cuts
    at."""
    lines = [f"    {cell.id}: {cell.exercise} ({cell.reason})" for cell in report.cells]
    return commit_message(report) + "\n---\n\n" + "\n".join([report.headline, "", *lines]) + "\n"


def _table(cell: CellReport, text: str) -> str:
    """benchstat's table of a measured cell: times, and the other units in which something changed. Indented,
    as text that is shown as it is: GitHub would run it together."""
    if cell.exercise != "measured" or not text:
        return ""
    changed = {row.unit for row in cell.benchmarks if row.verdict != "no-change"}
    shown = tables.benchstat_text(text, units={"sec/op"} | changed)
    return "\n".join(f"    {line}".rstrip() for line in shown.strip("\n").split("\n"))


def _split(message: str) -> tuple[str, list[str]]:
    """A commit message's body and its trailing lines such as ``Updates #N``."""
    lines = message.strip("\n").split("\n")
    trailers: list[str] = []
    while lines and (_TRAILER.fullmatch(lines[-1]) or (not lines[-1] and trailers)):
        line = lines.pop()
        if line:
            trailers.insert(0, line)
    return "\n".join(lines).strip("\n"), trailers
