"""Measuring a cell: paired rounds, screening, confirmation on fresh rounds, more while inconclusive.

One pair is appended to the cell's benchfmt file in one write and then recorded in the ledger with the
file's length; a run that was killed is resumed by cutting the file back to the last recorded pair.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from pipeline import proc
from pipeline.bench import runner, schedule
from pipeline.console import Progress
from pipeline.errors import HostError, UsageError
from pipeline.golang import Go
from pipeline.records import BenchmarkLost, PairMeasured, Record, Screened, Side
from pipeline.stats import analysis, pairs
from pipeline.values import Cell, Profile, TestBinary

Phase = Literal["screen", "confirm"]
BATCH = 4
# A benchmark is lost when this many further pairs fail as well.
REPEATS = 2


class Target(NamedTuple):
    """A benchmark function of a package."""

    package: str
    benchmark: str


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Everything that measuring a cell needs; ``binaries`` and ``go`` are by side."""

    shell: proc.Shell
    cell: Cell
    profile: Profile
    rules: analysis.Rules
    seed: str
    binaries: Mapping[Side, Mapping[str, TestBinary]]
    go: Mapping[Side, Go]
    file: Path
    record: Callable[[Record], None]
    progress: Progress


@dataclass
class _State:
    """What is measured so far; rebuilt from the ledger on resume."""

    done: set[tuple[Target, int]] = field(default_factory=set)
    lost: set[Target] = field(default_factory=set)
    screened: Screened | None = None


def measure(setup: Setup, targets: Sequence[Target], history: Sequence[Record]) -> None:
    """Measure ``targets`` on this cell, going on from ``history`` (the records of an earlier start)."""
    state = _restore(setup, history)
    for number in range(1, setup.profile.rounds + 1):
        _round(setup, state, targets, number, "screen", setup.profile.rounds)
    if state.screened is None:
        keys = analysis.flag(_series(setup), setup.rules)
        state.screened = Screened(
            cell=setup.cell.id, rounds=setup.profile.rounds, flagged=sorted(map(str, keys))
        )
        setup.record(state.screened)
    _confirm(setup, state, targets)
    _extend(setup, state, targets)


def _restore(setup: Setup, history: Sequence[Record]) -> _State:
    state = _State()
    size = 0
    for record in history:
        if isinstance(record, PairMeasured) and record.cell == setup.cell.id:
            state.done.add((Target(record.package, record.benchmark), record.round))
            size = record.size
        elif isinstance(record, BenchmarkLost) and record.cell == setup.cell.id:
            state.lost.add(Target(record.package, record.benchmark))
        elif isinstance(record, Screened) and record.cell == setup.cell.id:
            state.screened = record
    setup.file.parent.mkdir(parents=True, exist_ok=True)
    setup.file.touch()
    if setup.file.stat().st_size < size:
        raise UsageError(
            f"{setup.file} is shorter than its ledger says: it was changed after it was written",
            hint="start a new run without --resume",
        )
    os.truncate(setup.file, size)
    return state


def _series(setup: Setup) -> list[pairs.PairedSeries]:
    return pairs.collect(setup.file.read_text(encoding="utf-8").splitlines())


def _functions(targets: Sequence[Target], keys: Sequence[pairs.Key]) -> list[Target]:
    wanted = {(key.package, key.function) for key in keys}
    return [target for target in targets if (target.package, target.benchmark) in wanted]


def _confirm(setup: Setup, state: _State, targets: Sequence[Target]) -> None:
    if state.screened is None or not state.screened.flagged:
        return
    flagged = set(state.screened.flagged)
    chosen = _functions(targets, [one.key for one in _series(setup) if str(one.key) in flagged])
    last = state.screened.rounds + setup.profile.confirm_rounds
    for number in range(state.screened.rounds + 1, last + 1):
        _round(setup, state, chosen, number, "confirm", last)


