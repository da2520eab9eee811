"""The verbs that build toolchains, and what they say."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from pipeline.errors import ExitCode
from tests.integration.fleets import run

# 1.22 has nine tools that are built when they are called for, and no longer before.
TOOLS = {"1.22.10": 19, "1.27.3": 10}


def pack(cache: Path, *words: str) -> tuple[int, dict[str, Any], str]:
    """``./inv toolchain-pack --json WORDS``."""
    return _said(cache, "toolchain-pack", *words)


def verify(cache: Path, *words: str) -> tuple[int, dict[str, Any], str]:
    """``./inv toolchain-verify --json WORDS``."""
    return _said(cache, "toolchain-verify", *words)


def check_verified(cache: Path, base: str, *words: str, likeness: str) -> None:
    """Every tool of ``--base=RELEASE`` is proven to be the official one, and is not built a second time."""
    code, found, err = verify(cache, base, *words)
    assert code == ExitCode.PASS, err
    assert found["proven"] is True
    assert len(found["files"]) == TOOLS[base.removeprefix("--base=")]
    assert set(found["files"].values()) == {likeness}
    started = time.monotonic()
    again = verify(cache, base, *words)
    assert (again[0], {**again[1], "reused": found["reused"]}) == (code, found)
    assert again[1]["reused"] is True
    assert time.monotonic() - started < 10


def _said(cache: Path, verb: str, *words: str) -> tuple[int, dict[str, Any], str]:
    done = run(cache, verb, "--json", *words)
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr
