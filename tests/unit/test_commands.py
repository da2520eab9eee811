"""From errors to exit codes, and the command line as a user meets it."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.commands import entry
from pipeline.console import Console
from pipeline.errors import ExitCode, HostError, InterruptedRunError, PipelineError, UsageError

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE]
)
def test_what_the_machine_lacks_is_no_bug(code: int) -> None:
    found = entry.as_pipeline_error(OSError(code, os.strerror(code), "/some/file"))
    assert isinstance(found, HostError)
    assert "/some/file" in found.what
    assert found.hint


def test_what_is_expected_and_what_is_a_bug() -> None:
    usage = UsageError("x")
    assert entry.as_pipeline_error(usage) is usage
    assert isinstance(entry.as_pipeline_error(KeyboardInterrupt()), InterruptedRunError)
    for bug in (ValueError("x"), OSError(errno.EBADF, "bad"), OSError("no number"), AssertionError()):
        assert entry.as_pipeline_error(bug) is None


def test_a_bug_leaves_a_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def action() -> ExitCode:
        raise ZeroDivisionError("the cause")

    assert entry.guarded(Console(), action) is ExitCode.BUG
    (log,) = tmp_path.glob("gopatch-bug-*.log")
    assert "ZeroDivisionError: the cause" in log.read_text()
    said = capsys.readouterr().err
    assert str(log) in said
    assert "nothing about the patch" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(("error", "code"), [(UsageError("w", hint="h"), 2), (HostError("w", hint="h"), 4)])
def test_an_expected_failure_is_one_message(
    error: PipelineError, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def action() -> ExitCode:
        raise error

    assert entry.guarded(Console(quiet=True), action) == code
    assert capsys.readouterr().err == "error: w\n  h\n"


def test_repeated_and_comma_separated_options() -> None:
    assert entry.split(["a,b", " c ", ",", ""]) == ("a", "b", "c")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("a prøject with blanks")
    for name in ("tasks.py", "matrix.yml"):
        shutil.copy(ROOT / name, made / name)
    for name in ("pipeline", "patches"):
        shutil.copytree(ROOT / name, made / name, ignore=shutil.ignore_patterns("__pycache__"))
    return made


def inv(project: Path, *words: str, code: int) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(project), "GOPATCH_CACHE": str(project / "cache")}
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.commands", *words],
        cwd=project,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


pytest_processes = pytest.mark.usefixtures("processes")


@pytest_processes
def test_lists_its_tasks(project: Path) -> None:
    shown = inv(project, "--list", code=0).stdout
    for task in ("patch-validate", "patch-check", "doctor", "clean", "test", "lint"):
        assert task in shown


@pytest_processes
def test_commands_keep_their_bytecode_unless_that_is_forbidden(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "bytecode"
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(kept))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    inv(project, "matrix", "--list", code=0)
    assert not kept.exists()
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE")
    inv(project, "matrix", "--list", code=0)
    names = {path.name.partition(".")[0] for path in kept.rglob("*.pyc")}
    assert {"tasks", "program", "matrix_text"} <= names


@pytest_processes
def test_what_few_commands_use_is_loaded_by_those(project: Path) -> None:
    heavy = {"docker", "jinja2", "numpy", "requests"}
    code = f"import sys, pipeline.commands.patch_validate; print(*sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True
    )
    assert done.stdout == "\n"


@pytest_processes
def test_patch_lint(project: Path, tmp_path: Path) -> None:
    """Exit codes: 0 for advice alone, 1 for an error, 2 for usage."""
    assert inv(project, "patch-lint", "--profile=rigorous", code=0).stdout == "0 errors, 0 advice\n"
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / "series.yml").write_text('series: s\nsubject: x\nbase: ">=1.27"\npatches: [a.patch]\n')
    mail = "From: a\nSubject: runtime: Fix it\n\nIt was broken for a long time.\n\nFixes #1234\n---\n"
    diff = "--- a/src/runtime/p.go\n+++ b/src/runtime/p.go\n@@ -1 +1 @@\n-a\n+b\n"
    (folder / "a.patch").write_text(mail + diff)
    where, series = folder / "a.patch", f"--series={folder}"
    shown = inv(project, "patch-lint", series, code=0).stdout
    assert shown.startswith(f"{where}:2: advice: subject-verb: ")
    assert shown.endswith("\n0 errors, 1 advice\n")
    shown = inv(project, "patch-lint", series, "--profile=rigorous", code=1).stdout
    assert shown.startswith(f"{where}:2: error: subject-verb: ")
    inv(project, "patch-validate", series, "--profile=rigorous", "--dry-run", code=1)
    inv(project, "patch-validate", series, "--profile=standard", "--dry-run", code=0)
    (folder / "a.patch").write_text(diff.replace("src/", "../"))
    assert inv(project, "patch-lint", series, code=1).stdout.endswith("\n1 error, 1 advice\n")
    found = json.loads(inv(project, "patch-lint", series, "--json", code=1).stdout)
    assert [(one["severity"], one["rule"], one["file"], one["line"]) for one in found] == [
        ("error", "path-escape", "a.patch", 1),
        ("advice", "no-message", "a.patch", 1),
    ]
    for wrong in (["--series=none"], ["--series="], ["--profile=quik"]):
        assert inv(project, "patch-lint", *wrong, code=2).stdout == ""


@pytest_processes
@pytest.mark.parametrize("words", [["--jobs=x"], ["--jobs", "x"]])
def test_what_is_no_number(project: Path, words: list[str]) -> None:
    said = inv(project, "patch-validate", *words, code=2).stderr
    assert said.startswith("error: --jobs takes a number, not 'x'\n")


@pytest_processes
def test_an_empty_device_is_named(project: Path) -> None:
    said = inv(project, "patch-lint", f"--series={os.devnull}", code=2).stderr
    assert f"{os.devnull} is empty" in said


@pytest_processes
def test_a_dry_run_prints_the_plan_and_makes_nothing(project: Path) -> None:
    before = sorted(path.name for path in project.iterdir())
    shown = inv(project, "patch-validate", "--dry-run", "--profile=quick", code=0).stdout
    assert "series    kqueue-retry-backoff" in shown
    assert "profile   quick: 8 rounds" in shown
    assert "\nallowed" not in shown
    plan = json.loads(inv(project, "patch-validate", "--dry-run", "--json", "--cells=linux-*", code=0).stdout)
    assert [cell["id"] for cell in plan["cells"]] == ["linux-amd64", "linux-arm64"]
    assert sorted(path.name for path in project.iterdir()) == before


@pytest_processes
def test_a_dry_run_shows_what_a_series_says_of_a_unit_and_what_is_let_pass(project: Path) -> None:
    folder = project / "patches" / "own-limits"
    shutil.copytree(project / "patches" / "kqueue-retry-backoff", folder)
    text = (folder / "series.yml").read_text()
    assert "effect: 3%, margin: 6%" in text
    text = text.replace("kqueue-retry-backoff", "own-limits").replace("3%, margin: 6%", "20%, margin: 30%")
    (folder / "series.yml").write_text(text)
    words = ["patch-validate", "--dry-run", "--series=own-limits", "--profile=quick"]
    shown = inv(project, *words, "--allow=already-applied,fuzz", code=0).stdout
    assert "\n          sec/op: a change counts from 20 %, no change means within ±30 %\n" in shown
    assert "\nallowed   fuzz: not clean, and applied all the same\n" in shown
    assert "\nallowed   already-applied: a patch that the base holds already is left out\n" in shown
    shutil.rmtree(folder)


@pytest_processes
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["patch-validate", "--profil=quick"], "--profile"),
        (["patch-check", "--series=kqueue-retry"], "kqueue-retry-backoff"),
        (["patch-check", "--jobs=-1"], "should not be negative"),
        (["patch-check", "--out=."], "is not an empty folder"),
        (["patch-valdate"], "patch-validate"),
        (["patch-validate", "--allow=fuz"], "did you mean fuzz"),
        (["patch-apply", "--allow=conflict"], "--allow 'conflict' is no rung that can be allowed"),
        (["patch-apply", "--out=."], "exists and is not an empty folder"),
        (["toolchain-pack", "--out=tasks.py"], "tasks.py is not a folder"),
        (["toolchain-pack", "--out=tasks.py/below"], "below it"),
        (["patch-validate", "--profile=fast"], "no profile 'fast'"),
        (["patch-validate", "--cells=linux-amd46"], "linux-amd64"),
        (["patch-validate", "--series=kqueue-retry"], "kqueue-retry-backoff"),
        (["patch-validate", "--base=1.26.1"], "not for 1.26.1"),
        (["patch-validate", "--base=" + "x" * 5000], "--base"),
        (["patch-validate", "--jobs=-1"], "--jobs -1"),
        (["patch-validate", "--jobs=many"], "--jobs takes a number, not 'many'"),
        (["patch-validate", "--base=nonsense"], "neither a Go release nor a folder"),
    ],
)
def test_a_wrong_word_is_two_with_a_suggestion(project: Path, words: list[str], said: str) -> None:
    dry = ["--dry-run"] if "jobs" not in words[-1] and words[0] == "patch-validate" else []
    assert said in inv(project, *words, *dry, code=ExitCode.USAGE).stderr


@pytest_processes
def test_resuming_without_a_run_is_nothing_to_do(project: Path) -> None:
    said = inv(project, "patch-validate", "--resume", code=ExitCode.NOTHING_TO_DO).stderr
    assert "there is no run" in said
    inv(project, "patch-validate", "--resume", "--out=nowhere", code=ExitCode.NOTHING_TO_DO)


@pytest_processes
def test_a_folder_with_something_in_it_is_not_written_to(project: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").write_text("x")
    said = inv(project, "patch-validate", f"--out={tmp_path}", code=ExitCode.USAGE).stderr
    assert "is not an empty folder" in said
    inv(project, "patch-validate", f"--out={tmp_path / 'thesis'}", code=ExitCode.USAGE)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis"]


@pytest_processes
def test_an_out_folder_below_a_file_is_the_hosts_fault(project: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    inv(project, "patch-validate", f"--out={tmp_path / 'file' / 'out'}", code=ExitCode.ENVIRONMENT)


@pytest.mark.parametrize("words", [[], ["new"], ["new", "below"]])
def test_an_out_folder_for_files_may_be_there(tmp_path: Path, words: list[str]) -> None:
    out = tmp_path.joinpath(*words)
    assert entry.folder(str(out)) == out
    assert list(tmp_path.iterdir()) == []


def test_an_out_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write everywhere, so the system's answer is a stand-in here."""
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != tmp_path)
    with pytest.raises(HostError, match="cannot be written by this user"):
        entry.folder(str(tmp_path / "new"))


