"""The noise floor: what the baseline differs by from itself, and whether pairing pays on this machine."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.stats.sequential import Design

Session = Sequence[tuple[float, float]]

# The likeness of neighbouring runs is an estimate like any other: with fewer pairs it decides nothing.
ENOUGH_PAIRS = 48
# Below this, a pair's own noise outweighs the drift that pairing takes out (docs/statistics.md).
PAIRING_PAYS = 0.25
# Below this, the runs of a pair are less alike than distant ones: the unpaired test would take them for
# independent, and raise false alarms.
OPPOSED = -0.2
_NORMAL_MAD = 1.4826


@dataclass(frozen=True, kw_only=True)
class Floor:
    """The noise of one comparison over ``pairs`` pairs of the baseline with itself.

    ``spread`` is the robust standard deviation (1.4826 times the median absolute value) of a pair's log
    ratio. ``likeness`` is the correlation of the two runs of a pair within a session: 1 when they are
    alike, 0 when they resemble each other no more than distant runs; NaN when nothing varied.
    """

    pairs: int
    spread: float
    likeness: float

    @property
    def design(self) -> Design:
        """How comparisons are to be judged here: unpaired only where pairing is known not to pay."""
        known = self.pairs >= ENOUGH_PAIRS and math.isfinite(self.likeness)
        return "unpaired" if known and OPPOSED < self.likeness < PAIRING_PAYS else "paired"


def assess(sessions: Sequence[Session]) -> Floor | None:
    """The floor from positive values in pairs, session by session; None without a usable pair."""
    logs = [
        [(math.log(a), math.log(b)) for a, b in session if 0 < a < math.inf and 0 < b < math.inf]
        for session in sessions
    ]
    pairs = [pair for session in logs for pair in session]
    if not pairs:
        return None
    differences = [b - a for a, b in pairs]
    spread = _NORMAL_MAD * statistics.median(abs(one) for one in differences)
    return Floor(pairs=len(pairs), spread=spread, likeness=_likeness(logs, differences))


def _likeness(logs: Sequence[Session], differences: Sequence[float]) -> float:
    """1 - Var(difference) / (2 Var(run)), the variance of a run taken within sessions only."""
    squares, freedom = 0.0, 0
    for session in logs:
        values = [value for pair in session for value in pair]
        if len(values) > 2:
            middle = statistics.fmean(values)
            squares += sum((value - middle) ** 2 for value in values)
            freedom += len(values) - 1
    if squares == 0:
        return math.nan
    within = statistics.fmean(one * one for one in differences)
    return 1 - within / (2 * squares / freedom)
