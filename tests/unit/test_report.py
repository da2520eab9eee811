"""What is shown: never green without proof, and nothing from outside is taken for markup."""

from __future__ import annotations

import json
import random
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from pipeline import records
from pipeline.errors import ExitCode
from pipeline.records import (
    BenchmarkLost,
    BenchmarkRetried,
    BenchmarksChosen,
    CellEnded,
    Exercise,
    GateResult,
    GateStatus,
    HunkPlaced,
    LintFinding,
    MachineChecked,
    NoiseFloor,
    PatchApplied,
    Record,
    RoundEnded,
    RunEnded,
    RunStarted,
    Screened,
    SeriesReach,
    SourceFetched,
    StageEnded,
    ToolchainReady,
)
from pipeline.report import compiling, html, junit, markdown, metrics, model, tables, text
from pipeline.report.model import RunReport
from pipeline.stats import sequential

HOSTILE = "a|b `c` <script>alert(1)</script> @golang/team #17 [x](http://e) ![i](u) *b*\n# head & $x$"
DIGEST = "0" * 64


def started(*cells: str, **plan: Any) -> RunStarted:
    return RunStarted(
        run_id="20260101-x",
        plan_digest=DIGEST,
        plan={
            "series": "s",
            "subject": "runtime: x",
            "issue": "",
            "series_digest": DIGEST,
            "benchmarks": {"runtime": []},
            "base": "1.27.3",
            "profile": {
                "name": "quick",
                "rounds": 8,
                "max_rounds": 32,
                "benchtime": "100ms",
            },
            "threshold": {"effect": 0.03, "margin": 0.05},
            "unit_thresholds": {},
            "cells": [{"id": cell, "goos": "linux", "goarch": "amd64", "native": True} for cell in cells],
            **plan,
        },
        command="./inv patch-validate",
        environment={"os": "Linux"},
    )


def ended(cell: str = "here", exercise: Exercise = "measured") -> CellEnded:
    return CellEnded(cell=cell, goos="linux", goarch="amd64", exercise=exercise, reason="ran")


def gate(status: GateStatus = "pass", cell: str = "here", **more: Any) -> GateResult:
    return GateResult(**{"gate": "test", "cell": cell, "subject": "runtime.TestX", "status": status, **more})


def bench(change: float, rounds: int = 18, name: str = "X-2", noise: float = 0.002) -> str:
    rng = random.Random(3)
    out = []
    for number in range(1, rounds + 1):
        for side, factor in (("base", 1.0), ("patched", 1 + change)):
            value = 100 * factor * (1 + rng.uniform(-noise, noise))
            out += [f"side: {side}", f"round: {number}", "pkg: runtime", f"Benchmark{name} 10 {value} ns/op"]
    return "\n".join(out) + "\n"


SCREENED = Screened(cell="here", rounds=8, flagged=["runtime X-2 sec/op"])
CALM = Screened(cell="here", rounds=8, flagged=[])
DONE = RunEnded(seconds=5)


def build(*records: Record, file: str = "", cells: tuple[str, ...] = ("here",)) -> RunReport:
    return model.build([started(*cells), *records], {"here": file} if file else {})


def outcome(report: RunReport) -> tuple[str, int]:
    assert model.as_json(report)["exit_code"] == report.exit_code
    return report.verdict, report.exit_code


def test_pass() -> None:
    report = build(gate(), CALM, ended(), DONE, file=bench(0.0))
    assert outcome(report) == ("pass", ExitCode.PASS)
    assert "no benchmark changed by more than" in report.headline


def test_what_the_lint_advises_is_shown_and_changes_no_verdict() -> None:
    applied = PatchApplied(file="1.patch", subject="x", sha256=DIGEST, rung="exact", hunks=1)
    advice = [
        LintFinding(file="1.patch", line=n, severity="advice", rule="body-wrap", message=f"the {n}th")
        for n in range(1, 61)
    ]
    # A resumed run notes it again.
    report = build(applied, *advice, applied, *advice, gate(), CALM, ended(), DONE, file=bench(0.0))
    assert outcome(report) == ("pass", ExitCode.PASS)
    (patch,) = model.as_json(report)["patches"]
    assert [one["line"] for one in patch["lint"]] == list(range(1, 61))
    assert patch["lint"][0]["rule"] == "body-wrap"
    shown = markdown.render(report, {})
    assert "<details><summary>What Go's reviewers may say of the patches (60)</summary>" in shown
    assert "- 1.patch:50: the 50th (body-wrap)\n- and 10 more: report.json has them all\n" in shown
    assert "1.patch:60</code>: the 60th (body-wrap)" in html.render(report, {}, [])
    assert "reviewers may say" not in markdown.render(build(applied, gate(), ended(), DONE), {})


