"""Merging: what cells report is believed as far as it fits the run, and never trusted with anything else."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.commands import merge as command
from pipeline.errors import ExitCode, UsageError
from pipeline.flow import believing, merging
from pipeline.flow import folder as report_folder
from pipeline.ledger import Ledger
from pipeline.plan.plan import Plan
from pipeline.records import (
    CellBundled,
    CellEnded,
    CellReported,
    CellStarted,
    GateResult,
    PairMeasured,
    ProgramBuilt,
    ProgramRan,
    Record,
    RunStarted,
)
from pipeline.report.model import RunReport
from tests.unit import fleet

NAME = fleet.HERE.id
BUNDLE = "d" * 64
PROGRAMS: list[dict[str, Any]] = [
    {"side": side, "package": "runtime", "variant": "", "sha256": letter * 64, **dataclasses.asdict(stamp)}
    for (side, stamp), letter in zip(fleet.STAMPS.items(), "ef", strict=True)
]


def block(side: str, number: int, value: float) -> str:
    return (
        f"side: {side}\nround: {number}\ngoos: linux\ngoarch: amd64\npkg: net\n"
        f"BenchmarkTCP4OneShot-2 100 {value} ns/op\n"
    )


BENCH = "".join(block(side, number, 1000.0) for number in range(1, 9) for side in ("base", "patched"))


@dataclasses.dataclass
class Case:
    """A run's folder and one cell's, both as they should be."""

    root: Path
    run: Path
    cell: Path
    out: Path

    def merge(self) -> tuple[RunReport, dict[str, str]]:
        merged = merging.merge(merging.read(self.run), [self.cell] if self.cell.exists() else [], self.out)
        return report_folder.write(self.out, merged.ledger.records), dict(merged.refused)

    def change(self, change: Callable[[list[dict[str, Any]]], object]) -> None:
        """Rewrite the cell's ledger."""
        path = self.cell / "ledger.jsonl"
        records = [json.loads(line) for line in path.read_text().splitlines()]
        change(records)
        path.write_text("".join(json.dumps(one) + "\n" for one in records))


def write(folder: Path, records: list[Record]) -> None:
    ledger = Ledger(folder / "ledger.jsonl")
    for record in records:
        ledger.append(record)
    (folder / "logs").mkdir()
    (folder / "logs" / "test.log").write_text(f"a log of {folder.name}")


def of_run(plan: Plan) -> list[Record]:
    others = [one for one in plan.cells if one.id != NAME]
    return [
        RunStarted(
            fleet=True,
            run_id=fleet.RUN,
            plan_digest=plan.digest,
            plan=plan.as_json(),
            command="./inv patch-validate",
            environment={"os": "Linux"},
        ),
        *(ProgramBuilt(cell=NAME, compiled="0" * 64, **one) for one in PROGRAMS),
        CellBundled(cell=NAME, files={"bundle.json": 1}, sha256=BUNDLE),
        *(
            CellEnded(
                cell=one.id,
                goos=one.platform.goos,
                goarch=one.platform.goarch,
                exercise="compiled",
                reason="compiled",
            )
            for one in others
        ),
    ]


def of_cell(plan: Plan, bench: str = BENCH) -> list[Record]:
    data = bench.encode()
    return [
        CellStarted(
            cell=NAME,
            run_id=fleet.RUN,
            plan_digest=plan.digest,
            bundle=BUNDLE,
            command="./inv cell",
            environment={"os": "Linux", "cpu": "a processor"},
        ),
        *(ProgramRan(cell=NAME, **one) for one in PROGRAMS),
        GateResult(
            gate="test", cell=NAME, subject="runtime.TestA", status="pass", log="test.log", package="runtime"
        ),
        PairMeasured(
            cell=NAME,
            package="net",
            benchmark="BenchmarkTCP4OneShot",
            round=8,
            order=["base", "patched"],
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            seconds=1.0,
        ),
        CellEnded(cell=NAME, goos="linux", goarch="amd64", exercise="measured", reason="ran natively"),
        CellReported(cell=NAME, seconds=3.0),
    ]


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    plan = fleet.plan(monkeypatch)
    found = Case(root=tmp_path, run=tmp_path / "run", cell=tmp_path / f"cell-{NAME}", out=tmp_path / "out")
    write(found.run, of_run(plan))
    write(found.cell, of_cell(plan))
    (found.cell / "bench").mkdir()
    (found.cell / "bench" / f"{NAME}.txt").write_text(BENCH)
    (found.run / "patches").mkdir()
    (found.run / "patches" / "0001.patch").write_text("a patch")
    return found


