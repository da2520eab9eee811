"""A run from its start to its end: what was asked for, which programs ran, how far each cell came."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.records.base import Record

InputForm = Literal["folder", "file", "stdin", "git", "gerrit", "github"]
Exercise = Literal["measured", "emulated", "simulated", "compiled", "unaffected", "skipped", "missing"]


class RunStarted(Record):
    """The first record: what was asked for. ``plan`` is the plan as JSON, ``plan_digest`` its sha256, and
    ``fleet`` that it runs on many machines."""

    kind: Literal["run"] = "run"
    run_id: str
    plan_digest: str
    plan: dict[str, object]
    command: str
    environment: dict[str, str]
    fleet: bool = False


class RunResumed(Record):
    """The run goes on after it was interrupted or killed."""

    kind: Literal["resumed"] = "resumed"


class SeriesRead(Record):
    """Where the series is from. ``origin`` is a path or URL, ``revision`` the commit where there is one,
    ``sha256`` that of the bytes as they came, which the run's folder keeps as ``kept`` ('' for a series
    folder). ``variant`` is the range of the variant in use, '' for a series that has none."""

    kind: Literal["series"] = "series"
    form: InputForm
    origin: str
    revision: str
    sha256: str
    kept: str
    variant: str = ""
    notes: list[str] = Field(default=[])


class StageEnded(Record):
    """A stage is over. ``seconds`` is wall time; ``reused`` says that the store already had it."""

    kind: Literal["stage"] = "stage"
    stage: str
    seconds: float
    reused: bool = False


class CommandRan(Record):
    """An external program ended. ``log`` is relative to the run's folder."""

    kind: Literal["command"] = "command"
    name: str
    argv: list[str]
    returncode: int
    seconds: float
    cpu_seconds: float
    max_rss: int
    timed_out: bool
    log: str


class CellBundled(Record):
    """What a cell's own machine needs was built and packed: the ``files`` of its folder and their sizes in
    bytes, and the ``sha256`` of what says what is in them."""

    kind: Literal["bundled"] = "bundled"
    cell: str
    files: dict[str, int]
    sha256: str


class CellStarted(Record):
    """The first record of a cell that runs on a machine of its own: the run that it belongs to, and
    ``bundle``, the sha256 of what it was given."""

    kind: Literal["cell-started"] = "cell-started"
    cell: str
    run_id: str
    plan_digest: str
    bundle: str
    command: str
    environment: dict[str, str]


class CellReported(Record):
    """The last record of such a cell. ``failure`` is the message that ended it early."""

    kind: Literal["cell-reported"] = "cell-reported"
    cell: str
    seconds: float
    failure: str = ""
    failure_code: int = 0


class EnvironmentSeen(Record):
    """What a program saw that was started as the cell's benchmarks are: its ``variables``, and what the
    runtime made of them. ``memory_limit`` is bytes, ``gc_percent`` -1 for off; ``stamp`` is what the program
    read of itself with debug.ReadBuildInfo."""

    kind: Literal["environment-seen"] = "environment-seen"
    cell: str
    version: str
    goos: str
    goarch: str
    cpus: int
    gomaxprocs: int
    gc_percent: int
    memory_limit: int
    variables: dict[str, str]
    build: dict[str, str]
    stamp: dict[str, str]


class CellEnded(Record):
    """How far a cell was exercised, with the reason in words."""

    kind: Literal["cell"] = "cell"
    cell: str
    goos: str
    goarch: str
    exercise: Exercise
    reason: str


class RunEnded(Record):
    """The last record of a run that was not killed. ``failure`` is the message that ended it early."""

    kind: Literal["end"] = "end"
    seconds: float
    failure: str = ""
    failure_code: int = 0
