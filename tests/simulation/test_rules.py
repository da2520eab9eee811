"""The error rates, power and cost of the rules, by simulation with fixed seeds; and that what is simulated is
what the pipeline does."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from pipeline.stats import analysis, floor, sequential
from pipeline.stats.analysis import SMALL_FAMILY, Rules
from pipeline.stats.pairs import Key, PairedSeries
from pipeline.values import Threshold
from tests.simulation import curves, rules, table
from tests.simulation.noise import CORRELATED, MODELS, Array, paired_runs

COUNT = 4000
RULES = Rules(threshold=Threshold(effect=0.01, margin=0.02))
DOCS = Path(__file__).resolve().parents[2] / "docs/statistics.md"


def error(rate: float, count: int) -> float:
    """Three standard errors of a simulated rate."""
    return 3 * math.sqrt(max(rate * (1 - rate), 1e-4) / count)


@pytest.mark.parametrize("name", MODELS)
def test_ten_pairs(name: str) -> None:
    found = table.ten_pairs(MODELS[name], table.generator("test", name), COUNT)
    assert found.alarms <= 0.05 + error(0.05, COUNT)
    assert found.power >= found.held_power - error(0.5, COUNT) * math.sqrt(2)
    least = {"correlation .9": 0.9, "correlation .5": 0.7}
    assert found.power >= least.get(name, 0.0)


def test_the_stopping_rule_errs_rarely_and_saves_runs() -> None:
    runs = []
    for name, model in MODELS.items():
        found = table.stopped(model, table.generator("test", name), COUNT)
        assert found.alarms <= 0.05
        assert found.power >= 0.9
        assert found.missed <= 0.05
        if name in CORRELATED:
            # No worse than 20 and 20 runs in blocks, in either way of being wrong.
            assert found.alarms < found.fixed_alarms
            assert 1 - found.power < 1 - found.fixed_power
            runs += [found.runs_same, found.runs_changed]
    assert np.mean(runs) <= 0.6 * 2 * table.FIXED


@pytest.mark.parametrize("size", [1, SMALL_FAMILY, 8])
@pytest.mark.parametrize("name", ["correlation .5", "correlation .9", "steps"])
def test_a_family_in_which_nothing_changed_is_hardly_ever_claimed(size: int, name: str) -> None:
    found = table.families(MODELS[name], table.generator("test", size, name), 2 * COUNT, size)
    assert found.alarms <= 0.05 + error(0.05, 2 * COUNT // size)
    assert found.power >= 0.95


def test_the_profiles_are_those_of_the_matrix() -> None:
    from pipeline.plan import matrix

    found = matrix.load(Path(__file__).resolve().parents[2] / "matrix.yml")
    assert {
        name: (found.thresholds[name].effect, found.thresholds[name].margin, entry.max_rounds)
        for name, entry in found.profiles.items()
    } == table.PROFILES


# That the simulated rules are the pipeline's.


def series(base: Array, patched: Array, name: str = "X-2") -> PairedSeries:
    return PairedSeries(
        key=Key("runtime", name, "sec/op"),
        rounds=tuple(range(1, len(base) + 1)),
        base=tuple(np.exp(base).tolist()),
        patched=tuple(np.exp(patched).tolist()),
    )


@pytest.mark.parametrize("pairs", [floor.ENOUGH_PAIRS, table.FLOOR_PAIRS])
def test_a_floor_decides_the_design_as_the_pipeline_s_does(pairs: int) -> None:
    words: list[str] = []
    for name, model in MODELS.items():
        base, again = paired_runs(model, table.generator("floor", name), 100, pairs)
        found = rules.paired_by_floor(base, again)
        for row, paired in enumerate(found):
            session = list(zip(np.exp(base[row]).tolist(), np.exp(again[row]).tolist(), strict=True))
            assessed = floor.assess([session])
            assert assessed is not None
            words.append(assessed.design)
            assert assessed.design == ("paired" if paired else "unpaired")
    assert {"paired", "unpaired"} == set(words)


@pytest.mark.parametrize("design", ["paired", "unpaired"])
@pytest.mark.parametrize("change", [0.0, 0.02])
def test_one_comparison_ends_as_the_pipeline_ends_it(design: sequential.Design, change: float) -> None:
    rng = np.random.default_rng(11)
    base, patched = paired_runs(MODELS["correlation .5"], rng, 25, 63)
    patched = patched + np.log1p(change)
    paired = np.full(25, design == "paired")
    ends = rules.run_alone(base, patched, paired, cap=63, effect=0.01, margin=0.02)
    words = {1: "worse", -1: "better", 0: "no-change", 2: "inconclusive"}
    for row in range(25):
        whole = series(base[row], patched[row])
        key = str(whole.key)
        chosen = Rules(threshold=RULES.threshold, designs={key: design})
        used = int(ends.pairs[row])
        verdict = analysis.judge([whole.first(used)], [], chosen)[whole.key]
        assert verdict.word == words[int(ends.word[row])]
        for n in (one for one in sequential.LOOKS if one < used):
            early = analysis.judge([whole.first(n)], [], chosen)[whole.key]
            assert early.word == "inconclusive", f"it could have ended at {n}"


def measured(whole: list[PairedSeries], cap: int) -> tuple[set[Key], list[analysis.Screening]]:
    """Screen at every look, as a run does in which nothing is ever decided; what was claimed at the cap."""
    screenings: list[analysis.Screening] = []
    nothing = Rules(threshold=Threshold(effect=1e-9, margin=1e-9))
    for n in (one for one in sequential.LOOKS if one <= cap):
        shown = [one.first(n) for one in whole]
        flagged = tuple(str(key) for key in analysis.flag(shown, screenings, nothing, cap - n))
        screenings.append(analysis.Screening(rounds=n, flagged=flagged))
    verdicts = analysis.judge([one.first(cap) for one in whole], screenings, nothing)
    return {key for key, one in verdicts.items() if one.word in {"worse", "better"}}, screenings


@pytest.mark.parametrize("size", [2, 6])
def test_a_family_is_claimed_as_the_pipeline_claims_it(size: int) -> None:
    rng, cap, number = np.random.default_rng(12), 40, 30
    base, patched = paired_runs(MODELS["correlation .5"], rng, number * size, cap)
    patched[::size] += 0.015
    if size <= SMALL_FAMILY:
        found = rules.run_small_families(base, patched, size=size, cap=cap)
    else:
        found = rules.run_screened_families(base, patched, size=size, cap=cap, first=sequential.FIRST)
    claims = 0
    for k in range(number):
        rows = range(k * size, (k + 1) * size)
        whole = [series(base[row], patched[row], f"X{row}-2") for row in rows]
        claimed, screenings = measured(whole, cap)
        flags = {name: one.rounds for one in screenings for name in one.flagged}
        assert [flags.get(str(one.key), 0) for one in whole] == found.flagged[k].tolist()
        # The simulation takes Holm's first step, which decides whether anything is claimed.
        assert bool(claimed) == bool(found.claimed[k].any())
        claims += bool(claimed)
    assert 0 < claims < number


@pytest.mark.parametrize("design", sequential.DESIGNS)
def test_the_table_of_smallest_p_is_made_again_with_another_seed(design: sequential.Design) -> None:
    count = 20_000
    values = curves.simulate(design, np.random.default_rng(99), count)
    for c, chance in json.loads(curves.FILE.read_text())[design]["curve"]:
        assert abs(float((values <= c).mean()) - chance) <= error(chance, count) * 1.5


@pytest.mark.simulation
@pytest.mark.parametrize(
    "row",
    [
        pytest.param(lambda count: table.ten_line("correlation .5", count), id="ten"),
        pytest.param(lambda count: table.stopped_line("steps", count)[0], id="stopped"),
        pytest.param(lambda count: table.between_line("standard", count // 4), id="between"),
        pytest.param(lambda count: table.family_line(8, "correlation .9", count)[0], id="family"),
    ],
)
def test_the_documentation_shows_what_the_command_prints(row: object) -> None:
    from tests.perf.bench_statistics import COUNT as FULL

    assert callable(row)
    assert row(FULL) in DOCS.read_text(encoding="utf-8").splitlines()