def test_worse_fails_and_is_named() -> None:
    report = build(gate(), SCREENED, ended(), DONE, file=bench(0.2))
    assert outcome(report) == ("fail", ExitCode.PATCH_FAILS)
    assert re.search(r"runtime\.X-2 sec/op \+20\.\d % on here", report.headline)


def test_better_passes_and_is_named() -> None:
    report = build(gate(), SCREENED, ended(), DONE, file=bench(-0.2))
    assert outcome(report) == ("pass", ExitCode.PASS)
    assert "better: runtime.X-2 sec/op" in report.headline


def test_noise_is_inconclusive() -> None:
    report = build(gate(), CALM, ended(), DONE, file=bench(0.0, noise=0.5))
    assert outcome(report) == ("inconclusive", ExitCode.INCONCLUSIVE)


def test_a_run_that_ended_within_screening_has_no_verdict_of_its_rows() -> None:
    report = build(gate(), ended(), DONE, file=bench(0.0, rounds=3))
    assert outcome(report) == ("inconclusive", ExitCode.INCONCLUSIVE)
    assert report.cells[0].benchmarks[0].reason == "the first rounds did not finish"


@pytest.mark.parametrize("fresh", [0, 3, 7])
def test_a_suspicion_that_too_few_rounds_were_left_to_confirm_says_so(fresh: int) -> None:
    rounds = 8 + fresh
    others = "".join(bench(0.0, rounds=rounds, name=f"Y{number}-2") for number in range(8))
    report = build(gate(), SCREENED, ended(), DONE, file=bench(0.2, rounds=rounds) + others)
    assert outcome(report) == ("inconclusive", ExitCode.INCONCLUSIVE)
    row = next(one for one in report.cells[0].benchmarks if one.name == "X-2")
    assert (row.n, row.phase) == (sequential.last_look(rounds), "suspect")
    assert row.ci[0] <= 1.2 <= row.ci[1]
    assert re.fullmatch(
        r"inconclusive: could be up to ±2\d\.\d %; "
        "a screening suspects a change, and too few rounds came after it to confirm one",
        markdown.verdict(row),
    )
    assert markdown.p_value(row).endswith(" plain")


@pytest.mark.parametrize(
    ("state", "verdict"), [("failed", "fail"), ("missing", "inconclusive"), ("new", "pass")]
)
def test_a_lost_benchmark_is_never_no_change(state: Any, verdict: str) -> None:
    lost = BenchmarkLost(
        cell="here", package="runtime", benchmark="BenchmarkX", side="patched", state=state, reason="panic: x"
    )
    report = build(gate(), CALM, lost, ended(), DONE, file=bench(0.0))
    assert report.verdict == verdict
    assert (state == "missing") == (
        "1 comparison is missing, runtime.X (patched: panic: x)" in report.headline
    )
    assert [row.verdict for row in report.cells[0].benchmarks] == [state]


def test_a_failed_gate_fails_whatever_the_numbers_say() -> None:
    report = build(gate("fail"), SCREENED, ended(), DONE, file=bench(-0.2))
    assert outcome(report) == ("fail", ExitCode.PATCH_FAILS)
    assert "runtime.TestX on here" in report.headline


@pytest.mark.parametrize("status", ["baseline-fails", "skipped"])
def test_what_the_baseline_fails_is_not_charged(status: GateStatus) -> None:
    other = gate("pass", subject="runtime.TestY")
    report = build(gate(status), other, CALM, ended(), DONE, file=bench(0.0))
    assert report.verdict == "pass"
    assert "tests: 1 pass, 1 " in report.headline


@pytest.mark.parametrize("status", ["baseline-fails", "skipped"])
def test_a_run_in_which_no_test_passed_is_no_pass(status: GateStatus) -> None:
    report = build(gate(status), CALM, ended(), DONE, file=bench(0.0))
    assert outcome(report) == ("inconclusive", ExitCode.INCONCLUSIVE)
    assert "no test passed" in report.headline


def test_what_neither_side_compiles_is_unknown() -> None:
    report = build(gate("baseline-fails", gate="compile"), gate(), CALM, ended(), DONE, file=bench(0.0))
    assert outcome(report) == ("inconclusive", ExitCode.INCONCLUSIVE)
    assert "neither side compiles on here" in report.headline


def test_a_pass_claims_only_what_ran() -> None:
    built = gate(gate="compile", signal="build", platform="linux/amd64", patch="1.patch", number=1)
    reach = SeriesReach(
        reached={"linux/amd64": ["runtime"]}, tests_only=[], untouched=["js/wasm"], dependents=3, host=""
    )
    report = build(reach, built, ended(exercise="compiled"), DONE)
    assert outcome(report) == ("pass", ExitCode.PASS)
    assert report.headline == (
        "The patch applies and compiles on 1 platform; no test ran; nothing was measured."
    )


