"""What to measure of a series that names no benchmarks, within a time budget.

First what the series itself adds or alters, then what else its packages hold. Every candidate is run once
to see what it would cost; whatever is left out is said, with the reason.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.bench.measure import REPEATS, Target
from pipeline.bench.runner import SampleError
from pipeline.errors import HostError
from pipeline.patch.touched import Touched, is_benchmark
from pipeline.records import BenchmarksChosen

# The share of the budget that running candidates once may take. One that is chosen takes twice as many runs
# as there are rounds, so trying it out costs less than this share of its own; the rest is for the refused.
PROBING_SHARE = 0.1

# Runs a benchmark once on the patched side: wall seconds, or SampleError when it gives no number.
Probe = Callable[[Target], float]


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A benchmark of a changed package that is not measured, and why."""

    package: str
    benchmark: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What is measured, in the order in which it was chosen, and what is not."""

    chosen: tuple[Target, ...]
    left_out: tuple[LeftOut, ...]

    def record(self, cell: str, budget: float) -> BenchmarksChosen:
        """The choice for the ledger."""
        return BenchmarksChosen(
            cell=cell,
            chosen=[" ".join(target) for target in self.chosen],
            left_out=[[one.package, one.benchmark, one.reason] for one in self.left_out],
            budget=budget,
        )


def of_record(record: BenchmarksChosen) -> tuple[Target, ...]:
    """What was chosen: a resumed run keeps it, for another try would give other times."""
    return tuple(Target(package, benchmark) for package, benchmark in record.targets)


def timed(run: Callable[[Target], object]) -> Probe:
    """A probe from what runs a benchmark once."""

    def probe(target: Target) -> float:
        started = time.monotonic()
        run(target)
        return time.monotonic() - started

    return probe


def choose(
    *,
    touched: Mapping[str, Touched],
    listed: Mapping[str, Sequence[str]],
    on_base: Mapping[str, Collection[str]],
    rounds: int,
    budget: float,
    probe: Probe,
    clock: Callable[[], float] = time.monotonic,
) -> Choice:
    """Choose for ``budget`` seconds of ``rounds`` rounds; rounds that turn out to be needed beyond those
    are not in it.

    ``listed`` is what the patched test binary of each changed package holds, in its order, and ``on_base``
    what the baseline's holds. What the series touches is taken whatever it costs. One that the baseline
    lacks is among it, untried: there is nothing to measure, and the caller says that it is new.
    """
    purse = _Purse(rounds=rounds, budget=budget, probe=probe, clock=clock)
    chosen: list[Target] = []
    left_out: list[LeftOut] = []

    def leave(target: Target, reason: str) -> None:
        left_out.append(LeftOut(package=target.package, benchmark=target.benchmark, reason=reason))

    first = list(_touched(touched))
    for target in first:
        if target.benchmark not in listed.get(target.package, ()):
            leave(target, "it is not in the test binary of this platform")
            continue
        chosen.append(target)
        if target.benchmark in on_base.get(target.package, ()):
            purse.take(target)
    for target in _others(listed, first):
        if target.benchmark not in on_base.get(target.package, ()):
            leave(target, "the baseline does not have it")
        elif reason := purse.refuse(target):
            leave(target, reason)
        else:
            chosen.append(target)
    return Choice(chosen=tuple(chosen), left_out=tuple(left_out))


def _touched(touched: Mapping[str, Touched]) -> Iterator[Target]:
    """What is added, then what is altered; each by package and name."""
    packages = sorted(touched.items())
    for package, one in packages:
        yield from (Target(package, name) for name in sorted(one.added))
    for package, one in packages:
        yield from (Target(package, name) for name in sorted(one.altered))


def _others(listed: Mapping[str, Sequence[str]], first: Sequence[Target]) -> Iterator[Target]:
    """The other benchmarks, each once: a package and its external tests may both have one of a name."""
    seen = set(first)
    for package, names in listed.items():
        for target in (Target(package, name) for name in names if is_benchmark(name)):
            if target not in seen:
                seen.add(target)
                yield target


@dataclass(kw_only=True)
class _Purse:
    """The budget: what the chosen ones will take of it, and what trying candidates out has taken."""

    rounds: int
    budget: float
    probe: Probe
    clock: Callable[[], float]
    taken: float = 0.0
    probing: float = 0.0

    def take(self, target: Target) -> None:
        """Pay for a benchmark that is measured in any case."""
        cost, _ = self._try(target)
        self.taken += cost

    def refuse(self, target: Target) -> str:
        """Pay for a benchmark if there is enough left; '' then, else why it is left out."""
        beyond = f"beyond the time budget of {self.budget:g} s"
        if self.taken >= self.budget:
            return beyond
        if self.probing > PROBING_SHARE * self.budget:
            return f"{beyond}: trying out others had used up a tenth of it"
        cost, reason = self._try(target)
        if reason:
            return reason
        if self.taken + cost > self.budget:
            return beyond
        self.taken += cost
        return ""

    def _try(self, target: Target) -> tuple[float, str]:
        """What measuring a benchmark costs, and why it gives no number."""
        started = self.clock()
        try:
            seconds = self.probe(target)
        except SampleError as error:
            if error.host:
                raise HostError(
                    f"{target.benchmark} was {error.reason}",
                    hint="free some space and add --resume; nothing that was measured is lost",
                ) from error
            seconds = self.clock() - started
            self.probing += seconds
            # Measuring it ends with its first round, once further pairs have failed as well.
            return 2 * (1 + REPEATS) * seconds, f"it gives no number: {error.reason}"
        self.probing += seconds
        return 2 * self.rounds * seconds, ""
