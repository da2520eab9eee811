"""What of a cell's results is believed: those that are of this run, of what was built for it, and whole.

They come from another machine: every line is checked, and nothing of them becomes a path, a command or a
template.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline import benchfmt
from pipeline.bench import measure
from pipeline.errors import ExitCode, UsageError
from pipeline.flow.context import LEDGER
from pipeline.gates import events
from pipeline.ledger import read as read_ledger
from pipeline.records import (
    BenchmarkLost,
    BenchmarkRetried,
    BenchmarksChosen,
    CellBundled,
    CellEnded,
    CellReported,
    CellStarted,
    CommandRan,
    EnvironmentSeen,
    GateResult,
    MachineChecked,
    NoiseFloor,
    PairMeasured,
    ProgramBuilt,
    ProgramRan,
    Record,
    RoundEnded,
    RunStarted,
    Screened,
    StageEnded,
    TestsChosen,
    TraceTaken,
)

MAX_LEDGER = 64 << 20
MAX_BENCH = 64 << 20
LOG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,180}\.log")
# What a cell may say. Everything else is the business of the run that built it.
_OF_A_CELL = (
    *(BenchmarkLost, BenchmarkRetried, BenchmarksChosen, CellEnded, CellReported, CellStarted),
    *(EnvironmentSeen, GateResult, MachineChecked, NoiseFloor, PairMeasured, ProgramRan, RoundEnded),
    *(Screened, TestsChosen, TraceTaken),
)
_OF_NO_CELL = (StageEnded, CommandRan)
_RAN = {"measured", "compiled"}


class RefusedError(Exception):
    """Why a cell's results are not believed."""


def records_of(folder: Path) -> list[Record]:
    """A cell's records; RefusedError for what is none."""
    path = folder / LEDGER
    if folder.is_symlink() or path.is_symlink() or not path.is_file():
        raise RefusedError(f"there is no {LEDGER}")
    if path.stat().st_size > MAX_LEDGER:
        raise RefusedError(f"its ledger is larger than {MAX_LEDGER} bytes")
    try:
        records = list(read_ledger(path))
    except UsageError as error:
        raise RefusedError(f"its ledger holds what is no record: {error.what[-200:]}") from error
    for number, record in enumerate(records, 1):
        if not _writable(record.model_dump()):
            raise RefusedError(f"line {number} of its ledger holds a number or a text that cannot be written")
    return records


def _writable(value: Any) -> bool:
    """Whether reports can hold it: no infinity, no number that is none, no half of a character."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, str):
        return not any("\ud800" <= char <= "\udfff" for char in value)
    if isinstance(value, dict):
        return all(_writable(str(key)) and _writable(one) for key, one in value.items())
    return all(map(_writable, value)) if isinstance(value, (list, tuple)) else True


def check(
    records: Sequence[Record], bundled: CellBundled, started_as: RunStarted, run: Sequence[Record]
) -> None:
    """RefusedError for results that are not this cell's of this run, from its start to its end."""
    started = next(one for one in records if isinstance(one, CellStarted))
    if (started.run_id, started.plan_digest) != (started_as.run_id, started_as.plan_digest):
        raise RefusedError("they are of another run")
    if started.bundle != bundled.sha256:
        raise RefusedError("it was given another bundle than this run made")
    for number, record in enumerate(records, 1):
        if isinstance(record, _OF_NO_CELL):
            continue
        if not isinstance(record, _OF_A_CELL):
            raise RefusedError(f"line {number} of its ledger is not for a cell to say: {record.kind}")
        if record.cell != bundled.cell:
            raise RefusedError(f"line {number} of its ledger speaks of another cell")
        if isinstance(record, GateResult) and record.gate != "test":
            raise RefusedError(f"line {number} of its ledger is of the {record.gate} gate")
    reported = records[-1]
    if not isinstance(reported, CellReported):
        raise RefusedError("it did not come to its end: it was stopped, or its machine was lost")
    _check_programs(records, bundled.cell, run)
    if reported.failure_code not in {0, ExitCode.PATCH_FAILS}:
        raise RefusedError(f"it could not do its work: {next(iter(reported.failure.splitlines()), '')[:300]}")
    _check_end(records, reported, started_as)