def test_a_cell_that_does_not_compile_is_not_called_compiled() -> None:
    where = {"gate": "compile", "signal": "build", "platform": "linux/amd64"}
    first = gate("pass", **where, patch="1.patch", number=1)
    second = gate("fail", **where, patch="2.patch", number=2)
    end = RunEnded(seconds=1, failure="patch 2 of 2 does not compile", failure_code=1)
    (cell,) = build(first, second, end).cells
    assert (cell.exercise, cell.reason) == ("skipped", "it does not compile there")


def test_types_are_not_called_compiled() -> None:
    names = ["linux/amd64", "linux/arm64", "linux/386"]
    checked = [
        gate(gate="compile", signal=signal, platform=name, patch="1.patch", number=1, subject=name)
        for name in names
        for signal in (("types", "build") if name == "linux/amd64" else ("types",))
    ]
    reach = SeriesReach(
        reached={name: ["runtime"] for name in names}, tests_only=[], untouched=[], dependents=3, host=""
    )
    report = build(reach, *checked, ended(exercise="compiled"), DONE)
    assert report.headline.startswith(
        "The patch applies and compiles on 1 platform, and its types check on 2 more platforms; "
    )


def test_what_no_platform_compiles_is_shown_everywhere() -> None:
    reach = SeriesReach(
        reached={}, tests_only=[], untouched=[], dependents=0, host="", unlisted=["src/os/x_dariwn.go"]
    )
    report = build(reach, ended(exercise="skipped"), DONE)
    assert "No platform compiles src/os/x_dariwn.go" in html.render(report, {}, [])
    assert "No platform compiles src/os/x\\_dariwn.go" in markdown.render(report, {})


def test_a_run_that_looked_at_nothing_is_no_pass() -> None:
    reach = SeriesReach(reached={}, tests_only=[], untouched=["linux/amd64"], dependents=0, host="")
    report = build(reach, ended(exercise="skipped"), DONE)
    assert outcome(report) == ("nothing", ExitCode.NOTHING_TO_DO)


def test_where_nothing_is_reached_there_is_nothing_to_do() -> None:
    assert outcome(build(ended(exercise="unaffected"), DONE)) == ("nothing", ExitCode.NOTHING_TO_DO)


def test_a_gate_that_could_not_run_is_never_green() -> None:
    report = build(gate("error"), CALM, ended(), DONE, file=bench(0.0))
    assert outcome(report) == ("inconclusive", ExitCode.INCONCLUSIVE)


def test_a_cell_that_did_not_report_is_never_green() -> None:
    report = build(gate(), CALM, ended(), DONE, file=bench(0.0), cells=("here", "there"))
    assert outcome(report) == ("inconclusive", ExitCode.INCONCLUSIVE)
    assert "there" in report.headline
    assert report.cells[1].exercise == "missing"


def test_a_run_without_an_end_is_incomplete() -> None:
    assert outcome(build(gate(), CALM, ended(), file=bench(0.0))) == ("incomplete", ExitCode.BUG)
    assert outcome(build()) == ("incomplete", ExitCode.BUG)


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (ExitCode.PATCH_FAILS, "fail"),
        (ExitCode.USAGE, "error"),
        (ExitCode.NOTHING_TO_DO, "nothing"),
        (ExitCode.ENVIRONMENT, "error"),
        (ExitCode.BUG, "error"),
        (ExitCode.INTERRUPTED, "interrupted"),
    ],
)
def test_a_failure_decides(code: ExitCode, verdict: str) -> None:
    end = RunEnded(seconds=1, failure="first line:\nsecond", failure_code=int(code))
    report = build(gate(), CALM, ended(), end, file=bench(0.0))
    assert outcome(report) == (verdict, code)
    assert report.headline == "first line."


def test_a_run_that_did_not_come_to_its_end_says_how_to_go_on() -> None:
    interrupted = RunEnded(seconds=2, failure="interrupted", failure_code=130)
    command = "./inv patch-validate --profile=quick"
    first = started("here").model_copy(update={"command": command})
    for left in ([first], [first, interrupted]):
        report = model.build(left, {})
        assert report.next_step.startswith(f"Go on with {command} --resume (and --out")
    report = model.build([first.model_copy(update={"fleet": True}), interrupted], {})
    assert report.next_step == "A run of many machines begins anew, with ./inv bundle."


