"""Versions as Go writes and reads them."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from pipeline import golang
from pipeline.golang import Go, patched_version, read_version
from pipeline.values import Platform

DIGEST = "1a2b3c4d" + "0" * 56


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("1.27.3", "1.27.3-my-series.1a2b3c4d"),
        ("1.28rc1", "1.28rc1-my-series.1a2b3c4d"),
        ("devel go1.24-0123abc Thu Jan 1", "devel go1.24-0123abc-my-series.1a2b3c4d Thu Jan 1"),
        ("1.28-devel_0123456789 Thu Jan 1", "1.28-devel_0123456789-my-series.1a2b3c4d Thu Jan 1"),
    ],
)
def test_a_patched_version_says_by_what(base: str, expected: str) -> None:
    assert patched_version(base, "my-series", DIGEST) == expected


def test_another_state_of_a_series_has_another_version() -> None:
    assert patched_version("1.27.3", "s", "a" * 64) != patched_version("1.27.3", "s", "b" * 64)


def test_it_is_read_back_from_a_version_file(tmp_path: Path) -> None:
    version = patched_version("1.27.3", "my-series", DIGEST)
    (tmp_path / "VERSION").write_text(f"go{version}\ntime 2026-10-19T22:20:36Z\n", encoding="utf-8")
    assert read_version(tmp_path) == version


def test_only_what_is_built_is_built_with_less_collecting() -> None:
    go = Go(root=Path("/go"), cache=Path("/cache"), work=Path("/work"))
    target = Platform(goos="plan9", goarch="arm")
    building, running = go.build_env(target, {"GOAMD64": "v3"}), go.env(target, {"GOAMD64": "v3"})
    assert set(building) - set(running) == {"GOGC", "GOMEMLIMIT"}, "a benchmark must not see them"
    assert {name: building[name] for name in running} == running


@pytest.mark.parametrize(("gigabytes", "cores", "collects"), [(8, 2, "off"), (16, 8, "400")])
def test_garbage_is_left_where_there_is_room_for_it(
    monkeypatch: pytest.MonkeyPatch, gigabytes: int, cores: int, collects: str
) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=gigabytes << 30))
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert golang._collecting.__wrapped__() == {"GOGC": collects, "GOMEMLIMIT": "1536MiB"}


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go1.28-devel_0123456789 2026-11-25", "1.28-devel_0123456789 2026-11-25"),
        (
            "devel go1.24-0123abc Thu Jan 1 10:11:12 2026 +0000",
            "devel go1.24-0123abc Thu Jan 1 10:11:12 2026 +0000",
        ),
        ("something", ""),
    ],
)
def test_a_development_version_is_one(tmp_path: Path, text: str, version: str) -> None:
    (tmp_path / "VERSION").write_text(f"{text}\ntime 2026-11-25T00:00:00Z\n", encoding="utf-8")
    assert read_version(tmp_path) == version
    assert not version or golang.spelled(version) == text
