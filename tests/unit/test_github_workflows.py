"""The generated workflows: what each must have, what none may, and how they follow matrix.yml."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline import config
from pipeline.commands import workflows as command
from pipeline.errors import ExitCode, UsageError
from pipeline.github import workflows
from pipeline.github.workflows import Fleet
from pipeline.report import markdown
from pipeline.values import Cell, Machine, Platform
from tests.actions import commands
from tests.actions.expressions import Scope, evaluate
from tests.actions.fleets import CHECKOUT, PINS, PLAIN, VIRTUAL_MACHINE, WHOLE

ROOT = Path(__file__).resolve().parents[2]
Files = dict[str, Any]


@pytest.fixture(params=[WHOLE, PLAIN], ids=["whole", "plain"])
def texts(request: pytest.FixtureRequest) -> dict[str, str]:
    """Every workflow with all that it can have, and without what needs a pin."""
    return workflows.render(ROOT, request.param)


def parse(texts: Mapping[str, str], folder: Path) -> Files:
    """The workflows by the file's name."""
    found = {}
    for path, text in texts.items():
        copy = folder / Path(path).name
        copy.write_text(text)
        found[copy.stem] = config.load(copy).data
    return found


@pytest.fixture
def files(texts: dict[str, str], tmp_path: Path) -> Files:
    """The same, read."""
    return parse(texts, tmp_path)


@pytest.fixture
def whole(tmp_path: Path) -> Files:
    """Those with all that they can have."""
    return parse(workflows.render(ROOT, WHOLE), tmp_path)


def steps_of(file: Any) -> Iterator[dict[str, Any]]:
    """Every step of every job."""
    for job in file["jobs"].values():
        yield from job.get("steps", [])


def test_what_is_committed_is_what_the_templates_make() -> None:
    assert command.main(ROOT, check=True) is ExitCode.PASS


def test_the_set_of_workflows(files: Files) -> None:
    assert set(files) == {"ci", "dispatch", "publish", "pull-request", "scheduled", "validate"}


def test_nobody_may_do_anything_unless_a_job_says_so(files: Files) -> None:
    granted: dict[str, set[tuple[str, str]]] = {}
    for name, file in files.items():
        assert file["permissions"] == {}, name
        for job in file["jobs"].values():
            granted.setdefault(name, set()).update(job["permissions"].items())
    assert granted.pop("publish") == {
        ("actions", "read"),
        ("checks", "write"),
        ("contents", "read"),
        ("pull-requests", "write"),
    }
    assert {name: one for name, one in granted.items() if one != {("contents", "read")}} == {}


def test_every_action_is_a_commit_with_its_version_beside_it(texts: dict[str, str]) -> None:
    used = [
        line for text in texts.values() for line in text.splitlines() if re.search(r"^\s*(- )?uses:", line)
    ]
    assert len(used) > 20
    for line in used:
        local = re.fullmatch(r"\s*uses: \./\.github/workflows/[\w-]+\.yml( #.*)?", line)
        assert local or re.fullmatch(r"\s*uses: [\w/-]+@[0-9a-f]{40} # v\d+(\.\d+)*", line), line


def test_what_a_check_is_told_to_ignore_has_its_reason_beside_it(texts: dict[str, str]) -> None:
    lines = [line for text in texts.values() for line in text.splitlines()]
    excused = [index for index, line in enumerate(lines) if "zizmor: ignore" in line]
    assert len(excused) == 4
    for index in excused:
        assert re.match(r"\s+# \S+( \S+){4,}", lines[index - 1]), lines[index]


def test_no_expression_reaches_a_shell(files: Files) -> None:
    for name, file in files.items():
        for step in steps_of(file):
            for script in (step.get("run", ""), step.get("with", {}).get("run", "")):
                assert "${{" not in script, (name, step)


def test_no_credentials_stay_in_a_checkout(files: Files) -> None:
    checkouts = [
        s for file in files.values() for s in steps_of(file) if "actions/checkout@" in s.get("uses", "")
    ]
    assert len(checkouts) == 7
    for step in checkouts:
        assert step["with"]["persist-credentials"] is False
        assert "ref" not in step["with"]  # in publish.yml it would be somebody else's code