def cell_of(report: RunReport) -> Any:
    (found,) = [one for one in report.cells if one.id == NAME]
    return found


def test_a_cell_that_is_believed(case: Case) -> None:
    report, refused = case.merge()
    assert refused == {}
    found = cell_of(report)
    assert (found.exercise, found.reason) == ("measured", "ran natively")
    assert [gate.log for gate in found.gates] == [f"{NAME}--test.log"]
    assert (case.out / "logs" / f"{NAME}--test.log").read_text() == f"a log of cell-{NAME}"
    assert (case.out / "logs" / "test.log").read_text() == "a log of run"
    assert (case.out / "patches" / "0001.patch").read_text() == "a patch"
    assert (case.out / "bench" / f"{NAME}.txt").read_text() == BENCH
    assert found.conditions.believed
    assert found.conditions.machine["cpu"] == "a processor"
    written = json.loads((case.out / "report.json").read_text())["cells"][0]
    assert written["conditions"]["bundle"] == {"files": {"bundle.json": 1}, "sha256": BUNDLE}
    assert [row.n for row in found.benchmarks if row.name == "TCP4OneShot-2"] == [8]
    assert report.seconds == 3.0


def refusal(case: Case) -> str:
    """Why the cell is not believed; the report says so, is not green, and holds nothing of it."""
    report, refused = case.merge()
    (reason,) = refused.values()
    found = cell_of(report)
    assert found.exercise == "missing"
    assert (found.gates, found.benchmarks) == ((), ())
    assert report.exit_code == ExitCode.INCONCLUSIVE
    assert f"cells did not report: {NAME}" in report.headline
    assert not (case.out / "bench" / f"{NAME}.txt").exists()
    assert not list((case.out / "logs").glob(f"{NAME}-*"))
    return str(reason)


def test_a_cell_that_never_reported(case: Case) -> None:
    case.cell.rename(case.root / "elsewhere")
    assert refusal(case) == "it was given a machine and did not report"


def test_a_cell_that_was_killed(case: Case) -> None:
    case.change(lambda records: records.pop())
    assert "did not come to its end" in refusal(case)


def test_a_line_cut_in_half_is_a_cell_that_was_killed(case: Case) -> None:
    path = case.cell / "ledger.jsonl"
    path.write_text(path.read_text()[:-10])
    assert "did not come to its end" in refusal(case)


def test_a_cell_whose_machine_could_not(case: Case) -> None:
    case.change(lambda records: records[-1].update(failure="no space left\nmore", failure_code=4))
    assert refusal(case) == "it could not do its work: no space left"


def test_a_cell_whose_tests_fail_is_the_patchs_fault(case: Case) -> None:
    case.change(failing)
    report, refused = case.merge()
    assert refused == {}
    found = cell_of(report)
    assert (found.exercise, "the patch fails them" in found.reason) == ("measured", True)
    assert {row.verdict for row in found.benchmarks} <= {"no-change", "inconclusive"}, (
        "none counts as missing"
    )
    assert report.exit_code == ExitCode.PATCH_FAILS
    assert "runtime.TestA on linux-amd64" in report.headline


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda found: found[0].update(run_id="another"), "of another run"),
        (lambda found: found[0].update(plan_digest="0"), "of another run"),
        (lambda found: found[0].update(bundle="0" * 64), "another bundle"),
        (lambda found: found[3].update(cell="windows-amd64"), "line 4 of its ledger speaks of another cell"),
        (lambda found: found[3].update(gate="compile"), "line 4 of its ledger is of the compile gate"),
        (lambda found: found[1].update(sha256="0" * 64), "is not the one that was built for it"),
        (lambda found: found[1].update(series="0" * 64), "is not the one that was built for it"),
        (lambda found: found.pop(1), "does not say what its base test binary of runtime was"),
        (
            lambda found: found.insert(1, {"kind": "end", "seconds": 1.0, "failure": "", "failure_code": 0}),
            "line 2 of its ledger is not for a cell to say: end",
        ),
        (
            lambda found: found.insert(1, {"kind": "bundled", "cell": NAME, "files": {}, "sha256": "0"}),
            "not for a cell to say: bundled",
        ),
        (lambda found: found.insert(1, {"kind": "nothing"}), "holds what is no record"),
        (lambda found: found.insert(1, {"kind": "cell", "cell": {"$": 1}}), "holds what is no record"),
        (lambda found: found[5].update(exercise="perfect"), "holds what is no record"),
    ],
)
def test_a_ledger_that_does_not_fit(
    case: Case, change: Callable[[list[dict[str, Any]]], object], reason: str
) -> None:
    case.change(change)
    assert reason in refusal(case)


