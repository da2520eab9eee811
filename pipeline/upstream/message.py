"""The commit message with its measurements, in the form that Go's reviewers expect.

A GitHub pull request's title and description become the commit message, so the description is the
same plain text: no Markdown, sentences wrapped by their author, tables indented.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.report import tables
from pipeline.report.cell import CellReport
from pipeline.report.model import RunReport

_ISSUE = re.compile(r"(Fixes|Updates|For) (\S+/\S+)?#\d+\.?")
_FOOTER = re.compile(r"[A-Z][A-Za-z]*(-[A-Za-z]+)+: \S.*|\(cherry picked from commit [0-9a-f]+\)")


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """A message below its subject: the text, the issues that it refers to, and lines such as Change-Id."""

    text: str
    issues: tuple[str, ...]
    footers: tuple[str, ...]


def commit_message(report: RunReport) -> str:
    """The message of the series as one change, which is what Go makes of a pull request: that of its main
    patch (whose subject is the series'), the others' subjects and texts, benchstat's tables of the measured
    cells, everybody's issues, and the main patch's footers with the others' authors: one change has one
    Change-Id. An issue named by the series is added as Updates."""
    subject = str(report.plan["subject"])
    main = next((p for p in report.patches if p.subject == subject), None) or next(iter(report.patches), None)
    own = _split(main.message if main else "")
    others = [(one.subject, _split(one.message)) for one in report.patches if one is not main]
    texts = [own.text, *(part for title, other in others for part in (title, other.text))]
    issues = [*own.issues, *(line for _, other in others for line in other.issues)]
    authors = [line for _, other in others for line in other.footers if line.startswith("Co-authored-by: ")]
    repository, _, number = str(report.plan["issue"]).partition("#")
    if number and not any(re.search(rf"#{number}\b", line) for line in issues):
        elsewhere = "" if repository == "golang/go" else repository
        issues.insert(0, f"Updates {elsewhere}#{number}")
    measured = [_table(cell, report.bench_text.get(cell.id, "")) for cell in report.cells]
    last = "\n".join(dict.fromkeys([*issues, *authors, *own.footers]))
    parts = [main.subject if main and main.subject else subject, *texts, *measured, last]
    return "\n\n".join(part for part in parts if part) + "\n"


def description(report: RunReport) -> str:
    """The pull request's description: the message, then what was exercised, below a line that git cuts
    at."""
    lines = [f"    {cell.id}: {cell.exercise} ({cell.reason})" for cell in report.cells]
    return commit_message(report) + "\n---\n\n" + "\n".join([report.headline, "", *lines]) + "\n"


def _table(cell: CellReport, text: str) -> str:
    """benchstat's table of a measured cell: times, and other units unless all is unchanged there. Indented,
    as text that is shown as it is: GitHub would run it together."""
    if cell.exercise != "measured" or not text:
        return ""
    changed = {row.unit for row in cell.benchmarks if row.verdict != "no-change"}
    shown = tables.benchstat_text(text, units={"sec/op"} | changed)
    return "\n".join(f"    {line}".rstrip() for line in shown.strip("\n").split("\n"))


def _split(message: str) -> _Parts:
    lines = message.strip("\n").split("\n")
    last: list[str] = []
    while lines and (not lines[-1] or _ISSUE.fullmatch(lines[-1]) or _FOOTER.fullmatch(lines[-1])):
        last.insert(0, lines.pop())
    return _Parts(
        text="\n".join(lines).strip("\n"),
        issues=tuple(line for line in last if _ISSUE.fullmatch(line)),
        footers=tuple(line for line in last if _FOOTER.fullmatch(line)),
    )