def test_every_job_has_its_time_and_every_start_its_turn(files: Files) -> None:
    for name, file in files.items():
        # A called workflow would wait for the one that calls it.
        assert ("concurrency" in file) == (name != "validate"), name
        for job in file["jobs"].values():
            assert "uses" in job or job["timeout-minutes"], name


def test_secrets_are_not_used(texts: dict[str, str]) -> None:
    assert not any("secrets." in text or "inherit" in text for text in texts.values())


def test_the_privileged_workflow_runs_nothing_of_the_pull_request(files: Files) -> None:
    publish = files["publish"]
    assert list(publish["on"]) == ["workflow_run"]
    assert publish["on"]["workflow_run"]["workflows"] == [files["pull-request"]["name"]]
    (job,) = publish["jobs"].values()
    download = next(step for step in job["steps"] if "download-artifact" in step.get("uses", ""))
    assert download["with"]["path"].startswith("${{ runner.temp }}/")
    first, second = [step for step in job["steps"] if "run" in step]
    assert (first["run"].strip(), second["run"].split()[:2]) == ("./inv --version", ["./inv", "publish"])
    assert "env" not in first, "what is installed sees no token"


@pytest.mark.parametrize(
    ("event", "conclusion", "expected"),
    [
        ("pull_request", "success", True),
        ("pull_request", "failure", True),
        ("pull_request", "cancelled", False),
        ("pull_request", "action_required", False),
        ("push", "success", False),
    ],
)
def test_what_is_published(whole: Files, event: str, conclusion: str, expected: bool) -> None:
    run = {"event": event, "conclusion": conclusion}
    scope = Scope(contexts={"github": {"event": {"workflow_run": run}}})
    assert evaluate(whole["publish"]["jobs"]["publish"]["if"], scope) is expected


def test_callers_give_what_is_declared(files: Files) -> None:
    declared = files["validate"]["on"]["workflow_call"]["inputs"]
    calls = [
        job
        for file in files.values()
        for job in file["jobs"].values()
        if str(job.get("uses", "")).startswith("./")
    ]
    assert [job["uses"] for job in calls] == ["./.github/workflows/validate.yml"] * 3
    for job in calls:
        assert set(job.get("with", {})) <= set(declared)
    asked = files["dispatch"]["on"]["workflow_dispatch"]["inputs"]
    assert set(asked) == set(declared)
    assert asked["profile"]["options"] == ["quick", "standard"]
    assert all(one["default"] == declared[name]["default"] for name, one in asked.items())


def test_a_cells_job_compiles_nothing(files: Files) -> None:
    cell = files["validate"]["jobs"]["cell"]
    allowed = {"checkout", "setup-python", "download-artifact", "upload-artifact"}
    for step in cell["steps"]:
        if "cross-platform-actions" in step.get("uses", ""):
            continue
        if "uses" in step:
            assert step["uses"].split("@")[0].removeprefix("actions/") in allowed
        else:
            assert step["run"] == './inv cell "$CELL" --bundle=build/bundle --out=build/cell'


def test_each_cell_has_an_artifact_of_its_own_there_and_back(files: Files) -> None:
    jobs = files["validate"]["jobs"]
    up = [
        step for step in jobs["build"]["steps"] if step.get("with", {}).get("name", "").startswith("bundle-")
    ]
    down = [
        step for step in jobs["conclude"]["steps"] if step.get("with", {}).get("name", "").startswith("cell-")
    ]
    cells = [step["with"]["name"].removeprefix("bundle-") for step in up]
    assert cells[:2] == ["linux-amd64", "darwin-arm64"]
    assert [step["with"]["path"] for step in up] == [f"build/cells/{cell}" for cell in cells]
    assert [step["with"]["name"] for step in down] == [f"cell-{cell}" for cell in cells]
    assert all(step["continue-on-error"] is True for step in down)
    named = [step["with"]["name"] for step in jobs["cell"]["steps"] if "name" in step.get("with", {})]
    assert named == ["bundle-${{ matrix.id }}", "cell-${{ matrix.id }}"]
    matrix = '{"include": [{"id": "linux-amd64"}]}'
    assert [step["if"] for step in up] == [
        f"hashFiles('build/cells/{cell}/bundle.json') != ''" for cell in cells
    ]
    for told, got in ((matrix, {"linux-amd64"}), ("", set())):
        scope = Scope(contexts={"needs": {"build": {"outputs": {"matrix": told}}}})
        assert {cell for step, cell in zip(down, cells, strict=True) if evaluate(step["if"], scope)} == got