@pytest.mark.parametrize("text", ["[" * 100_000, "{}", "null", '{"kind": "cell-started"}', "\x00\xff"])
def test_hostile_json(case: Case, text: str) -> None:
    (case.cell / "ledger.jsonl").write_text(text + "\n", encoding="latin-1")
    assert "its ledger" in refusal(case)


def test_one_machine_does_not_speak_for_another(case: Case) -> None:
    """The folder says whose results they are; a whole ledger of a cell in another's folder is refused."""
    case.change(lambda records: records[0].update(cell="../../etc"))
    assert "line 1 of its ledger speaks of another cell" in refusal(case)


def test_a_folder_that_is_called_after_no_cell(case: Case) -> None:
    case.cell = case.cell.rename(case.root / "cell-of-another")
    _, refused = case.merge()
    assert refused == {
        "cell-of-another": "no cell that was given a machine is called so",
        NAME: "it was given a machine and did not report",
    }


def test_the_command_takes_a_cells_folder_as_it_is(case: Case) -> None:
    """What is in a folder that is called after a cell is that cell's, however it looks."""
    inside = case.root / NAME / "cell-x"
    inside.mkdir(parents=True)
    assert command._folders([str(case.root / NAME)], {NAME}) == [case.root / NAME]
    assert command._folders([str(case.root / NAME)], {"another"}) == [inside]


def test_two_folders_of_one_cell(case: Case) -> None:
    merged = merging.merge(merging.read(case.run), [case.cell, case.cell], case.out)
    assert merged.refused == {NAME: "two folders are called after it"}


def failing(records: list[dict[str, Any]]) -> None:
    """The cell's test fails, as ./inv cell tells it."""
    records[-1].update(failure="the patch fails 1 test", failure_code=1)
    next(one for one in records if one["kind"] == "gate")["status"] = "fail"
    records.remove(next(one for one in records if one["kind"] == "cell"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda found: found[-1].update(failure="x", failure_code=1), "are two things"),
        (lambda found: found[3].update(status="fail"), "are two things"),
        (lambda found: found.insert(4, {**found[3], "status": "fail"}), "tells of one test twice"),
        (lambda found: found[5].update(exercise="unaffected"), "not for it to say"),
        (lambda found: found[5].update(goos="plan9"), "not for it to say"),
        (lambda found: found.insert(5, dict(found[5])), "not for it to say"),
        (lambda found: found.pop(5), "not for it to say"),
        (lambda found: found[3].update(seconds=math.inf), "cannot be written"),
        (lambda found: found[3].update(seconds=math.nan), "cannot be written"),
        (lambda found: found[3].update(subject="\ud800"), "cannot be written"),
        (lambda found: found[0]["environment"].update({"\udfff": "x"}), "cannot be written"),
    ],
)
def test_an_end_that_does_not_fit_what_was_told(
    case: Case, change: Callable[[list[dict[str, Any]]], object], reason: str
) -> None:
    case.change(change)
    assert reason in refusal(case)


@pytest.mark.parametrize(
    "text",
    [
        BENCH.replace("1000.0", "999.0", 1),
        BENCH + block("base", 9, 1.0),
        BENCH[:-1],
        "",
    ],
)
def test_an_altered_benchmark_file(case: Case, text: str) -> None:
    (case.cell / "bench" / f"{NAME}.txt").write_text(text)
    assert refusal(case) == "its benchmark file is not what it recorded"


