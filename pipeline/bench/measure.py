"""Measuring a cell: paired rounds until every comparison is decided, or the profile's cap is reached.

One pair is appended to the cell's benchfmt file in one write and then recorded in the ledger with the
file's length; a run that was killed is resumed by cutting the file back to the last recorded pair.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pipeline.bench import machine, runner, schedule
from pipeline.console import Progress
from pipeline.errors import HostError, UsageError
from pipeline.golang import Go
from pipeline.records import (
    BenchmarkLost,
    BenchmarkRetried,
    PairMeasured,
    Record,
    RoundEnded,
    Screened,
    Side,
)
from pipeline.stats import analysis, pairs
from pipeline.store import file_sha256
from pipeline.values import SIDES, Binaries, Cell, Profile

# A benchmark is lost when this many further pairs fail as well.
REPEATS = 2


class Target(NamedTuple):
    """A benchmark function of a package."""

    package: str
    benchmark: str


# Both sides' binaries of some packages in a layout of their own, by its seed; for this round only.
Relink = Callable[[int, Collection[str]], contextlib.AbstractContextManager[Binaries]]


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Everything that measuring a cell needs; ``binaries`` and ``go`` are by side. ``relink`` is None
    where every round measures ``binaries`` as they are."""

    runner: runner.Runner
    rules: analysis.Rules
    seed: str
    binaries: Binaries
    go: Mapping[Side, Go]
    file: Path
    record: Callable[[Record], None]
    progress: Progress
    relink: Relink | None = None
    meter: Callable[[], machine.Meter | machine.Unmetered] = machine.Meter.start

    @property
    def cell(self) -> Cell:
        """The cell that is measured."""
        return self.runner.cell

    @property
    def profile(self) -> Profile:
        """How much is measured."""
        return self.runner.profile

    def linked(self, number: int, packages: Collection[str]) -> contextlib.AbstractContextManager[Binaries]:
        """The binaries of a round."""
        if self.relink is None:
            return contextlib.nullcontext(self.binaries)
        return self.relink(schedule.layout_seed(self.seed, number), packages)


@dataclass
class _State:
    """What is measured so far; rebuilt from the ledger on resume."""

    meter: machine.Meter | machine.Unmetered
    done: set[tuple[Target, int]] = field(default_factory=set)
    lost: set[Target] = field(default_factory=set)
    screenings: list[analysis.Screening] = field(default_factory=list)

    @property
    def number(self) -> int:
        """The latest round that was begun."""
        return max((number for _, number in self.done), default=0)


def measure(setup: Setup, targets: Sequence[Target], history: Sequence[Record]) -> None:
    """Measure ``targets`` on this cell, going on from ``history`` (the records of an earlier start)."""
    state = _restore(setup, history)
    for number in range(1, setup.profile.rounds + 1):
        _round(setup, state, targets, number, setup.profile.rounds)
    deadline = time.monotonic() + setup.profile.max_seconds
    while more := _more(setup, state, targets, deadline):
        chosen, rounds = more
        first = state.number + 1
        for number in range(first, first + rounds):
            _round(setup, state, chosen, number, setup.profile.max_rounds)


def _more(
    setup: Setup, state: _State, targets: Sequence[Target], deadline: float
) -> tuple[list[Target], int] | None:
    """What is to be measured again, and for how many rounds until something can be decided; None when
    nothing is open or a cap is reached. Screens on the way."""
    number = state.number
    late = time.monotonic() > deadline
    left = 0 if late else setup.profile.max_rounds - number
    series = _series(setup)
    flagged = tuple(sorted(map(str, analysis.flag(series, state.screenings, setup.rules, left))))
    if flagged or not state.screenings:
        state.screenings.append(analysis.Screening(rounds=number, flagged=flagged))
        setup.record(Screened(cell=setup.cell.id, rounds=number, flagged=list(flagged)))
    verdicts = analysis.judge(series, state.screenings, setup.rules)
    wanted = analysis.pending(series, state.screenings, verdicts)
    chosen = [target for target in _functions(targets, list(wanted)) if target not in state.lost]
    if chosen and late:
        setup.progress.note(f"  left open at max_seconds: {len(wanted)} of {len(series)} comparisons")
    if not chosen or left <= 0:
        return None
    rounds = min(left, *wanted.values())
    setup.progress.note(
        f"  open after round {number}: {len(wanted)} of {len(series)} comparisons; "
        f"rounds until the next look: {rounds}"
    )
    return chosen, rounds


def _restore(setup: Setup, history: Sequence[Record]) -> _State:
    state = _State(meter=setup.meter())
    for record in history:
        if isinstance(record, PairMeasured) and record.cell == setup.cell.id:
            state.done.add((Target(record.package, record.benchmark), record.round))
        elif isinstance(record, BenchmarkLost) and record.cell == setup.cell.id:
            state.lost.add(Target(record.package, record.benchmark))
        elif isinstance(record, Screened) and record.cell == setup.cell.id:
            state.screenings.append(analysis.Screening(rounds=record.rounds, flagged=tuple(record.flagged)))
    setup.file.parent.mkdir(parents=True, exist_ok=True)
    setup.file.touch()
    restore_file(setup.file, setup.cell.id, history)
    return state