def test_a_virtual_machine_only_where_a_cell_needs_one(tmp_path: Path) -> None:
    with_one, without = workflows.render(ROOT, WHOLE), workflows.render(ROOT, PLAIN)
    assert "cross-platform-actions" not in "".join(without.values())
    (tmp_path / "a").mkdir()
    steps = parse(with_one, tmp_path / "a")["validate"]["jobs"]["cell"]["steps"]
    by_name = {step["name"]: step for step in steps}
    inside, outside = by_name["Run the cell in a virtual machine"], by_name["Run the cell"]
    assert inside["uses"] == f"{VIRTUAL_MACHINE}@{PINS[VIRTUAL_MACHINE].sha}"
    for vm in ("", "freebsd"):
        scope = Scope(contexts={"matrix": {"vm": vm}})
        assert evaluate(inside["if"], scope) is bool(vm)
        assert evaluate(outside["if"], scope) is not bool(vm)
    assert inside["with"]["run"].splitlines()[-1] == outside["run"]


@pytest.mark.parametrize("event", ["pull_request", "workflow_dispatch", "schedule"])
def test_a_pull_request_meets_no_cache(whole: Files, event: str) -> None:
    steps = [step for step in steps_of(whole["validate"]) if "actions/cache" in step.get("uses", "")]
    scope = Scope(contexts={"github": {"event_name": event}})
    used = {step["uses"].split("@")[0]: evaluate(step["if"], scope) for step in steps}
    assert used == {
        "actions/cache/restore": event != "pull_request",
        "actions/cache/save": event == "schedule",
    }
    assert "cache" not in str(whole["pull-request"]) + str(whole["ci"]) + str(whole["publish"])


def test_without_a_pin_there_is_no_cache() -> None:
    assert "actions/cache" not in "".join(workflows.render(ROOT, PLAIN).values())


def test_the_fleet_is_the_cells_with_a_machine() -> None:
    def cell(name: str, machine: Machine | None) -> Cell:
        return Cell(id=name, platform=Platform(goos="linux", goarch="amd64"), native=False, machine=machine)

    plain, virtual = Machine(labels=("x",)), Machine(labels=("x",), vm="freebsd", version="14.5")
    assert workflows.fleet([cell("a", plain), cell("b", None)], ["quick"], PINS) == Fleet(
        cells=("a",), profiles=("quick",), pins=PINS
    )
    assert workflows.fleet([cell("a", virtual)], [], PINS).vm


def test_an_action_without_a_pin_is_refused() -> None:
    pins = {name: pin for name, pin in PINS.items() if name != CHECKOUT}
    with pytest.raises(UsageError, match="actions/checkout, which is not pinned"):
        workflows.render(ROOT, Fleet(cells=(), profiles=("quick",), pins=pins))


def test_a_file_that_github_would_not_take_is_refused() -> None:
    cells = tuple(f"linux-amd64-{number:04d}" for number in range(700))
    with pytest.raises(UsageError, match=r"validate\.yml would have \d+ bytes"):
        workflows.render(ROOT, Fleet(cells=cells, profiles=("quick",), pins=PINS))
    largest = workflows.render(ROOT, Fleet(cells=cells[:256], profiles=("quick",), pins=PINS))
    assert max(len(text) for text in largest.values()) < workflows.MAX_BYTES


def test_no_summary_is_longer_than_a_step_may_show() -> None:
    assert 4 * markdown.MAX_CHARACTERS < commands.SUMMARY_BYTES


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("a\n<% if %>\n", r"workflows/x\.yml\.j2:2: "),
        ("<{ unheard }>\n", r"workflows/x\.yml\.j2: 'unheard' is undefined"),
        ("<% include 'gone' %>\n", r"workflows/x\.yml\.j2: "),
        ('<{ action("a/b") }>\n', r"x\.yml\.j2 uses a/b, which is not pinned"),
    ],
)
def test_a_template_that_cannot_be_rendered(tmp_path: Path, template: str, message: str) -> None:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows/x.yml.j2").write_text(template)
    with pytest.raises(UsageError, match=message):
        workflows.render(tmp_path, PLAIN)


