"""The self-test: patches whose effect is known, measured and judged as any other."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.bench import measure
from pipeline.bench.measure import Target
from pipeline.bench.runner import Runner
from pipeline.console import Progress
from pipeline.ledger import Ledger
from pipeline.stats import analysis, pairs
from pipeline.stats.analysis import Rules
from pipeline.stats.decision import Verdict
from pipeline.suites import selftest
from pipeline.suites.selftest import Case
from pipeline.toolchain import testbin, trees
from pipeline.toolchain.build import Builder
from pipeline.values import Cell, Profile, Threshold

# A change counts from 1 %: the smallest that is tested is 3 %.
THRESHOLD = Threshold(effect=0.01, margin=0.02)
# An estimate whose interval leaves the truth out, as one in twenty may, must still be as near as this.
TOLERANCE = 0.01
State = Literal["right", "undecided", "wrong"]


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where and with what the self-test runs."""

    builder: Builder
    cell: Cell
    profile: Profile
    ledger: Ledger
    folder: Path
    progress: Progress
    seed: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One unit of one case: what had to be found, what was, and whether that is right. ``undecided`` is what
    the data could not say: no proof of anything about the gate."""

    case: str
    unit: str
    expected: str
    verdict: Verdict | None
    state: State

    @property
    def right(self) -> bool:
        """Whether the gate did what it had to."""
        return self.state == "right"


def profile(like: Profile) -> Profile:
    """``like`` with the rounds that the self-test needs: short ones, and as many as it takes."""
    return dataclasses.replace(
        like, rounds=50, max_rounds=200, max_seconds=90, noise_rounds=0, benchtime="50ms", layout="fixed"
    )


def run(bench: Bench, each: Callable[[Outcome], None]) -> list[Outcome]:
    """Measure every case; ``each`` sees every outcome at once."""
    outcomes = []
    for case in selftest.cases():
        with bench.progress.stage(case.name):
            for outcome in _judge(case, _measure(bench, case)):
                outcomes.append(outcome)
                each(outcome)
    return outcomes


def _measure(bench: Bench, case: Case) -> dict[pairs.Key, Verdict]:
    builder, packages = bench.builder, [selftest.PACKAGE]
    bench.progress.step("build")
    patched = trees.patched(builder.store, bench.builder.shell, builder.base, selftest.series(case))
    go = builder.go(patched.tree.root, builder.base.digest)
    new = testbin.compile_patched(builder, go, patched.tree, builder.base.digest, packages)
    old = testbin.compile_baseline(builder, patched.tree, patched.changed, packages)
    file = bench.folder / "bench" / f"{case.name}.txt"
    rules = Rules(threshold=THRESHOLD)
    setup = measure.Setup(
        runner=Runner(shell=bench.builder.shell, cell=bench.cell, profile=bench.profile),
        rules=rules,
        seed=f"{bench.seed}/{case.name}",
        binaries={"base": old.binaries, "patched": new},
        go={"base": builder.go(old.tree.root, builder.base.digest), "patched": go},
        file=file,
        record=bench.ledger.append,
        progress=bench.progress,
    )
    measure.measure(setup, [Target(selftest.PACKAGE, selftest.BENCHMARK)], [])
    return analysis.judge(pairs.collect(file.read_text(encoding="utf-8").splitlines()), [], rules)


def _judge(case: Case, verdicts: dict[pairs.Key, Verdict]) -> Iterator[Outcome]:
    found = {key.unit: verdict for key, verdict in verdicts.items()}
    yield _outcome(case, "sec/op", case.change, found.get("sec/op"))
    # From none to one: an infinite ratio.
    yield _outcome(case, "allocs/op", math.inf if case.allocs else 0.0, found.get("allocs/op"))


def _outcome(case: Case, unit: str, change: float, verdict: Verdict | None) -> Outcome:
    expected = "no change" if change == 0 else "worse" if change > 0 else "better"
    if 0 < abs(change) < math.inf:
        expected += f" by {100 * abs(change):.0f} %"
    return Outcome(
        case=case.name, unit=unit, expected=expected, verdict=verdict, state=judged(change, verdict)
    )


def judged(change: float, verdict: Verdict | None) -> State:
    """Whether a verdict is right where the true change is ``change``."""
    if verdict is None:  # the benchmark was lost
        return "wrong"
    if verdict.word == "inconclusive":
        return "undecided"
    expected = "no-change" if change == 0 else "worse" if change > 0 else "better"
    if verdict.word != expected:
        return "wrong"
    found = verdict.summary
    if change in {0, math.inf}:
        return "right" if change == 0 or found.estimate == math.inf else "wrong"
    covered = found.low <= math.log1p(change) <= found.high
    return "right" if covered or abs(math.expm1(found.estimate) - change) <= TOLERANCE else "wrong"