def check_file(file: Path, last: PairMeasured) -> None:
    """UsageError for a benchmark file that is not, to the byte, what it was after the last pair."""
    if file.stat().st_size != last.size or file_sha256(file) != last.sha256:
        raise UsageError(f"{file} is not what was measured: it was changed after it was written")


def restore_file(file: Path, cell: str, history: Sequence[Record]) -> None:
    """Cut off what was half-written when a run was killed. UsageError when the rest is not what was measured,
    by the last pair's record."""
    pairs_ = [record for record in history if isinstance(record, PairMeasured) and record.cell == cell]
    size = pairs_[-1].size if pairs_ else 0
    data = file.read_bytes()[:size] if file.exists() else b""
    if pairs_ and hashlib.sha256(data).hexdigest() != pairs_[-1].sha256:
        raise UsageError(
            f"{file} is not what was measured: it was changed after it was written",
            hint="start a new run without --resume",
        )
    if file.exists():
        os.truncate(file, size)


def _series(setup: Setup) -> list[pairs.PairedSeries]:
    return pairs.collect(setup.file.read_text(encoding="utf-8").splitlines())


def _functions(targets: Sequence[Target], keys: Sequence[pairs.Key]) -> list[Target]:
    wanted = {(key.package, key.function) for key in keys}
    return [target for target in targets if (target.package, target.benchmark) in wanted]


def _round(setup: Setup, state: _State, targets: Sequence[Target], number: int, last: int) -> None:
    todo = [t for t in targets if t not in state.lost and (t, number) not in state.done]
    if todo:
        setup.progress.step(f"{setup.cell.id} round {number}", number - 1, last)
        with setup.linked(number, {target.package for target in todo}) as binaries:
            for target in schedule.shuffled(setup.seed, number, todo):
                setup.progress.step(f"{setup.cell.id} round {number} {target.benchmark}", number - 1, last)
                _pair(setup, binaries, state, target, number)
                time.sleep(setup.profile.cooldown)
        used = state.meter.usage()
        setup.record(RoundEnded(cell=setup.cell.id, round=number, elsewhere=used.elsewhere, steal=used.steal))
    setup.progress.step(f"{setup.cell.id} round {number}", number, last)


def _pair(setup: Setup, binaries: Binaries, state: _State, target: Target, number: int) -> None:
    order = schedule.side_order(setup.seed, target.benchmark, number)
    started = time.monotonic()
    samples, failures = _both(setup, binaries, target, order)
    earlier: list[Mapping[Side, runner.SampleError]] = []
    for _ in range(REPEATS):
        # One failure may be a flake: a whole new pair decides, as with tests. It is said all the same.
        if not failures or any(error.host for error in failures.values()):
            break
        earlier.append(failures)
        samples, failures = _both(setup, binaries, target, order)
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
    for failed in earlier:
        for side, error in failed.items():
            setup.record(_retried(setup.cell, target, number, side, error))
    # The baseline stands first whichever ran first (the record says): benchstat compares with the first.
    size, sha256 = _append(setup.file, "".join(samples[side].text(side, number) for side in SIDES))
    state.done.add((target, number))
    setup.record(
        PairMeasured(
            cell=setup.cell.id,
            package=target.package,
            benchmark=target.benchmark,
            round=number,
            order=list(order),
            size=size,
            sha256=sha256,
            seconds=round(time.monotonic() - started, 3),
        )
    )


def _both(
    setup: Setup, binaries: Binaries, target: Target, order: Sequence[Side]
) -> tuple[dict[Side, runner.Sample], dict[Side, runner.SampleError]]:
    """One sample of each side. The second runs even when the first failed: whose fault it is depends on
    both."""
    samples: dict[Side, runner.Sample] = {}
    failures: dict[Side, runner.SampleError] = {}
    for side in order:
        binary = binaries[side][target.package]
        try:
            samples[side] = setup.runner.run(binary, setup.go[side], target.benchmark)
        except runner.SampleError as error:
            failures[side] = error
    return samples, failures


def _append(path: Path, text: str) -> tuple[int, str]:
    """Add to the file in one write, through to the disk; its length then, and the sha256 of all of it."""
    with path.open("ab") as stream:
        stream.write(text.encode())
        stream.flush()
        os.fsync(stream.fileno())
        size = stream.tell()
    return size, file_sha256(path)


def _retried(
    cell: Cell, target: Target, number: int, side: Side, error: runner.SampleError
) -> BenchmarkRetried:
    return BenchmarkRetried(
        cell=cell.id,
        package=target.package,
        benchmark=target.benchmark,
        round=number,
        side=side,
        reason=error.reason,
        log=error.log.name if error.log else "",
    )


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