def test_no_templates(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no workflow templates"):
        workflows.render(tmp_path, PLAIN)


@pytest.mark.usefixtures("processes")
def test_shells_can_read_every_script(files: Files) -> None:
    scripts = [("bash", s["run"]) for file in files.values() for s in steps_of(file) if "run" in s]
    scripts += [("sh", s["with"]["run"]) for s in steps_of(files["validate"]) if "run" in s.get("with", {})]
    for shell, script in scripts:
        done = subprocess.run([shell, "-n"], input=script, text=True, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), script


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two templates, and files of its own beside those that they make."""
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows/a.yml.j2").write_text("name: <{ cells[0] }>\n")
    (tmp_path / "workflows/b.yml.j2").write_text("name: b\n")
    (tmp_path / ".github/workflows").mkdir(parents=True)
    (tmp_path / ".github/workflows/own.yml").write_text("name: own\n")
    monkeypatch.setattr(command, "_fleet", lambda _root: PLAIN)
    return tmp_path


def written(project: Path) -> dict[str, str]:
    """The files in .github/workflows, with the first line of those that were generated left out."""
    found = {path.name: path.read_text() for path in (project / ".github/workflows").iterdir()}
    return {name: text.partition("\n")[2] if text.startswith("#") else text for name, text in found.items()}


def test_writing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(project, check=True) is ExitCode.USAGE
    assert list(written(project)) == ["own.yml"]
    assert command.main(project, check=False) is ExitCode.PASS
    expected = {"a.yml": "name: linux-amd64\n", "b.yml": "name: b\n", "own.yml": "name: own\n"}
    assert written(project) == expected
    first = (project / ".github/workflows/a.yml").read_text().partition("\n")[0]
    assert first == "# Generated by ./inv workflows from workflows/a.yml.j2 and matrix.yml: do not edit."
    assert command.main(project, check=True) is ExitCode.PASS
    capsys.readouterr()
    assert command.main(project, check=False) is ExitCode.PASS
    assert capsys.readouterr().out == ""  # nothing differs, nothing is written


@pytest.mark.parametrize("how", ["edited", "removed", "stale", "template"])
def test_drift_is_found_shown_and_mended(project: Path, capsys: pytest.CaptureFixture[str], how: str) -> None:
    command.main(project, check=False)
    expected = written(project)
    target = project / ".github/workflows/a.yml"
    if how == "edited":
        target.write_text(target.read_text() + "on: push\n")
    elif how == "removed":
        target.unlink()
    elif how == "stale":
        target.rename(target.with_name("z.yaml"))
    else:
        (project / "workflows/b.yml.j2").write_text("name: c\n")
        expected["b.yml"] = "name: c\n"
    before = written(project)
    capsys.readouterr()
    assert command.main(project, check=True) is ExitCode.USAGE
    said = capsys.readouterr()
    shown = {
        "edited": "-on: push",
        "removed": "+name: linux-amd64",
        "stale": "+++ /dev/null",
        "template": "+name: c",
    }
    assert shown[how] in said.out
    assert "run ./inv workflows" in said.err
    assert written(project) == before
    assert command.main(project, check=False) is ExitCode.PASS
    assert written(project) == expected


def test_a_file_that_was_not_generated_is_not_replaced(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / ".github/workflows/b.yml").write_text("name: mine\n")
    assert command.main(project, check=False) is ExitCode.USAGE
    assert "b.yml was not generated" in capsys.readouterr().err
    assert written(project) == {"b.yml": "name: mine\n", "own.yml": "name: own\n"}


def test_a_write_that_fails_leaves_the_old_file_whole(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command.main(project, check=False)
    before = written(project)
    (project / "workflows/a.yml.j2").write_text("name: other\n")

    def fail(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(Path, "replace", fail)
    assert command.main(project, check=False) is ExitCode.ENVIRONMENT
    assert written(project) == before
