"""The generated workflow, step by step as it is written: real Go, real measurements, a clone for each job.

Its report is that of a run on one machine, in everything but times and what was measured.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.golang import host_platform
from tests.actions.job import JobRun
from tests.actions.runner import Run, Setting, run
from tests.integration.harness import ROOT, ring_series, warmed

pytestmark = pytest.mark.go

HOST = "{0.goos}-{0.goarch}".format(host_platform())
# What a cell's job would have in its cache, had it fetched or built anything of Go.
MADE = {
    "archives",
    "checkers",
    "checks",
    "fingerprints",
    "go-build",
    "overlays",
    "releases",
    "testbins",
    "toolchains",
}
# The parts of report.json that are a time, or were measured, or come of what was.
MEASURED = re.compile(
    r"""run_id | timings | environment\.load_1m | .*\.seconds
    | cells\[\]\.conditions\.(machine | bundle | programs\[\]\.relinked)(\..*)?  # a fleet's alone
    | cells\[\]\.conditions\.seen\.variables\.(HOME|PATH|TMPDIR|GOCACHE|GOPATH|GOROOT)
    | cells\[\]\.machine\.(findings|rounds|elsewhere|steal).*
    | cells\[\]\.benchmarks\[\]\.
      (n|base|patched|ratio|ci|p|q|benchstat_p|resolution|noise|drift|span|absolute|design|phase)(\..*|\[\].*)?""",
    re.VERBOSE,
)
# Sentences in which numbers are such.
COUNTED = re.compile(r"headline | next_step | cells\[\]\.benchmarks\[\]\.reason", re.VERBOSE)


def venv() -> Path | None:
    """The environment that ``./inv`` made for these tests, which the jobs need not make again."""
    here = Path(sys.prefix)
    return here if list(here.glob(".locked-*")) else None


def pip_settings() -> dict[str, str]:
    """How pip reaches its index here, where the environment says it."""
    return {name: value for name, value in os.environ.items() if name.startswith("PIP_")}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where everything of this module is made."""
    return tmp_path_factory.mktemp("workflow")


@pytest.fixture(scope="module")
def options(place: Path, release: Path) -> dict[str, str]:
    """The inputs of the run: a small series, the shortest profile, the cell that this machine can be."""
    series = ring_series(place / "ring", release)
    return {"series": str(series), "profile": "quick", "cells": HOST}


@pytest.fixture(scope="module")
def done(place: Path, cache: Path, options: dict[str, str]) -> Run:
    """The workflow's run. Jobs on Linux that build share a cache, as they may; a cell has its own."""
    warmed(cache, place / "caches/fleet")

    def environment(name: str) -> dict[str, str]:
        kind = "fleet" if name in ("plan", "build") else f"of-{name}"
        return {**pip_settings(), "GOPATCH_CACHE": str(place / "caches" / kind)}

    setting = Setting(
        repository=ROOT, folder=place / "run", environment=environment, venv=venv(), seconds=1500
    )
    return run(setting, ".github/workflows/validate.yml", event="workflow_call", inputs=options)


