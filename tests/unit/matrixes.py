"""Texts of matrix.yml for tests: the shipped profiles below whatever a test says of platforms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.errors import UsageError
from pipeline.plan import matrix, mistakes
from pipeline.plan.file import MatrixFile
from pipeline.plan.matrix import Matrix

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = (ROOT / "matrix.yml").read_text(encoding="utf-8")
PROFILES = SHIPPED[SHIPPED.index("\nprofiles:") + 1 : SHIPPED.index("\nactions:") + 1]
HEAD = 'version: 1\nbase: "1.27.3"\nseries: kqueue-retry-backoff\n'
# What a test writes begins on this line.
FIRST = 4


def write(folder: Path, body: str) -> Path:
    """matrix.yml with ``body`` between its head and its profiles."""
    path = folder / "matrix.yml"
    path.write_text(f"{HEAD}{body}{PROFILES}", encoding="utf-8")
    return path


def read(folder: Path, body: str) -> Matrix:
    """The file, which must be right."""
    return matrix.read(write(folder, body))


def refused(folder: Path, body: str) -> list[str]:
    """The lines by which the file is refused, as LINE:COLUMN: message with LINE counted in ``body``."""
    path = write(folder, body)
    with pytest.raises(UsageError) as caught:
        matrix.read(path)
    lines = []
    for line in caught.value.what.splitlines():
        place, row, rest = line.removeprefix(str(path)).split(":", 2)
        assert place == "", line
        lines.append(f"{int(row) - FIRST + 1}:{rest}")
    return lines


def pointed(folder: Path, body: str, said: str) -> None:
    """The file is refused with a line that begins with ``said`` and points at where ``body`` has a ^."""
    before, mark, _ = body.partition("^")
    assert mark
    place = f"{before.count(chr(10)) + 1}:{len(before.rpartition(chr(10))[2]) + 1}"
    lines = refused(folder, body.replace("^", "", 1))
    assert [line for line in lines if line.startswith(f"{place}: {said}")], (place, lines)


def build(**parts: Any) -> MatrixFile:
    """A file from plain values, without YAML."""
    profiles = yaml.safe_load(PROFILES)
    return MatrixFile.model_validate(
        {"version": 1, "base": "1.27.3", "series": "s", **profiles, "platforms": {}, **parts}
    )


def wrong(file: MatrixFile) -> list[str]:
    """What is wrong with a file that its models do not see."""
    return [f"{'.'.join(map(str, one.path))}: {one.message}" for one in mistakes.of(file)]
