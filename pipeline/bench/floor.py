"""Measuring the noise floor: the baseline against itself, kept per host and benchmark in the store.

Each run adds a few pairs until there are enough; every run after that has the floor for nothing.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import benchfmt
from pipeline.bench import runner, schedule
from pipeline.bench.measure import Setup, Target
from pipeline.records import NoiseFloor
from pipeline.stats import floor as floor_stats
from pipeline.store import digest

ENOUGH_PAIRS = 96
MAX_SESSIONS = 64
# Values by comparison (name and unit), one pair a round.
Values = dict[tuple[str, str], list[tuple[float, float]]]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where floors are kept: a folder, and what else than the benchmark decides which floor is meant (the
    host, the release, Go's parameters)."""

    folder: Path
    conditions: Mapping[str, object]

    def file(self, target: Target, binary: str) -> Path:
        """The sessions of one benchmark of one test ``binary`` (its sha256), a JSON line each: what is called
        the same in another series may be something else."""
        named = {"package": target.package, "benchmark": target.benchmark, "binary": binary}
        key = digest({**named, **self.conditions})
        return self.folder / f"{key}.jsonl"


def measure(setup: Setup, targets: Sequence[Target], place: Place) -> list[NoiseFloor]:
    """The floor of every comparison of ``targets``, after adding a session where pairs are few.

    A benchmark that gives no number here has no floor; the measurement proper will say why.
    """
    short = [target for target in targets if _count(_sessions(_file(setup, place, target))) < ENOUGH_PAIRS]
    fresh: dict[Target, Values] = {}
    for number in range(1, setup.profile.noise_rounds + 1):
        for target in schedule.shuffled(setup.seed, -number, short):
            setup.progress.step(
                f"{setup.cell.id} noise floor {target.benchmark}", number, setup.profile.noise_rounds
            )
            for key, pair in _pair(setup, target).items():
                fresh.setdefault(target, {}).setdefault(key, []).append(pair)
    for target, values in fresh.items():
        _append(_file(setup, place, target), values)
    return [record for target in targets for record in _records(setup, target, place)]


def _file(setup: Setup, place: Place, target: Target) -> Path:
    return place.file(target, setup.binaries["base"][target.package].sha256)


def _pair(setup: Setup, target: Target) -> dict[tuple[str, str], tuple[float, float]]:
    """Two runs of the baseline's binary, one after the other; empty when one of them failed."""
    binary = setup.binaries["base"][target.package]
    runs = []
    for _ in range(2):
        try:
            sample = setup.runner.run(binary, setup.go["base"], target.benchmark)
        except runner.SampleError:
            return {}
        runs.append(_values(sample))
    return {key: (value, runs[1][key]) for key, value in runs[0].items() if key in runs[1]}


def _values(sample: runner.Sample) -> dict[tuple[str, str], float]:
    return {
        (record.name, unit.name): value
        for record in benchfmt.read(sample.results)
        if isinstance(record, benchfmt.Result)
        for unit, value in zip(record.units, record.values, strict=True)
        if unit.name not in {"B/op", "allocs/op"}
    }


def _records(setup: Setup, target: Target, place: Place) -> list[NoiseFloor]:
    sessions = _sessions(_file(setup, place, target))
    found = []
    for key in sorted({key for session in sessions for key in session}):
        floor = floor_stats.assess([session[key] for session in sessions if key in session])
        if floor is None:
            continue
        found.append(
            NoiseFloor(
                cell=setup.cell.id,
                package=target.package,
                name=key[0],
                unit=key[1],
                pairs=floor.pairs,
                spread=round(floor.spread, 6),
                likeness=None if floor.likeness != floor.likeness else round(floor.likeness, 4),
                design=floor.design,
            )
        )
    return found


def _count(sessions: Sequence[Values]) -> int:
    return max((sum(len(s.get(key, ())) for s in sessions) for one in sessions for key in one), default=0)


def _append(path: Path, values: Values) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [[name, unit, pairs] for (name, unit), pairs in values.items()]
    line = json.dumps({"at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"), "values": rows})
    with path.open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")


def _sessions(path: Path) -> list[Values]:
    """The newest sessions. A line that cannot be read is left out: a floor is an estimate, no proof."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()[-MAX_SESSIONS:]
    except (OSError, UnicodeDecodeError):
        return []
    sessions = []
    for line in lines:
        try:
            session: Values = {}
            for name, unit, pairs in json.loads(line)["values"]:
                session[str(name), str(unit)] = [(float(a), float(b)) for a, b in pairs]
            sessions.append(session)
        except (ValueError, TypeError, KeyError):
            continue
    return sessions
