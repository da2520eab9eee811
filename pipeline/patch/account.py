"""How a patch applied, hunk by hunk, as values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.values import Patch

# From best to worst: a patch is worth what its worst hunk is worth.
RUNGS = (
    "exact",
    "offset",
    "whitespace",
    "fuzz",
    "3-way",
    "already-applied",
    "missing-file",
    "file-exists",
    "conflict",
)
CLEAN = frozenset({"exact", "offset"})
# What a user may let pass though it is not clean.
ALLOWABLE = ("whitespace", "fuzz", "3-way", "already-applied")


def worst(rungs: Iterable[str]) -> str:
    """The worst of some rungs; exact for none."""
    return max(rungs, key=RUNGS.index, default="exact")


@dataclass(frozen=True, kw_only=True)
class HunkAccount:
    """What became of one hunk. ``number`` counts within its file from 1; 0 stands for a change without any,
    such as a rename. ``line`` is where it begins in the file as patched; of a hunk that fits nowhere, that of
    the nearest place, which ``beside`` shows (see ``nearest.beside``), or else the one that it names.
    ``offset`` and ``fuzz`` are in lines; ``blanks`` says that the file's lines differ in white space."""

    file: str
    number: int
    title: str
    rung: str
    line: int = 0
    offset: int = 0
    fuzz: int = 0
    blanks: bool = False
    note: str = ""
    beside: tuple[str, ...] = ()

    @property
    def needs(self) -> frozenset[str]:
        """What must be allowed for it to pass; empty for a clean one."""
        return frozenset({self.rung, *(["whitespace"] if self.blanks else [])}) - CLEAN


@dataclass(frozen=True, kw_only=True)
class Applied:
    """How one patch applied. ``rung`` is its worst hunk's; ``ok`` says that it is clean or was allowed,
    ``skipped`` that it was left out because the tree holds it already."""

    patch: Patch
    rung: str
    hunks: tuple[HunkAccount, ...]
    detail: str
    ok: bool
    skipped: bool = False

    @property
    def count(self) -> int:
        """How many hunks it has."""
        return sum(1 for hunk in self.hunks if hunk.number)
