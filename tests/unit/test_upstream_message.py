"""The message and the description that a maintainer sends: whole, and no more than was found."""

from __future__ import annotations

from pipeline.patch import lint
from pipeline.records import PatchApplied
from pipeline.report import model
from pipeline.report.model import RunReport
from pipeline.upstream import message
from tests.unit.hostile import change
from tests.unit.test_report import CALM, DIGEST, DONE, ended, gate, started

IDS = [f"Change-Id: I{number}{'0' * 39}" for number in (1, 2)]
REVIEWED = "Reviewed-on: https://example.test/c/7\nReviewed-by: B <b@example.test>"
AUTHOR = "Co-authored-by: C <c@example.test>"
MAIN = f"First, as it is.\n\nFixes #7\n\n{IDS[0]}"
SECOND = f"Second text, all of it.\n\nFixes #7\nUpdates #8\n\n{IDS[1]}\n{REVIEWED}\n{AUTHOR}"


def applied(number: int, subject: str, text: str) -> PatchApplied:
    return PatchApplied(
        file=f"{number}.patch", subject=subject, message=text, sha256=DIGEST, rung="exact", hunks=1
    )


def bench(*values: str) -> str:
    """Rounds of both sides, with ``values`` of the baseline and the patched side."""
    lines = []
    for number in range(1, 13):
        for side, value in zip(("base", "patched"), values, strict=True):
            lines += [f"side: {side}", f"round: {number}", "pkg: runtime", f"BenchmarkX-2 10 {value}"]
    return "\n".join(lines) + "\n"


def report(*, issue: str = "", subject: str = "runtime: one", file: str = "") -> RunReport:
    patches = [applied(1, "runtime: one", MAIN), applied(2, "runtime: two", SECOND)]
    records = [started("here", subject=subject, issue=issue), *patches, gate(), CALM, ended(), DONE]
    return model.build(records, {"here": file} if file else {})


def test_every_patch_is_in_the_message_and_it_has_one_change_id() -> None:
    said = message.commit_message(report())
    assert said == (
        "runtime: one\n\nFirst, as it is.\n\nruntime: two\n\nSecond text, all of it.\n\n"
        f"Fixes #7\nUpdates #8\n{AUTHOR}\n{IDS[0]}\n"
    )
    head = "From 0123 Mon Sep 17 00:00:00 2001\nFrom: A <a@b>\nSubject: [PATCH] "
    patch = f"{head}{said}---\n\n{change('src/runtime/proc.go')}"
    assert [one.rule for one in lint.examine("x", patch.encode(), "error").findings] == []


def test_the_main_patch_is_the_one_with_the_series_subject() -> None:
    said = message.commit_message(report(subject="runtime: two"))
    assert said.startswith("runtime: two\n\nSecond text, all of it.\n\nruntime: one\n\nFirst, as it is.\n")
    assert said.endswith(f"{IDS[1]}\n{REVIEWED}\n{AUTHOR}\n")
    assert IDS[0] not in said


def test_the_series_issue_is_added_where_no_patch_names_it() -> None:
    assert "\n\nUpdates #9\nFixes #7\n" in message.commit_message(report(issue="golang/go#9"))
    assert "\n\nUpdates golang/net#9\n" in message.commit_message(report(issue="golang/net#9"))
    assert message.commit_message(report(issue="golang/go#8")) == message.commit_message(report())


def test_a_table_has_times_and_what_changed_besides_and_is_indented() -> None:
    line = "100 ns/op 8 B/op 1 allocs/op"
    same = message.commit_message(report(file=bench(line, line)))
    table = same.split("\n\n    ", 1)[1].split("\n\nFixes")[0]
    assert all(one.startswith("    ") for one in table.split("\n")[1:] if one)
    assert "sec/op" in table
    assert "B/op" not in table
    assert "allocs/op" not in table
    more = message.commit_message(report(file=bench(line, line.replace("1 alloc", "2 alloc"))))
    assert "allocs/op" in more


def test_the_description_says_how_far_each_platform_was_exercised_below_the_message() -> None:
    given = report()
    said, below = message.description(given).split("\n---\n")
    assert said == message.commit_message(given)
    assert given.headline in below
    assert "\n    here: measured (ran)\n" in below
