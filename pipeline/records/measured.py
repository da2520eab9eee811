"""What was measured, and on what machine."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.records.base import Record, Side


class BenchmarksChosen(Record):
    """What is measured of a series that names no benchmarks: ``chosen`` as ``package Benchmark``, in order.
    ``left_out`` holds a package, a benchmark and the reason; ``budget`` is seconds."""

    kind: Literal["benchmarks-chosen"] = "benchmarks-chosen"
    cell: str
    chosen: list[Annotated[str, Field(pattern=r"^\S+ Benchmark\w*$")]]
    left_out: list[Annotated[list[str], Field(min_length=3, max_length=3)]]
    budget: float

    @property
    def targets(self) -> list[tuple[str, str]]:
        """``chosen`` as pairs of package and benchmark."""
        return [(package, name) for package, name in (text.split(" ", 1) for text in self.chosen)]


class PairMeasured(Record):
    """Both sides of one benchmark in one round. ``size`` is the length of the cell's benchfmt file in bytes
    after it, and ``sha256`` that of those bytes: a resumed run drops what a killed one left half-written, and
    notices what was changed since."""

    kind: Literal["pair"] = "pair"
    cell: str
    package: str
    benchmark: str
    round: int
    order: list[Side]
    size: int
    sha256: str
    seconds: float


class BenchmarkRetried(Record):
    """One process of a benchmark failed, and a later try of the same round did not. Never forgotten: a patch
    that crashes now and then is a patch that crashes."""

    kind: Literal["benchmark-retried"] = "benchmark-retried"
    cell: str
    package: str
    benchmark: str
    round: int
    side: Side
    reason: str
    log: str = ""


class BenchmarkLost(Record):
    """A benchmark that could not be measured or compared. Never counted as "no change"."""

    kind: Literal["benchmark-lost"] = "benchmark-lost"
    cell: str
    package: str
    benchmark: str
    side: str
    state: Literal["missing", "failed", "new"]
    reason: str
    log: str = ""


class Screened(Record):
    """One screening: the comparisons that it flagged, as ``package benchmark unit``. They are judged on the
    rounds after ``rounds`` alone."""

    kind: Literal["screened"] = "screened"
    cell: str
    rounds: int
    flagged: list[str]


class NoiseFloor(Record):
    """What one comparison scatters by on this host with no change at all: the baseline against itself,
    ``pairs`` of them over several sessions. ``spread`` is the standard deviation (robust) of one pair's
    log ratio; ``likeness`` how much neighbouring runs resemble each other, 0 to 1, None if too few.
    ``design`` is how the comparison will be judged for that."""

    kind: Literal["noise-floor"] = "noise-floor"
    cell: str
    package: str
    name: str
    unit: str
    pairs: int
    spread: float
    likeness: float | None
    design: Literal["paired", "unpaired"]


class MachineFinding(BaseModel):
    """Something that stands against trusting measurements: what it is, and what to do."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    key: str
    severity: Literal["warning", "info"]
    what: str
    advice: str


class MachineChecked(Record):
    """A look at the machine ``when`` a cell's measuring began or ended. ``state`` is what could be read."""

    kind: Literal["machine"] = "machine"
    cell: str
    when: Literal["before", "after"]
    cores: int
    state: dict[str, object]
    findings: list[MachineFinding]


class RoundEnded(Record):
    """A round is over. ``elsewhere``: cores that other programs used during it; ``steal``: the share of the
    wanted processor time that a hypervisor took. None where the host does not tell."""

    kind: Literal["round"] = "round"
    cell: str
    round: int
    elsewhere: float | None
    steal: float | None


class TraceTaken(Record):
    """A trace of one side of a benchmark: its ``path`` in the run's folder, or the ``reason`` why there is
    none. Nothing is decided by it."""

    kind: Literal["trace"] = "trace"
    cell: str
    package: str
    benchmark: str
    side: Side
    path: str
    reason: str
