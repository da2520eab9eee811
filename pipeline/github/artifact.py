"""A run's folder from an artifact, read as data that somebody else wrote.

Only the ledger, the benchmark files and the patches are read, and not the folder's reports: what they say is
computed again. Nothing is followed out of the folder, and every size has a limit.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline import ledger
from pipeline.config import dotted
from pipeline.errors import UsageError
from pipeline.github.remarks import PATCH_NAME
from pipeline.records import PatchApplied, Record, RunStarted

LEDGER = "ledger.jsonl"
# Some twenty times what a rigorous run of a whole matrix leaves.
MAX_LEDGER = 32 << 20
MAX_BENCH = 32 << 20
MAX_PATCHES = 16 << 20
MAX_CELLS = 512

_Word = Annotated[str, Field(max_length=200)]
_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
_System = Annotated[str, Field(pattern=r"^[a-z0-9]{1,20}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class _Threshold(_Part):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    effect: Annotated[float, Field(gt=0, le=1)]
    margin: Annotated[float, Field(gt=0, le=1)]


class _Profile(_Part):
    name: _Word
    rounds: int
    max_rounds: int
    benchtime: _Word
    compile: dict[_Word, _Word] = {}


class _Cell(_Part):
    id: _Name
    goos: _System
    goarch: _System


class _Plan(_Part):
    """What reports read of a plan."""

    series: _Name
    subject: str
    issue: str
    series_digest: str
    base: _Word
    profile: _Profile
    threshold: _Threshold
    unit_thresholds: dict[_Word, _Threshold]
    benchmarks: dict[_Word, list[_Word]]
    cells: Annotated[list[_Cell], Field(max_length=MAX_CELLS)]
    host: _Word = ""
    variant: str = ""


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """What a run's folder says: its records, benchfmt text by cell, and patches by name."""

    records: tuple[Record, ...]
    bench: Mapping[str, str]
    patches: Mapping[str, bytes]


def read(folder: Path) -> Artifact:
    """Read a run's folder. UsageError for what is not there, not a record, too large, or not a plain file."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder of a run", hint="give the folder that holds ledger.jsonl")
    root = folder.resolve()
    place = _plain(root, LEDGER, MAX_LEDGER)
    if place is None:
        raise UsageError(f"{folder} holds no run: there is no {LEDGER}", hint="give the folder that holds it")
    records = _records(root, place)
    started = [one for one in records if isinstance(one, RunStarted)]
    if not started:
        raise UsageError(f"{LEDGER} does not say what was run", meaning="it has no record of the start")
    cells = [cell.id for cell in _plan(started[0]).cells]
    return Artifact(records=records, bench=_bench(root, cells), patches=_patches(root, records))


def _records(root: Path, place: Path) -> tuple[Record, ...]:
    try:
        return tuple(ledger.read(place))
    except UsageError as error:  # whoever reads this cannot know where the folder was
        raise UsageError(error.what.replace(str(place), place.relative_to(root).as_posix())) from error


def _plan(started: RunStarted) -> _Plan:
    try:
        return _Plan.model_validate(started.plan)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise UsageError(
            f"{LEDGER}: the plan is not one: {dotted(('plan', *first['loc']))[:200]}: {first['msg'][:200]}",
            meaning="it was altered, or another version of gopatch wrote it",
        ) from error


def _bench(root: Path, cells: list[str]) -> dict[str, str]:
    found, left = {}, MAX_BENCH
    for cell in cells:
        place = _plain(root, f"bench/{cell}.txt", left)
        if place is None:
            continue
        raw = place.read_bytes()
        left -= len(raw)
        try:
            found[cell] = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise UsageError(f"bench/{cell}.txt is not UTF-8 at byte {error.start}") from error
    return found


def _patches(root: Path, records: tuple[Record, ...]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    names = {one.file for one in records if isinstance(one, PatchApplied) and PATCH_NAME.fullmatch(one.file)}
    for name in sorted(names):
        place = _plain(root, f"patches/{name}", MAX_PATCHES - sum(map(len, found.values())))
        if place is not None:
            found[name] = place.read_bytes()
    return found


def _plain(root: Path, name: str, limit: int) -> Path | None:
    """The path of a plain file below ``root``; None when there is nothing of that name."""
    path = root / name
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(found.st_mode) or path.resolve() != path:
        raise UsageError(f"{name} is not a plain file of the run's folder", meaning="a link, or a device")
    if found.st_size > limit:
        raise UsageError(f"{name} has {found.st_size} bytes: more than the {limit} that are taken")
    return path
