"""Repeating tests that differed, both sides side by side, until ``flaky`` can judge them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from pipeline.gates import events, execute, flaky
from pipeline.gates.execute import Outcomes, Program
from pipeline.gates.flaky import Counts
from pipeline.records import Side

# Why a test is repeated: it fails with the patch alone; it is new and fails; it fails without it alone.
Kind = Literal["broken", "new", "mended"]

# A claim in the patch's favour is not charged to anyone, but it is shown: a test that flakes with p on both
# sides is called mended with (p(1 - p))³, at most 1/64.
MENDED_RUNS = 2
# A test alone gets this many times what it took among the others, and never less than the seconds below.
SLOWER = 20
MIN_LIMIT = 30
# Times the limit of one process, for all repetitions of a package.
BUDGET = 5


def usual_limit(names: Sequence[str], passing: Mapping[str, float], limit: int) -> int:
    """Seconds that a process of repetitions gets, by what its tests took where they passed."""
    usual = sum(passing.get(name, 0.0) for name in names)
    return min(limit, max(MIN_LIMIT, int(SLOWER * usual)))


def repeat(
    programs: Mapping[Side, Program],
    kinds: Mapping[str, Kind],
    *,
    passing: Mapping[str, float],
    limit: int,
) -> dict[str, Counts]:
    """Repetitions of each of ``kinds`` (tests, or subtests as ``Test/sub``), always live, never stored.

    All that are open run together, in one process a side and round. ``passing`` has the seconds of tests
    where they passed; ``limit`` is the most that a process gets.
    """
    counts = {name: Counts() for name in kinds}
    deadline = time.monotonic() + BUDGET * limit
    order: list[Side] = ["base", "patched"]
    for number in range(1, flaky.LAST_LOOK + 1):
        going = [name for name in kinds if _open(kinds[name], counts[name])]
        if not going or time.monotonic() > deadline:
            break
        tests = list(dict.fromkeys(events.top(name) for name in going))
        seconds = usual_limit(tests, passing, limit)
        for side in order:
            wanted = [name for name in tests if side == "patched" or kinds.get(name) != "new"]
            found, _ = execute.run(
                programs[side], wanted, limit=seconds, budget=3 * seconds, tag=f"-again{number}"
            )
            for name in going:
                counts[name] = _counted(counts[name], side, name, found)
        order.reverse()
    return counts


def _open(kind: Kind, counts: Counts) -> bool:
    if kind == "new":
        return counts.patched_runs < flaky.FIRST_LOOK
    if kind == "mended":
        same = counts.base_failed == counts.base_runs and not counts.patched_failed
        return same and min(counts.base_runs, counts.patched_runs) < MENDED_RUNS
    return flaky.judge(counts) == "open"


def _counted(counts: Counts, side: Side, name: str, found: Outcomes) -> Counts:
    if name not in found:
        return counts
    failed = int(found[name].outcome == "fail")
    if side == "base":
        return replace(counts, base_runs=counts.base_runs + 1, base_failed=counts.base_failed + failed)
    return replace(
        counts, patched_runs=counts.patched_runs + 1, patched_failed=counts.patched_failed + failed
    )