def test_what_was_built_besides_what_changes_stands_beside_it() -> None:
    def built(platform: str, subject: str) -> GateResult:
        return gate(gate="compile", signal="build", platform=platform, number=1, subject=subject)

    reach = SeriesReach(
        reached={"linux/amd64": ["runtime"], "netbsd/arm": ["runtime"], "openbsd/arm": ["runtime"]},
        tests_only=["aix/ppc64"],
        untouched=[],
        dependents=0,
        host="linux/amd64",
    )
    records = [built("linux/amd64", "internal/poll, net, runtime"), built("netbsd/arm", "runtime")]
    report = build(reach, *records, built("openbsd/arm", "runtime"), ended(), DONE)
    shown = markdown.render(report, {})
    assert "| linux/amd64 | runtime (built as well: internal/poll, net) |" in shown
    assert "| netbsd/arm, openbsd/arm | runtime |" in shown
    assert "| aix/ppc64 | only test files change |" in shown
    assert report.compiled
    assert "linux/amd64, netbsd/arm, openbsd/arm\n" in compiling.text(report.compiled)
    assert "runtime (built as well: internal/poll, net)</td>" in html.render(report, {}, [])


def test_samples_are_named_where_there_are_some() -> None:
    assert "The samples are in" in markdown.render(build(ended(), DONE, file=bench(0.0)), {"here": "table"})
    assert "The samples are in" not in markdown.render(build(ended(), DONE), {})


def test_after_a_resume_the_last_word_holds() -> None:
    first = RunEnded(seconds=2, failure="interrupted", failure_code=130)
    report = build(gate("fail"), first, gate("pass"), CALM, ended(), DONE, file=bench(0.0))
    assert report.verdict == "pass"
    assert report.seconds == 7
    assert len(report.cells[0].gates) == 1


@pytest.mark.parametrize("level", ["compiled", "simulated", "emulated", "unaffected", "skipped"])
def test_what_was_not_measured_is_not_shown_as_measured(level: Exercise) -> None:
    built = gate(gate="compile", signal="build", platform="linux/amd64", patch="1.patch", number=1)
    reach = SeriesReach(
        reached={"linux/amd64": ["runtime"]}, tests_only=[], untouched=[], dependents=3, host=""
    )
    report = build(reach, built, ended(exercise=level), DONE)
    assert "measured" not in report.headline.replace("nothing was measured", "")
    shown = markdown.render(report, {}) + html.render(report, {}, []) + text.render(report, "runs/x")
    assert level in shown
    assert "measured**" not in shown
    assert 'class="measured"' not in shown
    assert model.as_json(report)["cells"][0]["exercise"] == level


def placed(rung: str, **values: Any) -> HunkPlaced:
    return HunkPlaced(file="src/runtime/proc.go", number=2, title="@@ -9 +9 @@", rung=rung, line=11, **values)


def test_every_hunk_that_is_not_exact_is_shown_also_of_a_patch_that_fails() -> None:
    report = build(
        PatchApplied(
            file="0001-x.patch",
            subject="x",
            sha256=DIGEST,
            rung="conflict",
            hunks=3,
            account=[
                placed("exact", note="not to be shown"),
                placed("offset", offset=2, note="2 lines further down"),
                placed("conflict", note="nearest place: line 11", beside=["  a", "- b", "+ c"]),
            ],
        ),
        RunEnded(seconds=1, failure="0001-x.patch does not apply", failure_code=1),
    )
    summary = markdown.render(report, {})
    assert r"src/runtime/proc.go:11, hunk 2: **offset**, 2 lines further down" in summary.replace("\\_", "_")
    assert "**conflict**, nearest place: line 11" in summary
    assert "\n- b\n+ c\n" in summary
    assert "not to be shown" not in summary
    assert "- b\n+ c" in html.render(report, {}, [])
    rows = model.as_json(report)["patches"][0]["account"]
    assert [(row["rung"], row["offset"]) for row in rows] == [("exact", 0), ("offset", 2), ("conflict", 0)]


def test_what_was_let_pass_is_said_everywhere() -> None:
    report = build(
        PatchApplied(
            file="0001-x.patch",
            subject="x",
            sha256=DIGEST,
            rung="fuzz",
            hunks=1,
            account=[placed("fuzz")],
            allowed=["fuzz"],
        ),
        PatchApplied(
            file="0002-y.patch",
            subject="y",
            sha256=DIGEST,
            rung="already-applied",
            hunks=1,
            skipped=True,
        ),
        DONE,
    )
    for shown in (text.render(report, "runs/x"), markdown.render(report, {}), html.render(report, {}, [])):
        assert "0001-x.patch did not apply cleanly: fuzz" in shown.replace("\\", "")
        assert "0002-y.patch was left out" in shown.replace("\\", "")
    assert "NOT CLEAN" in text.render(report, "runs/x")
    clean = build(PatchApplied(file="1.patch", subject="x", sha256=DIGEST, rung="offset", hunks=1), DONE)
    assert "NOT CLEAN" not in text.render(clean, "runs/x")
    assert "⚠️ **" not in markdown.render(clean, {})


