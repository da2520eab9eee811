"""Annotations: at lines that the repository has, one for each message, and nothing from outside as a path."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.github import remarks
from pipeline.github.remarks import Annotation
from pipeline.records import (
    HunkPlaced,
    LintFinding,
    PatchApplied,
    Record,
    RunEnded,
    SeriesReach,
    SeriesRead,
)
from pipeline.report import model
from tests.unit.test_report import DIGEST, ended, gate, started

FIRST, SECOND = "0001-runtime-a.patch", "0002-runtime-b.patch"
PATCH = b"""\
From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001
From: A <a@example.test>
Subject: [PATCH] runtime: a

---
diff --git a/src/runtime/a.go b/src/runtime/a.go
--- a/src/runtime/a.go
+++ b/src/runtime/a.go
@@ -10,3 +10,4 @@ func a() {
 ten
-eleven
+eleven, patched
+new
 twelve
@@ -30,2 +31,3 @@
 thirty
+more
 thirty-one
diff --git a/src/runtime/a_test.go b/src/runtime/a_test.go
new file mode 100644
--- /dev/null
+++ b/src/runtime/a_test.go
@@ -0,0 +1,3 @@
+package runtime
+
+func TestA() {}
"""
BUILT = SeriesReach(
    reached={"linux/amd64": ["runtime"]}, tests_only=[], untouched=[], dependents=1, host="linux/amd64"
)
DONE = RunEnded(seconds=1)


def read(form: str = "folder") -> SeriesRead:
    return SeriesRead.model_validate(
        {"form": form, "origin": "patches/s", "revision": "", "sha256": "", "kept": ""}
    )


def applied(file: str = FIRST, **more: Any) -> PatchApplied:
    return PatchApplied(file=file, subject="x", sha256=DIGEST, rung="exact", hunks=2, **more)


def failing(detail: str, platform: str = "linux/amd64", **more: Any) -> Record:
    return gate(
        "fail",
        gate="compile",
        signal="types",
        platform=platform,
        patch=FIRST,
        number=1,
        detail=detail,
        **more,
    )


def found(
    *records: Record, form: str = "folder", patches: dict[str, bytes] | None = None
) -> list[Annotation]:
    report = model.build([started("here"), read(form), BUILT, *records, ended(), DONE], {})
    return remarks.of(report, {FIRST: PATCH} if patches is None else patches)


def where(*records: Record, **more: Any) -> list[tuple[str, int]]:
    return [(one.path, one.start_line) for one in found(*records, **more)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [(10, 10), (11, 12), (12, 13), (13, 14), (31, 16), (32, 17), (33, 18), (14, 1), (1, 1), (0, None)],
)
def test_a_line_of_go_is_shown_where_the_patch_has_it(line: int, expected: int | None) -> None:
    """A line that the patch leaves alone is shown at the patch's first."""
    detail = f"src/runtime/a.go:{line}:5: undefined: x"
    text = PATCH.decode().splitlines()
    places = where(applied(), failing(detail))
    assert places == ([(f"patches/s/{FIRST}", expected)] if expected else [])
    if expected and expected > 1:
        names = {10: "ten", 11: "eleven, patched", 12: "new", 13: "twelve", 32: "more"}
        assert text[expected - 1][1:] == names.get(line, text[expected - 1][1:])


def test_a_hunk_that_moved_is_found_where_it_went() -> None:
    moved = HunkPlaced(file="src/runtime/a.go", number=2, title="", rung="offset", line=131, offset=100)
    detail = "src/runtime/a.go:132:1: undefined: more"
    assert where(applied(account=[moved]), failing(detail)) == [(f"patches/s/{FIRST}", 17)]


def test_one_message_of_many_platforms_is_one_annotation() -> None:
    detail = "src/runtime/a.go:12:1: undefined: new\nsrc/runtime/a.go:11: eleven is not used"
    platforms = ["linux/amd64", "darwin/arm64"]
    first, second = found(applied(), *(failing(detail, platform) for platform in platforms))
    assert first.message == "src/runtime/a.go:12:1: undefined: new\non linux/amd64, darwin/arm64"
    assert (first.annotation_level, first.title) == ("failure", "types: does not pass")
    assert (second.start_line, second.end_line) == (12, 12)


def test_output_that_names_no_line_is_shown_at_the_patch() -> None:
    (one,) = found(applied(), failing("link: runtime.x: relocation target not defined\nmore"))
    assert (one.path, one.start_line) == (f"patches/s/{FIRST}", 1)
    assert one.message.startswith("link: runtime.x: relocation target not defined\nmore\non linux/amd64")


def test_a_failing_test_is_shown_at_its_line() -> None:
    detail = "=== RUN   TestA\n    a_test.go:3: got 1, want 2\n--- FAIL: TestA (0.00s)"
    one = gate(
        "fail", subject="runtime.TestA", package="runtime (race)", detail=detail, transition="pass→fail"
    )
    (own,) = found(applied(), one)
    assert (own.path, own.start_line, own.title) == (f"patches/s/{FIRST}", 26, "runtime.TestA")
    assert PATCH.decode().splitlines()[25] == "+func TestA() {}"
    assert "got 1, want 2" in own.message
    # A test that the series does not bring is a line of Go's tree.
    old = gate("fail", subject="net/http.TestB", package="net/http", detail="    b_test.go:7: no")
    assert where(applied(), old) == [("src/net/http/b_test.go", 7)]
    assert where(applied(), gate("fail", subject="runtime.TestC", detail="panic: x")) == []
    assert where(applied(), gate("pass", subject="runtime.TestA", detail=detail)) == []


def test_a_series_that_is_no_folder_is_of_gos_own_repository() -> None:
    compiled = failing("src/runtime/a.go:12:1: undefined: new")
    advice = LintFinding(file=FIRST, line=3, severity="advice", rule="subject", message="no")
    assert where(applied(), compiled, advice, form="git") == [("src/runtime/a.go", 12)]


def test_what_the_lint_says_is_at_the_patchs_own_line() -> None:
    advice = [
        LintFinding(file=FIRST, line=3, severity="advice", rule="subject", message="too long"),
        LintFinding(file=FIRST, line=9, severity="error", rule="path", message="no"),
        LintFinding(file="../../x.patch", line=9, severity="error", rule="path", message="no"),
        LintFinding(
            file=SECOND, line=9, severity="advice", rule="of a patch that was not applied", message="no"
        ),
    ]
    first, second = found(applied(), *advice)
    assert (first.start_line, first.annotation_level, first.title) == (3, "notice", "subject")
    assert (second.start_line, second.annotation_level) == (9, "failure")


@pytest.mark.parametrize(
    "detail",
    [
        "src/../../.github/workflows/x.yml:1:1: hello",
        "/etc/passwd:1:1: hello",
        "src/runtime/a b.go:1:1: hello",
        "src/runtime/é.go:1:1: hello",
        "src/runtime/a.go:99999999999:1: hello",
        "src/" + "x" * 5000 + ":1:1: hello",
    ],
)
def test_no_path_is_taken_from_output_as_it_is(detail: str) -> None:
    assert where(applied(), failing(detail), form="git") == []


@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff" * 100, b"@@ -1 +1 @@\n", PATCH[:-40], b"diff --git a/x b/x\n"]
)
def test_a_patch_that_is_none_costs_only_its_line(content: bytes) -> None:
    places = where(applied(), failing("src/runtime/a.go:12:1: no"), patches={FIRST: content})
    assert places == [(f"patches/s/{FIRST}", 1)]
    assert where(applied(), failing("src/runtime/a.go:12:1: no"), patches={}) == places


def test_what_cannot_be_seen_is_shown_and_what_is_long_is_cut() -> None:
    nasty = "\x1b\u202e\ufeff"
    (one,) = found(applied(), failing(f"src/runtime/a.go:12:1: {nasty}{'x' * 20_000}"))
    assert not set(one.message) & set(nasty)
    assert 7000 <= len(one.message) <= 8000
    assert one.message.endswith("x\non linux/amd64")


def test_there_is_a_limit() -> None:
    many = [failing(f"src/runtime/a.go:{n}:1: no {n}") for n in range(10, 14)]
    advice = [
        LintFinding(file=FIRST, line=n, severity="advice", rule="r", message=str(n)) for n in range(1, 1000)
    ]
    annotations = found(applied(), *many, *advice)
    assert len(annotations) == remarks.MOST
    assert annotations[0].annotation_level == "failure"
