"""Every value that a cell's run depends on, with where it came from."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from pipeline.config import Path_
from pipeline.plan.cells import Row
from pipeline.plan.plan import Ground, Request
from pipeline.plan.settings import Kind, Origin, Value
from pipeline.values import Series

# Of a profile, what a cell's own values stand for.
_OF_CELLS = {"benchmark_timeout", "test_timeout", "suites"}


def of(ground: Ground, request: Request, row: Row, series: Series | None = None) -> list[Value]:
    """The values of a cell, then those of its profile. ``series`` is the one that was asked for, if one was:
    its benchmarks are measured with those of the suites."""
    profile = ground.profile.name
    return [
        _asked("base", ground.base, given=request.base is not None),
        _asked("series", series.name if series else ground.matrix.series, given=series is not None),
        _profile(profile),
        *row.values,
        *(_of_series(series) if series else ()),
        *_entry(ground, "profile", ("profiles", profile), "", _OF_CELLS),
        *_entry(ground, "thresholds", ("thresholds", profile), "thresholds.", set()),
    ]


def _asked(name: str, value: str, *, given: bool) -> Value:
    default = Origin(kind="default", path=(name,))
    origin = Origin(kind="option", name=f"--{name}") if given else default
    return Value(name=name, value=value, origin=origin)


def _profile(name: str) -> Value:
    default = Request.profile  # naming it changes nothing
    origin = Origin(kind="default") if name == default else Origin(kind="option", name="--profile")
    return Value(name="profile", value=name, origin=origin)


def _of_series(series: Series) -> Iterator[Value]:
    origin = Origin(kind="option", name="--series")
    for package, names in series.benchmarks.items():
        for name in names:
            yield Value(name="benchmark", value=f"{package}.{name}", origin=origin)


def _entry(ground: Ground, kind: Kind, path: Path_, prefix: str, left_out: set[str]) -> Iterator[Value]:
    """Each value of a profile or of its thresholds; one that the file does not give is a default."""
    found: object = ground.matrix
    for part in path:
        found = found[part] if isinstance(found, dict) else getattr(found, str(part))
    if not isinstance(found, BaseModel):
        return
    for name in type(found).model_fields:
        at = (*path, name)
        value = getattr(found, name)
        if name in left_out:
            continue
        if isinstance(value, BaseModel):
            yield from _entry(ground, kind, at, f"{prefix}{name}.", set())
        elif isinstance(value, dict):
            for key in value:
                yield from _entry(ground, kind, (*at, key), f"{prefix}{name}.{key}.", set())
        else:
            there = at in ground.read.document.marks
            own = Origin(kind=kind, name=ground.profile.name, path=at)
            yield Value(name=f"{prefix}{name}", value=value, origin=own if there else Origin(kind="default"))