@pytest.mark.parametrize(
    ("bench", "reason"),
    [
        (BENCH + "BenchmarkX 1 2\n", "is no benchmark file"),
        (BENCH + "BenchmarkX\x1b[31m 1 2 ns/op\n", "characters that none prints"),
    ],
)
def test_a_benchmark_file_that_is_none(
    case: Case, bench: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (case.cell / "ledger.jsonl").unlink()
    (case.cell / "logs" / "test.log").unlink()
    (case.cell / "logs").rmdir()
    write(case.cell, of_cell(fleet.plan(monkeypatch), bench))
    (case.cell / "bench" / f"{NAME}.txt").write_text(bench)
    assert reason in refusal(case)


def test_a_link_is_not_followed(case: Case) -> None:
    secret = case.root / "secret"
    secret.write_text(BENCH)
    path = case.cell / "bench" / f"{NAME}.txt"
    path.unlink()
    path.symlink_to(secret)
    assert refusal(case) == "its benchmark file is not there"


def test_logs_with_strange_names_and_links_stay_behind(case: Case) -> None:
    secret = case.root / "secret"
    secret.write_text("secret")
    logs = case.cell / "logs"
    (logs / "link.log").symlink_to(secret)
    (logs / "a b.log").write_text("x")
    (logs / ".hidden.log").write_text("x")
    (logs / "page.html").write_text("<script>")
    (logs / "deep").mkdir()
    case.merge()
    assert sorted(path.name for path in (case.out / "logs").iterdir()) == [f"{NAME}--test.log", "test.log"]


def test_a_path_for_a_log_is_not_kept(case: Case) -> None:
    case.change(lambda records: records[3].update(log="../../../etc/passwd"))
    report, _ = case.merge()
    assert cell_of(report).gates[0].log == ""


def test_control_characters_are_shown_and_not_sent(case: Case) -> None:
    def colour(records: list[dict[str, Any]]) -> None:
        records[3].update(detail="\x1b[2J", subject="runtime.Test\x9bA")
        records[0]["environment"]["cpu\x1b"] = "a\x07b"

    case.change(colour)
    report, _ = case.merge()
    found = cell_of(report)
    assert (found.gates[0].detail, found.gates[0].subject) == ("\\x1b[2J", "runtime.Test\\x9bA")
    assert found.conditions.machine["cpu\\x1b"] == "a\\x07b"
    for path in case.out.rglob("*"):
        if path.is_file() and path.suffix in {".md", ".html", ".json", ".jsonl", ".xml", ".prom"}:
            assert "\x1b" not in path.read_text(), path


def test_hostile_markdown_stays_text(case: Case) -> None:
    hostile = "</td><script>alert(1)</script> @golang **x** <!-- gopatch: y --> ```"
    case.change(failing)
    case.change(lambda records: records[3].update(subject=hostile, detail=hostile))
    report, _ = case.merge()
    summary = (case.out / "summary.md").read_text()
    assert "<script>" not in summary.replace("\\<script\\>", "")
    assert "<!-- gopatch" not in summary
    assert "<script>alert" not in (case.out / "report.html").read_text()
    assert report.exit_code == ExitCode.PATCH_FAILS


def test_a_run_that_failed_in_the_build_says_so(case: Case) -> None:
    path = case.run / "ledger.jsonl"
    lines = [line for line in path.read_text().splitlines() if '"bundled"' not in line]
    end = {"kind": "end", "seconds": 5.0, "failure": "patch 1 does not compile", "failure_code": 1}
    path.write_text("\n".join([*lines, json.dumps(end)]) + "\n")
    case.cell.rename(case.root / "elsewhere")
    report, refused = case.merge()
    assert (report.exit_code, report.headline) == (ExitCode.PATCH_FAILS, "patch 1 does not compile.")
    assert refused == {}


def test_a_run_that_was_killed_in_the_build_is_not_finished(case: Case) -> None:
    path = case.run / "ledger.jsonl"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    case.cell.rename(case.root / "elsewhere")
    report, _ = case.merge()
    assert (report.verdict, report.exit_code) == ("incomplete", ExitCode.BUG)
    assert report.next_step.endswith("begins anew, with ./inv bundle.")


def test_what_is_no_run(case: Case, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no run"):
        merging.read(tmp_path / "nothing")
    (case.run / "ledger.jsonl").write_text("")
    with pytest.raises(UsageError, match="does not hold the start of a run"):
        merging.read(case.run)


def test_a_huge_ledger_is_not_read(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    size = (case.cell / "ledger.jsonl").stat().st_size
    monkeypatch.setattr(believing, "MAX_LEDGER", size)
    with (case.cell / "ledger.jsonl").open("ab") as stream:
        os.truncate(stream.fileno(), size + 1)
    assert "larger than" in refusal(case)
