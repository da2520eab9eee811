"""The gate fires on real Go when it must, and only then, also while something else is busy in bursts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import ExitCode
from pipeline.suites import selftest
from tests.integration.harness import ROOT, command, environment

pytestmark = [pytest.mark.go, pytest.mark.measures]

BURSTS = """
import random, time
while True:
    end = time.monotonic() + random.uniform(0.2, 3)
    while time.monotonic() < end:
        pass
    time.sleep(random.uniform(0.2, 3))
"""


@pytest.fixture
def bursts() -> Iterator[None]:
    """One core is busy now and then."""
    with subprocess.Popen([sys.executable, "-c", BURSTS]) as process:
        yield
        process.kill()


def test_the_gate_fires_when_it_must_and_only_then(
    cache: Path, release: Path, tmp_path: Path, bursts: None
) -> None:
    done = subprocess.run(
        command("self-test", f"--out={tmp_path / 'out'}"),
        cwd=ROOT,
        env=environment(cache),
        capture_output=True,
        text=True,
        timeout=600,  # the ten minutes that it may take
        check=False,
    )
    assert done.returncode == ExitCode.PASS, done.stdout + done.stderr[-2000:]
    rows = [line.split() for line in done.stdout.splitlines() if line.endswith(("right", "undecided"))]
    assert {row[0] for row in rows} == {case.name for case in selftest.cases()}
    assert len(rows) == 2 * len(selftest.cases())
    assert "WRONG" not in done.stdout
    assert (tmp_path / "out/bench/slower-3.txt").is_file()
