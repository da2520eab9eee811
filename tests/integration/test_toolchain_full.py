"""make.bash on real Go. A whole one takes minutes: ``./inv self-bench toolchain`` makes two and compares."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import ExitCode
from tests.integration.harness import ROOT, Edits, command, diff, environment, make_series

pytestmark = pytest.mark.go
STEP = 'xprintf("Building Go toolchain1 using %s.\\n", goroot_bootstrap)'


def verify(cache: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("toolchain-verify", *words),
        cwd=ROOT,
        env=environment(cache),
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def test_a_build_that_fails_half_way_is_shown_and_kept_nowhere(
    own_cache: Path, release: Path, tmp_path: Path
) -> None:
    # cmd/dist itself is built, and goes wrong on its way.
    edit = Edits(replace={"src/cmd/dist/buildtool.go": (STEP, f'fatalf("half way")\n\t{STEP}')})
    series = make_series(tmp_path / "broken", [diff(release, edit)])
    done = verify(own_cache, f"--series={series}", "--full")
    assert done.returncode == ExitCode.PATCH_FAILS, done.stderr
    assert "half way" in done.stderr
    assert not list((own_cache / "v1/toolchains").glob(".tmp-*"))


def test_a_bootstrap_that_is_too_old_is_named(cache: Path, release: Path, tmp_path: Path) -> None:
    bare = tmp_path / "clone"
    for name in ("VERSION", "src/make.bash", "src/runtime/proc.go"):
        (bare / name).parent.mkdir(parents=True, exist_ok=True)
        (bare / name).write_bytes((release / name).read_bytes())
    project = tmp_path / "project"
    project.mkdir()
    matrix = (ROOT / "matrix.yml").read_text(encoding="utf-8")
    (project / "matrix.yml").write_text(f'{matrix}sources: {{bootstrap: ["1.21.13"]}}\n', encoding="utf-8")
    (project / "patches").symlink_to(ROOT / "patches")
    shutil.copy(ROOT / "tasks.py", project)
    invoke = [sys.executable, "-m", "invoke", f"--search-root={project}"]
    done = subprocess.run(
        [*invoke, "toolchain-verify", f"--base={bare}", "--full"],
        cwd=project,
        env=environment(cache),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == ExitCode.ENVIRONMENT, done.stderr
    assert "Go 1.21.13 is too old to build Go 1.27.3: that takes 1.24.6 or later" in done.stderr
