"""Sixty outputs of the real benchstat (golang/perf at 712aea8), byte for byte."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.benchstat.__main__ import run

CASES = sorted(path for path in (Path(__file__).parent / "benchstat").iterdir() if path.is_dir())
ROOT = Path(__file__).parents[2]


def expected(case: Path) -> tuple[bytes, bytes, int]:
    return (
        (case / "stdout").read_bytes(),
        (case / "stderr").read_bytes(),
        int((case / "rc").read_text()),
    )


def test_cases_are_there() -> None:
    assert len(CASES) == 60


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_in_process(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(case)
    out, err = io.StringIO(), io.StringIO()
    status = run(json.loads((case / "args.json").read_text()), out, err)
    assert (out.getvalue().encode(), err.getvalue().encode(), status) == expected(case)


@pytest.mark.parametrize("case", CASES[::10] + CASES[9::20], ids=lambda case: case.name)
def test_as_a_process(case: Path) -> None:
    arguments = json.loads((case / "args.json").read_text())
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.benchstat", *arguments],
        cwd=case,
        capture_output=True,
        check=False,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert (done.stdout, done.stderr, done.returncode) == expected(case)
