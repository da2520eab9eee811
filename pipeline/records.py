"""The vocabulary of the ledger: one frozen model for each thing that can happen in a run.

Reports are computed from these and from the benchmark files, and from nothing else.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Side = Literal["base", "patched"]
GateStatus = Literal["pass", "fail", "skipped", "baseline-fails", "error", "flaky", "unsettled"]
InputForm = Literal["folder", "file", "stdin", "git", "gerrit", "github"]
Signal = Literal["types", "build", "vet", "tests"]
Exercise = Literal["measured", "emulated", "simulated", "compiled", "unaffected", "skipped", "missing"]


class Record(BaseModel):
    """What every record has: a ``kind`` that names its model."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)
    kind: str


class RunStarted(Record):
    """The first record: what was asked for. ``plan`` is the plan as JSON, ``plan_digest`` its sha256."""

    kind: Literal["run"] = "run"
    run_id: str
    plan_digest: str
    plan: dict[str, object]
    command: str
    environment: dict[str, str]


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
    account: list[HunkPlaced] = []
    allowed: list[str] = []
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
    ``host``, and ``importing`` those of std that import one directly: their types are checked too where they
    are few."""

    kind: Literal["series-reach"] = "series-reach"
    reached: dict[str, list[str]]
    tests_only: list[str]
    untouched: list[str]
    dependents: int
    host: str
    importing: int = 0
    importing_checked: bool = False


class SameBits(Record):
    """A cell that no changed file reaches: the sha256 of each package's test binary on both sides. ``same``
    is that all of them are equal, and that there is one."""

    kind: Literal["same-bits"] = "same-bits"
    cell: str
    base: dict[str, str]
    patched: dict[str, str]
    same: bool
    reason: str = ""


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


class OverlayDropped(Record):
    """A test file of the series that does not compile on the baseline: what it holds is ``new``."""

    kind: Literal["overlay-dropped"] = "overlay-dropped"
    file: str
    reason: str


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


class CellEnded(Record):
    """How far a cell was exercised, with the reason in words."""

    kind: Literal["cell"] = "cell"
    cell: str
    goos: str
    goarch: str
    exercise: Exercise
    reason: str


class MapStarted(Record):
    """The first record of a map: the ``bases`` that the series is tried on, in order. ``compile`` is the
    dearest signal of the compile gate that is asked for, on every platform; ``notes`` are on the series."""

    kind: Literal["map"] = "map"
    series: str
    subject: str
    origin: str
    bases: list[str]
    compile: Literal["none", "types", "build"]
    allowed: list[str]
    host: str
    command: str
    environment: dict[str, str]
    notes: list[str] = Field(default=[])


class BaseTried(Record):
    """A base of a map is done: what the ledger says since the one before is about it. ``patches`` are the
    files of the series' ``variant`` (its range; '' where there is but one), and ``within`` is that the series
    is for this release by its own word, its ``range``. ``asked`` are the signals of the compile gate that
    were to be had here. ``ended`` is where trying it ended, and ``blame`` who ended it, the patch or the
    host, for which ``reason``; all are '' where it went well."""

    kind: Literal["base-tried"] = "base-tried"
    base: str
    version: str
    within: bool
    range: str
    variant: str
    patches: list[str]
    asked: list[Signal]
    ended: Literal["fetch", "apply", "compile", ""]
    blame: Literal["patch", "host", ""]
    reason: str
    notes: list[str]
    seconds: float


class RunEnded(Record):
    """The last record of a run that was not killed. ``failure`` is the message that ended it early."""

    kind: Literal["end"] = "end"
    seconds: float
    failure: str = ""
    failure_code: int = 0


AnyRecord = Annotated[
    RunStarted
    | RunResumed
    | SeriesRead
    | StageEnded
    | CommandRan
    | SourceFetched
    | PatchApplied
    | LintFinding
    | CellReach
    | SeriesReach
    | SameBits
    | GateResult
    | TestsChosen
    | ToolchainReady
    | ToolchainCompared
    | OverlayDropped
    | BenchmarksChosen
    | PairMeasured
    | BenchmarkRetried
    | BenchmarkLost
    | Screened
    | NoiseFloor
    | MachineChecked
    | RoundEnded
    | CellEnded
    | MapStarted
    | BaseTried
    | RunEnded,
    Field(discriminator="kind"),
]
