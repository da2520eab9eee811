"""The generated workflows run step by step, with a stand-in for ``./inv`` that only leaves files.

What the steps hand to each other, what runs after a failure, and which verdict comes out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.github import workflows
from pipeline.github.workflows import Fleet
from tests.actions.fleets import PLAIN
from tests.actions.runner import Run, Setting, run
from tests.unit.contributor import Repository

pytestmark = pytest.mark.usefixtures("processes")

ROOT = Path(__file__).resolve().parents[3]
CELLS = ("linux-amd64", "linux-arm64", "darwin-arm64")
FLEET = Fleet(cells=CELLS, profiles=PLAIN.profiles, pins=PLAIN.pins)
VALIDATE, PULL_REQUEST, PUBLISH, DISPATCH = (
    f".github/workflows/{name}.yml" for name in ("validate", "pull-request", "publish", "dispatch")
)
# Each call is a line of $CALLS, its words with bars between them; `codes` has what a verb exits with.
INV = r"""#!/bin/sh
set -eu
(IFS='|'; echo "$*") >>"$CALLS"
verb=$1
shift
case $verb in
matrix)
    for word; do
        case $word in --github-output=*) echo "matrix=$(cat matrix.json)" >>"${word#*=}" ;; esac
    done ;;
bundle)
    for word; do
        case $word in --github-output=*) cat bundled >>"${word#*=}" ;; esac
    done
    mkdir -p build/run
    echo planned >build/run/ledger.jsonl
    for cell in $(cat built); do
        mkdir -p "build/cells/$cell"
        echo "for $cell" >"build/cells/$cell/bundle.json"
    done ;;
cell)
    mkdir -p build/cell
    echo "$1 ran what is $(cat build/bundle/bundle.json)" >build/cell/ledger.jsonl ;;
