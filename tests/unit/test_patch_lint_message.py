"""Go's rules for commit messages. What golang/build's gerritbot has tests for is judged as it is there."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from pipeline.patch import lint, series
from pipeline.patch.lint import message
from pipeline.values import CommitRules, Finding
from tests.unit.hostile import change

ROOT = Path(__file__).resolve().parents[2]
BODY = "A body that nobody objects to.\n\nFixes #1234"
FILES = ("src/fmt/print.go", "src/go/types/api.go", "src/cmd/compile/internal/types2/api.go")


def findings(
    subject: str, body: str = BODY, files: tuple[str, ...] = FILES, rules: CommitRules = "advice"
) -> tuple[Finding, ...]:
    head = f"From 0123 Mon Sep 17 00:00:00 2001\nFrom: A <a@b>\nSubject: [PATCH] {subject}\n\n"
    content = f"{head}{body}\n---\n\n{''.join(map(change, files))}"
    return lint.examine("x", content.encode(), rules).findings


def said(subject: str, body: str = BODY, files: tuple[str, ...] = FILES) -> list[str]:
    found = findings(subject, body, files)
    assert all(one.severity == "advice" and message.is_rule(one.rule) for one in found)
    return [one.rule for one in found]


@pytest.mark.parametrize(
    "subject",
    [
        "fmt: print it",
        "go/types, types2: agree",
        "go/types,types2: agree",
        "cmd/{compile,link}: agree",
        "cmd/{compile, link}: agree",
        "cmd/compile: agree",
        "all: fix spelling",
        "README: mention it",
        "fmt: improve & make: Good",
    ],
)
def test_good_subjects(subject: str) -> None:
    assert said(subject) == []


@pytest.mark.parametrize(
    ("subject", "rules"),
    [
        ("bad.", ["subject-package", "subject-period"]),
        ("fmt: bad.", ["subject-period"]),
        ("Fmt: bad", ["subject-package"]),
        ("fmt: Bad", ["subject-verb"]),
        ("fmt: 2 things", ["subject-verb"]),
        ("fmt:  bad", []),  # git itself makes it one blank
        ("fmt:bad", ["subject-colon"]),
        ("fmt : bad", ["subject-package"]),
        (": bad", ["subject-package"]),
        ("go/types types2: bad", ["subject-package"]),
        ("a sentence, with a comma and colon: bad", ["subject-package"]),
        ("[perf] fmt: bad", ["subject-package"]),
        ("", ["subject-package"]),
        ("fmt: " + "a" * 72, ["subject-length"]),
        ("runtime: fix it", ["subject-files"]),
        ("fmt, runtime: fix it", ["subject-files"]),
        ("types: fix it", []),
        ("ypes2: fix it", ["subject-files"]),
        ("fm: fix it", ["subject-files"]),
    ],
)
def test_bad_subjects(subject: str, rules: list[str]) -> None:
    assert said(subject) == rules


@pytest.mark.parametrize(
    ("path", "subject"),
    [
        ("src/runtime/proc.go", "runtime: x"),
        ("src/cmd/go/testdata/script/a.txt", "cmd/go: x"),
        ("test/fixedbugs/a.go", "test: x"),
        ("api/next/1.txt", "api: x"),
        ("doc/go_spec.html", "spec: x"),
        ("lib/time/update.bash", "lib/time: x"),
        ("src/make.bash", "build: x"),
    ],
)
def test_packages_of_files(path: str, subject: str) -> None:
    assert said(subject, files=(path,)) == []


BENCHSTAT = """\
The loop is unrolled.

goos: linux
goarch: amd64
                                          │   old.txt   │               new.txt               │
                                          │   sec/op    │   sec/op     vs base                │
Encode/format=json-48-with-a-long-name      1.718µ ± 1%   1.423µ ± 1%  -17.20% (p=0.000 n=10)
geomean of everything that was measured     18.2n         17.2n        -5.49%  of the old one

Updates #20412"""


@pytest.mark.parametrize(
    "body",
    [
        BODY,
        BENCHSTAT,
        "It is broken. See\nhttps://go.dev/cl/123456/" + "a" * 80 + "\n\nFixes #1234.",
        "It is broken:\n\n\tgo test " + "-v " * 40 + "\n\nFor #1234",
        "A regexp `.*` is fine.\n\nFixes #1234",
        "Some Go: s := `raw`.\n\nFixes #1234",
        "Markdown says `so`.\n\nFixes #1234",
        "For #1234 we need this.\n\nUpdates #1234\nUpdates golang/vscode-go#123",
        BODY + f"\n\nChange-Id: I{'0a' * 20}\nReviewed-on: https://go-review.googlesource.com/c/go/+/1",
        BODY + f"\n\nChange-Id: I{'0a' * 20}\n(cherry picked from commit ebd07b13caf3)",
        BODY + "\nCo-authored-by: A <a@b>",
    ],
)
def test_good_bodies(body: str) -> None:
    assert said("fmt: print it", body) == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "is a subject and nothing else;"),
        ("Now it fits.", "has 12 characters below its subject;"),
        ("Now it fits.\n\nFixes #1", "has 22 characters below its subject;"),
    ],
)
def test_a_short_body_is_counted_as_gos_bot_counts(body: str, said: str) -> None:
    (found,) = [one for one in findings("fmt: print it", body) if one.rule == "body-missing"]
    assert f"the message {said} Go's bot asks" in found.message
    assert "it counts from 24" in found.message
    assert "body-missing" not in [
        one.rule for one in findings("fmt: print it", "It does not fit.\n\nFixes #1")
    ]


