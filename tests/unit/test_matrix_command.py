"""``./inv matrix``: what it shows, with which list it checks, and what it refuses with which exit code."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline import proc
from pipeline.commands import matrix
from pipeline.commands.matrix import Options
from pipeline.errors import ExitCode, HostError, PipelineError
from pipeline.plan import plan as plan_room
from pipeline.plan import ports
from pipeline.plan.plan import Request
from pipeline.store import Store
from pipeline.values import GoTree, Platform
from tests.unit.matrixes import ROOT, write
from tests.unit.test_matrix_ports import TEXT

BODY = """\
platforms:
  linux-amd64: {goos: linux, goarch: amd64, runner: ubuntu-24.04}
  openbsd-riscv64: {goos: openbsd, goarch: riscv64}
axes:
  collector:
    platforms: [linux-amd64]
    values:
      gogc-off: {parameters: {GOGC: "off"}, environment: {GO_TEST_SHORT: "1"}, pin: [4095], test_timeout: 9}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(plan_room, "host_platform", lambda: Platform(goos="linux", goarch="amd64"))
    write(tmp_path, BODY)
    return tmp_path


class Ran:
    """What one call printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str], request: Request, **options: Any) -> None:
        self.code = matrix.main(Options(request=request, **options))
        self.out, self.err = capsys.readouterr()


def run(project: Path, capsys: pytest.CaptureFixture[str], **options: Any) -> Ran:
    asked = {name: options.pop(name) for name in ("base", "profile", "cells", "series") if name in options}
    return Ran(capsys, Request(root=project, **asked), **options)


def go_tree(folder: Path) -> Path:
    """A folder that is a Go tree as far as can be seen, with a list of platforms of its own."""
    path = folder / "go" / ports.LIST
    path.parent.mkdir(parents=True)
    path.write_text(TEXT, encoding="utf-8")
    (folder / "go/src/runtime").mkdir()
    (folder / "go/VERSION").write_text("go1.27.3\n", encoding="utf-8")
    return folder / "go"


def test_the_table(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran = run(project, capsys, listed=True)
    assert ran.code is ExitCode.PASS, ran.err
    lines = ran.out.splitlines()
    assert [re.split(" {2,}", line) for line in lines[:4]] == [
        ["cell", "platform", "under", "runs"],
        ["linux-amd64", "linux/amd64", "-", "here; fleet: ubuntu-24.04"],
        [
            "linux-amd64-gogc-off",
            "linux/amd64",
            "GOGC=off, GO_TEST_SHORT=1, pinned to CPU 4095, tests 9 s",
            "here; fleet: ubuntu-24.04",
        ],
        ["openbsd-riscv64", "openbsd/riscv64", "-", "compiled only: matrix.yml gives it no runner"],
    ]
    assert lines[5].startswith("3 cells; a fleet runs 2 jobs of at most 256, each up to ")
    assert "all that Go 1.21 to 1.27 have between them" in lines[6]
    assert "runner labels are as of 2026-11-24" in lines[6]
    assert ran.err == ""


def test_no_option_is_the_table(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, capsys).out == run(project, capsys, listed=True).out


def test_every_value_of_a_cell_with_its_place(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran = run(project, capsys, explain="linux-amd64-gogc-off", base="go1.27.1", profile="quick")
    lines = ran.out.splitlines()
    assert lines[0] == "linux-amd64-gogc-off: here; fleet: ubuntu-24.04; collector: gogc-off"
    shown = {line.split()[0]: " ".join(line.split()[1:]) for line in lines[3:]}
    assert shown["base"] == "go1.27.1 option --base"
    assert shown["series"] == "kqueue-retry-backoff matrix.yml:3:1 (default)"
    assert shown["profile"] == "quick option --profile"
    assert shown["goos"] == "linux matrix.yml:5:17 (platform linux-amd64)"
    assert shown["parameters.GOGC"] == "off matrix.yml:11:31 (axis collector: gogc-off)"
    assert shown["environment.GO_TEST_SHORT"] == "1 matrix.yml:11:59 (axis collector: gogc-off)"
    assert shown["test_timeout"] == "9 matrix.yml:11:93 (axis collector: gogc-off)"
    assert shown["cooldown"] == "0 built-in default"
    assert shown["thresholds.effect"].startswith("5% matrix.yml:")
    place = (project / "matrix.yml").read_text().splitlines().index("    rounds: 8") + 1
    assert shown["rounds"] == f"8 matrix.yml:{place}:5 (profile quick)"
    assert {"compile.types", "compile.build", "compile.tests", "max_rounds", "benchtime"} <= set(shown)


def test_the_benchmarks_of_a_series_are_among_the_values(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "patches", project / "patches")
    ran = run(project, capsys, explain="linux-amd64", series="kqueue-retry-backoff")
    found = [line.split() for line in ran.out.splitlines() if line.startswith("benchmark ")]
    assert ["benchmark", "runtime.BenchmarkNetpollOpen", "option", "--series"] in found


def test_all_of_it_as_json(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran = run(project, capsys, json=True)
    found = json.loads(ran.out)
    assert [cell["id"] for cell in found["cells"]] == [
        "linux-amd64",
        "linux-amd64-gogc-off",
        "openbsd-riscv64",
    ]
    second = found["cells"][1]
    assert second["axes"] == {"collector": "gogc-off"}
    assert second["machine"] == {"labels": ["ubuntu-24.04"], "vm": "", "version": ""}
    assert {
        "name": "parameters.GOGC",
        "value": "off",
        "from": "axis",
        "of": "collector: gogc-off",
        "at": "matrix.yml:11:31",
    } in second["values"]
    assert all(one["at"] or one["from"] in ("default", "option", "host") for one in second["values"])
    assert [one["id"] for one in found["github"]["include"]] == ["linux-amd64", "linux-amd64-gogc-off"]
    assert found["cells"][2]["no_fleet"] == "matrix.yml gives it no runner"
    assert found["checked"]["final"] is True
    one = json.loads(run(project, capsys, json=True, explain="openbsd-riscv64").out)
    assert one["cells"] == [found["cells"][2]]


def test_cells_are_chosen_by_glob(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran = run(project, capsys, json=True, cells=("*-gogc-*",))
    assert [cell["id"] for cell in json.loads(ran.out)["cells"]] == ["linux-amd64-gogc-off"]


def test_the_schemas(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "matrix.yml").unlink()  # an editor wants it before there is a file
    assert json.loads(run(project, capsys, schema=True).out)["title"] == "matrix.yml"
    assert json.loads(run(project, capsys, series_schema=True).out)["title"] == "series.yml"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"explain": "linux-amd46"}, "did you mean linux-amd64"),
        ({"explain": ""}, "no cell ''"),
        ({"explain": "openbsd-riscv64", "cells": ("linux*",)}, "no cell 'openbsd-riscv64'"),
        ({"cells": ("darwin*",)}, "no cell matches 'darwin*'"),
        ({"listed": True, "explain": "linux-amd64"}, "exclude each other"),
        ({"schema": True, "series_schema": True}, "exclude each other"),
        ({"profile": "fast"}, "no profile 'fast'"),
        ({"base": ""}, "--base is empty"),
        ({"github_output": ""}, "--github-output is empty"),
    ],
)
def test_usage(project: Path, capsys: pytest.CaptureFixture[str], options: Any, said: str) -> None:
    ran = run(project, capsys, **options)
    assert ran.code is ExitCode.USAGE
    assert said in ran.err
    assert ran.out == ""


def test_a_bases_own_list_is_the_one_that_counts(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = str(go_tree(project))
    ran = run(project, capsys, base=base)
    assert ran.code is ExitCode.USAGE
    place = f"{project / 'matrix.yml'}:6:21: platforms.openbsd-riscv64.goos"
    assert f"{place}: openbsd/riscv64 is not in {base}'s own list" in ran.err
    ran = run(project, capsys, base="1.27.3")
    assert ran.code is ExitCode.PASS


def test_an_experiment_that_the_base_lacks(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = go_tree(project)
    flags = base / "src/internal/goexperiment/flags.go"
    flags.parent.mkdir(parents=True)
    flags.write_text("\tJSONv2 bool\n", encoding="utf-8")
    write(project, "platforms:\n  a: {goos: linux, goarch: amd64, build: {GOEXPERIMENT: jsonv3}}\n")
    ran = run(project, capsys, base=str(base))
    assert ran.code is ExitCode.USAGE
    assert f"{project / 'matrix.yml'}:5:43: platforms.a.build.GOEXPERIMENT: no experiment jsonv3" in ran.err
    assert run(project, capsys, base="1.27.3").code is ExitCode.PASS  # its tree is not here to be asked


def test_a_base_that_nothing_is_known_of_is_not_refused(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project, BODY.replace("riscv64}", "riscv128}"))
    ran = run(project, capsys, base="tip")
    assert ran.code is ExitCode.PASS
    warning = " ".join(ran.err.split())
    assert "openbsd/riscv128 is not in all that Go 1.21 to 1.27 have between them" in warning
    assert "(tip may have it)" in warning
    assert run(project, capsys, base="1.27.3").code is ExitCode.USAGE


def test_more_jobs_than_github_runs(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = "".join(f'      v{n}: {{parameters: {{GOGC: "{n + 1}"}}}}\n' for n in range(60))
    platforms = "".join(
        f"  p{n}: {{goos: linux, goarch: amd64, runner: [self-hosted, p{n}]}}\n" for n in range(5)
    )
    write(project, f"platforms:\n{platforms}axes:\n  many:\n    values:\n{values}")
    ran = run(project, capsys)
    assert ran.code is ExitCode.USAGE
    assert f"{project / 'matrix.yml'}:11:3: axes.many: 305 jobs, and GitHub runs at most 256" in ran.err
    assert run(project, capsys, cells=("p1*",)).code is ExitCode.PASS


class Source:
    """A source that has the tree, or the reason why not."""

    def __init__(self, answer: Path | PipelineError) -> None:
        self.answer, self.asked = answer, 0

    def check(self) -> None:
        pass

    def find(self, store: Store) -> Path | None:
        return None

    def fetch(self, store: Store, shell: proc.Shell) -> tuple[GoTree, bool]:
        self.asked += 1
        if isinstance(self.answer, PipelineError):
            raise self.answer
        return GoTree(root=self.answer, version="1.27.3", digest="", manifest={}), False


def test_github_gets_its_jobs_checked_by_the_releases_own_list(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source(go_tree(project))
    monkeypatch.setattr("pipeline.commands.matrix.source_room.choose", lambda *_: source)
    assert run(project, capsys).code is ExitCode.PASS
    assert source.asked == 0  # a look at the matrix downloads nothing
    output = project / "output"
    ran = run(project, capsys, github_output=str(output))
    assert source.asked == 1
    assert ran.code is ExitCode.USAGE
    assert "openbsd/riscv64 is not in Go 1.27.3's own list" in ran.err
    assert not output.exists()


def test_github_gets_its_jobs_without_a_network(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "pipeline.commands.matrix.source_room.choose", lambda *_: Source(HostError("no index"))
    )
    output = project / "output"
    ran = run(project, capsys, github_output=str(output), profile="quick")
    assert ran.code is ExitCode.PASS
    assert "Go 1.27.3 is not here, and could not be fetched: no index" in " ".join(ran.err.split())
    lines = dict(line.split("=", 1) for line in output.read_text().splitlines())
    assert (lines["jobs"], lines["profile"]) == ("2", "quick")
    assert [one["id"] for one in json.loads(lines["matrix"])["include"]] == [
        "linux-amd64",
        "linux-amd64-gogc-off",
    ]


def test_warnings_of_labels_are_on_standard_error(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(project, BODY.replace("ubuntu-24.04", "ubuntu-latest"))
    ran = run(project, capsys, json=True)
    assert "ubuntu-latest moves" in " ".join(ran.err.split())
    (warning,) = json.loads(ran.out)["warnings"]
    assert warning.startswith(f"{project / 'matrix.yml'}:5:")


@pytest.mark.usefixtures("processes")
def test_as_a_command(tmp_path: Path) -> None:
    for name in ("tasks.py", "matrix.yml"):
        shutil.copy(ROOT / name, tmp_path / name)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "GOPATCH_CACHE": str(tmp_path / "cache")}

    def inv(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pipeline.commands", "matrix", *words]
        return subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False
        )

    done = inv("--explain", "linux-arm64", "--profile=rigorous")
    assert done.returncode == 0, done.stderr
    assert "profile rigorous" in done.stdout
    done = inv("--explain=nothing")
    assert done.returncode == ExitCode.USAGE
