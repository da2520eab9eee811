"""The figures of docs/statistics.md: false alarms, power and cost of the rules under several noises.

``./inv self-bench statistics`` prints them; the same seeds give the same figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.stats.floor import assess
from pipeline.stats.sequential import FIRST
from tests.simulation import rules
from tests.simulation.curves import unpaired_p
from tests.simulation.noise import CORRELATED, MODELS, Model, Rng, block_runs, paired_runs
from tests.simulation.rules import Bools

SEED = 20261124
EFFECT = float(np.log(1.02))
PAIRS = 10
FIXED = 20
FLOOR_PAIRS = 48
CAP = 200


def designs(model: Model, rng: Rng, count: int) -> Bools:
    """Whether each comparison is judged paired, by a noise floor of its own measured before."""
    base, again = paired_runs(model, rng, count, FLOOR_PAIRS)
    floors = (
        assess([list(zip(np.exp(one).tolist(), np.exp(other).tolist(), strict=True))])
        for one, other in zip(base, again, strict=True)
    )
    return np.array([floor is not None and floor.design == "paired" for floor in floors])


@dataclass(frozen=True, kw_only=True)
class TenPairs:
    """One test on ten pairs at level .05, and ten and ten runs in blocks judged by Mann–Whitney: as it is,
    and held to the pairs' false alarm rate."""

    alarms: float
    power: float
    block_alarms: float
    block_power: float
    held_alarms: float
    held_power: float


def ten_pairs(model: Model, rng: Rng, count: int) -> TenPairs:
    """False alarms without a change and power at +2 %."""
    paired = designs(model, rng, count)
    base, patched = paired_runs(model, rng, count, PAIRS)
    alarm = rules.p_at(base, patched, PAIRS, paired) <= rules.ALPHA
    found = rules.p_at(base, patched + EFFECT, PAIRS, paired) <= rules.ALPHA
    blocks, others = block_runs(model, rng, count, PAIRS)
    null, real = unpaired_p(blocks, others), unpaired_p(blocks, others + EFFECT)
    # Held: the largest critical value whose false alarms do not exceed those of the pairs.
    levels = [level for level in np.unique(null) if (null <= level).mean() <= alarm.mean()]
    held = max(levels, default=0.0)
    return TenPairs(
        alarms=float(alarm.mean()),
        power=float(found.mean()),
        block_alarms=float((null <= rules.ALPHA).mean()),
        block_power=float((real <= rules.ALPHA).mean()),
        held_alarms=float((null <= held).mean()),
        held_power=float((real <= held).mean()),
    )


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """One comparison with the stopping rule: false alarms (no change), a change of 2 % found worse, called
    unchanged or better, runs to a verdict of both; and what 20 + 20 runs in blocks give."""

    alarms: float
    power: float
    missed: float
    runs_same: float
    runs_changed: float
    fixed_alarms: float
    fixed_power: float


def stopped(model: Model, rng: Rng, count: int) -> Stopped:
    """A change counts from 1 % and "no change" means within 2 %, as in the profile ``rigorous``."""
    paired = designs(model, rng, count)
    base, patched = paired_runs(model, rng, count, CAP)
    # Alarms are counted without the effect threshold: it can only make them fewer.
    null = rules.run_alone(base, patched, paired, cap=CAP, effect=0.0, margin=0.02)
    real = rules.run_alone(base, patched + EFFECT, paired, cap=CAP, effect=0.01, margin=0.02)
    blocks, others = block_runs(model, rng, count, FIXED)
    return Stopped(
        alarms=float((np.abs(null.word) == 1).mean()),
        power=float((real.word == 1).mean()),
        missed=float(((real.word == 0) | (real.word == -1)).mean()),
        runs_same=2 * float(null.pairs.mean()),
        runs_changed=2 * float(real.pairs.mean()),
        fixed_alarms=float((unpaired_p(blocks, others) <= rules.ALPHA).mean()),
        fixed_power=float((unpaired_p(blocks, others + EFFECT) <= rules.ALPHA).mean()),
    )