@pytest.mark.parametrize("mark", ["\ufeff", "\ufeffFrom 0123 Mon Sep 17 00:00:00 2001\n"])
def test_a_byte_order_mark_hides_no_message(mark: str) -> None:
    content = f"{mark}From: A <a@b>\nSubject: [PATCH] fmt: print it\n\n{BODY}\n---\n\n{change(FILES[0])}"
    found = lint.examine("x", content.encode())
    assert [(one.rule, one.line) for one in found.findings] == [("character", 1)]
    assert found.message.subject == "fmt: print it"


@pytest.mark.parametrize(
    ("body", "rules"),
    [
        ("", ["body-missing", "issue-missing"]),
        ("Short body", ["body-missing", "issue-missing"]),
        ("This misses a full stop at its end", ["body-sentences", "issue-missing"]),
        ("This has no issue at all.", ["issue-missing"]),
        ("Hello. " * 15 + "\n" + BODY, ["body-wrap"]),
        ("Signed-off-by: A <a@b>\n\n" + BODY, ["signed-off-by"]),
        (BODY + "\n\nSigned-off-by: A <a@b>", ["signed-off-by"]),
        ("A variable `foo`.\n" + BODY, ["markdown"]),
        ("Some code:\n```\nx := y\n```\n" + BODY, ["markdown"]),
        ("[click here](https://example.com)\n" + BODY, ["markdown"]),
        ("Delete these instructions once you have read and applied them.\n\n" + BODY, ["template"]),
        ("It is broken, that is why.\n\nFixes golang/go#1234", ["issue-form"]),
        ("It is broken, that is why.\n\nCloses #1234", ["issue-form"]),
        ("It is broken, that is why.\n\nfix #1234", ["issue-form"]),
        ("It is broken, that is why.\n\nFixes: #1234", ["issue-form"]),
        ("It is broken, see #1234 for why.", ["issue-last"]),
        ("It is broken.\nFixes #1234\nAnd a line that should not be here.", ["issue-last"]),
        (BODY + "\n\nChange-Id: 1234", ["change-id"]),
        (BODY + f"\n\nchange-id: I{'0a' * 20}", ["issue-last", "change-id"]),
        (BODY + f"\n\nChange-Id: I{'0a' * 20}\nChange-Id: I{'0b' * 20}", ["change-id"]),
        (f"It is broken.\nChange-Id: I{'0a' * 20}\n\n" + BODY, ["change-id"]),
    ],
)
def test_bad_bodies(body: str, rules: list[str]) -> None:
    assert sorted(said("fmt: print it", body)) == sorted(rules)


def test_a_trivial_change_needs_neither_words_nor_an_issue() -> None:
    assert said("fmt: fix a typo", "") == []


def test_a_finding_has_the_line_of_what_it_is_about() -> None:
    by_rule = {one.rule: one.line for one in findings("fmt: Bad", "Fine.\nNot `fine`.\n\n" + "x " * 50)}
    assert by_rule["subject-verb"] == 3
    assert by_rule["markdown"] == 6
    assert by_rule["body-wrap"] == 8


def test_the_rules_are_errors_where_that_is_asked_for() -> None:
    found = findings("fmt: " + "Bad" * 30, "Missing.", rules="error")
    assert {one.rule: one.severity for one in found} == {
        "subject-verb": "error",
        "body-missing": "error",
        # Upstream asks for these and insists on none.
        "subject-length": "advice",
        "issue-missing": "advice",
    }


def test_a_bare_diff_needs_no_message() -> None:
    (found,) = lint.examine("x", change("src/a/b.go").encode(), "error").findings
    assert (found.rule, found.severity) == ("no-message", "advice")


def test_an_unknown_charset_leaves_the_subject_as_it_is() -> None:
    for charset in ("x-none", "hex", "unicode_escape", "utf-7"):
        raw = f"=?{charset}?q?a?="
        content = f"Subject: {raw}\n\n{change('src/a/b.go')}".encode()
        assert lint.examine("x", content).message.subject == raw


def test_the_projects_own_series_is_in_order() -> None:
    for folder in sorted(path.parent for path in (ROOT / "patches").glob("*/series.yml")):
        assert [str(one) for one in lint.of(series.load(folder).patches, "error")] == []


def test_a_message_is_read_with_its_places() -> None:
    mail = "From 01\nFrom: A <a@b>\nSubject: [PATCH 1/2] fmt:\n print it\n\n\nOne.\n\nTwo.\n\n---\n a | 2\n\n"
    content = mail + change("src/a/b.go")
    message = lint.examine("x", content.encode()).message
    assert dataclasses.asdict(message) == {
        "subject": "fmt: print it",
        "body": "One.\n\nTwo.",
        "subject_line": 3,
        "body_line": 7,
        "found": True,
    }