def hostile() -> RunReport:
    return build(
        SourceFetched(version=HOSTILE, digest=DIGEST, origin=HOSTILE, proof=HOSTILE, files=1),
        LintFinding(file=HOSTILE, line=1, severity="advice", rule=HOSTILE, message=HOSTILE),
        PatchApplied(
            file=HOSTILE,
            subject=HOSTILE,
            sha256=DIGEST,
            rung="exact",
            hunks=1,
            detail=HOSTILE,
            allowed=["fuzz"],
            account=[
                HunkPlaced(
                    file=HOSTILE,
                    number=1,
                    title=HOSTILE,
                    rung="fuzz",
                    line=1,
                    note=HOSTILE,
                    beside=[" ".join(HOSTILE.split())],
                )
            ],
        ),
        ToolchainReady(
            role="base", version="1.27.3", digest=DIGEST, proof=HOSTILE, path=HOSTILE, recipe="staged"
        ),
        gate("fail", subject=HOSTILE, transition=HOSTILE, detail=HOSTILE),
        CellEnded(cell="here", goos="linux", goarch="amd64", exercise="compiled", reason=HOSTILE),
        BenchmarkLost(
            cell="here",
            package=HOSTILE,
            benchmark=HOSTILE,
            side="patched",
            state="failed",
            reason=HOSTILE,
        ),
        StageEnded(stage=HOSTILE, seconds=1),
        RunEnded(seconds=1, failure=f"```\n{HOSTILE}", failure_code=1),
    )


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            assert name not in {"href", "src"} or value is None


def test_html_has_no_markup_from_outside() -> None:
    page = html.render(hostile(), {"here": HOSTILE}, [HOSTILE])
    assert "<script" not in page
    parser = Tags()
    parser.feed(page)
    assert not parser.seen & {"script", "a", "img", "link", "iframe"}
    assert "http" not in re.sub(r"http://e\)", "", page).replace("http-equiv", "")


def test_markdown_shows_hostile_text_literally() -> None:
    summary = markdown.render(hostile(), {"here": HOSTILE})
    outside = re.sub(r"(?s)```.*?\n```", "", summary)
    outside = re.sub(r"(?<!\\)`[^`\n]*`", "", outside)  # inline code
    assert not re.search(r"(?<!\\)<script", outside)
    assert not re.search(r"(?<!\\)`c", outside)
    assert not re.search(r"(?<!\\)\[x", outside)
    assert not re.search(r"(?<!\\)\*b\\?\*", outside)
    assert "\n# head" not in outside
    # A backslash does not stop GitHub from notifying: it looks for names in the rendered text.
    assert "@golang" not in outside
    assert "@team" not in outside
    for row in outside.splitlines():
        if row.startswith("|"):
            assert row.endswith("|"), row
    tables_ = [
        [len(re.findall(r"(?<!\\)\|", row)) for row in block.splitlines()]
        for block in re.findall(r"(?m)(?:^\|.*\n)+", outside)
    ]
    assert all(len(set(counts)) == 1 for counts in tables_), tables_


def test_a_fence_cannot_be_ended_from_inside() -> None:
    summary = markdown.render(hostile(), {"here": "```\nx\n````\n"})
    assert len(re.findall(r"(?m)^```", summary)) % 2 == 0
    block = summary.split("```text\n", 1)[1].split("\n```", 1)[0]
    assert "<script>" in block


def test_a_huge_run_has_a_summary_that_fits() -> None:
    many = [gate("fail", subject=f"runtime.Test{n}" + "|" * 50, transition="pass→fail") for n in range(2000)]
    report = build(*many, ended(), DONE)
    summary = markdown.render(report, {"here": "x" * 100_000})
    assert len(summary) <= 65_000
    assert "Cut here" in summary
    assert ": fail" in summary.splitlines()[0]


def test_a_huge_failure_closes_its_fence() -> None:
    end = RunEnded(seconds=1, failure="x" * 70 + "\n" + "line of output\n" * 20_000, failure_code=1)
    summary = markdown.render(build(end), {})
    assert len(summary) <= 65_000
    assert len(re.findall(r"(?m)^```", summary)) % 2 == 0
    assert summary.rstrip().endswith("folder.*")


def test_a_huge_single_line_still_fits() -> None:
    end = RunEnded(seconds=1, failure="y" * 200_000, failure_code=1)
    summary = markdown.render(build(end), {})
    assert len(summary) <= 65_000
    assert len(re.findall(r"(?m)^```", summary)) % 2 == 0


