"""From a cell's benchfmt file to paired series: one value a side and round."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.benchfmt import Config, Result, SyntaxProblem, read

# Keys that may differ between the sides of a pair or between rounds: they name the sample, and not the
# conditions it was taken under.
_FREE_KEYS = {"side", "round", "pkg", "toolchain", "layout-seed"}


class Key(NamedTuple):
    """What is compared: a benchmark of a package in a unit (benchstat's base units: sec/op, B/op …)."""

    package: str
    name: str
    unit: str

    def __str__(self) -> str:
        return f"{self.package} {self.name} {self.unit}"

    @property
    def function(self) -> str:
        """The benchmark function, as ``-test.bench`` selects it."""
        return "Benchmark" + self.name.split("/", 1)[0].rsplit("-", 1)[0]


@dataclass(frozen=True, kw_only=True)
class PairedSeries:
    """Values of both sides by round, only rounds in which both sides reported; equal lengths.

    ``conflict`` says why the values may not be compared, or is empty. ``only`` is the side that alone
    reported the series, or empty.
    """

    key: Key
    rounds: tuple[int, ...]
    base: tuple[float, ...]
    patched: tuple[float, ...]
    conflict: str = ""
    only: str = ""

    def after(self, round_: int) -> PairedSeries:
        """The pairs of later rounds."""
        keep = [i for i, number in enumerate(self.rounds) if number > round_]
        return PairedSeries(
            key=self.key,
            rounds=tuple(self.rounds[i] for i in keep),
            base=tuple(self.base[i] for i in keep),
            patched=tuple(self.patched[i] for i in keep),
        )

    def first(self, count: int) -> PairedSeries:
        """The first ``count`` pairs."""
        return PairedSeries(
            key=self.key, rounds=self.rounds[:count], base=self.base[:count], patched=self.patched[:count]
        )

    def logs(self) -> list[float] | None:
        """log(patched/base) by round; None when a value is not positive and finite."""
        values = (*self.base, *self.patched)
        if not all(value > 0 and math.isfinite(value) for value in values):
            return None
        return [math.log(new / old) for old, new in zip(self.base, self.patched, strict=True)]

    @property
    def lower_is_better(self) -> bool:
        """By the unit: rates (``B/s``, ``ops/s``) are better when higher, everything else when lower."""
        return not self.key.unit.endswith("/s")


@dataclass
class _Gathered:
    """One series while it is read: values by round and side, and the conditions they were taken under."""

    by_round: dict[int, dict[str, float]] = field(default_factory=dict)
    conditions: dict[str, Counter[str]] = field(default_factory=dict)
    samples: int = 0

    def add(self, config: Config, value: float) -> None:
        round_, side = int(config.get("round") or 0), config.get("side")
        self.by_round.setdefault(round_, {})[side] = value
        for key, setting in config.file_values().items():
            if key not in _FREE_KEYS:
                self.conditions.setdefault(key, Counter())[setting] += 1
        self.samples += 1

    def conflict(self) -> str:
        for key, settings in self.conditions.items():
            values = sorted(settings) + (["not known"] if settings.total() < self.samples else [])
            if len(values) > 1:
                return f"not comparable: {key} is {' and '.join(values[:3])}"
        return ""


def collect(lines: Iterable[str]) -> list[PairedSeries]:
    """The paired series of a benchfmt text with ``side`` and ``round`` keys, in order of appearance.

    What was measured under different conditions (another ``cpu:``, other Go parameters) keeps no pairs,
    and says so in ``conflict``.
    """
    found: dict[Key, _Gathered] = {}
    for record in read(lines):
        if isinstance(record, SyntaxProblem):
            raise ValueError(str(record))
        if not isinstance(record, Result):
            continue
        for unit, value in zip(record.units, record.values, strict=True):
            key = Key(record.config.get("pkg"), record.name, unit.name)
            found.setdefault(key, _Gathered()).add(record.config, value)
    return [_series(key, gathered) for key, gathered in found.items()]


def _series(key: Key, gathered: _Gathered) -> PairedSeries:
    conflict = gathered.conflict()
    by_round = gathered.by_round
    whole = [n for n in sorted(by_round) if by_round[n].keys() == {"base", "patched"}]
    sides = {side for values in by_round.values() for side in values}
    kept = [] if conflict else whole
    return PairedSeries(
        key=key,
        rounds=tuple(kept),
        base=tuple(by_round[n]["base"] for n in kept),
        patched=tuple(by_round[n]["patched"] for n in kept),
        conflict=conflict,
        only=next(iter(sides)) if len(sides) == 1 else "",
    )
