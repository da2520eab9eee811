"""The command of the README on a real release: the run's folder, the toolchain, the numbers. See
``conftest.run_default`` for what is left out of it."""

from __future__ import annotations

import json
import re
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipeline import benchfmt
from pipeline.errors import ExitCode

pytestmark = pytest.mark.go

KQUEUE = {"darwin", "dragonfly", "freebsd", "ios", "netbsd", "openbsd"}


@pytest.fixture(scope="module")
def folder(run_default: subprocess.CompletedProcess[str]) -> Path:
    # A busy machine may leave the data undecided; the patch must never be found at fault.
    assert run_default.returncode in {ExitCode.PASS, ExitCode.INCONCLUSIVE}, run_default.stderr
    found = re.search(r"summary: (.+)/summary\.md", run_default.stdout)
    assert found
    return Path(found.group(1))


@pytest.fixture(scope="module")
def report(folder: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return data


def test_the_folder_is_as_in_the_contract(folder: Path) -> None:
    expected = [
        "report.json",
        "summary.md",
        "report.html",
        "bench/linux-amd64.txt",
        "ledger.jsonl",
        "metrics.prom",
        "bench/linux-amd64/base.txt",
        "bench/linux-amd64/patched.txt",
        "gates/junit.xml",
        "logs",
        "pr/commit-message.txt",
        "pr/description.md",
    ]
    assert [name for name in expected if not (folder / name).exists()] == []


def test_every_platform_says_how_far_it_was_exercised(report: dict[str, Any]) -> None:
    levels = {cell["id"]: cell["exercise"] for cell in report["cells"]}
    assert levels == {
        "linux-amd64": "measured",
        "linux-arm64": "compiled",
        "windows-amd64": "unaffected",
        "darwin-arm64": "compiled",
        "darwin-amd64": "compiled",
        "freebsd-amd64": "compiled",
    }


def test_every_platform_that_is_reached_was_compiled(report: dict[str, Any]) -> None:
    found = {row["platform"]: row["signals"] for row in report["compile"]["platforms"]}
    kqueue = {name for name in found if name.split("/")[0] in KQUEUE}
    assert {name.split("/")[0] for name in kqueue} == KQUEUE
    assert {found[name]["types"] for name in kqueue} == {"ok"}
    # Of the matrix's platforms.
    assert {name for name, one in found.items() if one.get("build") == "ok"} == {
        "linux/amd64",
        "linux/arm64",
        "darwin/arm64",
        "darwin/amd64",
        "freebsd/amd64",
    }
    assert "windows/amd64" in report["compile"]["untouched"]
    assert found["linux/amd64"] == {"types": "ok", "build": "ok", "vet": "ok", "tests": "ok"}
    checked = {(one["signal"], one["platform"], one["number"]) for one in report["compile"]["results"]}
    assert {("types", "openbsd/amd64", 2), ("types", "netbsd/arm", 2)} <= checked
    for signal in ("types", "build"):
        assert {(signal, "darwin/arm64", 1), (signal, "linux/amd64", 1)} <= checked
        # The second patch changes only how kqueue is woken by a pipe, which Darwin does by an event.
        assert not {(signal, "linux/amd64", 2), (signal, "darwin/arm64", 2)} & checked
    # Vet also reads the build lines of files for other platforms, so it looks at the second one too.
    assert {("vet", "linux/amd64", 1), ("vet", "linux/amd64", 2)} <= checked
    assert ("tests", "linux/amd64", 2) not in checked


def test_the_untouched_cell_is_proven_to_be(report: dict[str, Any]) -> None:
    (cell,) = [cell for cell in report["cells"] if cell["id"] == "windows-amd64"]
    proof = cell["same_bits"]
    assert proof["same"] is True
    assert proof["base"] == proof["patched"]
    assert re.fullmatch(r"[0-9a-f]{64}", proof["base"]["runtime"])
    assert f"runtime.test sha256 {proof['base']['runtime'][:16]}" in cell["reason"]


def test_patches_and_gates(report: dict[str, Any]) -> None:
    assert [patch["rung"] for patch in report["patches"]] == ["exact", "exact"]
    gates = [gate for cell in report["cells"] for gate in cell["gates"]]
    assert {gate["gate"] for gate in gates} == {"compile", "test"}
    assert [gate for gate in gates if gate["status"] not in {"pass", "skipped"}] == []
    transitions = {gate["subject"]: gate["transition"] for gate in gates if gate["gate"] == "test"}
    assert transitions["runtime.TestNetpollBreak"] == "pass→pass"
    assert transitions["runtime.TestNetpollOpenAgain"] == "new→pass"


def test_benchmarks_have_pairs_and_real_numbers(report: dict[str, Any]) -> None:
    rows = {(row["name"], row["unit"]): row for row in report["cells"][0]["benchmarks"]}
    times = {name: row for (name, unit), row in rows.items() if unit == "sec/op"}
    assert {name.rsplit("-", 1)[0] for name in times} == {
        "NetpollOpen",
        "NetpollBreak",
        "TCP4OneShot",
        "TCP4Persistent",
    }
    for row in times.values():
        assert row["n"] >= 6, row
        assert 1e-9 < row["base"]["median"] < 1
        assert row["ci"][0] <= row["ratio"] <= row["ci"][1]
        assert row["verdict"] in {"no-change", "inconclusive", "better"}


def test_the_benchfmt_file_has_sides_rounds_and_the_machine(folder: Path) -> None:
    results = []
    for record in benchfmt.read(folder / "bench/linux-amd64.txt"):
        assert not isinstance(record, benchfmt.SyntaxProblem), record
        results.append(record)
    assert results
    for result in results:
        assert isinstance(result, benchfmt.Result)
        keys = result.config.file_values()
        assert keys.keys() >= {"side", "round", "goos", "goarch", "pkg", "cpu"}
    sides = [r.config.get("side") for r in results if isinstance(r, benchfmt.Result)]
    assert sides.count("base") == sides.count("patched") > 0


def test_the_summary_holds_what_a_pull_request_needs(folder: Path, report: dict[str, Any]) -> None:
    summary = (folder / "summary.md").read_text(encoding="utf-8")
    toolchain = next(one for one in report["toolchains"] if one["role"] == "patched")
    for part in (
        report["headline"][:20],
        "### How far each platform",
        "### Patches",
        "### Compiles",
        "### Gates",
        "vs base",
        toolchain["digest"],
        "### Environment",
        "./inv patch-validate --series=kqueue-retry-backoff",
    ):
        assert part in summary, part


def test_the_patched_toolchain_runs_and_links_statically(report: dict[str, Any], tmp_path: Path) -> None:
    toolchain = next(one for one in report["toolchains"] if one["role"] == "patched")
    assert toolchain["recipe"] == "staged"
    go = Path(toolchain["path"]) / "bin/go"
    env = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "CGO_ENABLED": "0",
        "GOCACHE": str(tmp_path / "cache"),
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=mod",
    }
    version = subprocess.run([go, "version"], env=env, capture_output=True, text=True, check=True).stdout
    assert re.match(r"go version go1\.27\.3-kqueue-retry-backoff\.[0-9a-f]{8} linux/", version)
    assert toolchain["version"] in version
    assert (
        subprocess.run(
            [go, "env", "GOROOT"], env=env, capture_output=True, text=True, check=True
        ).stdout.strip()
        == toolchain["path"]
    )
    # What parses versions sees the release; what names build results sees the patch.
    subprocess.run([go, "mod", "init", "example.com/x"], env=env, cwd=tmp_path, check=True)
    assert "\ngo 1.27" in (tmp_path / "go.mod").read_text(encoding="utf-8")
    (tmp_path / "go.mod").write_text("module example.com/x\n\ngo 1.27.3\n\ntoolchain go1.27.3\n")
    name = subprocess.run(
        [go, "tool", "compile", "-V=full"], env=env, capture_output=True, text=True, check=True
    )
    assert toolchain["version"] in name.stdout
    source = tmp_path / "hello.go"
    source.write_text('package main\n\nfunc main() { print("hello\\n") }\n')
    binary = tmp_path / "hello"
    subprocess.run([go, "build", "-o", binary, source], env=env, cwd=tmp_path, check=True)
    assert subprocess.run([binary], capture_output=True, text=True, check=True).stderr == "hello\n"
    assert not _has_interpreter(binary)


def _has_interpreter(path: Path) -> bool:
    """Whether an ELF file asks for a dynamic loader (a PT_INTERP program header)."""
    data = path.read_bytes()
    assert data[:5] == b"\x7fELF\x02"
    (offset,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    return any(struct.unpack_from("<I", data, offset + index * size)[0] == 3 for index in range(count))


def test_the_release_in_the_store_was_not_written_to(
    release: Path, run_default: subprocess.CompletedProcess[str]
) -> None:
    from pipeline import tree

    manifest = tree.load(release.parent / "manifest.json")
    assert tree.scan(release) == manifest
