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
    """A platform and the value of each axis that it has one of, in the file's order: ``chosen`` is without
    the axes left alone."""

    platform: str
    chosen: Mapping[str, str]

    @property
    def id(self) -> str:
        """The cell's name: the platform's, and those of the values."""
        return "-".join([self.platform, *self.chosen.values()])


def of(file: MatrixFile) -> list[Combination]:
    """Every combination that is not excluded, and those included, by platform in the file's order."""
    made = [
        one
        for name in file.platforms
        for one in products(file, name)
        if not any(matches(pick, one) for pick in file.exclude)
    ]
    for index in range(len(file.include)):
        made += added(file, index, made)
    order = list(file.platforms)
    return sorted(made, key=lambda one: order.index(one.platform))


def products(file: MatrixFile, platform: str) -> Iterator[Combination]:
    """The platform as it is, then with the values of the axes that are for it, each with each."""
    axes = [name for name, axis in file.axes.items() if is_for(axis.platforms, platform)]
    for values in itertools.product(*([PLAIN, *file.axes[name].values] for name in axes)):
        chosen = {axis: value for axis, value in zip(axes, values, strict=True) if value != PLAIN}
        yield Combination(platform=platform, chosen=chosen)


def added(file: MatrixFile, index: int, made: list[Combination]) -> list[Combination]:
    """What an entry of ``include`` adds to those that are there."""
    pick = file.include[index]
    there = {(one.platform, tuple(one.chosen.items())) for one in made}
    chosen = {axis: pick[axis] for axis in file.axes if axis in pick}
    if not all(value in file.axes[axis].values for axis, value in chosen.items()):
        return []
    return [
        Combination(platform=name, chosen=chosen)
        for name in file.platforms
        if fnmatch.fnmatchcase(name, pick.get(PLATFORM, "")) and (name, tuple(chosen.items())) not in there
    ]


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
