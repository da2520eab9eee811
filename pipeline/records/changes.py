"""The baseline, how the patches went in, and what they reach."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.records.base import Record


class SourceFetched(Record):
    """The baseline's tree. ``digest`` is the sha256 of its file list; ``origin`` says where it is from."""

    kind: Literal["source"] = "source"
    version: str
    digest: str
    origin: str
    proof: str
    files: int


class HunkPlaced(BaseModel):
    """How one hunk of ``file`` applied. ``number`` counts within the file, 0 for a change without hunks.
    ``line`` is its first line in the patched file, or the nearest place's for a conflict, whose lines
    ``beside`` shows; ``offset`` and ``fuzz`` are in lines; ``blanks``: the file's lines differ in white
    space."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    file: str
    number: int
    title: str
    rung: str
    line: int
    offset: int = 0
    fuzz: int = 0
    blanks: bool = False
    note: str = ""
    beside: list[str] = []


class PatchApplied(Record):
    """How one patch applied: ``rung`` of the ladder, its worst hunk's, and ``account`` of every hunk.
    ``allowed`` names the rungs beyond exact and offset that it holds by and the user let pass; ``skipped``
    says that the tree holds it already and it was left out. ``message`` is its commit message without the
    subject."""

    kind: Literal["patch"] = "patch"
    file: str
    subject: str
    sha256: str
    rung: str
    hunks: int
    detail: str = ""
    message: str = ""
    account: list[HunkPlaced] = Field(default=[])
    allowed: list[str] = Field(default=[])
    skipped: bool = False


class LintFinding(Record):
    """What the lint advises about a patch: ``line`` is one of the patch ``file``. An error ends a run before
    it begins."""

    kind: Literal["lint"] = "lint"
    file: str
    line: int
    severity: Literal["error", "advice"]
    rule: str
    message: str


class CellReach(Record):
    """What the series reaches on one cell's platform: changed packages compiled there, and files."""

    kind: Literal["reach"] = "reach"
    cell: str
    goos: str
    goarch: str
    packages: list[str]
    files: list[str]


class SeriesReach(Record):
    """Where the series changes what is compiled, over every platform of the release: ``reached`` maps
    GOOS/GOARCH to changed packages; ``tests_only`` are platforms where only test files change, ``untouched``
    the others. ``dependents`` counts the packages of std and cmd that are built from a changed one, on
    ``host``. ``importing`` counts those of std that import one directly on a platform that is reached: their
    types are checked too, except on the platforms ``importing_unchecked``, where they are many. ``unlisted``
    are changed files below src/ that no platform compiles, tests and testdata apart: nothing was checked for
    them."""

    kind: Literal["series-reach"] = "series-reach"
    reached: dict[str, list[str]]
    tests_only: list[str]
    untouched: list[str]
    dependents: int
    host: str
    importing: int = 0
    importing_checked: bool = False
    importing_unchecked: list[str] = Field(default=[])
    unlisted: list[str] = Field(default=[])


class SameBits(Record):
    """A cell that no changed file reaches: the sha256 of each package's test binary on both sides. ``same``
    is that all of them are equal, and that there is one."""

    kind: Literal["same-bits"] = "same-bits"
    cell: str
    base: dict[str, str]
    patched: dict[str, str]
    same: bool
    reason: str = ""
