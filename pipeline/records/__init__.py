"""The vocabulary of the ledger: one frozen model for each thing that can happen in a run.

Reports are computed from these and from the benchmark files, and from nothing else.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.records.base import (
    Record,
    Side,
)
from pipeline.records.changes import (
    CellReach,
    HunkPlaced,
    LintFinding,
    PatchApplied,
    SameBits,
    SeriesReach,
    SourceFetched,
)
from pipeline.records.gates import (
    GateResult,
    GateStatus,
    OverlayDropped,
    ProgramBuilt,
    ProgramRan,
    Repeats,
    Signal,
    TestsChosen,
    ToolchainCompared,
    ToolchainReady,
)
from pipeline.records.maps import BaseTried, MapStarted
from pipeline.records.measured import (
    BenchmarkLost,
    BenchmarkRetried,
    BenchmarksChosen,
    MachineChecked,
    MachineFinding,
    NoiseFloor,
    PairMeasured,
    RoundEnded,
    Screened,
    TraceTaken,
)
from pipeline.records.run import (
    CellBundled,
    CellEnded,
    CellReported,
    CellStarted,
    CommandRan,
    EnvironmentSeen,
    Exercise,
    InputForm,
    RunEnded,
    RunResumed,
    RunStarted,
    SeriesRead,
    StageEnded,
)

__all__ = [
    "AnyRecord",
    "BaseTried",
    "BenchmarkLost",
    "BenchmarkRetried",
    "BenchmarksChosen",
    "CellBundled",
    "CellEnded",
    "CellReach",
    "CellReported",
    "CellStarted",
    "CommandRan",
    "EnvironmentSeen",
    "Exercise",
    "GateResult",
    "GateStatus",
    "HunkPlaced",
    "InputForm",
    "LintFinding",
    "MachineChecked",
    "MachineFinding",
    "MapStarted",
    "NoiseFloor",
    "OverlayDropped",
    "PairMeasured",
    "PatchApplied",
    "ProgramBuilt",
    "ProgramRan",
    "Record",
    "Repeats",
    "RoundEnded",
    "RunEnded",
    "RunResumed",
    "RunStarted",
    "SameBits",
    "Screened",
    "SeriesReach",
    "SeriesRead",
    "Side",
    "Signal",
    "SourceFetched",
    "StageEnded",
    "TestsChosen",
    "ToolchainCompared",
    "ToolchainReady",
    "TraceTaken",
]

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
    | ProgramBuilt
    | ProgramRan
    | OverlayDropped
    | BenchmarksChosen
    | PairMeasured
    | BenchmarkRetried
    | BenchmarkLost
    | Screened
    | NoiseFloor
    | MachineChecked
    | TraceTaken
    | RoundEnded
    | CellEnded
    | CellBundled
    | CellStarted
    | CellReported
    | EnvironmentSeen
    | MapStarted
    | BaseTried
    | RunEnded,
    Field(discriminator="kind"),
]
