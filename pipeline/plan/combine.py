"""Axes become combinations: which platform is run under which of their values."""

from __future__ import annotations

import fnmatch
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.plan.axes import PLAIN, PLATFORM, Pick
from pipeline.plan.file import MatrixFile

# More than this is a mistake before anything is left out of it; GitHub runs a sixteenth.
MAX_COMBINATIONS = 4096


@dataclass(frozen=True, kw_only=True)
class Combination:
    """A platform and the value of each axis that it has one of, in the file's order: ``values`` are pairs of
    both, without the axes left alone."""

    platform: str
    values: tuple[tuple[str, str], ...] = ()

    @property
    def chosen(self) -> Mapping[str, str]:
        """The values by their axes."""
        return dict(self.values)

    @property
    def id(self) -> str:
        """The cell's name: the platform's, and those of the values."""
        return "-".join([self.platform, *(value for _, value in self.values)])


def of(file: MatrixFile) -> list[Combination]:
    """Every combination that is not excluded, and those included, by platform in the file's order."""
    made = dict.fromkeys([*kept(file), *(one for pick in file.include for one in named(file, pick))])
    order = {name: index for index, name in enumerate(file.platforms)}
    return sorted(made, key=lambda one: order[one.platform])


def kept(file: MatrixFile) -> Iterator[Combination]:
    """What the axes make, without what is excluded."""
    for platform in file.platforms:
        for one in products(file, platform):
            if not any(matches(pick, one) for pick in file.exclude):
                yield one


def products(file: MatrixFile, platform: str) -> Iterator[Combination]:
    """The platform as it is, then with the values of the axes that are for it, each with each."""
    axes = [name for name, axis in file.axes.items() if is_for(axis.platforms, platform)]
    for values in itertools.product(*([PLAIN, *file.axes[name].values] for name in axes)):
        pairs = zip(axes, values, strict=True)
        yield Combination(platform=platform, values=tuple(pair for pair in pairs if pair[1] != PLAIN))


def named(file: MatrixFile, pick: Pick) -> list[Combination]:
    """What an entry of ``include`` asks for; nothing for one with a value that there is not."""
    values = tuple((axis, pick[axis]) for axis in file.axes if axis in pick)
    if not all(value in file.axes[axis].values for axis, value in values):
        return []
    platforms = fnmatch.filter(file.platforms, pick.get(PLATFORM, ""))
    return [Combination(platform=name, values=values) for name in platforms]


def matches(pick: Pick, one: Combination) -> bool:
    """Whether an entry of ``exclude`` is about a combination."""
    return all(
        fnmatch.fnmatchcase(one.platform if name == PLATFORM else one.chosen.get(name, PLAIN), pattern)
        for name, pattern in pick.items()
    )


def is_for(patterns: list[str], platform: str) -> bool:
    """Whether one of ``patterns`` is the platform's."""
    return any(fnmatch.fnmatchcase(platform, pattern) for pattern in patterns)


def size(file: MatrixFile, without: str = "") -> int:
    """How many combinations there are before any is excluded; ``without`` an axis, if one is named."""
    return sum(
        math.prod(
            1 + len(axis.values)
            for name, axis in file.axes.items()
            if name != without and is_for(axis.platforms, platform)
        )
        for platform in file.platforms
    )