def test_report_json_is_plain_json_with_the_contracts_fields() -> None:
    lost = BenchmarkLost(
        cell="here", package="net", benchmark="BenchmarkZ", side="base", state="new", reason="new"
    )
    zero = bench(0.0, rounds=5).replace("ns/op", "ns/op 0 B/op")
    report = build(
        gate(),
        CALM,
        lost,
        ended(),
        RunEnded(seconds=float("inf")),
        StageEnded(stage="x", seconds=1),
        file=zero,
    )
    data = model.as_json(report)
    written = json.dumps(data, allow_nan=False)
    assert json.loads(written) == json.loads(json.dumps(data))
    expected = {
        "schema_version",
        "verdict",
        "exit_code",
        "series",
        "base",
        "patches",
        "cells",
        "toolchains",
        "environment",
        "timings",
    }
    assert expected <= data.keys()
    (cell,) = data["cells"]
    assert {"id", "goos", "goarch", "exercise", "gates", "benchmarks"} <= cell.keys()
    for row in cell["benchmarks"]:
        assert {"ratio", "ci", "p", "q", "verdict", "resolution"} <= row.keys()
    assert cell["benchmarks"][0]["ci"] == [0.0, None]  # five pairs bound nothing from above


def test_junit_is_well_formed_whatever_a_test_prints() -> None:
    detail = "\x00\x1b[31m ]]> & <b> \ufffe \U0001f600 \x0b"
    report = build(
        gate("fail", detail=detail, subject='a"<&\x01'), gate("skipped", subject="b"), ended(), DONE
    )
    root = ET.fromstring(junit.render(report))  # noqa: S314  # our own text
    (suite,) = root.iter("testsuite")
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("2", "1", "1")
    (failure,) = root.iter("failure")
    assert "]]> & <b>" in (failure.text or "")
    assert "\x1b" not in (failure.text or "")


def one_test(transition: str, status: GateStatus = "pass", test: str = "TestA", **more: Any) -> GateResult:
    package = more.pop("package", "net")
    return gate(
        status, subject=f"{package}.{test}", package=package, test=test, transition=transition, **more
    )


TESTED = (
    records.TestsChosen(cell="here", package="net", scope="the whole package", count=6, stored="2026-11-25"),
    records.TestsChosen(cell="here", package="race", scope="the same", skipped="no gcc | here"),
    one_test("pass→pass", test="TestPlain", own="added", without="passes", stored="2026-11-25"),
    one_test("skip→skip", "skipped", test="TestSkipped", detail="needs root"),
    one_test("fail→pass", test="TestMended", own="added", without="fails", note="repeated"),
    one_test("fail→fail", "baseline-fails", test="TestKnown", detail="old"),
    one_test("flaky", "flaky", test="TestFlaky", note="on both sides"),
    one_test("fail→fail", "baseline-fails", test="TestKnown/sub"),
)


def test_tests_are_counted_by_transition_and_told_where_they_are_not_quiet() -> None:
    report = build(*TESTED, ended(), DONE)
    net, race = model.as_json(report)["cells"][0]["tests"]
    assert net["counts"] == {"pass→pass": 1, "skip→skip": 1, "fail→pass": 1, "fail→fail": 1, "flaky": 1}
    assert race["skipped"] == "no gcc | here"
    summary = markdown.render(report, {}).replace("\\", "")
    rows = [line for line in summary.splitlines() if line.startswith("| test |")]
    assert [re.findall(r"net\.Test\w+(?:/sub)?", row) for row in rows] == [
        ["net.TestMended"],
        ["net.TestKnown"],
        ["net.TestFlaky"],
        ["net.TestKnown/sub"],
    ]
    assert "baseline results of 2026-11-25 from the store" in summary
    assert "skipped: no gcc" in summary
    assert "Skipped on both sides on here: net.TestSkipped." in summary
    assert "net.TestPlain on here: passes without the change, passes with it: it does not test it" in summary
    assert "net.TestMended on here: fails without the change, passes with it" in summary
    page = html.render(report, {}, [])
    assert "TestSkipped: skip→skip" in page
    assert "TestPlain: pass→pass" in page


def test_what_failed_is_told_first() -> None:
    report = build(*TESTED, one_test("pass→fail", "fail", test="TestBroken"), ended(), DONE)
    rows = [line for line in markdown.render(report, {}).splitlines() if line.startswith("| test |")]
    assert "TestBroken" in rows[0]


def test_a_test_that_failed_on_one_side_alone_too_seldom_is_no_pass() -> None:
    report = build(*TESTED, one_test("unsettled", "unsettled", test="TestRare"), CALM, ended(), DONE)
    assert outcome(report) == ("inconclusive", ExitCode.INCONCLUSIVE)
    assert "net.TestRare failed on the patched side alone" in report.headline
    flaky = build(*TESTED, CALM, ended(), DONE, file=bench(0.0))
    assert outcome(flaky) == ("pass", ExitCode.PASS)
    assert "1 are flaky on both sides" in flaky.headline