@dataclass(frozen=True, kw_only=True)
class Families:
    """Families in which nothing changed: how often anything is claimed. And families in which one member
    changed by 2 %: how often it is found, in how many runs of its own, by each way of judging."""

    small_alarms: float
    screened_alarms: float
    small_power: float
    screened_power: float
    small_runs: float
    screened_runs: float


def families(model: Model, rng: Rng, count: int, size: int) -> Families:
    """``count`` families of ``size`` comparisons that drift independently."""
    base, patched = paired_runs(model, rng, count * size, CAP)
    changed = patched.copy()
    changed[::size] += EFFECT
    small, screened = (
        rules.run_small_families(base, patched, size=size, cap=CAP),
        rules.run_screened_families(base, patched, size=size, cap=CAP, first=FIRST),
    )
    small_real, screened_real = (
        rules.run_small_families(base, changed, size=size, cap=CAP),
        rules.run_screened_families(base, changed, size=size, cap=CAP, first=FIRST),
    )
    return Families(
        small_alarms=float(small.claimed.any(1).mean()),
        screened_alarms=float(screened.claimed.any(1).mean()),
        small_power=float(small_real.claimed[:, 0].mean()),
        screened_power=float(screened_real.claimed[:, 0].mean()),
        small_runs=2 * float(small_real.pairs.mean()),
        screened_runs=2 * float(screened_real.pairs.mean()),
    )


def generator(*words: object) -> Rng:
    """A generator of its own for each cell of the tables, so that one can be made again alone."""
    return np.random.default_rng([SEED, *"/".join(map(str, words)).encode()])


def lines(count: int) -> Iterator[str]:
    """The tables as Markdown; ``count`` comparisons a cell."""
    yield from _header(
        "noise",
        "pairs: false alarms",
        "power",
        "blocks: false alarms",
        "power",
        "blocks held to the pairs' false alarms: power",
    )
    for name, model in MODELS.items():
        ten = ten_pairs(model, generator("ten", name), 4 * count)
        yield _line(name, ten.alarms, ten.power, ten.block_alarms, ten.block_power, ten.held_power)
    yield ""
    yield from _header(
        "noise",
        "false alarms",
        "+2 % found",
        "+2 % missed",
        "runs, no change",
        "runs, +2 %",
        "20 + 20 in blocks: false alarms",
        "power",
    )
    runs = []
    for name, model in MODELS.items():
        one = stopped(model, generator("stop", name), count)
        if name in CORRELATED:
            runs.append((one.runs_same, one.runs_changed))
        figures = (one.alarms, one.power, one.missed, _runs(one.runs_same), _runs(one.runs_changed))
        yield _line(name, *figures, one.fixed_alarms, one.fixed_power)
    same, changed = np.mean(runs, axis=0)
    yield _line("mean of the correlated models", "", "", "", _runs(same), _runs(changed), "", "")
    yield ""
    yield from _family_lines(count)


def _family_lines(count: int) -> Iterator[str]:
    yield from _header(
        "members",
        "noise",
        "corrected for all: false alarms",
        "+2 % found",
        "its runs",
        "screened and confirmed: false alarms",
        "+2 % found",
        "its runs",
    )
    for size in (1, 2, 4, 8, 25):
        for name, model in MODELS.items():
            found = families(model, generator("family", size, name), max(400, count // size), size)
            small = (found.small_alarms, found.small_power, _runs(found.small_runs))
            screened = (found.screened_alarms, found.screened_power, _runs(found.screened_runs))
            yield _line(str(size), name, *small, *screened)


def _header(*titles: str) -> tuple[str, str]:
    return _line(*titles), "|" + "---|" * len(titles)


def _line(*cells: str | float) -> str:
    return "| " + " | ".join(one if isinstance(one, str) else f"{one:.3f}" for one in cells) + " |"


def _runs(value: float) -> str:
    return f"{value:.1f}"
