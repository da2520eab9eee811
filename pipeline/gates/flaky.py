"""Whether a test that failed with the patch and not without it fails because of the patch.

A test that differed is repeated on both sides, side by side, and judged on the repetitions alone: the
first runs picked it out, and counting them again would be counting the luck that picked it. The question is
Fisher's: if the sides fail equally often, how likely are so many of the failures on the patched side?

What that bounds. Let a test fail with probability p on either side, patch or no patch. It is charged only if

- it is picked out: the patched side fails and the baseline passes, p(1 - p), or both fail and the baseline
  passes when it is asked again before that excuses anything, p²(1 - p); together at most 0.385; and then
- p by Fisher is at most ``ALPHA`` = 1/200 at one of two looks, after 5 and after 20 repetitions a side. His
  test holds its level for every p, so that is at most 2/200.

Together less than 0.4 % for the worst p. With the early stops below it is 0.04 %, at p = 1/2:
tests/unit/test_gates_flaky.py computes it over every path. After 5 repetitions only 5 failures against none
are enough (1 in 252), after 20 it takes 7 against none (1 in 240). Once seen to differ, a test that the patch
makes fail half of the time is charged with 94 %, one that fails one time in three with 52 %. What fails on
the patched side alone and too seldom for that is ``unsettled``, which keeps the run from being a pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import Literal

FIRST_LOOK = 5
LAST_LOOK = 20
ALPHA = 0.005

Word = Literal["open", "fails", "fails-more", "flaky", "unsettled", "baseline-fails"]


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Repetitions on both sides, and how many of them failed."""

    base_failed: int = 0
    base_runs: int = 0
    patched_failed: int = 0
    patched_runs: int = 0

    @property
    def p(self) -> float:
        """Fisher's exact test, one-sided: how likely at least ``patched_failed`` of all the failures are on
        the patched side, when both sides fail equally often. 1 before anything ran."""
        runs = self.base_runs + self.patched_runs
        failed = self.base_failed + self.patched_failed
        ways = sum(
            comb(self.patched_runs, k) * comb(self.base_runs, failed - k)
            for k in range(self.patched_failed, min(failed, self.patched_runs) + 1)
        )
        return ways / comb(runs, failed)

    @property
    def plain(self) -> str:
        """The counts in words."""
        return (
            f"failed {self.patched_failed} of {self.patched_runs} patched, "
            f"{self.base_failed} of {self.base_runs} baseline"
        )

    def __str__(self) -> str:
        return f"{self.plain}, Fisher p = {self.p:.2g}"


def judge(counts: Counts, *, over: bool = False) -> Word:
    """What the repetitions say so far; ``open`` asks for more. ``over`` is that there will be none.

    ``fails`` is every time and never on the baseline; ``fails-more`` more often than on the baseline by
    Fisher's test; ``flaky`` on both sides; ``unsettled`` on the patched side alone, too seldom to tell;
    ``baseline-fails`` every time on both.
    """
    runs = min(counts.base_runs, counts.patched_runs)
    always = counts.patched_failed == counts.patched_runs
    # Only where both sides are: a side that gives no more outcomes would bring a look with every round.
    even = counts.base_runs == counts.patched_runs
    if even and runs in {FIRST_LOOK, LAST_LOOK} and counts.p <= ALPHA:
        if not counts.base_failed:
            return "fails" if always else "fails-more"
        if always:
            return "fails-more"
    # Both sides flake: what the rest would say is not the patch's. A test that fails every time where the
    # baseline only flakes goes on to the last look.
    if counts.base_failed and not always:
        return "flaky"
    if runs < LAST_LOOK and not over and not (runs >= FIRST_LOOK and counts.base_failed == counts.base_runs):
        return "open"
    if counts.base_failed:
        return "baseline-fails" if counts.base_failed == counts.base_runs else "flaky"
    return "unsettled"
