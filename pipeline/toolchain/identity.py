"""Whether two builds of Go's tools are the same, file by file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.store import file_sha256
from pipeline.toolchain import macho

# ``unsigned``: the same once the code signature is left out, which is made with a key that only Apple's
# developers have. ``missing``: one side does not have it.
Likeness = Literal["same", "unsigned", "differs", "missing"]


@dataclass(frozen=True, kw_only=True)
class FileLikeness:
    """One file of bin or pkg/tool: its path below GOROOT and how alike it is."""

    name: str
    likeness: Likeness


def compare(ours: Mapping[str, Path], theirs: Mapping[str, Path]) -> tuple[FileLikeness, ...]:
    """Compare files by their path below GOROOT; in the order of the names."""
    return tuple(
        FileLikeness(name=name, likeness=_likeness(ours.get(name), theirs.get(name)))
        for name in sorted({*ours, *theirs})
    )


def proven(files: tuple[FileLikeness, ...]) -> bool:
    """Whether every file is the same; False for no files at all."""
    return bool(files) and all(one.likeness in {"same", "unsigned"} for one in files)


def _likeness(ours: Path | None, theirs: Path | None) -> Likeness:
    if ours is None or theirs is None:
        return "missing"
    if file_sha256(ours) == file_sha256(theirs):
        return "same"
    first, second = ours.read_bytes(), theirs.read_bytes()
    if macho.is_macho(first) and macho.is_macho(second):
        try:
            return "unsigned" if macho.unsigned(first) == macho.unsigned(second) else "differs"
        except ValueError:
            return "differs"
    return "differs"
