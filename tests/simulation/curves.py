"""Makes ``pipeline/stats/curves.json``: how small the smallest weighted p of a schedule of looks gets by
chance. ``python -m tests.simulation.curves [SECONDS]`` writes it; a test makes it again, with another seed.

Under the null the signed ranks of a comparison are a random order with fair signs, whatever the continuous
distribution, and so are the ranks of two samples: one simulation serves for all.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from pipeline.stats.sequential import LOOKS

Array = npt.NDArray[np.float64]
SEEDS = {"paired": 20261124, "unpaired": 20261125}
FILE = Path(__file__).resolve().parents[2] / "pipeline/stats/curves.json"
# Dense where verdicts fall.
GRID = [
    *np.geomspace(1e-5, 4e-3, 27).tolist(),
    *np.geomspace(4.2e-3, 2e-2, 33).tolist(),
    *np.geomspace(2.4e-2, 1.0, 20).tolist(),
]


@lru_cache
def signed_rank_tails(n: int) -> Array:
    """P(T <= t) for n pairs."""
    mass = np.ones(1)
    for rank in range(1, n + 1):
        grown = np.zeros(len(mass) + rank)
        grown[: len(mass)] += mass
        grown[rank:] += mass
        mass = grown / 2
    return np.cumsum(mass)


@lru_cache
def rank_sum_tails(n: int) -> Array:
    """P(U <= u) for n values a side: exact to 50, beyond that normal with continuity correction."""
    top = n * n
    if n > 50:
        spread = np.sqrt(top * (2 * n + 1) / 12)
        return np.asarray(norm.cdf((np.arange(top + 1) + 0.5 - top / 2) / spread))
    mass = np.zeros(top + 1)
    mass[0] = 1.0
    for i in range(1, n + 1):  # the Gaussian binomial, factor by factor
        product = mass.copy()
        if n + i <= top:
            product[n + i :] -= mass[: -(n + i)]
        for start in range(i):
            product[start::i] = np.cumsum(product[start::i])
        mass = product * i / (n + i)
    return np.cumsum(mass)


def paired_p(differences: Array) -> Array:
    """Two-sided signed-rank p of each row."""
    n = differences.shape[1]
    ranks = np.argsort(np.argsort(np.abs(differences), axis=1), axis=1) + 1
    positive = (ranks * (differences > 0)).sum(axis=1)
    smaller = np.minimum(positive, n * (n + 1) // 2 - positive)
    return np.asarray(np.minimum(1, 2 * signed_rank_tails(n)[smaller]))


def unpaired_p(base: Array, patched: Array) -> Array:
    """Two-sided Mann–Whitney p of each row."""
    n = base.shape[1]
    ranks = np.argsort(np.argsort(np.concatenate([base, patched], axis=1), axis=1), axis=1) + 1
    u = ranks[:, :n].sum(axis=1) - n * (n + 1) // 2
    return np.asarray(np.minimum(1, 2 * rank_sum_tails(n)[np.minimum(u, n * n - u)]))


def smallest(p_at: Callable[[int], Array]) -> Array:
    """The smallest weighted p over all looks."""
    found = p_at(LOOKS[0])
    for n in LOOKS[1:]:
        found = np.minimum(found, p_at(n) * np.sqrt(n / LOOKS[0]))
    return found


def simulate(design: str, rng: np.random.Generator, count: int) -> Array:
    """``count`` comparisons with no change, each looked at over the whole schedule."""
    if design == "paired":
        values = rng.standard_normal((count, LOOKS[-1]))
        return smallest(lambda n: paired_p(values[:, :n]))
    base, patched = rng.standard_normal((2, count, LOOKS[-1]))
    return smallest(lambda n: unpaired_p(base[:, :n], patched[:, :n]))


def main(seconds: float) -> None:
    """Simulate for ``seconds`` a design and write the table."""
    table = {}
    for design, seed in SEEDS.items():
        rng, end, parts = np.random.default_rng(seed), time.monotonic() + seconds, []
        while time.monotonic() < end:
            parts.append(simulate(design, rng, 2000))
        values = np.concatenate(parts)
        points = [[round(c, 8), round(float((values <= c).mean()), 8)] for c in GRID]
        table[design] = {"seed": seed, "simulated": len(values), "curve": points}
    FILE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(float(sys.argv[1]) if sys.argv[1:] else 300)