@pytest_processes
def test_every_mistake_of_the_matrix_is_said_with_its_place(project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(project, copy)
    text = (
        (copy / "matrix.yml").read_text().replace("rounds: 8", "rounds: 3").replace("effect: 1%", "efect: 1%")
    )
    (copy / "matrix.yml").write_text(text)
    said = inv(copy, "patch-validate", "--dry-run", code=ExitCode.USAGE).stderr
    for part in ("profiles.quick.rounds", "thresholds.rigorous.efect", "did you mean effect?"):
        assert part in said
    assert said.count("matrix.yml:") >= 3


@pytest_processes
def test_clean_refuses_a_foreign_cache(project: Path, tmp_path: Path) -> None:
    (tmp_path / "keep").write_text("x")
    env = {**os.environ, "PYTHONPATH": str(project), "GOPATCH_CACHE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.commands", "clean", "--all"],
        cwd=project,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == ExitCode.USAGE
    assert "nothing was removed" in done.stderr
    assert (tmp_path / "keep").exists()


def test_every_count_of_a_stage_is_shown_at_its_quarters() -> None:
    said = io.StringIO()
    console = Console(said)
    with console.stage("compile"):
        for total in (8, 2):
            for done in range(1, total + 1):
                console.step(f"of {total}", done, total)
    lines = [line.strip() for line in said.getvalue().splitlines()]
    assert lines[1:-1] == [
        "of 8 (2/8)",
        "of 8 (4/8)",
        "of 8 (6/8)",
        "of 8 (8/8)",
        "of 2 (1/2)",
        "of 2 (2/2)",
    ]
