"""The cells of a matrix under a profile, each with where its values came from and who runs it."""

from __future__ import annotations

import dataclasses
import fnmatch
import functools
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline import config
from pipeline.config import Path_
from pipeline.errors import UsageError
from pipeline.plan import combine
from pipeline.plan.combine import Combination
from pipeline.plan.file import MatrixFile, ProfileName
from pipeline.plan.platforms import PlatformEntry
from pipeline.plan.settings import Origin, Value, chosen_entries, settle
from pipeline.values import Cell, Machine, Platform, Profile

# What boots the virtual machine of a cell that has one.
VM_ACTION = "cross-platform-actions/action"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A cell, and every value of it with its origin. ``chosen`` are its values of axes; ``alone`` is why no
    fleet runs it, '' where one does."""

    cell: Cell
    values: tuple[Value, ...]
    chosen: Mapping[str, str] = field(default_factory=dict)
    alone: str = ""


def rows(file: MatrixFile, profile: ProfileName, host: Platform) -> tuple[Row, ...]:
    """The matrix's cells in the file's order. A host that no cell is of gets one of its own, first."""
    found = [_row(file, profile, host, one) for one in combine.of(file)]
    if not any(row.cell.native for row in found):
        found.insert(0, _of_host(file, profile, host, {row.cell.id for row in found}))
    return tuple(found)


def select(found: Sequence[Row], patterns: Sequence[str]) -> tuple[Row, ...]:
    """Those by id or glob, in the matrix's order; no patterns: all of them."""
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(row.cell.id, pattern) for row in found):
            known = [row.cell.id for row in found]
            raise UsageError(f"no cell matches {pattern!r}", meaning=config.suggest(pattern, known))
    if not patterns:
        return tuple(found)
    return tuple(row for row in found if any(fnmatch.fnmatchcase(row.cell.id, one) for one in patterns))


def merged(
    first: Mapping[str, Sequence[str]], second: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    """Benchmarks by package: those of ``first``, then what ``second`` has besides."""
    packages = dict.fromkeys([*first, *second])
    return {name: tuple(dict.fromkeys([*first.get(name, ()), *second.get(name, ())])) for name in packages}


def limited(profile: Profile, cell: Cell) -> Profile:
    """A profile with the cell's own time limits, where it has any."""
    return dataclasses.replace(
        profile,
        benchmark_timeout=cell.benchmark_timeout or profile.benchmark_timeout,
        test_timeout=cell.test_timeout or profile.test_timeout,
    )


def _row(file: MatrixFile, profile: ProfileName, host: Platform, one: Combination) -> Row:
    entry = file.platforms[one.platform]
    layers = [entry, *(value for _, value, _ in chosen_entries(file, one))]
    suites = {**_suites_of_profile(file, profile), **_suites(file, one.platform)}
    machine, alone = _machine(file, entry)

    def last(name: str) -> Any:
        return next((getattr(x, name) for x in reversed(layers) if name in x.model_fields_set), None)

    cell = Cell(
        id=one.id,
        platform=entry.platform,
        native=entry.platform == host,
        parameters=_sorted(layer.parameters for layer in layers),
        environment=_sorted(layer.environment for layer in layers),
        build=_sorted(layer.build for layer in layers),
        pin=tuple(sorted(last("pin") or ())),
        benchmark_timeout=last("benchmark_timeout") or 0,
        test_timeout=last("test_timeout") or 0,
        benchmarks=functools.reduce(merged, (file.suites[name].benchmarks for name in suites), {}),
        machine=machine,
        trace=entry.trace,
    )
    values = [*settle(file, one).values(), *_traced(file, one.platform), *_measured(file, suites)]
    return Row(
        cell=cell,
        values=tuple(_with_defaults(file, profile, values)),
        chosen=one.chosen,
        alone=alone,
    )


def _sorted(settings: Iterable[Mapping[Any, str]]) -> dict[str, str]:
    """Of settings that follow each other, the last word on each name."""
    return dict(sorted({str(name): value for one in settings for name, value in one.items()}.items()))


def _machine(file: MatrixFile, entry: PlatformEntry) -> tuple[Machine | None, str]:
    """The machine of a fleet that runs a platform, or why there is none."""
    if not entry.runner:
        return None, "matrix.yml gives it no runner"
    if entry.vm and VM_ACTION not in file.actions:
        return None, f"its virtual machine needs {VM_ACTION}, which has no pin under actions:"
    vm, version = (entry.vm.os, entry.vm.version) if entry.vm else ("", "")
    return Machine(labels=tuple(entry.runner), vm=vm, version=version), ""


def _suites_of_profile(file: MatrixFile, profile: ProfileName) -> dict[str, Origin]:
    path: Path_ = ("profiles", profile, "suites")
    return {
        name: Origin(kind="profile", name=profile, path=(*path, index))
        for index, name in enumerate(file.profiles[profile].suites)
    }


def _suites(file: MatrixFile, platform: str) -> dict[str, Origin]:
    path: Path_ = ("platforms", platform, "suites")
    return {
        name: Origin(kind="platform", name=platform, path=(*path, index))
        for index, name in enumerate(file.platforms[platform].suites)
    }


def _traced(file: MatrixFile, platform: str) -> Iterator[Value]:
    if trace := file.platforms[platform].trace:
        origin = Origin(kind="platform", name=platform, path=("platforms", platform, "trace"))
        yield Value(name="trace", value=trace, origin=origin)


def _measured(file: MatrixFile, suites: Mapping[str, Origin]) -> Iterator[Value]:
    """The suites, and each of their benchmarks."""
    for name, origin in suites.items():
        yield Value(name="suite", value=name, origin=origin)
        for package, names in file.suites[name].benchmarks.items():
            for index, benchmark in enumerate(names):
                path: Path_ = ("suites", name, "benchmarks", package, index)
                yield Value(
                    name="benchmark",
                    value=f"{package}.{benchmark}",
                    origin=Origin(kind="suite", name=name, path=path),
                )


def _with_defaults(file: MatrixFile, profile: ProfileName, values: Iterable[Value]) -> Iterator[Value]:
    """``values``, and in place of what is not said, or said to be the profile's, what it comes to."""
    found = list(values)
    left = {
        **{limit.name: limit for limit in _limits(file, profile)},
        "pin": Value(name="pin", value=[], origin=Origin(kind="default")),
    }
    for one in found:
        if one.name not in left:
            yield one
        elif one.value or one.name == "pin":
            del left[one.name]
            yield one
    yield from left.values()


def _limits(file: MatrixFile, profile: ProfileName) -> Iterator[Value]:
    for name in ("benchmark_timeout", "test_timeout"):
        origin = Origin(kind="profile", name=profile, path=("profiles", profile, name))
        yield Value(name=name, value=getattr(file.profiles[profile], name), origin=origin)


def _of_host(file: MatrixFile, profile: ProfileName, host: Platform, taken: Container[str]) -> Row:
    plain = f"{host.goos}-{host.goarch}"
    suites = _suites_of_profile(file, profile)
    origin = Origin(kind="host")
    here = [Value(name=name, value=getattr(host, name), origin=origin) for name in ("goos", "goarch")]
    return Row(
        cell=Cell(
            id="this-host" if plain in taken else plain,
            platform=host,
            native=True,
            benchmarks=functools.reduce(merged, (file.suites[name].benchmarks for name in suites), {}),
        ),
        values=tuple(_with_defaults(file, profile, [*here, *_measured(file, suites)])),
        alone="it is this host's, and matrix.yml does not list it",
    )
