"""The commit message with its measurements, in the form that Go's reviewers expect.

A GitHub pull request's title and description become the commit message, so the description is the
same plain text: no Markdown, sentences wrapped by their author, tables left as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pipeline.report.model import RunReport

_TRAILER = re.compile(r"(Fixes|Updates|For) (\S+/\S+)?#\d+|(Change-Id|Co-authored-by|Reviewed-on): .+")


def commit_message(report: RunReport, tables: Mapping[str, str]) -> str:
    """The message of the series' main patch (the one whose subject is the series'), with benchstat's
    tables of the measured cells above its trailers. An issue named by the series is added as Updates."""
    subject = str(report.plan["subject"])
    main = next((p for p in report.patches if p.subject == subject), None) or next(iter(report.patches), None)
    body, trailers = _split(main.message if main else "")
    issue = str(report.plan["issue"])
    repository, _, number = issue.partition("#")
    if number and not any(f"#{number}" in line for line in trailers):
        elsewhere = "" if repository == "golang/go" else repository
        trailers.insert(0, f"Updates {elsewhere}#{number}")
    measured = [
        tables[c.id].strip("\n") for c in report.cells if c.exercise == "measured" and tables.get(c.id)
    ]
    parts = [main.subject if main and main.subject else subject, body, *measured, "\n".join(trailers)]
    return "\n\n".join(part for part in parts if part) + "\n"


def description(report: RunReport, tables: Mapping[str, str]) -> str:
    """The pull request's description: the message, then what was exercised, below a line that git cuts
    at."""
    lines = [f"  {cell.id}: {cell.exercise} ({cell.reason})" for cell in report.cells]
    return commit_message(report, tables) + "\n---\n" + "\n".join([report.headline, *lines]) + "\n"


def _split(message: str) -> tuple[str, list[str]]:
    """A commit message's body and its trailing lines such as ``Updates #N``."""
    lines = message.strip("\n").split("\n")
    trailers: list[str] = []
    while lines and (_TRAILER.fullmatch(lines[-1]) or (not lines[-1] and trailers)):
        line = lines.pop()
        if line:
            trailers.insert(0, line)
    return "\n".join(lines).strip("\n"), trailers