def _check_end(records: Sequence[Record], reported: CellReported, run: RunStarted) -> None:
    """A cell that fails names a test, and one that does not says once how far it came, where it was sent."""
    gates = [one for one in records if isinstance(one, GateResult)]
    subjects = [one.subject for one in gates]
    if len(set(subjects)) < len(subjects):
        raise RefusedError("it tells of one test twice")
    failed = any(one.status == "fail" for one in gates)
    if failed != (reported.failure_code == ExitCode.PATCH_FAILS):
        raise RefusedError("whether it failed and what its tests did are two things")
    planned: Any = run.plan["cells"]
    entry = next(one for one in planned if one["id"] == reported.cell)
    ends = [one for one in records if isinstance(one, CellEnded)]
    wrong = any(
        (one.goos, one.goarch) != (entry["goos"], entry["goarch"]) or one.exercise not in _RAN for one in ends
    )
    if wrong or len(ends) != (0 if failed else 1):
        raise RefusedError("what it says of how far it was exercised is not for it to say")


def _check_programs(records: Sequence[Record], cell: str, run: Sequence[Record]) -> None:
    """What ran must be what was built, program by program."""

    def key(one: ProgramBuilt | ProgramRan) -> tuple[str, ...]:
        return (one.side, one.package, one.variant, one.sha256, one.commit, one.series, one.tree)

    built = {key(one) for one in run if isinstance(one, ProgramBuilt) and one.cell == cell}
    ran = [one for one in records if isinstance(one, ProgramRan)]
    if strange := [one for one in ran if key(one) not in built]:
        first = strange[0]
        raise RefusedError(
            f"its {first.side} test binary of {first.package} is not the one that was built for it"
        )
    if missing := built - {key(one) for one in ran}:
        side, package, *_ = min(missing)
        raise RefusedError(f"it does not say what its {side} test binary of {package} was")


def bench_of(folder: Path, cell: str, records: Sequence[Record]) -> bytes | None:
    """The cell's benchmark file, which must be what its last pair says; None where it measured nothing."""
    path = folder / "bench" / f"{cell}.txt"
    pairs = [one for one in records if isinstance(one, PairMeasured)]
    if not pairs:
        return None
    if path.parent.is_symlink() or path.is_symlink() or not path.is_file():
        raise RefusedError("its benchmark file is not there")
    if path.stat().st_size > MAX_BENCH:
        raise RefusedError(f"its benchmark file is larger than {MAX_BENCH} bytes")
    try:
        measure.check_file(path, pairs[-1])
        text = path.read_bytes().decode("utf-8")
    except (UsageError, UnicodeDecodeError) as error:
        raise RefusedError("its benchmark file is not what it recorded") from error
    if events.visible(text) != text:
        raise RefusedError("its benchmark file holds characters that none prints")
    for one in benchfmt.read(text.splitlines()):
        if isinstance(one, benchfmt.SyntaxProblem):
            raise RefusedError(f"its benchmark file is no benchmark file: line {one.line}")
    return text.encode()


def safe(record: Record, cell: str) -> Record:
    """The record with every text safe to show, and its log where it is now."""
    values = {name: _visible(value) for name, value in record.model_dump().items()}
    if log := values.get("log", ""):
        name = log.removeprefix("logs/")
        prefix = "logs/" if log != name else ""
        values["log"] = f"{prefix}{cell}--{name}" if LOG.fullmatch(name) else ""
    return type(record).model_validate(values)


def _visible(value: Any) -> Any:
    if isinstance(value, str):
        return events.visible(value)
    if isinstance(value, dict):
        return {events.visible(str(key)): _visible(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_visible(one) for one in value]
    return value
