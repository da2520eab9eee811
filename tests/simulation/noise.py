"""Machines that drift: what 2 n runs in a row scatter by, as log values, in several models.

Every model has 2 % of machine noise and .5 % of run noise. ``correlation`` is that of two neighbouring runs'
machine noise (first-order autoregressive); ``steps`` jumps to a new level with probability .1 a run; heavy
tails draw both noises from Student's t with 3 degrees of freedom, scaled to the same standard deviation; and
a wave has a period of 8 runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Rng = np.random.Generator
Draw = Callable[[Rng, tuple[int, int]], Array]
MACHINE, RUN = 0.02, 0.005
STEP_CHANCE = 0.1


def _normal(rng: Rng, shape: tuple[int, int]) -> Array:
    return rng.standard_normal(shape)


def _heavy(rng: Rng, shape: tuple[int, int]) -> Array:
    return np.asarray(rng.standard_t(3, shape) / np.sqrt(3))


def _drifting(rng: Rng, count: int, runs: int, correlation: float, draw: Draw) -> Array:
    fresh = draw(rng, (count, runs))
    state = np.empty((count, runs))
    state[:, 0] = fresh[:, 0]
    for at in range(1, runs):
        state[:, at] = correlation * state[:, at - 1] + np.sqrt(1 - correlation**2) * fresh[:, at]
    return MACHINE * state + RUN * draw(rng, (count, runs))


def _steps(rng: Rng, count: int, runs: int) -> Array:
    levels = MACHINE * rng.standard_normal((count, runs))
    jumps = rng.random((count, runs)) < STEP_CHANCE
    for at in range(1, runs):
        levels[:, at] = np.where(jumps[:, at], levels[:, at], levels[:, at - 1])
    return levels + RUN * rng.standard_normal((count, runs))


def _periodic(rng: Rng, count: int, runs: int) -> Array:
    """Something else that comes and goes: a wave of 8 runs at a phase of its own."""
    phase = rng.random((count, 1)) * 2 * np.pi
    wave = np.sqrt(2) * MACHINE * np.sin(2 * np.pi * np.arange(runs) / 8 + phase)
    return np.asarray(wave + RUN * rng.standard_normal((count, runs)))


Model = Callable[[Rng, int, int], Array]
MODELS: Mapping[str, Model] = {
    "correlation 0": lambda rng, count, runs: _drifting(rng, count, runs, 0.0, _normal),
    "correlation .5": lambda rng, count, runs: _drifting(rng, count, runs, 0.5, _normal),
    "correlation .9": lambda rng, count, runs: _drifting(rng, count, runs, 0.9, _normal),
    "steps": _steps,
    "a wave of 8 runs": _periodic,
    "heavy tails, correlation 0": lambda rng, count, runs: _drifting(rng, count, runs, 0.0, _heavy),
    "heavy tails, correlation .5": lambda rng, count, runs: _drifting(rng, count, runs, 0.5, _heavy),
}
CORRELATED = ("correlation .5", "correlation .9", "steps", "heavy tails, correlation .5")


def paired_runs(model: Model, rng: Rng, count: int, pairs: int) -> tuple[Array, Array]:
    """Baseline and patched values, (count, pairs) each and with no change, run in the schedule's order."""
    values = model(rng, count, 2 * pairs).reshape(count, pairs, 2)
    base_leads = rng.random((count, pairs)) < 0.5
    first, second = values[:, :, 0], values[:, :, 1]
    return np.where(base_leads, first, second), np.where(base_leads, second, first)


def block_runs(model: Model, rng: Rng, count: int, runs: int) -> tuple[Array, Array]:
    """All baseline runs, then all patched ones: (count, runs) each."""
    values = model(rng, count, 2 * runs)
    return values[:, :runs], values[:, runs:]
