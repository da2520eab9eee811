"""Cells that ran on machines of their own, and the run that they belong to, put together to one run.

What comes from another machine is data: it is checked line by line, and a cell whose results cannot be
believed has not reported. Nothing of it becomes a path, a command or a template.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import benchfmt
from pipeline.bench import measure
from pipeline.errors import ExitCode, UsageError
from pipeline.flow import evidence
from pipeline.flow.context import LEDGER
from pipeline.gates import events
from pipeline.ledger import Ledger
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
    RunEnded,
    RunStarted,
    Screened,
    StageEnded,
    TestsChosen,
)

MAX_LEDGER = 64 << 20
MAX_BENCH = 64 << 20
MAX_LOG = 16 << 20
MAX_LOGS = 5000
_LOG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,180}\.log")
# What a cell may say. Everything else is the business of the run that built it.
_OF_A_CELL = (
    *(BenchmarkLost, BenchmarkRetried, BenchmarksChosen, CellEnded, CellReported, CellStarted),
    *(EnvironmentSeen, GateResult, MachineChecked, NoiseFloor, PairMeasured, ProgramRan, RoundEnded),
    *(Screened, TestsChosen),
)
_OF_NO_CELL = (StageEnded, CommandRan)


class _RefusedError(Exception):
    """Why a cell's results are not believed."""


@dataclass(frozen=True, kw_only=True)
class Merged:
    """The run's folder with everything that could be believed, and for each cell that could not, why."""

    ledger: Ledger
    refused: Mapping[str, str]


def merge(run: Path, cells: Sequence[Path], out: Path) -> Merged:
    """Write the ledger, logs, patches and benchmark files of the whole run into the empty folder ``out``.

    UsageError when ``run`` is no run that ``bundle`` made: then there is nothing to merge with.
    """
    records = _run_records(run)
    whole = next(one for one in records if isinstance(one, RunStarted))
    _copy_run(run, out)
    ledger = Ledger(out / LEDGER)
    for record in records:
        ledger.append(record)
    waiting = {one.cell: one for one in records if isinstance(one, CellBundled)}
    refused: dict[str, str] = {}
    found: dict[str, Path] = {}
    for folder in cells:
        try:
            name = _cell_of(folder, waiting)
        except _RefusedError as error:
            # Its name is all that is left to say whose it is.
            named = folder.name.removeprefix("cell-")
            refused[named if named in waiting else folder.name] = str(error)
            continue
        if name in found:
            refused[name] = "two folders say that they are its results"
        found[name] = folder
    for name, bundled in waiting.items():
        if name not in refused:
            reason = _take(found.get(name), bundled, records, ledger, out)
            if reason:
                refused[name] = reason
        if name in refused:
            _missing(ledger, name, whole, refused[name])
    _end(ledger, records)
    return Merged(ledger=ledger, refused=refused)


def _run_records(run: Path) -> list[Record]:
    path = run / LEDGER
    if not path.is_file() or path.is_symlink():
        raise UsageError(
            f"{run} holds no run (no {LEDGER})",
            meaning="the first folder of ./inv merge is what ./inv bundle wrote as run",
        )
    if path.stat().st_size > MAX_LEDGER:
        raise UsageError(f"{path} is larger than {MAX_LEDGER} bytes")
    records = list(read_ledger(path))
    if not any(isinstance(one, RunStarted) for one in records):
        raise UsageError(f"{path} does not hold the start of a run")
    return records


def _cell_of(folder: Path, waiting: Mapping[str, CellBundled]) -> str:
    records = _records(folder)
    started = records[0] if records else None
    if not isinstance(started, CellStarted):
        raise _RefusedError("its ledger does not begin with the start of a cell")
    if started.cell not in waiting:
        raise _RefusedError("it is of a cell for which this run made no bundle")
    return started.cell


def _records(folder: Path) -> list[Record]:
    path = folder / LEDGER
    if folder.is_symlink() or path.is_symlink() or not path.is_file():
        raise _RefusedError(f"there is no {LEDGER}")
    if path.stat().st_size > MAX_LEDGER:
        raise _RefusedError(f"its ledger is larger than {MAX_LEDGER} bytes")
    try:
        return list(read_ledger(path))
    except UsageError as error:
        raise _RefusedError(f"its ledger holds what is no record: {error.what[-200:]}") from error


def _take(folder: Path | None, bundled: CellBundled, run: Sequence[Record], ledger: Ledger, out: Path) -> str:
    """Take over a cell's results; '' or why they are not believed. All or nothing."""
    if folder is None:
        return "it was given a machine and did not report"
    try:
        records = _records(folder)
        _check(records, bundled, run)
        bench = _bench(folder, bundled.cell, records)
    except _RefusedError as error:
        return str(error)
    except OSError as error:
        return f"its results cannot be read: {error.strerror}"
    if bench is not None:
        target = out / "bench" / f"{bundled.cell}.txt"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(bench)
    _copy_logs(folder, out, f"{bundled.cell}-")
    for record in records:
        ledger.append(_taken(record, bundled.cell))
    return ""


