"""Runner labels: which are going and gone as the days pass, and what is said of others."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from pipeline.plan import fleet, labels
from pipeline.plan.labels import AS_OF, LABELS
from pipeline.plan.matrix import read as read_file
from pipeline.values import Platform
from tests.unit.matrixes import ROOT, read

TODAY = dt.date(2026, 11, 26)


def said(*runner: str, today: dt.date = TODAY) -> str:
    return "\n".join(text for _, text in labels.warnings(runner, today))


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("ubuntu-24.04", ""),
        ("macos-15-intel", ""),
        ("macos-14", "macos-14 is gone: GitHub announced its end for 2026-11-02; use macos-15"),
        ("macos-13", "macos-13 is gone: GitHub announced its end for 2025-12-04; use macos-15-intel"),
        (
            "ubuntu-22.04",
            "ubuntu-22.04 is deprecated: GitHub announced its end for 2027-04-17; use ubuntu-24.04",
        ),
        (
            "Ubuntu-Latest",
            "Ubuntu-Latest moves to another system by itself, and the numbers with it; use ubuntu-24.04",
        ),
        (
            "ubuntu-slim",
            "ubuntu-slim is one CPU of a shared machine: its numbers say little; use ubuntu-24.04",
        ),
        (
            "ubuntu-2404",
            "ubuntu-2404 is no label of GitHub's standard runners as of 2026-11-24; did you mean ubuntu-",
        ),
    ],
)
def test_a_label_today(label: str, expected: str) -> None:
    found = said(label)
    assert found.startswith(expected)
    assert bool(found) == bool(expected)


def test_a_label_goes_as_the_days_pass() -> None:
    end = LABELS["ubuntu-22.04"].ends
    assert end is not None
    day = dt.timedelta(days=1)
    assert said("ubuntu-22.04", today=end - 181 * day) == ""
    assert "is deprecated" in said("ubuntu-22.04", today=end - 180 * day)
    assert "is deprecated" in said("ubuntu-22.04", today=end - day)
    assert "is gone" in said("ubuntu-22.04", today=end)


def test_only_its_owner_knows_a_self_hosted_runner() -> None:
    assert said("Self-Hosted", "linux", "bench-7", "macos-13") == ""
    assert labels.unfit("windows-2025", ["self-hosted", "windows-2025"], HERE, in_vm=False) == ""
    assert said("linux", "bench-7").count("no label of GitHub's standard runners") == 2


def test_an_old_table_says_so() -> None:
    assert labels.stale(AS_OF + dt.timedelta(days=180)) == ""
    assert "2026-11-24" in labels.stale(AS_OF + dt.timedelta(days=181))


HERE = Platform(goos="linux", goarch="amd64")


@pytest.mark.parametrize(
    ("label", "pair", "in_vm", "fits"),
    [
        ("ubuntu-24.04", "linux/amd64", False, True),
        ("ubuntu-24.04", "linux/386", False, True),
        ("ubuntu-24.04", "linux/arm64", False, False),
        ("ubuntu-24.04", "freebsd/amd64", False, False),
        ("ubuntu-24.04", "freebsd/amd64", True, True),
        ("ubuntu-24.04", "freebsd/arm64", True, False),
        ("ubuntu-24.04-arm", "freebsd/arm64", True, True),
        ("windows-2025", "windows/386", False, True),
        ("windows-2025", "freebsd/amd64", True, False),
        ("macos-15", "darwin/amd64", False, False),
        ("macos-15-intel", "darwin/amd64", False, True),
        ("what-ever", "plan9/386", False, True),
    ],
)
def test_which_label_runs_what(label: str, pair: str, in_vm: bool, fits: bool) -> None:
    goos, goarch = pair.split("/")
    why = labels.unfit(label, [label], Platform(goos=goos, goarch=goarch), in_vm=in_vm)
    assert (why == "") is fits


def test_every_successor_is_a_label_that_stays() -> None:
    for name, one in LABELS.items():
        assert name == name.lower()
        if one.successor:
            after = LABELS[one.successor]
            assert (after.runs, after.caution) == (one.runs, "")
            assert after.ends is None or (one.ends is not None and after.ends > one.ends)


def test_warnings_have_a_place(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "platforms:\n  a: {goos: darwin, goarch: arm64, runner: macos-14}\n"
        "  b: {goos: linux, goarch: amd64, runner: [ubuntu-24.04, ubuntu-latest]}\n",
    )
    lines = [line.removeprefix(f"{tmp_path / 'matrix.yml'}:") for line in fleet.warnings(found, TODAY)]
    assert lines[0].startswith("5:36: platforms.a.runner: macos-14 is gone")
    assert lines[1].startswith("6:58: platforms.b.runner[1]: ubuntu-latest moves")
    assert len(lines) == 2


def test_the_repositorys_own_labels_are_good() -> None:
    assert fleet.warnings(read_file(ROOT / "matrix.yml"), AS_OF) == []
