"""What is wrong with matrix.yml that no part of it shows alone: names that lead nowhere, cells that clash."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

from pipeline.config import Mistake, Path_, suggest
from pipeline.plan import combine, variables
from pipeline.plan.axes import PLAIN, PLATFORM, Pick
from pipeline.plan.combine import MAX_COMBINATIONS, Combination
from pipeline.plan.file import MatrixFile, ProfileName
from pipeline.plan.platforms import unknown_suites
from pipeline.plan.settings import chosen_entries, said, settle

# A cell's name is that of a job, of an artifact and of files on every system.
_ID = re.compile(r"[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?")
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")


def of(file: MatrixFile) -> list[Mistake]:
    """Every mistake, each with its place."""
    found = [*_profiles(file), *_suites(file), *_axes(file)]
    picks = {path: list(_of_pick(file, path, pick)) for path, pick in _picks(file).items()}
    found += [one for mistakes in picks.values() for one in mistakes]
    if combine.size(file) > MAX_COMBINATIONS:
        return [*found, _too_many(file)]
    cells = combine.of(file)
    sound = [path for path, mistakes in picks.items() if not mistakes]
    return [*found, *_idle(file, sound), *_clashes(file, cells), *_names(cells), *_twins(file, cells)]


def _profiles(file: MatrixFile) -> Iterator[Mistake]:
    for name in get_args(ProfileName):
        if name not in file.profiles or name not in file.thresholds:
            where = "profiles" if name not in file.profiles else "thresholds"
            yield Mistake((where,), f"profiles and thresholds should both have {name}")


def _suites(file: MatrixFile) -> Iterator[Mistake]:
    named: dict[Path_, list[str]] = {
        **{("profiles", name, "suites"): one.suites for name, one in file.profiles.items()},
        **{("platforms", name, "suites"): one.suites for name, one in file.platforms.items()},
    }
    for path, names in named.items():
        for one in unknown_suites(names, list(file.suites)):
            yield Mistake((*path, *one.path), one.message)


def _axes(file: MatrixFile) -> Iterator[Mistake]:
    platforms = list(file.platforms)
    if PLATFORM in file.axes:
        yield Mistake(("axes", PLATFORM), f"{PLATFORM} is what exclude and include call the platforms")
    for name, axis in file.axes.items():
        for index, pattern in enumerate(axis.platforms):
            if not fnmatch.filter(platforms, pattern):
                yield Mistake(
                    ("axes", name, "platforms", index),
                    f"no platform matches {pattern}; {suggest(pattern, platforms)}",
                )


def _picks(file: MatrixFile) -> Mapping[Path_, Pick]:
    return {
        **{("exclude", index): pick for index, pick in enumerate(file.exclude)},
        **{("include", index): pick for index, pick in enumerate(file.include)},
    }


def _of_pick(file: MatrixFile, path: Path_, pick: Pick) -> Iterator[Mistake]:
    exact = path[0] == "include"
    platforms = list(file.platforms)
    if PLATFORM not in pick:
        yield Mistake(path, f'should name a {PLATFORM}, or {PLATFORM}: "*" for all')
    elif not fnmatch.filter(platforms, pick[PLATFORM]):
        hint = suggest(pick[PLATFORM], platforms)
        yield Mistake((*path, PLATFORM), f"no platform matches {pick[PLATFORM]}; {hint}")
    axes = [name for name in pick if name != PLATFORM]
    if not axes:
        hint = suggest("", list(file.axes)) or "there is none"
        yield Mistake(path, f"should name an axis and its value; {hint}")
    for name in axes:
        if name not in file.axes:
            hint = suggest(name, list(file.axes)) or "there is none"
            yield Mistake((*path, name), f"no axis {name}; {hint}")
            continue
        values = list(file.axes[name].values)
        known = values if exact else [PLAIN, *values]
        if pick[name] not in known and (exact or not fnmatch.filter(known, pick[name])):
            hint = suggest(pick[name], known)
            yield Mistake((*path, name), f"axis {name} has no value {pick[name]}; {hint}")


def _too_many(file: MatrixFile) -> Mistake:
    most = min(file.axes, key=lambda name: combine.size(file, name))
    return Mistake(
        ("axes", most),
        f"the axes make {combine.size(file)} combinations, and {MAX_COMBINATIONS} are the most; axis {most} "
        f"multiplies most, without it there are {combine.size(file, most)}: list the platforms it is for",
    )


def _idle(file: MatrixFile, sound: Sequence[Path_]) -> Iterator[Mistake]:
    """Entries that leave nothing out, or add nothing."""
    products = [one for name in file.platforms for one in combine.products(file, name)]
    for index, pick in enumerate(file.exclude):
        if ("exclude", index) in sound and not any(combine.matches(pick, one) for one in products):
            yield Mistake(("exclude", index), "excludes nothing: no such combination is made")
    made = set(combine.kept(file))
    for index, pick in enumerate(file.include):
        new = set(combine.named(file, pick)) - made
        if ("include", index) in sound and not new:
            yield Mistake(("include", index), "adds nothing: each of these is there already")
        made |= new


def _clashes(file: MatrixFile, cells: Sequence[Combination]) -> Iterator[Mistake]:
    """Values of axes that mean nothing on a platform, or that contradict each other."""
    told: set[tuple[Path_, str]] = set()
    for cell in cells:
        platform = file.platforms[cell.platform]
        setters: dict[str, str] = {}
        for called, entry, where in chosen_entries(file, cell):
            for name, _, path in said(entry, where):
                other = setters.setdefault(name, called)
                why = _foreign(name, platform.goarch, cell.platform)
                if other != called:
                    why = f"axis {other} sets it too, and {cell.id} has both"
                if why and (path, other) not in told:
                    told.add((path, other))
                    yield Mistake(path, why)


def _foreign(name: str, goarch: str, platform: str) -> str:
    group, _, variable = name.partition(".")
    why = variables.foreign(variable, goarch) if group == "build" else ""
    return f"{why}: the axis is for {platform} as well" if why else ""


def _origin(cell: Combination) -> Path_:
    """The place to point at: the last thing that makes a combination what it is."""
    if not cell.values:
        return ("platforms", cell.platform)
    axis, value = cell.values[-1]
    return ("axes", axis, "values", value)


def _names(cells: Sequence[Combination]) -> Iterator[Mistake]:
    seen: dict[str, Combination] = {}
    for cell in cells:
        if not _ID.fullmatch(cell.id) or _DEVICES.fullmatch(cell.id):
            yield Mistake(
                _origin(cell),
                f"cell {cell.id} cannot be called so: it names a job and files, and should have at most 64 "
                "characters, end in a letter or digit, and be no device of Windows",
            )
        other = seen.setdefault(cell.id, cell)
        if other is not cell:
            both = f"{_made(other)}, and {_made(cell)}"
            # Of a platform and a value it is the value that was named after it.
            yield Mistake(
                _origin(cell if cell.values else other), f"two cells would be called {cell.id}: {both}"
            )


def _made(cell: Combination) -> str:
    values = ", ".join(f"{axis}: {value}" for axis, value in cell.values)
    return f"platform {cell.platform}" + (f" with {values}" if values else "")


def _twins(file: MatrixFile, cells: Sequence[Combination]) -> Iterator[Mistake]:
    """Cells that would do the same twice. Of two platforms that are twins one pair says it."""
    seen: dict[object, Combination] = {}
    told: set[tuple[str, str]] = set()
    for cell in cells:
        platform = file.platforms[cell.platform]
        # 0 and no CPU at all are what it is without a word, and CPUs and labels have no order.
        found = {
            (name, str(sorted(one.value) if isinstance(one.value, list) else one.value))
            for name, one in settle(file, cell).items()
            if one.value not in (0, [])
        }
        other = seen.setdefault((*sorted(found), *sorted(platform.suites)), cell)
        pair = (other.platform, cell.platform)
        if other is cell or (pair in told and other.platform != cell.platform):
            continue
        told.add(pair)
        both = (
            f"platforms {other.platform} and {cell.platform} are both {platform.platform}"
            if not other.values and not cell.values
            else f"cells {other.id} and {cell.id} are both {platform.platform}"
        )
        yield Mistake(_origin(cell), f"{both}, and differ in nothing that they run under")
