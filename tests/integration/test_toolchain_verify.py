"""Official releases, built again here: the wheels of the same platforms are what they are compared with."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ExitCode
from tests.integration.harness import ROOT, command, environment

pytestmark = pytest.mark.go


def verify(cache: Path, *words: str) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run(
        command("toolchain-verify", "--json", *words),
        cwd=ROOT,
        env=environment(cache),
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


@pytest.mark.parametrize(
    ("words", "tools", "likeness"),
    [
        (("--base=1.27.3",), 10, {"same"}),
        (("--base=1.22.10",), 19, {"same"}),
        (("--base=1.27.3", "--goos=windows", "--goarch=amd64"), 10, {"same"}),
        # Apple's signature cannot be made again; everything before it can.
        (("--base=1.27.3", "--goos=darwin", "--goarch=arm64"), 10, {"unsigned"}),
    ],
    ids=["1.27.3", "1.22.10", "windows", "darwin"],
)
def test_a_release_is_rebuilt_bit_for_bit(
    cache: Path, words: tuple[str, ...], tools: int, likeness: set[str]
) -> None:
    code, found, err = verify(cache, *words)
    assert code == ExitCode.PASS, err
    assert found["proven"] is True
    assert len(found["files"]) == tools
    assert set(found["files"].values()) == likeness
    # What is proven is not built again.
    started = time.monotonic()
    again = verify(cache, *words)
    assert (again[0], {**again[1], "reused": found["reused"]}) == (code, found)
    assert again[1]["reused"] is True
    assert time.monotonic() - started < 10


def test_a_local_tree_has_nothing_to_be_compared_with(cache: Path, release: Path) -> None:
    code, found, err = verify(cache, f"--base={release}")
    assert (code, found) == (ExitCode.USAGE, {})
    assert "no official build" in err


def test_a_platform_without_a_wheel_is_refused(cache: Path) -> None:
    code, _, err = verify(cache, "--base=1.27.3", "--goos=plan9", "--goarch=386")
    assert code == ExitCode.USAGE
    assert "no wheel of Go for plan9/386" in err
    assert "windows/amd64" in err