def test_junit_has_a_case_for_every_test_in_the_usual_form() -> None:
    broken = one_test("pass→fail", "fail", test="TestBroken", detail="got 1", note="5 of 5")
    stuck = one_test("pass→not run", "error", test="TestStuck")
    root = ET.fromstring(junit.render(build(*TESTED, broken, stuck, gate(gate="compile"), ended(), DONE)))  # noqa: S314  # our own text
    assert root.tag == "testsuites"
    (suite,) = root
    assert (suite.tag, suite.get("name")) == ("testsuite", "here")
    cases = list(suite)
    assert {case.tag for case in cases} == {"testcase"}
    counts = {
        kind: sum(case.find(kind) is not None for case in cases) for kind in ("failure", "error", "skipped")
    }
    assert suite.get("tests") == str(len(cases)) == "9"
    assert {kind: int(suite.get(f"{kind}s", suite.get(kind, "")) or 0) for kind in counts} == counts
    assert counts == {"failure": 1, "error": 1, "skipped": 4}
    by_name = {case.get("name"): case for case in cases}
    for case in cases:
        assert float(case.get("time", "")) >= 0
        # At most one outcome, and it comes before what was printed: the order of the schema.
        kinds = [child.tag for child in case]
        assert kinds in (
            [],
            ["system-out"],
            *([kind] for kind in counts),
            *([k, "system-out"] for k in counts),
        )
        assert all(child.get("message") and child.get("type") for child in case if child.tag in counts)
    assert by_name["TestBroken"].get("classname") == "net"
    assert by_name["TestBroken"].findtext("failure") == "got 1"
    assert by_name["TestSkipped"].findtext("skipped") == "needs root"
    assert "pass→pass" in (by_name["TestPlain"].findtext("system-out") or "")


def test_metrics_can_be_parsed() -> None:
    report = build(
        gate(),
        gate("fail", subject="b"),
        SCREENED,
        ended(),
        StageEnded(stage='x "y"\\\n', seconds=1.5),
        DONE,
        file=bench(0.2),
    )
    found = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.render(report).decode())  # type: ignore[no-untyped-call]
        for sample in family.samples
    }
    by_name = {name for name, _ in found}
    assert by_name == {
        "gopatch_exit_code",
        "gopatch_stage_seconds",
        "gopatch_gate_results",
        "gopatch_benchmark_ratio",
    }
    (stage,) = [(dict(labels)["stage"], v) for (name, labels), v in found.items() if "stage" in name]
    assert stage == ('x "y"\\\n', 1.5)
    (ratio,) = [value for (name, _), value in found.items() if name == "gopatch_benchmark_ratio"]
    assert ratio == pytest.approx(1.2, abs=0.01)


def test_the_two_files_hold_each_side_alone() -> None:
    parts = tables.by_side(bench(0.2, rounds=2))
    assert parts["base"].count("BenchmarkX-2") == parts["patched"].count("BenchmarkX-2") == 2
    assert "side:" not in parts["base"] + parts["patched"]
    assert "round:" not in parts["base"]


def test_the_terminal_names_every_row_and_where_to_look() -> None:
    shown = text.render(build(gate(), SCREENED, ended(), DONE, file=bench(0.2)), "runs/x")
    assert shown.startswith("FAIL  ")
    assert re.search(r"runtime\.X-2 sec/op +\+\d+\.\d % \[\+.+\] +worse", shown)
    assert "runs/x/report.html" in shown


def test_a_planned_benchmark_that_left_nothing_is_missing() -> None:
    start = started("here", benchmarks={"runtime": ["BenchmarkGone"]})
    report = model.build([start, ended(), RunEnded(seconds=1.0)], {})
    assert [(row.name, row.verdict) for row in report.cells[0].benchmarks] == [("Gone", "missing")]
    assert report.verdict == "inconclusive"


# The machine.


def checked(severity: str = "warning", key: str = "busy", when: str = "before") -> MachineChecked:
    finding = {"key": key, "severity": severity, "what": f"{key} <b>", "advice": "stop it"}
    return MachineChecked.model_validate(
        {"cell": "here", "when": when, "cores": 2, "state": {}, "findings": [finding]}
    )


def used(*cores: float | None) -> list[Record]:
    return [RoundEnded(cell="here", round=n, elsewhere=one, steal=0.25) for n, one in enumerate(cores, 1)]


def test_what_the_machine_did_stands_beside_the_numbers() -> None:
    report = build(gate(), checked(), *used(0.1, 0.3, 1.4), CALM, ended(), DONE, file=bench(0.0))
    text_, page = markdown.render(report, {}), html.render(report, {}, [])
    assert "Other programs used 0.30 of 2 cores in the median round, 1.40 in the worst." in text_
    assert "took at most 25.0 %" in text_
    assert re.search(
        r"The baseline's own trend over the rounds was [+-]0\.\d % \(runtime\.X-2, the most; its single "
        r"rounds lie between 99\.\d+n and 100\.\d+n\); pairs cancel what moves both sides\.",
        text_,
    )
    assert "⚠️ busy \\<b\\>: stop it" in text_
    assert "busy &lt;b&gt;" in page
    machine = model.as_json(report)["cells"][0]["machine"]
    assert machine["elsewhere"] == [0.3, 1.4]
    assert machine["findings"][0]["key"] == "busy"


