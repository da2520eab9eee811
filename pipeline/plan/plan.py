"""The Plan: everything a run will do, decided before anything is done."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline import config, store
from pipeline.cells import here
from pipeline.errors import UsageError
from pipeline.golang import host_platform, read_version
from pipeline.inputs import base as inputs_room
from pipeline.inputs.base import Asked
from pipeline.patch import lint
from pipeline.patch import series as series_room
from pipeline.patch.account import ALLOWABLE
from pipeline.plan import cells
from pipeline.plan import matrix as matrix_room
from pipeline.plan.cells import Row
from pipeline.plan.file import MatrixFile, ProfileThresholds
from pipeline.plan.matrix import Matrix
from pipeline.source import base as source_room
from pipeline.source.settings import Settings
from pipeline.values import Cell, Depth, Platform, Profile, Provenance, Series, Threshold


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the user asked for; None takes matrix.yml's default. For those that name the series see
    ``pipeline.inputs.base.Asked``."""

    root: Path
    series: str | None = None
    from_git: str | None = None
    commits: str | None = None
    gerrit: str | None = None
    github: str | None = None
    kept: bytes | None = field(default=None, repr=False)
    base: str | None = None
    profile: str = "standard"
    cells: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()

    @property
    def names_series(self) -> bool:
        """Whether the user named a series, and did not leave it to matrix.yml."""
        forms = (self.series, self.from_git, self.gerrit, self.github)
        return any(form is not None for form in forms)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What will run. ``allowed`` are rungs by which a patch may apply though they are not clean.
    ``digest`` is the sha256 over everything that decides the results' meaning: a run
    may be resumed only under the same digest. ``sources`` and ``origin`` are no part of it: what came from
    there is, as the baseline's own digest and the series'."""

    series: Series
    origin: Provenance
    base: str
    profile: Profile
    threshold: Threshold
    units: Mapping[str, Threshold]
    cells: tuple[Cell, ...]
    host: Platform
    sources: Settings = field(default_factory=Settings)
    allowed: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """The plan as JSON values, for the ledger."""
        return {
            "series": self.series.name,
            "subject": self.series.subject,
            "issue": self.series.issue,
            "series_digest": self.series.digest,
            "variant": self.series.variant,
            "patches": [{"file": patch.name, "subject": patch.subject} for patch in self.series.patches],
            "tests": {name: list(tests) for name, tests in self.series.tests.items()},
            "benchmarks": {name: list(names) for name, names in self.series.benchmarks.items()},
            "base": self.base,
            "allowed": list(self.allowed),
            "profile": dataclasses.asdict(self.profile),
            "threshold": dataclasses.asdict(self.threshold),
            "unit_thresholds": {unit: dataclasses.asdict(one) for unit, one in self.units.items()},
            "cells": [_cell_json(cell) for cell in self.cells],
            "host": str(self.host),
        }

    @property
    def digest(self) -> str:
        """See the class."""
        return store.digest(self.as_json())


def _cell_json(cell: Cell) -> dict[str, object]:
    return {
        "id": cell.id,
        "goos": cell.platform.goos,
        "goarch": cell.platform.goarch,
        "native": cell.native,
        "parameters": dict(cell.parameters),
        "environment": dict(cell.environment),
        "build": dict(cell.build),
        "pin": list(cell.pin),
        "benchmark_timeout": cell.benchmark_timeout,
        "test_timeout": cell.test_timeout,
        "benchmarks": {package: list(names) for package, names in cell.benchmarks.items()},
        "machine": cell.machine.as_json() if cell.machine else None,
    }


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What a run stands on, whatever its series: see Plan. ``rows`` are its cells with the origin of every
    value, and ``read`` is the file with the places of all that is in it."""

    read: Matrix
    limits: ProfileThresholds
    base: str
    profile: Profile
    rows: tuple[Row, ...]
    host: Platform
    sources: Settings

    @property
    def matrix(self) -> MatrixFile:
        """What matrix.yml says."""
        return self.read.file

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells that were chosen."""
        return tuple(row.cell for row in self.rows)


def ground(request: Request) -> Ground:
    """Read matrix.yml and decide all but the series. UsageError for anything that does not fit."""
    found = matrix_room.read(request.root / "matrix.yml")
    matrix = found.file
    profile = next((name for name in matrix.profiles if name == request.profile), None)
    if profile is None:
        raise UsageError(
            f"no profile {request.profile!r}", meaning=config.suggest(request.profile, list(matrix.profiles))
        )
    if request.base == "":
        raise UsageError(
            "--base is empty",
            meaning="a variable that is not set, perhaps",
            hint="give it a value, or leave it out for the default of matrix.yml",
        )
    base = request.base or matrix.base
    sources = matrix.sources.settings(request.root, matrix.base)
    source_room.choose(base, sources).check()
    host = host_platform()
    entry = matrix.profiles[profile]
    return Ground(
        read=found,
        limits=matrix.thresholds[profile],
        base=base,
        profile=Profile(
            name=profile,
            compile=Depth(**entry.compile.model_dump()),
            variants=tuple(entry.variants),
            **entry.model_dump(exclude={"compile", "variants", "suites"}),
        ),
        rows=cells.select(cells.rows(matrix, profile, host), request.cells),
        host=host,
        sources=sources,
    )


def make(request: Request, *, here: bool = True) -> Plan:
    """Read the configuration and the series, and decide; ``here`` is that cells of this host's platform run
    on it. UsageError for anything that does not fit, PatchError for what the lint refuses."""
    allowed = allowed_rungs(request.allowed)
    found = ground(request)
    if here:
        _check_pin(found.cells)
    series, origin = read(request, found)
    _check_range(series, found.base)
    lint.refuse(lint.of(series.patches, found.profile.commit_rules))
    limits = found.limits
    return Plan(
        series=series,
        origin=origin,
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
        allowed=allowed,
    )


def read(request: Request, found: Ground) -> tuple[Series, Provenance]:
    """The series that was asked for, and where it is from. What the lint has against its patches is in them:
    nothing is refused yet."""
    asked = Asked(
        series=request.series,
        from_git=request.from_git,
        commits=request.commits,
        gerrit=request.gerrit,
        github=request.github,
        kept=request.kept,
    )
    chosen = inputs_room.choose(
        asked, default=found.matrix.series, patches=request.root / "patches", settings=found.sources
    )
    version = version_of(found.base)
    series, origin = chosen.read(version)
    note = series_room.variant_note(series, found.base, version)
    return series, dataclasses.replace(origin, notes=(*origin.notes, *([note] if note else [])))


def version_of(base: str) -> str:
    """The version of a base as far as it can be told before it is fetched: a release's number, or what the
    VERSION file of a tree says; '' for a commit or tip."""
    if source_room.is_path(base):
        return read_version(Path(base).expanduser())
    ref = (source_room.git_ref(base) or "").removeprefix("refs/tags/")
    return source_room.release(base) or source_room.release(ref) or ref


def allowed_rungs(rungs: Sequence[str]) -> tuple[str, ...]:
    """The rungs in the ladder's order; UsageError for what is none, or none to be allowed."""
    for rung in rungs:
        if rung not in ALLOWABLE:
            raise UsageError(
                f"--allow {rung[:100]!r} is no rung that can be allowed",
                meaning=config.suggest(rung, ALLOWABLE),
                hint=f"one or more of {', '.join(ALLOWABLE)}; exact and offset always pass",
            )
    return tuple(rung for rung in ALLOWABLE if rung in rungs)


def _check_pin(chosen: Sequence[Cell]) -> None:
    """HostError for a CPU that this machine does not have, before anything is built for it."""
    for cell in chosen:
        if cell.native:
            with here.pinned(cell.pin):
                pass


def _check_range(series: Series, base: str) -> None:
    version = source_room.release(base)
    if version and not series_room.supports(series, version):
        raise UsageError(
            f"series {series.name} is for Go {' or '.join(series.ranges or (series.base,))}, not for {base}",
            hint="choose another --base, or widen base: in its series.yml once it applies there",
        )