def _extend(setup: Setup, state: _State, targets: Sequence[Target]) -> None:
    """More rounds for what the data cannot decide yet, up to the profile's cap."""
    number = max((number for _, number in state.done), default=0)
    while state.screened is not None and number < setup.profile.max_rounds:
        verdicts = analysis.judge(_series(setup), state.screened.flagged, state.screened.rounds, setup.rules)
        open_keys = [key for key, verdict in verdicts.items() if verdict.word == "inconclusive"]
        chosen = [t for t in _functions(targets, open_keys) if t not in state.lost]
        if not chosen:
            return
        setup.progress.note(f"  {len(chosen)} benchmarks are inconclusive after round {number}: {BATCH} more")
        for _ in range(BATCH):
            number += 1
            _round(setup, state, chosen, number, "confirm", setup.profile.max_rounds)


def _round(
    setup: Setup, state: _State, targets: Sequence[Target], number: int, phase: Phase, last: int
) -> None:
    todo = [t for t in targets if t not in state.lost and (t, number) not in state.done]
    for target in schedule.shuffled(setup.seed, number, todo):
        setup.progress.step(f"{setup.cell.id} {phase} round {number} {target.benchmark}", number - 1, last)
        _pair(setup, state, target, number, phase)
    setup.progress.step(f"{setup.cell.id} {phase} round {number}", number, last)


def _pair(setup: Setup, state: _State, target: Target, number: int, phase: Phase) -> None:
    order = schedule.side_order(setup.seed, target.benchmark, number)
    started = time.monotonic()
    samples, failures = _both(setup, target, order)
    for _ in range(REPEATS):
        # One failure may be a flake or the machine's: a whole new pair decides, as with tests.
        if not failures or any(error.host for error in failures.values()):
            break
        samples, failures = _both(setup, target, order)
    for error in failures.values():
        if error.host:
            raise HostError(
                f"{target.benchmark} was {error.reason}",
                hint="free some space and add --resume; nothing that was measured is lost",
            )
    if failures:
        state.lost.add(target)
        setup.record(_lost(setup.cell, target, failures))
        return
    size = _append(setup.file, "".join(samples[side].text(side, number) for side in order))
    state.done.add((target, number))
    setup.record(
        PairMeasured(
            cell=setup.cell.id,
            package=target.package,
            benchmark=target.benchmark,
            round=number,
            phase=phase,
            order=list(order),
            size=size,
            seconds=round(time.monotonic() - started, 3),
        )
    )


def _both(
    setup: Setup, target: Target, order: Sequence[Side]
) -> tuple[dict[Side, runner.Sample], dict[Side, runner.SampleError]]:
    """One sample of each side. The second runs even when the first failed: whose fault it is depends on
    both."""
    samples: dict[Side, runner.Sample] = {}
    failures: dict[Side, runner.SampleError] = {}
    for side in order:
        binary = setup.binaries[side][target.package]
        try:
            samples[side] = runner.run(setup.shell, binary, setup.go[side], target.benchmark, setup.profile)
        except runner.SampleError as error:
            failures[side] = error
    return samples, failures


def _append(path: Path, text: str) -> int:
    """Add to the file in one write, through to the disk; its length then."""
    with path.open("ab") as stream:
        stream.write(text.encode())
        stream.flush()
        os.fsync(stream.fileno())
        return stream.tell()


def _lost(cell: Cell, target: Target, failures: Mapping[Side, runner.SampleError]) -> BenchmarkLost:
    """``failed`` when only the patched side fails: that is the patch's. Otherwise ``missing``."""
    only_patched = failures.keys() == {"patched"}
    first = failures["patched"] if "patched" in failures else failures["base"]
    return BenchmarkLost(
        cell=cell.id,
        package=target.package,
        benchmark=target.benchmark,
        side="both sides" if len(failures) == 2 else next(iter(failures)),
        state="failed" if only_patched else "missing",
        reason=first.reason,
        log=first.log.name if first.log else "",
    )
