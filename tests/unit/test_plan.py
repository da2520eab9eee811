"""The plan: the repository's own files, each kind of mistake with its place, and what the digest covers."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from pipeline.cells import here
from pipeline.errors import HostError, PatchError, PipelineError, UsageError
from pipeline.plan import plan as room
from pipeline.plan.plan import Plan, Request, make
from pipeline.values import Platform

ROOT = Path(__file__).resolve().parents[2]
WINDOWS = "{goos: windows, goarch: amd64, runner: windows-2025}"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(ROOT / "matrix.yml", tmp_path)
    shutil.copytree(ROOT / "patches", tmp_path / "patches")
    monkeypatch.setattr(room, "host_platform", lambda: Platform(goos="linux", goarch="amd64"))
    return tmp_path


def plan(project: Path, **asked: object) -> Plan:
    return make(Request(root=project, **asked))  # type: ignore[arg-type]


def edit(project: Path, old: str, new: str, name: str = "matrix.yml") -> None:
    text = (project / name).read_text()
    assert old in text
    (project / name).write_text(text.replace(old, new, 1))


def test_the_repositorys_own_matrix(project: Path) -> None:
    found = plan(project)
    assert [cell.id for cell in found.cells if cell.native] == ["linux-amd64"]
    assert found.profile.name == "standard"
    assert found.threshold.margin == 0.05


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("version: 1", "version: 2", "matrix.yml:4:1: version: "),
        ("rounds: 8", "rounds: 5", "profiles.quick.rounds: should be greater than or equal to 8"),
        ("rounds: 8", "rounds: eight", "profiles.quick.rounds: should be a valid integer (found 'eight')"),
        ("benchtime: 100ms", "benchtime: soon", "profiles.quick.benchtime: should be Go's -benchtime"),
        ("toolchain: overlay", "toolchain: none", "profiles.quick.toolchain: "),
        ("toolchain: overlay", "commit_rules: fatal", "profiles.quick.commit_rules: "),
        ("types: all, build: cells", "types: some, build: cells", "profiles.quick.compile.types: should be"),
        ("build: cells", "built: cells", "profiles.quick.compile.built: unknown key; did you mean build"),
        ("tests: packages", "tests: all", "profiles.rigorous.tests: "),
        ("variants: [race,", "variants: [msan,", "profiles.rigorous.variants"),
        ("effect: 5%", "effect: 3", "thresholds.quick.effect: should be a percentage such as 3%"),
        ("effect: 5%", "effect: 0%", "should be a percentage"),
        ("goos: windows", "goos: win/dows", "platforms.windows-amd64.goos: should be a GOOS"),
        ("goos: windows", "goose: windows", "platforms.windows-amd64.goose: unknown key; did you mean goos?"),
        (
            WINDOWS,
            "{goos: windows, goarch: amd64, pin: [1, 1]}",
            "platforms.windows-amd64.pin[1]: pin names a CPU twice (found 1)",
        ),
        (
            WINDOWS,
            "{goos: windows, goarch: amd64, parameters: {GOGC: 50}}",
            "platforms.windows-amd64.parameters.GOGC: should be a valid string (found '50')",
        ),
        (
            WINDOWS,
            '{goos: windows, goarch: amd64, parameters: {GODEBUG: "x\\ny"}}',
            'should be plain text in quotes, such as "2" or "off"',
        ),
        (
            WINDOWS,
            "{goos: windows, goarch: amd64, parameters: {LD_PRELOAD: x}}",
            "platforms.windows-amd64.parameters.LD_PRELOAD",
        ),
        (
            WINDOWS,
            '{goos: windows, goarch: amd64, parameters: {GOMAXPROCS: "abc"}}',
            "GOMAXPROCS should be a number",
        ),
        ("effect: 5%, margin: 8%", "effect: 20%, margin: 8%", "margin should not be below effect"),
        (
            "{effect: 5%, margin: 8%}",
            "{effect: 5%, margin: 8%, units: {ns/op: {effect: 1%, margin: 2%}}}",
            "should be sec/op: benchmarks are compared in benchstat's units",
        ),
        (WINDOWS, "{goos: linux, goarch: arm64, runner: ubuntu-24.04-arm}", "are both linux/arm64"),
        ("  quick: {effect: 5%, margin: 8%}\n", "", "should both have quick"),
        ("max_rounds: 100", "max_rounds: 11", "max_rounds should not be below rounds"),
        ("  linux-amd64:", "  Linux AMD64:", "should be lower-case letters"),
        ('base: "1.27.3"', "base: 1.27", "matrix.yml:7:1: base: should be a valid string (found '1.27')"),
        (
            "profiles:\n  quick:",
            "profiles:\n  fast:",
            "profiles.fast: should be 'quick', 'standard' or 'rigorous'",
        ),
    ],
)
def test_mistakes_of_the_matrix(project: Path, old: str, new: str, said: str) -> None:
    edit(project, old, new)
    with pytest.raises(UsageError) as caught:
        plan(project)
    assert said in caught.value.what
    assert "matrix.yml:" in caught.value.what


def ids(found: Plan) -> list[str]:
    return [cell.id for cell in found.cells]


def test_cells_by_id_and_glob_in_the_matrixs_order(project: Path) -> None:
    assert ids(plan(project, cells=("darwin-*", "linux-amd64"))) == [
        "linux-amd64",
        "darwin-arm64",
        "darwin-amd64",
    ]
    with pytest.raises(UsageError, match="no cell matches 'linux-amd46'") as caught:
        plan(project, cells=("darwin-*", "linux-amd46"))
    assert "linux-amd64" in caught.value.meaning


def test_a_host_that_the_matrix_lacks_gets_a_cell(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "host_platform", lambda: Platform(goos="netbsd", goarch="arm64"))
    found = plan(project)
    assert (found.cells[0].id, found.cells[0].native) == ("netbsd-arm64", True)
    assert [cell.native for cell in found.cells[1:]] == [False] * 6


def test_the_digest_changes_with_everything_that_matters(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = [plan(project).digest]
    assert plan(project).digest == seen[0]
    for asked in ({"base": "1.27.2"}, {"profile": "quick"}, {"cells": ("linux-amd64",)}):
        seen.append(plan(project, **asked).digest)
    for old, new in (
        ("benchtime: 200ms", "benchtime: 201ms"),
        ("margin: 5%", "margin: 6%"),
        ("rounds: 12", "rounds: 13"),
    ):
        edit(project, old, new)
        seen.append(plan(project).digest)
    (patch, *_) = sorted((project / "patches/kqueue-retry-backoff").glob("*.patch"))
    edit(project, "Subject: ", "Subject: changed ", str(patch.relative_to(project)))
    seen.append(plan(project).digest)
    monkeypatch.setattr(room, "host_platform", lambda: Platform(goos="linux", goarch="arm64"))
    seen.append(plan(project).digest)
    assert len(set(seen)) == len(seen)


def test_what_is_let_pass_is_part_of_the_plan(project: Path) -> None:
    found = plan(project, allowed=("3-way", "fuzz", "fuzz"))
    assert found.allowed == ("fuzz", "3-way")
    assert found.as_json()["allowed"] == ["fuzz", "3-way"]
    assert found.digest != plan(project).digest
    with pytest.raises(UsageError, match="did you mean fuzz"):
        plan(project, allowed=("fuz",))
    with pytest.raises(UsageError, match="exact and offset always pass"):
        plan(project, allowed=("conflict",))


def test_bases(project: Path, tmp_path: Path) -> None:
    assert plan(project, base="go1.27.1").base == "go1.27.1"
    local = tmp_path / "go"
    for name in ("src/runtime/proc.go", "VERSION"):
        with pytest.raises(PipelineError, match=r"not a Go tree|VERSION"):
            plan(project, base=str(local))
        (local / name).parent.mkdir(parents=True, exist_ok=True)
        (local / name).write_text("go1.27.3\n")
    assert plan(project, base=str(local)).base == str(local)
    for bad in ("1.26.9", "1.28rc1", "nonsense", "-rf", "1.27.3; ls", "x" * 5000):
        with pytest.raises(UsageError):
            plan(project, base=bad)


@pytest.mark.parametrize("option", ["series", "base"])
def test_an_empty_option_is_not_the_default(project: Path, option: str) -> None:
    with pytest.raises(UsageError, match=f"--{option} is empty"):
        plan(project, **{option: ""})


def test_unknown_profile_and_series(project: Path) -> None:
    with pytest.raises(UsageError, match="no profile 'quik'") as caught:
        plan(project, profile="quik")
    assert "did you mean quick?" in caught.value.meaning
    with pytest.raises(UsageError, match="no series 'kqueue'"):
        plan(project, series="kqueue")


def test_the_plan_is_json(project: Path) -> None:
    found = plan(project)
    assert found.as_json()["profile"] == dataclasses.asdict(found.profile)


def test_what_a_cell_runs_under_is_part_of_the_plan(project: Path) -> None:
    edit(project, "profiles:\n", "suites: {s: {benchmarks: {net: [BenchmarkX]}}}\nprofiles:\n")
    seen = [plan(project).digest]
    entry = WINDOWS.removesuffix("}")
    for more in (
        ", environment: {GO_TEST_SHORT: x}",
        ", build: {GOAMD64: v3}",
        ", test_timeout: 9",
        ", benchmark_timeout: 8",
        ", suites: [s]",
    ):
        edit(project, f"{entry}}}", f"{entry}{more}}}")
        entry += more
        seen.append(plan(project).digest)
    assert len(set(seen)) == len(seen)
    found = plan(project).as_json()["cells"]
    assert isinstance(found, list)
    assert {
        "id": "windows-amd64",
        "goos": "windows",
        "goarch": "amd64",
        "native": False,
        "parameters": {},
        "environment": {"GO_TEST_SHORT": "x"},
        "build": {"GOAMD64": "v3"},
        "pin": [],
        "benchmark_timeout": 8,
        "test_timeout": 9,
        "benchmarks": {"net": ["BenchmarkX"]},
        "machine": {"labels": ["windows-2025"], "vm": "", "version": ""},
    } in found


@pytest.mark.skipif(not here.CAN_PIN, reason="this host cannot pin")
def test_a_cpu_that_is_not_there_is_found_before_anything_is_built(project: Path) -> None:
    edit(project, "runner: ubuntu-24.04}", "runner: ubuntu-24.04, pin: [4095]}")
    with pytest.raises(HostError, match="cannot be pinned to CPU 4095"):
        plan(project)


def test_only_the_rigorous_profile_insists_on_the_message(project: Path) -> None:
    rules = {
        name: plan(project, profile=name).profile.commit_rules for name in ("quick", "standard", "rigorous")
    }
    assert rules == {"quick": "advice", "standard": "advice", "rigorous": "error"}


def test_what_the_lint_refuses_has_no_plan(project: Path, tmp_path: Path) -> None:
    """Whatever the form: an input only reads, and here is where it is stopped."""
    patch = tmp_path / "evil.patch"
    patch.write_text("--- a/../../x.go\n+++ b/../../x.go\n@@ -1 +1 @@\n-a\n+b\n", encoding="utf-8")
    with pytest.raises(PatchError, match="path-escape"):
        plan(project, series=str(patch))