def _check(records: Sequence[Record], bundled: CellBundled, run: Sequence[Record]) -> None:
    """_RefusedError for results that are not this cell's of this run, from its start to its end."""
    started = next(one for one in records if isinstance(one, CellStarted))
    whole = next(one for one in run if isinstance(one, RunStarted))
    if (started.run_id, started.plan_digest) != (whole.run_id, whole.plan_digest):
        raise _RefusedError("they are of another run")
    if started.bundle != bundled.sha256:
        raise _RefusedError("it was given another bundle than this run made")
    for number, record in enumerate(records, 1):
        if isinstance(record, _OF_NO_CELL):
            continue
        if not isinstance(record, _OF_A_CELL):
            raise _RefusedError(f"line {number} of its ledger is not for a cell to say: {record.kind}")
        if record.cell != bundled.cell:
            raise _RefusedError(f"line {number} of its ledger speaks of another cell")
        if isinstance(record, GateResult) and record.gate != "test":
            raise _RefusedError(f"line {number} of its ledger is of the {record.gate} gate")
    reported = records[-1]
    if not isinstance(reported, CellReported):
        raise _RefusedError("it did not come to its end: it was stopped, or its machine was lost")
    _check_programs(records, bundled.cell, run)
    if reported.failure_code not in {0, ExitCode.PATCH_FAILS}:
        raise _RefusedError(f"it could not do its work: {reported.failure.splitlines()[0][:300]}")


def _check_programs(records: Sequence[Record], cell: str, run: Sequence[Record]) -> None:
    """What ran must be what was built, program by program."""

    def key(one: ProgramBuilt | ProgramRan) -> tuple[str, ...]:
        return (one.side, one.package, one.variant, one.sha256, one.commit, one.series, one.tree)

    built = {key(one) for one in run if isinstance(one, ProgramBuilt) and one.cell == cell}
    ran = [one for one in records if isinstance(one, ProgramRan)]
    if strange := [one for one in ran if key(one) not in built]:
        first = strange[0]
        raise _RefusedError(
            f"its {first.side} test binary of {first.package} is not the one that was built for it"
        )
    if missing := built - {key(one) for one in ran}:
        side, package, *_ = min(missing)
        raise _RefusedError(f"it does not say what its {side} test binary of {package} was")


def _bench(folder: Path, cell: str, records: Sequence[Record]) -> bytes | None:
    """The cell's benchmark file, which must be what its last pair says; None where it measured nothing."""
    path = folder / "bench" / f"{cell}.txt"
    pairs = [one for one in records if isinstance(one, PairMeasured)]
    if not pairs:
        return None
    if path.parent.is_symlink() or path.is_symlink() or not path.is_file():
        raise _RefusedError("its benchmark file is not there")
    if path.stat().st_size > MAX_BENCH:
        raise _RefusedError(f"its benchmark file is larger than {MAX_BENCH} bytes")
    try:
        measure.check_file(path, pairs[-1])
        text = path.read_bytes().decode("utf-8")
    except (UsageError, UnicodeDecodeError) as error:
        raise _RefusedError("its benchmark file is not what it recorded") from error
    if events.visible(text) != text:
        raise _RefusedError("its benchmark file holds characters that none prints")
    for one in benchfmt.read(text.splitlines()):
        if isinstance(one, benchfmt.SyntaxProblem):
            raise _RefusedError(f"its benchmark file is no benchmark file: line {one.line}")
    return text.encode()


def _missing(ledger: Ledger, cell: str, started: RunStarted, reason: str) -> None:
    planned: Any = started.plan["cells"]
    entry = next(one for one in planned if one["id"] == cell)
    ledger.append(
        CellEnded(
            cell=cell,
            goos=str(entry["goos"]),
            goarch=str(entry["goarch"]),
            exercise="missing",
            reason=reason,
        )
    )


def _end(ledger: Ledger, run: Sequence[Record]) -> None:
    """The end of the run, where it came through its gates. A cell's failing tests are in its records."""
    if any(isinstance(one, RunEnded) for one in run):
        return
    if not any(isinstance(one, (CellBundled, CellEnded)) for one in run):
        return  # killed on the way: the report says that it did not finish
    cells = [one.seconds for one in ledger.records if isinstance(one, CellReported)]
    built = sum(one.seconds for one in run if isinstance(one, StageEnded))
    ledger.append(RunEnded(seconds=round(built + max(cells, default=0.0), 3)))


def _taken(record: Record, cell: str) -> Record:
    """The record with every text safe to show, and its log where it is now."""
    values = {name: _visible(value) for name, value in record.model_dump().items()}
    if log := values.get("log", ""):
        name = log.removeprefix("logs/")
        prefix = "logs/" if log != name else ""
        values["log"] = f"{prefix}{cell}-{name}" if _LOG.fullmatch(name) else ""
    return type(record).model_validate(values)


def _visible(value: Any) -> Any:
    if isinstance(value, str):
        return events.visible(value)
    if isinstance(value, dict):
        return {events.visible(str(key)): _visible(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_visible(one) for one in value]
    return value


def _copy_run(run: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    _copy_logs(run, out, "")
    patches = run / evidence.PATCHES
    if patches.is_dir() and not patches.is_symlink():
        (out / evidence.PATCHES).mkdir(exist_ok=True)
        for path in _files(patches, MAX_LOG):
            shutil.copyfile(path, out / evidence.PATCHES / path.name)


def _copy_logs(folder: Path, out: Path, prefix: str) -> None:
    (out / "logs").mkdir(exist_ok=True)
    if (folder / "logs").is_symlink() or not (folder / "logs").is_dir():
        return
    for path in _files(folder / "logs", MAX_LOG):
        if _LOG.fullmatch(path.name):
            shutil.copyfile(path, out / "logs" / f"{prefix}{path.name}")


def _files(folder: Path, limit: int) -> Iterator[Path]:
    """Plain files of a folder, none of them a link or too large, and not too many."""
    found = sorted(one for one in folder.iterdir() if one.is_file() and not one.is_symlink())
    yield from (one for one in found[:MAX_LOGS] if one.stat().st_size <= limit)
