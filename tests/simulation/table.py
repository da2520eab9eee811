"""The figures of docs/statistics.md: false alarms, power and cost of the rules under several noises.

``./inv self-bench statistics`` prints them; the same seeds give the same figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.stats.analysis import SMALL_FAMILY
from pipeline.stats.sequential import FIRST
from tests.simulation import rules
from tests.simulation.curves import unpaired_p
from tests.simulation.noise import CORRELATED, MODELS, Array, Model, Rng, block_runs, paired_runs
from tests.simulation.rules import Bools, FamilyEnds

SEED = 20261124
EFFECT = float(np.log(1.02))
PAIRS = 10
FIXED = 20
FLOOR_PAIRS = 96
CAP = 200
SIZES = (1, 2, 4, 8, 25)


def designs(model: Model, rng: Rng, count: int) -> Bools:
    """Whether each comparison is judged paired, by a noise floor of its own measured before."""
    return rules.paired_by_floor(*paired_runs(model, rng, count, FLOOR_PAIRS))


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
    levels, times = np.unique(null, return_counts=True)
    fitting = levels[np.cumsum(times) / count <= alarm.mean()]
    held = float(fitting.max(initial=0.0))
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
    """Families in which nothing changed: how often anything is claimed, by the rule for their size. And
    families in which one member changed by 2 %: how often it is found and in how many runs of its own, by
    that rule and by the other one."""

    alarms: float
    power: float
    runs: float
    other_runs: float


def families(model: Model, rng: Rng, count: int, size: int) -> Families:
    """``count`` comparisons in families of ``size`` that drift independently; a tenth of them for power."""
    number = max(count // size, 1)
    used, other = (_small, _screened) if size <= SMALL_FAMILY else (_screened, _small)
    base, patched = paired_runs(model, rng, number * size, CAP)
    null = used(base, patched, size)
    some = size * max(number // 10, 1)
    base, patched = base[:some], patched[:some].copy()
    patched[::size] += EFFECT
    real, real_other = used(base, patched, size), other(base, patched, size)
    return Families(
        alarms=float(null.claimed.any(1).mean()),
        power=float(real.claimed[:, 0].mean()),
        runs=2 * float(real.pairs.mean()),
        other_runs=2 * float(real_other.pairs.mean()),
    )


def _small(base: Array, patched: Array, size: int) -> FamilyEnds:
    return rules.run_small_families(base, patched, size=size, cap=CAP)


def _screened(base: Array, patched: Array, size: int) -> FamilyEnds:
    return rules.run_screened_families(base, patched, size=size, cap=CAP, first=FIRST)


def generator(*words: object) -> Rng:
    """A generator of its own for each cell of the tables, so that one can be made again alone."""
    return np.random.default_rng([SEED, *"/".join(map(str, words)).encode()])


def ten_line(name: str, count: int) -> str:
    """A row of the first table. Two designs are compared, so it takes ten times as many comparisons."""
    ten = ten_pairs(MODELS[name], generator("ten", name), 10 * count)
    powers = [f"{one:.2f}" for one in (ten.power, ten.block_power, ten.held_power)]
    return _line(name, ten.alarms, powers[0], ten.block_alarms, powers[1], powers[2])


def stopped_line(name: str, count: int) -> tuple[str, Stopped]:
    """A row of the second table, and its figures."""
    one = stopped(MODELS[name], generator("stop", name), count)
    figures = (one.alarms, one.power, one.missed, _runs(one.runs_same), _runs(one.runs_changed))
    return _line(name, *figures, one.fixed_alarms, 1 - one.fixed_power), one


def family_line(size: int, name: str, count: int) -> tuple[str, Families]:
    """A row of the third table, and its figures."""
    found = families(MODELS[name], generator("family", size, name), count, size)
    row = _line(str(size), name, found.alarms, found.power, _runs(found.runs), _runs(found.other_runs))
    return row, found


# Effect, margin and cap in pairs of matrix.yml's profiles.
PROFILES = {"quick": (0.05, 0.08, 32), "standard": (0.03, 0.05, 100), "rigorous": (0.01, 0.02, 200)}


def between_line(profile: str, count: int) -> str:
    """A row of the last table: how often changes from the effect threshold to the margin are called none."""
    effect, margin, cap = PROFILES[profile]
    cells = []
    for change in (effect, (effect + margin) / 2, margin):
        rng = generator("between", profile, change)
        base, patched = paired_runs(MODELS["correlation .5"], rng, count, cap)
        paired = np.ones(count, dtype=bool)
        ends = rules.run_alone(
            base, patched + np.log1p(change), paired, cap=cap, effect=effect, margin=margin, size=SMALL_FAMILY
        )
        same, worse = float((ends.word == 0).mean()), float((ends.word == 1).mean())
        cells.append(f"+{100 * change:g} %: {same:.2f} / {worse:.2f}")
    return _line(profile, *cells)


def lines(count: int) -> Iterator[str]:
    """The tables as Markdown; ``count`` comparisons a row."""
    yield from _header(
        "noise",
        "10 pairs: false alarms",
        "+2 % found",
        "10 + 10 in blocks: false alarms",
        "+2 % found",
        "blocks held to the pairs' false alarms: +2 % found",
    )
    for name in MODELS:
        yield ten_line(name, count)
    yield ""
    yield from _header(
        "noise",
        "false alarms",
        "+2 % found",
        "+2 % missed",
        "runs to a verdict, no change",
        "runs to a verdict, +2 %",
        "20 + 20 in blocks: false alarms",
        "+2 % missed",
    )
    runs = []
    for name in MODELS:
        row, one = stopped_line(name, count)
        if name in CORRELATED:
            runs += [one.runs_same, one.runs_changed]
        yield row
    yield ""
    mean = float(np.mean(runs))
    saved = 1 - mean / (2 * FIXED)
    yield f"Mean runs to a verdict in the correlated models: {mean:.1f}, {100 * saved:.0f} % below 20 + 20."
    yield ""
    yield from _header(
        "members", "noise", "false alarms a family", "+2 % found", "its runs", "by the other rule"
    )
    for size in SIZES:
        for name in MODELS:
            yield family_line(size, name, count)[0]
    yield ""
    yield from _header("profile", "at the effect threshold", "between", "at the margin")
    for profile in PROFILES:
        yield between_line(profile, count // 4)


def _header(*titles: str) -> tuple[str, str]:
    return _line(*titles), "|" + "---|" * len(titles)


def _line(*cells: str | float) -> str:
    return "| " + " | ".join(one if isinstance(one, str) else f"{one:.3f}" for one in cells) + " |"


def _runs(value: float) -> str:
    return f"{value:.1f}"
