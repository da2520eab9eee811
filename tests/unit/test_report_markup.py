"""Text of records in a summary that GitHub shows: never a tag, a link, a name or an issue."""

from __future__ import annotations

import re
from typing import Any

from pipeline import records
from pipeline.report import markdown, model
from pipeline.report.model import RunReport
from tests.unit.test_report import HOSTILE, checked, gate, started

EVERYTHING = (
    f"{HOSTILE} ``d`` </details> <!-- x --> https://e.test http://www.e.test www.e.test _www.e.test "
    "mailto:m@e.test GH-17 gh-18 golang/go#3 ~~s~~ \\ \u202e\x1b[31m"
)


def everything() -> RunReport:
    """Hostile text wherever a record or a plan holds text."""
    x = EVERYTHING
    plan: dict[str, Any] = {
        "series": x,
        "subject": x,
        "issue": x,
        "series_digest": x,
        "base": x,
        "profile": {"name": x, "rounds": x, "max_rounds": x, "benchtime": x, "compile": {"types": x}},
        "unit_thresholds": {x: {"effect": 0.03, "margin": 0.05}},
        "cells": [{"id": x, "goos": x, "goarch": x}],
        "host": x,
    }
    start = started("here", **plan).model_copy(update={"run_id": x, "command": x, "environment": {x: x}})
    hunks = [
        records.HunkPlaced(file=x, number=n, title=x, rung=x, line=1, note=x, beside=[x, "```", "\n# h"])
        for n in range(12)
    ]
    test: dict[str, Any] = {
        "cell": x,
        "note": x,
        "package": x,
        "test": x,
        "own": "added",
        "without": x,
        "stored": x,
    }
    made: list[records.Record] = [
        records.SeriesRead(form="git", origin=x, revision=x, sha256=x, kept=x, variant=x, notes=[x]),
        records.SourceFetched(version=x, digest=x, origin=x, proof=x, files=1),
        records.LintFinding(file=x, line=1, severity="advice", rule=x, message=x),
        records.PatchApplied(
            file=x, subject=x, sha256=x, rung=x, hunks=1, detail=x, message=x, account=hunks, allowed=[x]
        ),
        records.ToolchainReady(role="base", version=x, digest=x, proof=x, path=x, recipe=x),
        records.SeriesReach(
            reached={x: [x]},
            tests_only=[x],
            untouched=[x],
            dependents=1,
            host=x,
            importing=3,
            importing_unchecked=[x],
            unlisted=[x],
        ),
        gate("fail", gate="compile", cell=x, subject=x, detail=x, signal="types", platform=x, patch=x),
        gate("fail", subject=x, detail=x, transition=x, **test),
        gate("skipped", subject=x, transition="skip→skip", **{**test, "test": "x"}),
        records.TestsChosen(cell=x, package=x, scope=x, stored=x, skipped=x),
        records.OverlayDropped(file=x, reason=x),
        records.BenchmarksChosen(cell=x, chosen=["runtime BenchmarkX"], left_out=[[x, x, x]], budget=3),
        records.BenchmarkRetried(cell=x, package=x, benchmark=x, round=1, side="patched", reason=x, log=x),
        records.BenchmarkLost(cell=x, package=x, benchmark=x, side=x, state="failed", reason=x),
        checked().model_copy(
            update={
                "cell": x,
                "findings": [records.MachineFinding(key=x, severity="warning", what=x, advice=x)],
            }
        ),
        records.CellEnded(cell=x, goos=x, goarch=x, exercise="measured", reason=x),
        records.RunEnded(seconds=1, failure=f"{x}\n```\n{x}", failure_code=1),
    ]
    return model.build([start, *made], {})


def test_no_text_of_a_record_is_markup_names_anybody_or_leads_anywhere() -> None:
    summary = markdown.render(everything(), {EVERYTHING: f"```\n{EVERYTHING}"})
    assert "\x1b" not in summary
    assert "\u202e" not in summary
    outside = re.sub(r"(?ms)^```.*?^```$", "", summary)
    outside = re.sub(r"(?<!\\)`[^`\n]*`", "", outside)
    # GitHub reads what is within a tag as HTML, where a backslash escapes nothing.
    inside = re.findall(r"<summary>(.*)</summary>", outside)
    assert any("&lt;script&gt;" in one for one in inside)
    assert not any("<" in one for one in inside)
    for what in (
        r"@\w",
        r"#\d(?!\d*;)",
        r"(?i)GH-\d",
        r"://",
        r"(?i)www\.",
        r"(?<!\\)<(?!/?(details|summary)>)",
    ):
        assert not re.search(what, outside), what
    outside = re.sub(r"<summary>.*</summary>|change \[95 % interval\]", "", outside)
    for what in (r"(?<!\\)\]", r"(?<!\\)`", r"(?<!\\)~", r"(?<!\\)\$", r"\n# head"):
        assert not re.search(what, outside), what
