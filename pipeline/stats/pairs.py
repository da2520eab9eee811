"""From a cell's benchfmt file to paired series: one value a side and round."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.benchfmt import Result, SyntaxProblem, read


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
    """Values of both sides by round, only rounds in which both sides reported; equal lengths."""

    key: Key
    rounds: tuple[int, ...]
    base: tuple[float, ...]
    patched: tuple[float, ...]

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


def collect(lines: Iterable[str]) -> list[PairedSeries]:
    """The paired series of a benchfmt text with ``side`` and ``round`` keys, in order of appearance."""
    found: dict[Key, dict[int, dict[str, float]]] = {}
    for record in read(lines):
        if isinstance(record, SyntaxProblem):
            raise ValueError(str(record))
        if not isinstance(record, Result):
            continue
        side, round_ = record.config.get("side"), int(record.config.get("round") or 0)
        for unit, value in zip(record.units, record.values, strict=True):
            key = Key(record.config.get("pkg"), record.name, unit.name)
            found.setdefault(key, {}).setdefault(round_, {})[side] = value
    series = []
    for key, by_round in found.items():
        whole = [n for n in sorted(by_round) if by_round[n].keys() == {"base", "patched"}]
        series.append(
            PairedSeries(
                key=key,
                rounds=tuple(whole),
                base=tuple(by_round[n]["base"] for n in whole),
                patched=tuple(by_round[n]["patched"] for n in whole),
            )
        )
    return series
