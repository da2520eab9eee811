"""Which input the options name, and what a plan and a run's folder make of it."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.commands import patch_validate
from pipeline.errors import ExitCode, UsageError
from pipeline.flow import evidence, folder
from pipeline.inputs import base
from pipeline.inputs.base import Asked
from pipeline.inputs.clone import Clone
from pipeline.inputs.folder import Folder
from pipeline.inputs.gerrit import GerritChange
from pipeline.inputs.github import PullRequest
from pipeline.inputs.stream import PatchFile, Stdin
from pipeline.ledger import Ledger
from pipeline.plan import plan as room
from pipeline.plan.plan import Plan, Request, make
from pipeline.records import RunStarted, SeriesRead
from pipeline.report import model
from pipeline.source.settings import Settings
from pipeline.values import Platform
from tests.unit.contributor import Repository

ROOT = Path(__file__).resolve().parents[2]
DIFF = b"--- a/src/runtime/p.go\n+++ b/src/runtime/p.go\n@@ -1 +1 @@\n-a\n+b\n"
SERIES = "kqueue-retry-backoff"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "project"
    made.mkdir()
    shutil.copy(ROOT / "matrix.yml", made)
    shutil.copytree(ROOT / "patches", made / "patches")
    monkeypatch.setattr(room, "host_platform", lambda: Platform(goos="linux", goarch="amd64"))
    return made


def chosen(tmp_path: Path, **asked: str) -> base.Input:
    return base.choose(Asked(**asked), default="x", patches=tmp_path / "patches", settings=Settings())  # type: ignore[arg-type]


def test_what_each_option_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain").write_bytes(DIFF)
    (tmp_path / "x.patch").mkdir()
    assert isinstance(chosen(tmp_path), Folder)
    assert isinstance(chosen(tmp_path, series="name"), Folder)
    assert isinstance(chosen(tmp_path, series=str(tmp_path)), Folder)
    assert isinstance(chosen(tmp_path, series=str(tmp_path / "x.patch")), Folder)
    assert isinstance(chosen(tmp_path, series="patches/x/series.yml"), Folder)
    assert isinstance(chosen(tmp_path, series="none.mbox"), PatchFile)
    assert isinstance(chosen(tmp_path, series=str(tmp_path / "plain")), PatchFile)
    assert isinstance(chosen(tmp_path, series="./plain"), PatchFile)
    assert isinstance(chosen(tmp_path, series="plain"), Folder)
    assert isinstance(chosen(tmp_path, series="-"), Stdin)
    assert isinstance(chosen(tmp_path, gerrit="1"), GerritChange)
    assert isinstance(chosen(tmp_path, github="golang/go#1"), PullRequest)
    assert isinstance(chosen(tmp_path, from_git=".", commits="HEAD"), Clone)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"series": "x", "gerrit": "1"}, "--series and --gerrit exclude each other"),
        ({"from_git": ".", "github": "a/b#1", "commits": "HEAD"}, "--from-git and --github exclude"),
        ({"series": "-", "from_git": ".", "gerrit": "1"}, "--series and --from-git and --gerrit exclude"),
        ({"commits": "HEAD"}, "--range is for --from-git"),
        ({"series": "x", "commits": "HEAD"}, "--range is for --from-git"),
        ({"from_git": "."}, "--from-git needs --range"),
        *(({name: ""}, " is empty") for name in ("series", "from_git", "commits", "gerrit", "github")),
    ],
)
def test_options_that_do_not_go_together(tmp_path: Path, asked: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        chosen(tmp_path, **asked)
    assert caught.value.hint


def test_a_file(project: Path, tmp_path: Path) -> None:
    path = tmp_path / "My Change (v2).patch"
    path.write_bytes(DIFF)
    plan = make(Request(root=project, series=str(path)))
    assert plan.series.name == "my-change-v2"
    assert plan.series.patches[0].content == DIFF
    assert plan.origin.options == (f"--series={path}",)
    assert plan.origin.raw == DIFF
    assert plan.as_json()["tests"] == {}
    for base_ in ("1.20.1", "1.28rc1", "tip"):  # for any release
        assert make(Request(root=project, series=str(path), base=base_)).series == plan.series
    path.write_bytes(DIFF.replace(b"+b", b"+c"))
    assert make(Request(root=project, series=str(path))).digest != plan.digest


def test_the_digest_is_of_the_content_and_not_of_the_place(project: Path, tmp_path: Path) -> None:
    digests = set()
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "x.patch").write_bytes(DIFF)
        digests.add(make(Request(root=project, series=str(tmp_path / place / "x.patch"))).digest)
    assert len(digests) == 1


@pytest.mark.parametrize("name", ["none.patch", "x/none.mbox"])
def test_a_file_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        PatchFile(tmp_path / name).read("")


def test_a_file_without_an_end(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="/dev/zero: larger than"):
        PatchFile(Path("/dev/zero")).read("")


@pytest.mark.skipif(os.name != "posix", reason="pipes have no path elsewhere")
def test_the_pipe_of_a_shell(tmp_path: Path) -> None:
    end, other = os.pipe()
    os.write(other, DIFF)
    os.close(other)
    found = chosen(tmp_path, series=f"/dev/fd/{end}")
    series, _ = found.read("")
    os.close(end)
    assert series.patches[0].content == DIFF


class Input(io.TextIOWrapper):
    """Standard input as a pipe, or as a terminal."""

    def __init__(self, data: bytes, *, terminal: bool = False) -> None:
        super().__init__(io.BytesIO(data))
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Input(DIFF))
    series, origin = Stdin().read("")
    assert (series.name, origin.form, origin.raw) == ("stdin", "stdin", DIFF)
    monkeypatch.setattr(sys, "stdin", Input(b" \n"))
    with pytest.raises(UsageError, match="standard input is empty"):
        Stdin().read("")
    monkeypatch.setattr(sys, "stdin", Input(b"", terminal=True))
    with pytest.raises(UsageError, match="nothing is piped into it"):
        Stdin().read("")


def test_a_folder_says_where_it_is(project: Path) -> None:
    plan = make(Request(root=project))
    where = project / "patches" / SERIES
    assert (plan.origin.form, plan.origin.origin) == ("folder", str(where))
    assert plan.origin.options == (f"--series={SERIES}",)
    assert make(Request(root=project, series=str(where))).origin.options == (f"--series={where}",)


def variants(project: Path) -> None:
    path = project / "patches" / SERIES / "series.yml"
    patch = next(path.parent.glob("0001-*")).name
    path.write_text(path.read_text() + f'variants:\n  - {{base: ">=1.28", patches: [{patch}]}}\n')


def test_the_variant_is_part_of_the_plan(project: Path, tmp_path: Path) -> None:
    variants(project)
    plans = {name: make(Request(root=project, base=name)) for name in ("1.27.3", "1.28.1", "tip")}
    assert [plan.as_json()["variant"] for plan in plans.values()] == [">=1.27, <1.28", ">=1.28", ">=1.28"]
    assert plans["1.28.1"].digest != plans["tip"].digest != plans["1.27.3"].digest
    assert plans["tip"].origin.notes == (
        "of 2 variants, the one for Go >=1.28 is used: tip has no release number, and it is the newest",
    )
    branch = make(Request(root=project, base="git:release-branch.go1.27"))
    assert branch.series.variant == ">=1.27, <1.28"
    assert make(Request(root=project, base="git:go1.27.2")).series.variant == ">=1.27, <1.28"
    with pytest.raises(UsageError, match=r"is for Go >=1.27, <1.28 or >=1.28, not for 1.26.1"):
        make(Request(root=project, base="1.26.1"))


def started(plan: Plan) -> RunStarted:
    return RunStarted(
        run_id="x", plan_digest=plan.digest, plan=plan.as_json(), command="./inv", environment={}
    )


def test_what_came_in_is_kept_and_shown(processes: None, project: Path, tmp_path: Path) -> None:
    raw = b"From: a <a@b>\nSubject: [PATCH 2/3] runtime: x | y\n\nBody.\n---\n\n" + DIFF
    (tmp_path / "x.patch").write_bytes(raw)
    plan = make(Request(root=project, series=str(tmp_path / "x.patch")))
    run = tmp_path / "run"
    run.mkdir()
    ledger = Ledger(run / "ledger.jsonl")
    ledger.append(started(plan))
    evidence.keep(run, ledger, plan)
    assert (run / "patches/0001-runtime-x-y.patch").read_bytes() == raw
    assert (run / "patches/input.mbox").read_bytes() == raw == evidence.kept(run)
    record = next(one for one in Ledger(run / "ledger.jsonl").records if isinstance(one, SeriesRead))
    assert (record.form, record.kept, record.sha256) == ("file", "patches/input.mbox", plan.origin.sha256)
    folder.begin(run, ledger.records)  # what is left of a run that dies now
    assert json.loads((run / "report.json").read_text())["exit_code"] != 0
    assert "did not finish" in (run / "summary.md").read_text()
    report = folder.write(run, ledger.records)
    shown = json.loads((run / "report.json").read_text())["series"]
    assert shown["input"]["origin"] == str(tmp_path / "x.patch")
    assert shown["input"]["sha256"] == plan.origin.sha256
    summary = (run / "summary.md").read_text()
    assert plan.origin.sha256 in summary
    assert "x.patch is patch 2 of 3: the others are not in it" in summary
    assert plan.origin.sha256 in (run / "report.html").read_text()
    assert model.as_json(report)["series"]["variant"] == ""


def test_a_folders_variant_is_shown(project: Path, tmp_path: Path) -> None:
    variants(project)
    plan = make(Request(root=project, base="1.28.1"))
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.append(started(plan))
    evidence.keep(tmp_path, ledger, plan)
    report = folder.write(tmp_path, ledger.records)
    assert model.as_json(report)["series"]["variant"] == ">=1.28"
    assert "the variant for Go \\>=1.28" in (tmp_path / "summary.md").read_text()
    assert (tmp_path / "patches" / plan.series.patches[0].name).read_bytes() == plan.series.patches[0].content
    with pytest.raises(UsageError, match="holds nothing that standard input gave"):
        evidence.kept(tmp_path)


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs end before their first stage."""

    def end(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.flow.stages.execute", end)
    monkeypatch.setattr("pipeline.flow.environment.describe", lambda _: {})


@pytest.mark.usefixtures("processes", "stopped")
def test_a_run_of_standard_input_goes_on_with_what_it_kept(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    request = Request(root=project, series="-")
    out = tmp_path / "a run"
    monkeypatch.setattr(sys, "stdin", Input(DIFF))
    code = patch_validate.main(patch_validate.Options(request=request, out=str(out)))
    assert code is ExitCode.INTERRUPTED
    record = next(one for one in Ledger(out / "ledger.jsonl").records if isinstance(one, RunStarted))
    assert record.command.endswith(
        f"--series=- --base=1.27.3 --profile=standard < '{out}/patches/input.patch'"
    )
    monkeypatch.setattr(sys, "stdin", Input(b"something else"))
    again = patch_validate.Options(request=request, out=str(out), resume=True)
    assert patch_validate.main(again) is ExitCode.INTERRUPTED
    assert "another plan" not in capsys.readouterr().err
    (out / "patches/input.patch").write_bytes(DIFF.replace(b"+b", b"+c"))
    assert patch_validate.main(again) is ExitCode.USAGE
    assert "was started under another plan" in capsys.readouterr().err


@pytest.mark.usefixtures("processes", "stopped")
def test_a_run_of_a_clone_goes_on(project: Path, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "clone")
    commit = repository.edit(3, "x", "runtime: x\n")
    out = tmp_path / "run"
    request = Request(root=project, from_git=str(repository.path), commits="HEAD")
    assert patch_validate.main(patch_validate.Options(request=request, out=str(out))) is ExitCode.INTERRUPTED
    repository.edit(4, "y", "runtime: y\n")
    pinned = Request(root=project, from_git=str(repository.path), commits=commit)
    for asked, code in ((pinned, ExitCode.INTERRUPTED), (request, ExitCode.USAGE)):
        assert patch_validate.main(patch_validate.Options(request=asked, out=str(out), resume=True)) is code


def test_a_dry_run_shows_the_input(
    processes: None, inv: list[str], project_env: dict[str, str], tmp_path: Path
) -> None:
    repository = Repository(tmp_path / "clone")
    commit = repository.edit(3, "x", "runtime: x\n")
    words = ["patch-validate", f"--from-git={repository.path}", "--range=HEAD", "--dry-run"]
    done = subprocess.run(
        [*inv, *words], env=project_env, capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert f"series    git-{commit[:12]}: runtime: x\n" in done.stdout
    assert f"from      {repository.path}, HEAD; commit {commit[:12]}; sha256 " in done.stdout
    mbox = repository.raw("format-patch", "--stdout", "-1")
    piped = subprocess.run(
        [*inv, "patch-validate", "--series=-", "--dry-run"],
        env=project_env, input=mbox, capture_output=True, check=True, cwd=ROOT,
    )  # fmt: skip
    assert b"from      standard input; sha256 " in piped.stdout
