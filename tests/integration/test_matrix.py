"""The matrix against a real release: its platforms, its build settings, and the file that GitHub reads."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from pipeline import proc
from pipeline.errors import ExitCode
from pipeline.golang import Go
from pipeline.plan import experiments, ports, variables
from pipeline.values import Platform
from tests.integration import forked
from tests.integration.harness import RELEASE, ROOT, command, environment

pytestmark = pytest.mark.go


@pytest.fixture
def shell(tmp_path: Path) -> proc.Shell:
    return proc.Shell(logs=tmp_path / "logs", observe=lambda *_: None)


@pytest.fixture
def go(release: Path, tmp_path: Path) -> Go:
    return Go(root=release, cache=tmp_path / "gocache", work=tmp_path / "work")


def test_the_list_of_a_tree_is_what_go_tool_dist_list_prints(
    release: Path, go: Go, shell: proc.Shell
) -> None:
    found = ports.of_tree(release, RELEASE)
    assert found is not None
    assert set(found.platforms) == set(go.platforms(shell))
    assert set(found.platforms) <= ports.KNOWN


SETTINGS = [
    ("GO386", "386", "sse2 softfloat", "387"),
    ("GOAMD64", "amd64", "v1 v2 v3 v4", "v5"),
    ("GOARM", "arm", "5 6 7 5,softfloat 7,hardfloat", "8"),
    ("GOARM64", "arm64", "v8.0 v8.9 v9.0 v9.5 v8.0,lse v8.0,lse,crypto", "v9.6"),
    ("GOMIPS", "mipsle", "hardfloat softfloat", "none"),
    ("GOMIPS64", "mips64", "hardfloat softfloat", "none"),
    ("GOPPC64", "ppc64le", "power8 power9 power10", "power7"),
    ("GORISCV64", "riscv64", "rva20u64 rva22u64 rva23u64", "rva24u64"),
    ("GOEXPERIMENT", "amd64", "none greenteagc nogreenteagc,jsonv2", "noexperiment"),
]


# buildcfg.Error is assigned again, by what reads GOARM64, before anybody looks at what these have put there.
UNSAID = {"GOAMD64", "GOARM"}


@pytest.mark.parametrize(("name", "goarch", "good", "bad"), SETTINGS)
def test_build_settings_are_those_that_go_takes(
    go: Go, shell: proc.Shell, tmp_path: Path, name: str, goarch: str, good: str, bad: str
) -> None:
    source = tmp_path / "p.go"
    source.write_text("package p\n", encoding="utf-8")

    def takes(value: str) -> bool:
        env = go.env(Platform(goos="linux", goarch=goarch), extra={name: value})
        words = go.command("tool", "compile", "-p=p", "-o", tmp_path / "p.o", source)
        return shell.run("compile", words, env=env, cwd=go.root / "src", timeout=60).ok

    for value in good.split():
        assert takes(value), value
        assert variables.misbuilt(name, value) == ""
        assert variables.foreign(name, goarch) == ""
    assert name in UNSAID or not takes(bad)
    names = experiments.of_tree(go.root)
    assert {"greenteagc", "jsonv2"} <= names
    assert bad.removeprefix("no") not in names
    # Which experiments there are, a pattern does not know.
    assert (variables.misbuilt(name, bad) == "") is (name == "GOEXPERIMENT")


def matrix(cache: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return forked.run(command("matrix", *words), cwd=ROOT, env={**environment(cache), **more}, timeout=300)


def test_with_the_release_in_the_cache_its_own_list_is_used(
    cache: Path, release: Path, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    done = matrix(cache, f"--github-output={output}")
    assert done.returncode == ExitCode.PASS, done.stderr
    assert f"checked against Go {RELEASE}'s own list" in done.stdout
    lines = dict(line.split("=", 1) for line in output.read_text(encoding="utf-8").splitlines())
    jobs = json.loads(lines["matrix"])["include"]
    assert int(lines["jobs"]) == len(jobs) == 5
    assert "freebsd-amd64" not in [one["id"] for one in jobs]


def test_without_a_network_the_jobs_are_made_all_the_same(tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9"
    own = {"PIP_INDEX_URL": f"{nowhere}/simple", "PIP_CONFIG_FILE": os.devnull, "HTTPS_PROXY": nowhere}
    done = matrix(tmp_path / "cache", f"--github-output={tmp_path / 'output'}", **own)
    assert done.returncode == ExitCode.PASS, done.stderr
    assert "could not be fetched" in done.stderr
    assert "all that Go 1.21 to 1.27 have between them" in done.stdout
    assert "jobs=5\n" in (tmp_path / "output").read_text(encoding="utf-8")