@pytest.fixture(scope="module")
def local(place: Path, cache: Path, options: dict[str, str]) -> Path:
    """The folder of the same run on this machine alone: another clone, and another cache but for Go's own."""
    warmed(cache, place / "caches/local")
    clone = place / "local"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(clone)], check=True)
    if here := venv():
        (clone / ".venv").symlink_to(here)
    words = [f"--{name}={value}" for name, value in options.items()]
    (place / "home").mkdir()
    environment = {
        **pip_settings(),
        "PATH": os.environ["PATH"],
        "HOME": str(place / "home"),
        "LANG": "C.UTF-8",
        "GOPATCH_CACHE": str(place / "caches/local"),
    }
    finished = subprocess.run(
        ["./inv", "patch-validate", *words, f"--out={place / 'alone'}"],
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return place / "alone"


def said(job: JobRun) -> str:
    """Every step of a job with its code and the end of its output."""
    return "\n".join(f"{job.name}: {step.name}: {step.code}\n{step.output[-2000:]}" for step in job.steps)


def test_every_step_that_was_to_run_ran(done: Run) -> None:
    assert done.result == "success", "\n".join(map(said, done.jobs))
    assert [job.name for job in done.jobs] == ["plan", "build", HOST, "conclude"]
    left_out = {step.name for job in done.jobs for step in job.steps if step.outcome != "success"}
    assert all(re.fullmatch(r"(Keep what|Get what) \S+ (runs|left)", name) for name in left_out), left_out
    assert f"Keep what {HOST} runs" not in left_out
    assert f"Get what {HOST} left" not in left_out
    assert done.outputs == {"verdict": "pass", "exit-code": "0"}


def test_actions_that_something_stood_in_for(done: Run) -> None:
    assert sorted(name.partition("@")[0] for name in done.replaced) == [
        "actions/checkout",
        "actions/download-artifact",
        "actions/setup-python",
        "actions/upload-artifact",
    ]


def test_the_artifacts(done: Run, place: Path) -> None:
    there = {path.name for path in (place / "run/artifacts").iterdir()}
    assert there == {"run", f"bundle-{HOST}", f"cell-{HOST}", "report"}
    assert (place / f"run/artifacts/cell-{HOST}/bench/{HOST}.txt").stat().st_size > 0


def test_the_cells_job_had_and_made_no_go(done: Run, place: Path) -> None:
    cache = place / "caches" / f"of-{HOST}"
    found = {path.name for path in cache.glob("v1/*")} if cache.is_dir() else set()
    assert found & MADE == set()
    (steps,) = [[step.name for step in job.steps] for job in done.jobs if job.name == HOST]
    assert steps == [
        "Check the sources out",
        "Set Python up",
        "Get what the cell runs",
        "Run the cell",
        "Keep what the cell left",
    ]


def test_the_summary_is_the_reports(done: Run, place: Path) -> None:
    assert done.job("conclude").summary == (place / "run/artifacts/report/summary.md").read_text()


def differences(left: Any, right: Any, path: str = "") -> Iterator[str]:
    """Where two reports differ, what is measured left out."""
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted({*left, *right}):
            where = f"{path}.{key}" if path else key
            if MEASURED.fullmatch(where):
                continue
            if (key in left) != (key in right):
                yield f"{where}: only in {'the first' if key in left else 'the second'}"
            else:
                yield from differences(left[key], right[key], where)
    elif isinstance(left, list) and isinstance(right, list):
        if len(left) != len(right):
            yield f"{path}: {len(left)} and {len(right)} items"
        for one, other in zip(left, right, strict=False):
            yield from differences(one, other, f"{path}[]")
    else:
        if COUNTED.fullmatch(path):
            left, right = (re.sub(r"\d+(\.\d+)?", "N", str(value)) for value in (left, right))
        if left != right:
            yield f"{path}: {left!r} and {right!r}"


def read(folder: Path, place: Path) -> Any:
    """A report, with the caches' own places left out, and the cell before the names of its logs: those of all
    cells are in one folder."""
    text = (folder / "report.json").read_text(encoding="utf-8").replace(f'"log": "{HOST}--', '"log": "')
    found = json.loads(re.sub(rf"{re.escape(str(place))}/caches/[\w-]+", "CACHE", text))
    for cell in found["cells"]:
        # A bundle has one program more, for a cell in a container.
        programs = cell["conditions"]["programs"]
        cell["conditions"]["programs"] = [one for one in programs if one["package"] != "gopatch/attendant"]
    return found


def test_the_report_is_that_of_one_machine(done: Run, local: Path, place: Path) -> None:
    merged = read(Path(str(done.job("conclude").folder)) / "work/build/report", place)
    found = list(differences(read(local, place), merged))
    assert not found, "\n".join(found)
    (cell,) = [one for one in merged["cells"] if one["id"] == HOST]
    assert cell["exercise"] == "measured"
    assert cell["benchmarks"]
    assert [gate["status"] for gate in cell["gates"] if gate["gate"] == "test"].count("pass") >= 2


def test_the_comparison_sees_what_it_should() -> None:
    one = {"run_id": "a", "verdict": "pass", "cells": [{"id": "x", "benchmarks": [{"n": 8, "verdict": "v"}]}]}
    same = json.loads(json.dumps(one).replace('"a"', '"b"').replace("8", "9"))
    assert list(differences(one, same)) == []
    for old, new in (('"pass"', '"fail"'), ('"v"', '"w"'), ('"id"', '"other"'), ('{"n"', '{}, {"n"')):
        assert list(differences(one, json.loads(json.dumps(one).replace(old, new))))
