"""A patched toolchain as an archive: unpacked elsewhere, it works."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ExitCode
from tests.integration.harness import RELEASE
from tests.integration.toolchains import pack

pytestmark = pytest.mark.go

SERIES = "kqueue-retry-backoff"


def test_unpacked_elsewhere_it_works(cache: Path, release: Path, tmp_path: Path) -> None:
    """Of the default series: its toolchain and test binaries are those of a run of the README's command."""
    code, found, err = pack(cache, "--tests", f"--out={tmp_path}")
    assert code == ExitCode.PASS, err
    archive = Path(found["path"])
    assert archive.name == f"go{RELEASE}-{SERIES}.linux-amd64.tar.gz"
    shutil.unpack_archive(archive, tmp_path / "elsewhere", filter="data")
    root = tmp_path / "elsewhere/go"
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    said = subprocess.run([root / "bin/go", "version"], env=env, capture_output=True, text=True, check=True)
    assert said.stdout.startswith(f"go version go{found['version']} linux/amd64")
    # By this its tools name what they compile in a user's cache.
    ask: list[str | Path] = [root / "bin/go", "tool", "compile", "-V=full"]
    named = subprocess.run(ask, env=env, capture_output=True, text=True, check=True)
    assert named.stdout == f"compile version go{found['version']}\n"
    source = tmp_path / "hello.go"
    source.write_text(
        'package main\n\nimport "container/ring"\n\nfunc main() { println(ring.New(3).Len()) }\n'
    )
    built = tmp_path / "hello"
    subprocess.run([root / "bin/go", "build", "-o", built, source], env=env, cwd=tmp_path, check=True)
    assert subprocess.run([built], capture_output=True, text=True, check=True).stderr == "3\n"
    _run_tests(Path(found["tests"]["path"]), root, env)
    # The same again, from the store and to another place.
    assert pack(cache, f"--out={tmp_path / 'again'}")[1]["sha256"] == found["sha256"]


def _run_tests(archive: Path, root: Path, env: dict[str, str]) -> None:
    """As its README.txt says, on both sides, with nothing but the two archives."""
    assert archive.name == f"go{RELEASE}-{SERIES}-tests.linux-amd64.tar.gz"
    shutil.unpack_archive(archive, root.parent, filter="data")
    (folder,) = root.parent.glob("*-tests")
    about = json.loads((folder / "manifest.json").read_text())
    assert "TestNetpollOpenBackoff" in about["packages"]["runtime"]["tests"]
    _say_what_they_are(folder, about, root, env)
    lines = (folder / "README.txt").read_text().splitlines()
    words = [line.split() for line in lines if line.startswith("    ../")]
    # Not of net, which comes first but has no tests in the series.
    assert [Path(one[0]).name for one in words] == ["runtime.test"] * 3
    for binary, *options in words:
        done = subprocess.run(
            [root / "src/runtime" / binary, *(option.strip("'") for option in options)],
            cwd=root / "src/runtime",
            env={**env, "GOROOT": str(root)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        assert "BenchmarkNetpollBreak" in done.stdout or "--- PASS: TestNetpollBreak" in done.stdout


def _say_what_they_are(folder: Path, about: dict[str, Any], root: Path, env: dict[str, str]) -> None:
    trees = set()
    for side in ("base", "patched"):
        ask: list[str | Path] = [root / "bin/go", "version", "-m", folder / side / "runtime.test"]
        said = subprocess.run(ask, env=env, capture_output=True, text=True, check=True).stdout
        lines = dict(line.split("\t")[2].split("=", 1) for line in said.splitlines() if "\tgopatch." in line)
        assert lines.keys() == {"gopatch.commit", "gopatch.series", "gopatch.tree"}
        assert lines["gopatch.series"] == about["series_digest"]
        trees.add(lines["gopatch.tree"])
    assert len(trees) == 2


def test_a_platform_that_go_does_not_know_is_refused(cache: Path, release: Path, tmp_path: Path) -> None:
    code, found, err = pack(cache, "--goos=linux", "--goarch=z80", f"--out={tmp_path}")
    assert (code, found) == (ExitCode.USAGE, {})
    assert "does not know linux/z80" in err
    assert "linux/amd64" in err
