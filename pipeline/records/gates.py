"""What was compiled, built and tested."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from pipeline.records.base import Record, Side

GateStatus = Literal["pass", "fail", "skipped", "baseline-fails", "error", "flaky", "unsettled"]
Signal = Literal["types", "build", "vet", "tests"]


class Repeats(BaseModel):
    """How often a test was repeated on each side after it had differed, and how often it failed then."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    base_failed: int
    base_runs: int
    patched_failed: int
    patched_runs: int


class GateResult(Record):
    """One check of one gate. ``subject`` is a package, or ``package.Test``; ``detail`` is its output.

    The compile gate also says its ``signal``, the ``platform`` (GOOS/GOARCH; ``cell`` is '' where the matrix
    has none for it), and the ``patch`` with its number that first brings this code there; ``reused`` is that
    the store knew the result.

    Of a test: ``transition`` is what it does on the baseline and with the patch (``pass→fail``), and ``note``
    the evidence in words. ``package`` has its variant with it (``runtime (race)``). ``own`` is that the
    series brings it, and ``without`` what it does on the baseline's code. ``stored`` is the day that the
    baseline's result is from, where it came from the store."""

    kind: Literal["gate"] = "gate"
    gate: Literal["compile", "test"]
    cell: str
    subject: str
    status: GateStatus
    transition: str = ""
    seconds: float = 0.0
    detail: str = ""
    log: str = ""
    signal: Signal | Literal[""] = ""
    platform: str = ""
    patch: str = ""
    number: int = 0
    reused: bool = False
    note: str = ""
    package: str = ""
    test: str = ""
    own: Literal["", "added", "altered"] = ""
    without: str = ""
    stored: str = ""
    repeats: Repeats | None = None


class TestsChosen(Record):
    """The tests of one package (or variant of it) that the gate ran: ``scope`` in words, ``count`` of them.
    ``stored`` is as in GateResult; ``skipped`` says why none ran."""

    kind: Literal["tests"] = "tests"
    cell: str
    package: str
    scope: str
    count: int = 0
    stored: str = ""
    skipped: str = ""


class ToolchainReady(Record):
    """A Go tree that can be run. ``digest`` covers its binaries; ``proof`` says why to believe it."""

    kind: Literal["toolchain"] = "toolchain"
    role: Side
    version: str
    digest: str
    proof: str
    path: str
    recipe: str


class ProgramBuilt(Record):
    """A test binary that a cell is to run. ``compiled`` is the sha256 of what the go command made, ``sha256``
    that of the same with its stamp: the project's ``commit``, the ``series`` and the ``tree`` by digest."""

    kind: Literal["program"] = "program"
    cell: str
    side: Side
    package: str
    variant: str
    sha256: str
    compiled: str
    commit: str
    series: str
    tree: str


class ProgramRan(Record):
    """What a cell found in place of a program as it began: its ``sha256``, and the stamp read from it ('' for
    none). ``relinked`` is the sha256 of the same when it was linked again there, '' where it was not."""

    kind: Literal["program-ran"] = "program-ran"
    cell: str
    side: Side
    package: str
    variant: str
    sha256: str
    commit: str
    series: str
    tree: str
    relinked: str = ""


class ToolchainCompared(Record):
    """Tools that were built here, compared with others of the same release. ``files`` maps a path below
    GOROOT to same, unsigned (the same without its code signature), differs or missing."""

    kind: Literal["toolchain-compared"] = "toolchain-compared"
    version: str
    goos: str
    goarch: str
    against: str
    proven: bool
    files: dict[str, Literal["same", "unsigned", "differs", "missing"]]
    reused: bool = False


class OverlayDropped(Record):
    """A test file of the series that does not compile on the baseline: what it holds is ``new``."""

    kind: Literal["overlay-dropped"] = "overlay-dropped"
    file: str
    reason: str
