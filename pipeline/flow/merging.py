"""Cells that ran on machines of their own, and the run that they belong to, put together to one run.

What comes from another machine is data: it is checked line by line, and a cell whose results cannot be
believed has not reported. Nothing of it becomes a path, a command or a template.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError
from pipeline.flow import evidence
from pipeline.flow.believing import LOG, MAX_LEDGER, RefusedError, bench_of, check, records_of, safe
from pipeline.flow.context import LEDGER
from pipeline.ledger import Ledger
from pipeline.ledger import read as read_ledger
from pipeline.records import (
    CellBundled,
    CellEnded,
    CellReported,
    CellStarted,
    Record,
    RunEnded,
    RunStarted,
    StageEnded,
)

MAX_LOG = 16 << 20
MAX_LOGS = 5000


@dataclass(frozen=True, kw_only=True)
class Merged:
    """The run's folder with everything that could be believed, and for each cell that could not, why."""

    ledger: Ledger
    refused: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Run:
    """What ``bundle`` wrote of a run: its folder and its records, ``started`` among them."""

    folder: Path
    records: Sequence[Record]
    started: RunStarted

    @property
    def waiting(self) -> dict[str, CellBundled]:
        """What was packed for cells, by their ids."""
        return {one.cell: one for one in self.records if isinstance(one, CellBundled)}


def merge(run: Run, cells: Sequence[Path], out: Path) -> Merged:
    """Write the ledger, logs, patches and benchmark files of the whole run into the empty folder ``out``."""
    _copy_run(run.folder, out)
    ledger = Ledger(out / LEDGER)
    for record in run.records:
        ledger.append(record)
    waiting = run.waiting
    refused: dict[str, str] = {}
    found: dict[str, Path] = {}
    for folder in cells:
        # The folder's name says whose it is, and not what is in it: one machine may not speak for another.
        name = folder.name.removeprefix("cell-")
        if name not in waiting:
            refused[folder.name] = "no cell that was given a machine is called so"
        elif name in found:
            refused[name] = "two folders are called after it"
        found[name] = folder
    for name, bundled in waiting.items():
        if name not in refused:
            reason = _take(found.get(name), bundled, run, ledger, out)
            if reason:
                refused[name] = reason
        if name in refused:
            _missing(ledger, name, run.started, refused[name])
    _end(ledger, run.records)
    return Merged(ledger=ledger, refused=refused)


def read(run: Path) -> Run:
    """The run in a folder; UsageError when it is none that ``bundle`` made."""
    path = run / LEDGER
    if not path.is_file() or path.is_symlink():
        raise UsageError(
            f"{run} holds no run (no {LEDGER})",
            meaning="the first folder of ./inv merge is what ./inv bundle wrote as run",
        )
    if path.stat().st_size > MAX_LEDGER:
        raise UsageError(f"{path} is larger than {MAX_LEDGER} bytes")
    records = list(read_ledger(path))
    started = next((one for one in records if isinstance(one, RunStarted)), None)
    if started is None:
        raise UsageError(f"{path} does not hold the start of a run")
    return Run(folder=run, records=records, started=started)


def _take(folder: Path | None, bundled: CellBundled, run: Run, ledger: Ledger, out: Path) -> str:
    """Take over a cell's results; '' or why they are not believed. All or nothing."""
    if folder is None:
        return "it was given a machine and did not report"
    try:
        records = records_of(folder)
        if not records or not isinstance(records[0], CellStarted):
            raise RefusedError("its ledger does not begin with the start of a cell")
        check(records, bundled, run.started, run.records)
        bench = bench_of(folder, bundled.cell, records)
    except RefusedError as error:
        return str(error)
    except OSError as error:
        return f"its results cannot be read: {error.strerror}"
    if bench is not None:
        target = out / "bench" / f"{bundled.cell}.txt"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(bench)
    _copy_logs(folder, out, f"{bundled.cell}--")
    for record in records:
        ledger.append(safe(record, bundled.cell))
    return ""


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
        if LOG.fullmatch(path.name):
            shutil.copyfile(path, out / "logs" / f"{prefix}{path.name}")


def _files(folder: Path, limit: int) -> Iterator[Path]:
    """Plain files of a folder, none of them a link or too large, and not too many."""
    found = sorted(one for one in folder.iterdir() if one.is_file() and not one.is_symlink())
    yield from (one for one in found[:MAX_LOGS] if one.stat().st_size <= limit)
