"""The pipeline's rules for many simulated comparisons at once, written a second time.

A test holds these against ``pipeline.stats.analysis`` on single comparisons; the error rates then are the
rules' own. Arrays are (comparisons, rounds) of log values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.stats import floor, sequential
from pipeline.stats.analysis import SCREEN_SHARE
from tests.simulation.curves import paired_p, rank_sum_tails, signed_rank_tails, unpaired_p
from tests.simulation.noise import Array

Bools = npt.NDArray[np.bool_]
ALPHA = 0.05


def paired_by_floor(base: Array, again: Array) -> Bools:
    """Whether a session of the baseline with itself has comparisons judged paired. At least as many pairs as
    a floor needs."""
    within = np.mean((again - base) ** 2, axis=1)
    likeness = 1 - within / (2 * np.var(np.concatenate([base, again], axis=1), axis=1, ddof=1))
    return np.asarray((likeness <= floor.OPPOSED) | (likeness >= floor.PAIRING_PAYS))


def p_at(base: Array, patched: Array, n: int, paired: Bools) -> Array:
    """Two-sided p of each comparison at look ``n``, by its design."""
    found = paired_p(patched[:, :n] - base[:, :n])
    if not paired.all():
        found[~paired] = unpaired_p(base[~paired, :n], patched[~paired, :n])
    return found


def shifts(base: Array, patched: Array, paired: bool) -> Array:
    """The sorted values whose median is the estimate: Walsh averages of differences, or all differences."""
    if paired:
        differences = patched - base
        rows, columns = np.triu_indices(differences.shape[1])
        return np.sort((differences[:, rows] + differences[:, columns]) / 2, axis=1)
    return np.sort((patched[:, :, None] - base[:, None, :]).reshape(len(base), -1), axis=1)


def bounds(base: Array, patched: Array, paired: bool) -> tuple[Array, Array, Array]:
    """Estimate, low and high of each comparison at its last round, covering at all looks together."""
    n = base.shape[1]
    tails = signed_rank_tails(n) if paired else rank_sum_tails(n)
    level = sequential.level(n, ALPHA, "paired" if paired else "unpaired")
    cut = int(np.searchsorted(2 * tails, level * (1 + 1e-12), side="right")) - 1
    ordered = shifts(base, patched, paired)
    middle = np.median(ordered, axis=1)
    if cut < 0:
        return middle, np.full(len(base), -np.inf), np.full(len(base), np.inf)
    return middle, ordered[:, cut], ordered[:, -1 - cut]


@dataclass(frozen=True, kw_only=True)
class Ends:
    """How comparisons ended: ``word`` is 1 worse, -1 better, 0 no change, 2 undecided; ``pairs`` used."""

    word: npt.NDArray[np.int64]
    pairs: npt.NDArray[np.int64]


def run_alone(
    base: Array, patched: Array, paired: Bools, *, cap: int, effect: float, margin: float, size: int = 1
) -> Ends:
    """One comparison each, judged on all its rounds, looked at until it is decided or the cap is reached; a
    member of a family of ``size`` in which nothing else changed."""
    count = len(base)
    word, pairs = np.full(count, 2), np.full(count, cap)
    smallest = np.full(count, np.inf)
    going = np.ones(count, dtype=bool)
    for n in (one for one in sequential.LOOKS if one <= cap):
        at = np.flatnonzero(going)
        smallest[at] = np.minimum(
            smallest[at], p_at(base[at], patched[at], n, paired[at]) * np.sqrt(n / sequential.FIRST)
        )
        for design in (True, False):
            rows = at[paired[at] == design]
            if not len(rows):
                continue
            limit = sequential.level(sequential.FIRST, ALPHA / size, "paired" if design else "unpaired")
            middle, low, high = bounds(base[rows, :n], patched[rows, :n], design)
            claimed = (smallest[rows] <= limit) & (np.abs(middle) >= np.log1p(effect))
            calm = np.expm1(np.maximum(np.abs(low), np.abs(high))) <= margin
            word[rows[claimed]] = np.sign(middle[claimed]).astype(int)
            word[rows[calm & ~claimed]] = 0
            ended = rows[claimed | calm]
            pairs[ended], going[ended] = n, False
    return Ends(word=word, pairs=pairs)


def looks_p(base: Array, patched: Array, cap: int) -> Array:
    """Weighted p of each comparison at every look up to ``cap`` after the first round given: (…, looks)."""
    weighted = [
        paired_p(patched[:, :n] - base[:, :n]) * np.sqrt(n / sequential.FIRST)
        for n in sequential.LOOKS
        if n <= cap
    ]
    return np.stack(weighted, axis=1)


def benjamini_hochberg(p_values: Array) -> Array:
    """Adjusted p along the last axis."""
    size = p_values.shape[-1]
    order = np.argsort(p_values, axis=-1)
    scaled = np.take_along_axis(p_values, order, -1) * size / np.arange(1, size + 1)
    lowest = np.minimum.accumulate(scaled[..., ::-1], axis=-1)[..., ::-1]
    found = np.empty_like(p_values)
    np.put_along_axis(found, order, lowest, -1)
    return found


@dataclass(frozen=True, kw_only=True)
class FamilyEnds:
    """Families that end at a cap: ``claimed`` (families, members), and the first member's pairs. ``flagged``
    (families, members) is the round after which a member was flagged, 0 for never."""

    claimed: Bools
    pairs: npt.NDArray[np.int64]
    flagged: npt.NDArray[np.int64]


def run_small_families(base: Array, patched: Array, *, size: int, cap: int) -> FamilyEnds:
    """Every member is judged on all rounds, corrected for the family's size (the first step of Holm, which
    alone decides whether anything is claimed)."""
    weighted = looks_p(base, patched, cap).reshape(-1, size, _looks(cap))
    limit = _limit(ALPHA / size)
    hit = weighted <= limit
    never = np.zeros(hit.shape[:2], dtype=np.int64)
    return FamilyEnds(claimed=np.asarray(hit.any(-1)), pairs=_first_look(hit[:, 0], cap), flagged=never)


def run_screened_families(base: Array, patched: Array, *, size: int, cap: int, first: int) -> FamilyEnds:
    """Screen after ``first`` rounds and at each look after which enough are left to confirm anything; what
    is flagged is judged on fresh rounds."""
    total = base.shape[1]
    differences = (patched - base).reshape(-1, size, total)
    families = len(differences)
    after = np.zeros((families, size), dtype=int)
    for n in (one for one in sequential.LOOKS if first <= one <= cap - sequential.FIRST):
        p_values = paired_p(differences[:, :, :n].reshape(-1, n)).reshape(families, size)
        # What was flagged before is in no later screening: 1 keeps its place and never flags.
        shares = benjamini_hochberg(np.where(after > 0, 1.0, p_values))
        after[(after == 0) & (shares <= SCREEN_SHARE)] = n
    smallest = np.full((families, size), np.inf)
    reached = np.full((families, size), cap)
    flagged = after > 0
    members = np.maximum(flagged.sum(1), 1)
    limits = np.array([0.0, *(_limit(ALPHA / m) for m in range(1, size + 1))])
    for start in np.unique(after[flagged]):
        rows = np.argwhere(after == start)
        fresh = differences[rows[:, 0], rows[:, 1], start:]
        left = min(cap - int(start), fresh.shape[1])
        weighted = looks_p(np.zeros_like(fresh[:, :left]), fresh[:, :left], left)
        smallest[rows[:, 0], rows[:, 1]] = weighted.min(1)
        hit = weighted <= limits[members[rows[:, 0]]][:, None]
        reached[rows[:, 0], rows[:, 1]] = np.where(hit.any(1), start + _first_look(hit, left), cap)
    return FamilyEnds(claimed=smallest <= limits[members][:, None], pairs=reached[:, 0], flagged=after)


def _looks(cap: int) -> int:
    return sum(n <= cap for n in sequential.LOOKS)


def _limit(alpha: float) -> float:
    return sequential.level(sequential.FIRST, alpha, "paired")


def _first_look(hit: Bools, cap: int) -> npt.NDArray[np.int64]:
    looks = np.array([n for n in sequential.LOOKS if n <= cap])
    return np.where(hit.any(1), looks[hit.argmax(1)], cap)
