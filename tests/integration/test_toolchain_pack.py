"""A patched toolchain as an archive: unpacked elsewhere, it works; for another platform, it is that one's."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ExitCode
from tests.integration.harness import ROOT, command, environment, ring_series

pytestmark = pytest.mark.go


def pack(cache: Path, *words: str) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run(
        command("toolchain-pack", "--json", *words),
        cwd=ROOT,
        env=environment(cache),
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


@pytest.fixture(scope="module")
def series(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ring_series(tmp_path_factory.mktemp("packed") / "ring", release)


def test_unpacked_elsewhere_it_works(cache: Path, series: Path, tmp_path: Path) -> None:
    code, found, err = pack(cache, f"--series={series}", "--tests", f"--out={tmp_path}")
    assert code == ExitCode.PASS, err
    archive = Path(found["path"])
    assert archive.name == "go1.27.3-ring.linux-amd64.tar.gz"
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
    assert pack(cache, f"--series={series}", f"--out={tmp_path / 'again'}")[1]["sha256"] == found["sha256"]


def _run_tests(archive: Path, root: Path, env: dict[str, str]) -> None:
    """As its README.txt says, on both sides, with nothing but the two archives."""
    assert archive.name == "go1.27.3-ring-tests.linux-amd64.tar.gz"
    shutil.unpack_archive(archive, root.parent, filter="data")
    (folder,) = root.parent.glob("*-tests")
    about = json.loads((folder / "manifest.json").read_text())
    assert about["packages"]["container/ring"]["tests"] == ["TestCornerCases", "TestNew"]
    lines = (folder / "README.txt").read_text().splitlines()
    words = [line.split() for line in lines if line.startswith("    ../")]
    assert len(words) == 3
    for binary, *options in words:
        done = subprocess.run(
            [root / "src/container/ring" / binary, *(option.strip("'") for option in options)],
            cwd=root / "src/container/ring",
            env={**env, "GOROOT": str(root)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        assert "BenchmarkSpin" in done.stdout or "--- PASS: TestCornerCases" in done.stdout


def test_for_windows_it_holds_windows_tools(cache: Path, series: Path, tmp_path: Path) -> None:
    code, found, err = pack(
        cache, f"--series={series}", "--goos=windows", "--goarch=amd64", "--tests", f"--out={tmp_path}"
    )
    assert code == ExitCode.PASS, err
    with zipfile.ZipFile(found["path"]) as archive:
        names = set(archive.namelist())
        assert archive.read("go/bin/go.exe")[:2] == b"MZ"
        assert archive.read("go/VERSION").decode().startswith(f"go{found['version']}\n")
        assert b"\t// ring\n" in archive.read("go/src/container/ring/ring.go")
    with zipfile.ZipFile(found["tests"]["path"]) as archive:
        binaries = [name for name in archive.namelist() if name.endswith("container_ring.test.exe")]
        assert [name.split("/")[1] for name in binaries] == ["base", "patched"]
        assert {archive.read(name)[:2] for name in binaries} == {b"MZ"}
    assert "go/pkg/tool/windows_amd64/compile.exe" in names
    assert not [name for name in names if name.startswith("go/pkg/tool/linux")]


def test_a_platform_that_go_does_not_know_is_refused(cache: Path, series: Path, tmp_path: Path) -> None:
    code, found, err = pack(cache, f"--series={series}", "--goos=linux", "--goarch=z80", f"--out={tmp_path}")
    assert (code, found) == (ExitCode.USAGE, {})
    assert "does not know linux/z80" in err
    assert "linux/amd64" in err