merge)
    mkdir -p build/report
    cat build/run/ledger.jsonl build/cells/*/ledger.jsonl >build/report/ledger.jsonl 2>&1 || true
    echo "# The summary" >build/report/summary.md ;;
publish)
    ls "$1" >>"$CALLS" 2>&1 || true ;;
esac
[ "$verb" != cell ] || verb="cell $1"
exit "$(sed -n "s/^$verb //p" codes | grep . || echo 0)"
"""


@pytest.fixture
def calls(tmp_path: Path) -> Callable[[], list[str]]:
    """What ``./inv`` was called with."""
    path = tmp_path / "calls"
    path.touch()
    return lambda: path.read_text().splitlines()


@pytest.fixture
def project(tmp_path: Path) -> Repository:
    """A repository with the workflows."""
    made = Repository(tmp_path / "repository")
    (made.path / "inv").write_text(INV)
    (made.path / "inv").chmod(0o755)
    made.commit({**workflows.render(ROOT, FLEET), "README": "."}, "project")
    return made


def matrix(cells: Sequence[str]) -> str:
    """The jobs of cells, as both verbs tell them."""
    rows = [
        {"id": cell, "labels": [f"label-{cell}"], "vm": "", "version": "", "minutes": 5} for cell in cells
    ]
    return json.dumps({"include": rows})


@pytest.fixture
def start(tmp_path: Path, project: Repository, calls: Callable[[], list[str]]) -> Callable[..., Run]:
    """Run a workflow in which these cells are chosen and ``./inv VERB`` exits with these codes."""

    def begin(
        path: str = VALIDATE,
        *,
        event: str = "workflow_call",
        inputs: Mapping[str, str] | None = None,
        cells: tuple[str, ...] = CELLS[:2],
        built: tuple[str, ...] | None = None,
        codes: str = "",
        **setting: Any,
    ) -> Run:
        there = cells if built is None else built
        files = {
            "matrix.json": matrix(cells),
            "codes": codes,
            "built": "\n".join(there),
            "bundled": f"matrix={matrix(there)}\njobs={len(there)}\n",
        }
        project.commit(files, "what is to happen")
        made = Setting(
            repository=project.path,
            folder=tmp_path / "run",
            environment=lambda _name: {"CALLS": str(tmp_path / "calls")},
            **setting,
        )
        return run(made, path, event=event, inputs=inputs)

    return begin


Start = Callable[..., Run]
Calls = Callable[[], list[str]]


def test_a_run_from_plan_to_verdict(start: Start, calls: Calls, tmp_path: Path) -> None:
    done = start()
    assert [(job.name, job.result) for job in done.jobs] == [
        ("plan", "success"),
        ("build", "success"),
        ("linux-amd64", "success"),
        ("linux-arm64", "success"),
        ("conclude", "success"),
    ]
    outputs = [done.job(name).folder / "2.output" for name in ("plan", "build")]  # type: ignore[operator]
    assert calls() == [
        f"matrix|--github-output={outputs[0]}|--profile=standard",
        f"bundle|--out=build|--github-output={outputs[1]}|--profile=standard",
        "cell|linux-amd64|--bundle=build/bundle|--out=build/cell",
        "cell|linux-arm64|--bundle=build/bundle|--out=build/cell",
        "merge|build/run|build/cells/linux-amd64|build/cells/linux-arm64|--out=build/report",
    ]
    assert done.outputs == {"verdict": "pass", "exit-code": "0"}
    assert done.job("linux-arm64").labels == ["label-linux-arm64"]
    assert done.job("conclude").summary == "# The summary\n"
    assert (tmp_path / "run/artifacts/report/ledger.jsonl").read_text().splitlines() == [
        "planned",
        "linux-amd64 ran what is for linux-amd64",
        "linux-arm64 ran what is for linux-arm64",
    ]
    assert sorted(name.partition("@")[0] for name in done.replaced) == sorted(PLAIN.pins)


def test_only_the_chosen_cells_travel(start: Start, tmp_path: Path) -> None:
    done = start(cells=("darwin-arm64",))
    assert [job.name for job in done.jobs] == ["plan", "build", "darwin-arm64", "conclude"]
    assert sorted(path.name for path in (tmp_path / "run/artifacts").iterdir()) == [
        "bundle-darwin-arm64",
        "cell-darwin-arm64",
        "report",
        "run",
    ]
    assert (tmp_path / "run/artifacts/report/ledger.jsonl").read_text().count("ran") == 1
    assert [step.outcome for step in done.job("conclude").steps if "left" in step.name] == [
        "skipped",
        "skipped",
        "success",
    ]


def test_without_machines_there_is_no_cell_to_run(start: Start, calls: Calls) -> None:
    done = start(cells=())
    assert done.job("cell").result == "skipped"
    assert calls()[-1] == "merge|build/run|--out=build/report"
    assert (done.result, done.outputs["verdict"]) == ("success", "pass")


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (0, "pass"),
        (1, "fail"),
        (5, "inconclusive"),
        (2, "error"),
        (4, "error"),
        (70, "error"),
        (130, "error"),
    ],
)
def test_the_verdict_is_that_of_merge(start: Start, tmp_path: Path, code: int, verdict: str) -> None:
    done = start(codes=f"merge {code}")
    assert done.outputs == {"verdict": verdict, "exit-code": str(code)}
    assert done.job("conclude").step("Merge and judge").code == code
    assert done.result == ("failure" if code else "success")
    assert done.job("conclude").summary == "# The summary\n"
    assert (tmp_path / "run/artifacts/report/summary.md").is_file()


def test_a_patch_that_fails_its_gates_runs_nowhere_and_is_judged(start: Start, calls: Calls) -> None:
    done = start(codes="bundle 1\nmerge 1")
    assert [job.result for job in done.jobs] == ["success", "failure", "skipped", "failure"]
    assert calls()[-1] == "merge|build/run|--out=build/report"
    assert done.outputs["verdict"] == "fail"
    assert done.job("conclude").steps[0].output == "plan success, build failure, cells skipped\n"


def test_a_failed_cell_stops_no_other_and_is_heard(start: Start, calls: Calls) -> None:
    done = start(codes="cell linux-amd64 1\nmerge 1")
    assert [job.result for job in done.jobs if job.key == "cell"] == ["failure", "success"]
    assert "build/cells/linux-amd64|build/cells/linux-arm64" in calls()[-1]
    assert done.result == "failure"


def test_a_cell_that_left_nothing_is_for_merge_to_miss(start: Start, calls: Calls) -> None:
    def lose(name: str, artifacts: Path) -> None:
        if name == "conclude":
            (artifacts / "cell-linux-amd64").rename(artifacts / "lost")

    done = start(before=lose, codes="merge 4")
    lost = done.job("conclude").step("Get what linux-amd64 left")
    assert (lost.outcome, lost.conclusion) == ("failure", "success")
    assert calls()[-1] == "merge|build/run|build/cells/linux-arm64|--out=build/report"
    assert done.result == "failure"


def test_without_a_bundle_a_cell_does_not_run(start: Start, calls: Calls) -> None:
    def lose(name: str, artifacts: Path) -> None:
        if name == "linux-amd64":
            (artifacts / "bundle-linux-amd64").rename(artifacts / "lost")

    done = start(before=lose)
    assert done.job("linux-amd64").result == "failure"
    assert not any(call.startswith("cell|linux-amd64") for call in calls())


def test_a_cell_that_the_series_does_not_reach_has_no_job(start: Start, calls: Calls) -> None:
    done = start(built=CELLS[:1])
    assert done.job("build").step("Keep what linux-arm64 runs").outcome == "skipped"
    assert [job.name for job in done.jobs] == ["plan", "build", "linux-amd64", "conclude"]
    assert calls()[-1] == "merge|build/run|build/cells/linux-amd64|--out=build/report"
    assert done.result == "success"


def test_a_cell_that_the_workflows_were_not_made_for_fails(start: Start) -> None:
    done = start(cells=("linux-amd64", "unheard-of"))
    assert done.job("unheard-of").result == "failure"
    assert done.job("linux-amd64").result == "success"


@pytest.mark.parametrize("lost", ["plan", "run"])
def test_without_a_run_nothing_is_green(start: Start, calls: Calls, lost: str) -> None:
    def lose(name: str, artifacts: Path) -> None:
        if name == "conclude" and lost == "run":
            (artifacts / "run").rename(artifacts / "lost")

    done = start(before=lose, codes="matrix 2\nmerge 2" if lost == "plan" else "merge 2")
    assert done.job("conclude").result == "failure"
    assert done.result == "failure"
    assert done.outputs == {"verdict": "error", "exit-code": "2"}


HOSTILE = """a"b'; touch pwned; $(touch pwned) `touch pwned` --out=x ${{ github.token }} *"""


def test_inputs_stay_what_they_are(start: Start, calls: Calls, tmp_path: Path) -> None:
    inputs = {"series": HOSTILE, "base": "-x", "profile": "quick", "cells": "linux-*, darwin-*"}
    start(DISPATCH, event="workflow_dispatch", inputs=inputs)
    words = [f"--series={HOSTILE}", "--base=-x", "--profile=quick", "--cells=linux-*, darwin-*"]
    planned, built = (call.split("|") for call in calls()[:2])
    assert (planned[2:], built[3:]) == (words, words)
    assert list(tmp_path.rglob("pwned")) == []


def changed(project: Repository, *names: str) -> None:
    """A merge commit as GitHub makes it for a pull request that adds these files."""
    project.commit({"patches/old/series.yml": "x", "patches/gone/series.yml": "x"}, "base")
    project.git("checkout", "--quiet", "-b", "head")
    (project.path / "patches/gone/series.yml").unlink()
    project.commit(dict.fromkeys(names, "new"), "change")
    project.git("checkout", "--quiet", "master")
    project.commit({"patches/unrelated/series.yml": "y"}, "meanwhile, elsewhere")
    project.raw("merge", "--quiet", "--no-ff", "-m", "merge", "head")


@pytest.mark.parametrize(
    ("names", "series"),
    [
        (["patches/new/series.yml", "patches/new/0001-x.patch"], "new"),
        (["patches/old/0001-x.patch"], "old"),
        (["pipeline/x.py"], ""),
        (["patches/README.md", "patches/no-series/x.patch"], ""),
        (["patches/UPPER/x", "patches/ü/x", "patches/old/x"], "old"),
    ],
)
def test_a_pull_request_is_validated_with_the_series_that_it_changes(
    project: Repository, start: Start, calls: Calls, tmp_path: Path, names: list[str], series: str
) -> None:
    # `start` commits more: on the branch, so that the merge stays what is checked out.
    files = {"matrix.json": matrix([]), "codes": "", "built": "", "bundled": f"matrix={matrix([])}\njobs=0\n"}
    project.commit(files, "what is to happen")
    changed(project, *names)
    made = Setting(
        repository=project.path,
        folder=tmp_path / "run",
        environment=lambda _name: {"CALLS": str(tmp_path / "calls")},
    )
    done = run(made, PULL_REQUEST, event="pull_request")
    assert done.result == "success"
    assert (f"--series={series}" in calls()[0]) is bool(series)
    assert ("--series" in calls()[0]) is bool(series)
    assert list(tmp_path.rglob("pwned")) == []


@pytest.mark.parametrize("name", ["-", "$(touch pwned)", "UPPER", "a b", "x;y"])
def test_a_series_with_a_name_that_none_has_is_refused(
    project: Repository, calls: Calls, tmp_path: Path, name: str
) -> None:
    changed(project, f"patches/{name}/series.yml", "patches/old/x")
    done = run(Setting(repository=project.path, folder=tmp_path / "run"), PULL_REQUEST, event="pull_request")
    assert done.job("series").steps[-1].code == 2
    assert "a name that no series has" in done.job("series").steps[-1].output
    assert name == "-" or name not in done.job("series").steps[-1].output
    assert calls() == []
    assert list(tmp_path.rglob("pwned")) == []


def test_a_pull_request_on_two_series_is_refused(project: Repository, calls: Calls, tmp_path: Path) -> None:
    changed(project, "patches/new/series.yml", "patches/old/x")
    done = run(Setting(repository=project.path, folder=tmp_path / "run"), PULL_REQUEST, event="pull_request")
    assert done.job("series").steps[-1].code == 2
    assert "::error::This changes the series new old." in done.job("series").steps[-1].output
    assert [job.result for job in done.jobs] == ["failure", "skipped"]
    assert calls() == []


EVENT = {
    "workflow_run": {
        "id": 7,
        "event": "pull_request",
        "conclusion": "failure",
        "head_branch": HOSTILE,
        "head_sha": "1" * 40,
        "html_url": "https://forge.example.test/owner/repository/actions/runs/7",
        "head_repository": {"full_name": "stranger/fork", "owner": {"login": "stranger"}},
        "pull_requests": [],
    }
}


@pytest.mark.parametrize("there", [True, False])
def test_publishing_takes_all_but_the_report_from_the_event(
    start: Start, calls: Calls, tmp_path: Path, there: bool
) -> None:
    if there:
        (tmp_path / "other/report").mkdir(parents=True)
        (tmp_path / "other/report/inv").write_text("hostile")
    done = start(
        PUBLISH,
        event="workflow_run",
        github={"event": EVENT},
        other={"7": tmp_path / "other"},
    )
    folder = done.job("publish").folder
    assert folder is not None
    installed, first, second = calls()
    assert installed == "--version"
    assert first.split("|") == [
        "publish",
        f"{folder}/temp/report",
        "--repository=owner/repository",
        f"--head=stranger:{HOSTILE}",
        f"--sha={'1' * 40}",
        "--details-url=https://forge.example.test/owner/repository/actions/runs/7",
    ]
    assert second == "inv" if there else "No such file" in second
    assert done.result == "success"
    assert (folder / "work/inv").read_text() == INV
    assert list(tmp_path.rglob("pwned")) == []
