"""What GitHub is told: one job a cell with a machine, no more than it runs, and a file that only grows."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import yaml

from pipeline.errors import HostError, UsageError
from pipeline.plan import cells, fleet
from pipeline.plan.cells import VM_ACTION
from pipeline.plan.plan import Request, ground
from pipeline.values import Platform, Profile
from tests.unit.matrixes import ROOT, read

HOST = Platform(goos="linux", goarch="amd64")
BODY = """\
platforms:
  linux-amd64: {goos: linux, goarch: amd64, runner: ubuntu-24.04}
  here: {goos: linux, goarch: arm64}
  freebsd-amd64:
    {goos: freebsd, goarch: amd64, runner: [ubuntu-24.04, big], vm: {os: freebsd, version: "14.5"}}
"""
PINNED = f"actions:\n  {VM_ACTION}: {{sha: {'0a' * 20}, version: v1.6.0}}\n"


def profile(name: str = "quick") -> Profile:
    return ground(Request(root=ROOT, profile=name)).profile


def test_a_job_for_each_cell_that_has_a_machine(tmp_path: Path) -> None:
    rows = cells.rows(read(tmp_path, BODY + PINNED).file, "quick", HOST)
    told = fleet.jobs(rows, profile())
    assert [(one["id"], one["labels"], one["vm"], one["version"]) for one in told["include"]] == [
        ("linux-amd64", ["ubuntu-24.04"], "", ""),
        ("freebsd-amd64", ["ubuntu-24.04", "big"], "freebsd", "14.5"),
    ]
    first, second = (one["minutes"] for one in told["include"])
    assert isinstance(first, int)
    assert isinstance(second, int)
    assert second > first


def test_a_virtual_machine_without_its_action_is_no_job(tmp_path: Path) -> None:
    rows = cells.rows(read(tmp_path, BODY).file, "quick", HOST)
    assert [one["id"] for one in fleet.jobs(rows, profile())["include"]] == ["linux-amd64"]
    alone = {row.cell.id: row.alone for row in rows}
    assert alone["linux-amd64"] == ""
    assert alone["here"] == "matrix.yml gives it no runner"
    assert alone["freebsd-amd64"] == (
        "its virtual machine needs cross-platform-actions/action, which has no pin under actions:"
    )


def test_a_job_has_time_for_its_limits_and_github_for_the_job() -> None:
    for name in ("quick", "standard", "rigorous"):
        one = profile(name)
        cell = cells.rows(ground(Request(root=ROOT)).matrix, "quick", HOST)[0].cell
        minutes = fleet.minutes(cell, one)
        assert 60 * minutes > one.budget + one.max_seconds + 2 * one.test_timeout + one.benchmark_timeout
        assert minutes <= 360  # what GitHub gives a job at the most


def test_github_ends_every_job_after_six_hours() -> None:
    cell = cells.rows(ground(Request(root=ROOT)).matrix, "quick", HOST)[0].cell
    endless = dataclasses.replace(cell, test_timeout=86400)
    assert fleet.minutes(endless, profile("rigorous")) == 360


def test_every_build_of_the_tests_has_its_time() -> None:
    cell = cells.rows(ground(Request(root=ROOT)).matrix, "quick", HOST)[0].cell
    plain, built = (
        fleet.minutes(cell, dataclasses.replace(profile("quick"), variants=variants))
        for variants in ((), ("race", "staticlockranking"))
    )
    assert 60 * (built - plain) >= 2 * 6 * profile("quick").test_timeout


def grown(platforms: int, values: int) -> str:
    goarches = "".join(
        f"  p{n}: {{goos: linux, goarch: a{n}, runner: [self-hosted, p{n}]}}\n" for n in range(platforms)
    )
    every = "".join(f'      v{n}: {{parameters: {{GOGC: "{n + 1}"}}}}\n' for n in range(values))
    small = "  small:\n    values:\n      s: {pin: [1]}\n"
    return f"platforms:\n{goarches}axes:\n{small}  big:\n    values:\n{every}"


def test_256_jobs_are_run_and_more_are_refused(tmp_path: Path) -> None:
    full = read(tmp_path, grown(32, 3))
    rows = cells.rows(full.file, "quick", HOST)
    jobs = [row for row in rows if row.cell.machine]
    assert len(jobs) == 256
    fleet.check(full, rows)

    more = read(tmp_path, grown(33, 3))
    rows = cells.rows(more.file, "quick", HOST)
    with pytest.raises(UsageError) as caught:
        fleet.check(more, rows)
    line = (tmp_path / "matrix.yml").read_text().splitlines().index("  big:") + 1
    assert caught.value.what == (
        f"{tmp_path / 'matrix.yml'}:{line}:3: axes.big: 264 jobs, and GitHub runs at most 256 of one matrix; "
        "axis big multiplies most: without it there are 66"
    )
    assert "--cells" in caught.value.hint
    fleet.check(more, cells.select(rows, ["p0*", "p1*"]))


def test_too_many_platforms_without_axes(tmp_path: Path) -> None:
    body = "".join(
        f"  p{n}: {{goos: linux, goarch: amd64, runner: [self-hosted, p{n}]}}\n" for n in range(257)
    )
    with pytest.raises(UsageError, match=r"platforms: should have at most 256 items \(found 257\)"):
        read(tmp_path, f"platforms:\n{body}")


def test_a_job_matrix_fits_into_githubs_outputs(tmp_path: Path) -> None:
    labels = ", ".join(["self-hosted", *("x" * 97 + f"{n:02}" for n in range(7))])
    long = "".join(
        f"  {'p' * 60}{n:04}: {{goos: linux, goarch: a{n}, runner: [{labels}]}}\n" for n in range(256)
    )
    rows = cells.rows(read(tmp_path, f"platforms:\n{long}").file, "quick", HOST)
    told = fleet.outputs(rows, profile(), "1.27.3")
    assert told["jobs"] == "256"
    assert sum(map(len, told.values())) * 2 < 1_000_000  # GitHub counts two bytes a character


def test_outputs_are_appended_a_line_each(tmp_path: Path) -> None:
    file = tmp_path / "output"
    file.write_text("before=1\n", encoding="utf-8")
    rows = cells.rows(read(tmp_path, BODY).file, "quick", HOST)
    fleet.append(file, fleet.outputs(rows, profile(), "1.27.3"))
    lines = dict(line.split("=", 1) for line in file.read_text(encoding="utf-8").splitlines())
    assert list(lines) == ["before", "matrix", "jobs", "base", "profile"]
    assert json.loads(lines["matrix"]) == fleet.jobs(rows, profile())
    assert (lines["jobs"], lines["base"], lines["profile"]) == ("1", "1.27.3", "quick")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["matrix.yml", "output"]


def test_a_line_that_another_program_left_open_is_ended(tmp_path: Path) -> None:
    file = tmp_path / "output"
    file.write_text("open=1", encoding="utf-8")
    fleet.append(file, {"a": "b"})
    fleet.append(file, {"c": "d"})
    assert file.read_bytes() == b"open=1\na=b\nc=d\n"
    fleet.append(tmp_path / "new", {"a": "b"})
    assert (tmp_path / "new").read_bytes() == b"a=b\n"


@pytest.mark.parametrize("value", ["a\nb=c", "a\r\nb=c", "a\x00", "a\u2028b", "a\x85b", "\x1b[2J"])
def test_a_value_that_is_not_one_line_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(UsageError, match="the output x would not be one line"):
        fleet.append(tmp_path / "output", {"good": "1", "x": value})
    assert not (tmp_path / "output").exists()


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="cannot be written"):
        fleet.append(tmp_path, {"a": "b"})


def test_no_job_at_all_is_said(tmp_path: Path) -> None:
    rows = cells.rows(read(tmp_path, "platforms:\n  a: {goos: linux, goarch: amd64}\n").file, "quick", HOST)
    assert fleet.outputs(rows, profile(), "x") == {
        "matrix": '{"include":[]}',
        "jobs": "0",
        "base": "x",
        "profile": "quick",
    }


def test_the_repositorys_own_jobs() -> None:
    """As the issue that asked for them says; the actions are all pinned."""
    data = yaml.safe_load((ROOT / "matrix.yml").read_text(encoding="utf-8"))
    rows = ground(Request(root=ROOT)).rows
    machines = {cell.id: machine.labels for cell, machine in fleet.machines(rows)}
    assert machines == {
        "linux-amd64": ("ubuntu-24.04",),
        "linux-arm64": ("ubuntu-24.04-arm",),
        "windows-amd64": ("windows-2025",),
        "darwin-arm64": ("macos-15",),
        "darwin-amd64": ("macos-15-intel",),
    }
    assert data["platforms"]["freebsd-amd64"]["vm"] == {"os": "freebsd", "version": "14.5"}
    assert all(len(one["sha"]) == 40 for one in data["actions"].values())