def test_what_was_seen_last_holds() -> None:
    after = checked("info", when="after")
    report = build(gate(), checked(), after, *used(None), CALM, ended(), DONE, file=bench(0.0))
    found = report.cells[0].machine
    assert found is not None
    assert (found.elsewhere, found.warnings) == (None, ())


def test_open_rows_are_named_and_the_machine_is_blamed_where_it_is_known() -> None:
    wild = bench(0.0, noise=0.5)
    report = build(gate(), CALM, ended(), DONE, file=wild)
    assert re.search(
        r"1 of 1 comparisons is inconclusive, runtime.X-2 sec/op \(±\d+\.\d % is", report.headline
    )
    assert report.next_step.startswith("Run again on a quieter machine")
    report = build(gate(), checked(), CALM, ended(), DONE, file=wild)
    look = "A further run is a further look at the patch, which no p-value here counts."
    assert (
        report.next_step == f"On here busy <b>: stop it; then run again, or with --profile rigorous. {look}"
    )


def test_noise_above_what_counts_is_said() -> None:
    def shown(spread: float) -> str:
        floor = NoiseFloor(
            cell="here",
            package="runtime",
            name="X-2",
            unit="sec/op",
            pairs=50,
            spread=spread,
            likeness=0.5,
            design="paired",
        )
        report = build(gate(), floor, CALM, ended(), DONE, file=bench(0.0))
        return markdown.noise(report.cells[0].benchmarks[0], report)

    assert shown(0.012) == "1.2 %"
    assert shown(0.031) == "3.1 % (above what counts)"


# Choice.


def test_a_chosen_benchmark_that_left_nothing_is_missing_and_what_was_left_out_is_listed() -> None:
    choice = BenchmarksChosen(
        cell="here",
        chosen=["runtime BenchmarkX", "runtime BenchmarkY"],
        left_out=[["runtime", "BenchmarkZ", "beyond the time budget of 30 s"]],
        budget=30,
    )
    report = build(gate(), choice, CALM, ended(), DONE, file=bench(0.0))
    rows = {row.name: row.verdict for row in report.cells[0].benchmarks}
    assert rows == {"X-2": "no-change", "Y": "missing"}
    assert report.verdict == "inconclusive"
    text_ = markdown.render(report, {})
    assert "2 were chosen for a budget of 30.0 s, 1 were left out" in text_
    assert "runtime.BenchmarkZ: beyond the time budget" in text_
    assert "BenchmarkZ" in html.render(report, {}, [])


# What failed once.


def retried(side: str, round_: int = 2) -> BenchmarkRetried:
    return BenchmarkRetried.model_validate(
        {
            "cell": "here",
            "package": "runtime",
            "benchmark": "BenchmarkX",
            "round": round_,
            "side": side,
            "reason": "panic: <now and then>",
            "log": "bench.log",
        }
    )


def test_a_patched_side_that_crashes_now_and_then_never_passes() -> None:
    report = build(gate(), retried("patched"), retried("patched", 3), CALM, ended(), DONE, file=bench(0.0))
    assert outcome(report) == ("inconclusive", ExitCode.INCONCLUSIVE)
    assert "failed 2 times on the patched side and never on the baseline" in report.headline
    assert "panic: <now and then>" in report.headline
    assert "now and then" in report.next_step
    assert "failed in round 2 on the patched side" in markdown.render(report, {})
    assert model.as_json(report)["cells"][0]["retried"][0]["log"] == "bench.log"


@pytest.mark.parametrize("sides", [("base",), ("base", "patched")])
def test_what_the_baseline_does_as_well_is_said_and_not_charged(sides: tuple[str, ...]) -> None:
    report = build(gate(), *map(retried, sides), CALM, ended(), DONE, file=bench(0.0))
    assert report.verdict == "pass"
    assert "failed in round 2 on the base side" in markdown.render(report, {})


def test_what_was_left_out_is_listed_also_where_nothing_was_measured() -> None:
    left = BenchmarksChosen(
        cell="here",
        chosen=[],
        left_out=[["runtime", "BenchmarkZ", "beyond the time budget of 30 s"]],
        budget=30,
    )
    report = build(gate(), left, ended(), DONE)
    assert "runtime.BenchmarkZ: beyond the time budget" in markdown.render(report, {})
    assert "BenchmarkZ" in html.render(report, {}, [])


def test_a_certain_change_below_what_counts_is_not_called_none() -> None:
    report = build(gate(), CALM, ended(), DONE, file=bench(0.02, rounds=50))
    (row,) = report.cells[0].benchmarks
    assert row.verdict == "no-change"
    assert re.fullmatch(r"changed by \+2\.\d %, less than what counts", markdown.verdict(row))
