"""The Plan: everything a run will do, decided before anything is done."""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline import config, store
from pipeline.bench import runner
from pipeline.errors import UsageError
from pipeline.golang import host_platform
from pipeline.patch import series as series_room
from pipeline.plan import matrix as matrix_room
from pipeline.source import base as source_room
from pipeline.source.settings import Settings
from pipeline.values import Cell, Platform, Profile, Series, Threshold


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the user asked for; None takes matrix.yml's default."""

    root: Path
    series: str | None = None
    base: str | None = None
    profile: str = "standard"
    cells: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What will run. ``digest`` is the sha256 over everything that decides the results' meaning: a run
    may be resumed only under the same digest. ``sources`` is no part of it: what came from there is, as the
    baseline's own digest."""

    series: Series
    base: str
    profile: Profile
    threshold: Threshold
    units: Mapping[str, Threshold]
    cells: tuple[Cell, ...]
    host: Platform
    sources: Settings = field(default_factory=Settings)

    def as_json(self) -> dict[str, object]:
        """The plan as JSON values, for the ledger."""
        return {
            "series": self.series.name,
            "subject": self.series.subject,
            "issue": self.series.issue,
            "series_digest": self.series.digest,
            "patches": [{"file": patch.name, "subject": patch.subject} for patch in self.series.patches],
            "tests": {name: list(tests) for name, tests in self.series.tests.items()},
            "benchmarks": {name: list(names) for name, names in self.series.benchmarks.items()},
            "base": self.base,
            "profile": dataclasses.asdict(self.profile),
            "threshold": dataclasses.asdict(self.threshold),
            "unit_thresholds": {unit: dataclasses.asdict(one) for unit, one in self.units.items()},
            "cells": [
                {
                    "id": cell.id,
                    "goos": cell.platform.goos,
                    "goarch": cell.platform.goarch,
                    "native": cell.native,
                    "parameters": dict(cell.parameters),
                    "pin": list(cell.pin),
                }
                for cell in self.cells
            ],
            "host": str(self.host),
        }

    @property
    def digest(self) -> str:
        """See the class."""
        return store.digest(self.as_json())


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What a run stands on, whatever its series: see Plan."""

    matrix: matrix_room.MatrixFile
    limits: matrix_room.ThresholdEntry
    base: str
    profile: Profile
    cells: tuple[Cell, ...]
    host: Platform
    sources: Settings


def ground(request: Request) -> Ground:
    """Read matrix.yml and decide all but the series. UsageError for anything that does not fit."""
    matrix = matrix_room.load(request.root / "matrix.yml")
    if request.profile not in matrix.profiles:
        raise UsageError(
            f"no profile {request.profile!r}", meaning=config.suggest(request.profile, list(matrix.profiles))
        )
    for option, value in (("--series", request.series), ("--base", request.base)):
        if value == "":
            raise UsageError(
                f"{option} is empty",
                meaning="a variable that is not set, perhaps",
                hint="give it a value, or leave it out for the default of matrix.yml",
            )
    base = request.base or matrix.base
    sources = matrix.sources.settings(request.root)
    source_room.choose(base, sources).check()
    host = host_platform()
    entry = matrix.profiles[request.profile]
    cells = _select(_cells(matrix, host), request.cells)
    _check_pin(cells)
    return Ground(
        matrix=matrix,
        limits=matrix.thresholds[request.profile],
        base=base,
        profile=Profile(name=request.profile, **{**entry.model_dump(), "variants": tuple(entry.variants)}),
        cells=cells,
        host=host,
        sources=sources,
    )


def make(request: Request) -> Plan:
    """Read the configuration and decide. UsageError for anything that does not fit."""
    found = ground(request)
    folder = series_room.find(request.series or found.matrix.series, request.root / "patches")
    series = series_room.load(folder)
    _check_range(series, found.base)
    limits = found.limits
    return Plan(
        series=series,
        base=found.base,
        profile=found.profile,
        threshold=Threshold(effect=limits.effect, margin=limits.margin),
        units={
            **{unit: Threshold(effect=one.effect, margin=one.margin) for unit, one in limits.units.items()},
            **series.thresholds,  # the series knows its own benchmarks best
        },
        cells=found.cells,
        host=found.host,
        sources=found.sources,
    )


def _check_pin(cells: Sequence[Cell]) -> None:
    """HostError for a CPU that this machine does not have, before anything is built for it."""
    for cell in cells:
        if cell.native:
            with runner.pinned(cell.pin):
                pass


def _check_range(series: Series, base: str) -> None:
    version = source_room.release(base)
    if version and not series_room.supports(series, version):
        raise UsageError(
            f"series {series.name} is for Go {series.base}, not for {base}",
            hint="choose another --base, or widen base: in its series.yml once it applies there",
        )


def _cells(matrix: matrix_room.MatrixFile, host: Platform) -> list[Cell]:
    """The matrix's cells. A host that the matrix does not list gets a cell of its own."""
    cells = []
    for name, entry in matrix.platforms.items():
        platform = Platform(goos=entry.goos, goarch=entry.goarch)
        cells.append(
            Cell(
                id=name,
                platform=platform,
                native=platform == host,
                parameters={str(key): value for key, value in sorted(entry.parameters.items())},
                pin=tuple(sorted(entry.pin)),
            )
        )
    if not any(cell.native for cell in cells):
        cells.insert(0, Cell(id=f"{host.goos}-{host.goarch}", platform=host, native=True))
    return cells


def _select(cells: Sequence[Cell], patterns: Sequence[str]) -> tuple[Cell, ...]:
    """Cells by id or glob, in the matrix's order; no patterns: all of them."""
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(cell.id, pattern) for cell in cells):
            known = [cell.id for cell in cells]
            raise UsageError(f"no cell matches {pattern!r}", meaning=config.suggest(pattern, known))
    if not patterns:
        return tuple(cells)
    return tuple(c for c in cells if any(fnmatch.fnmatchcase(c.id, pattern) for pattern in patterns))
