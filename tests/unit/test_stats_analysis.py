"""A whole cell: pairs, screening, confirmation, and how often noise is called a change."""

from __future__ import annotations

import math
import random

import pytest

from pipeline.stats import analysis, decision, paired
from pipeline.stats.analysis import Rules
from pipeline.stats.pairs import Key, PairedSeries, collect
from pipeline.values import Threshold

RULES = Rules(threshold=Threshold(effect=0.03, margin=0.05), confirm_rounds=10)


def series(
    base: list[float], patched: list[float], *, name: str = "X-2", unit: str = "sec/op"
) -> PairedSeries:
    return PairedSeries(
        key=Key("runtime", name, unit),
        rounds=tuple(range(1, len(base) + 1)),
        base=tuple(base),
        patched=tuple(patched),
    )


def noisy(rng: random.Random, rounds: int, change: float = 0.0, *, name: str = "X-2") -> PairedSeries:
    drift = [1e-6 * math.exp(0.1 * math.sin(k)) for k in range(rounds)]
    base = [value * math.exp(rng.gauss(0, 0.02)) for value in drift]
    patched = [value * (1 + change) * math.exp(rng.gauss(0, 0.02)) for value in drift]
    return series(base, patched, name=name)


def block(side: str, round_: int, *lines: str, package: str = "runtime") -> str:
    return "\n".join([f"side: {side}", f"round: {round_}", f"pkg: {package}", *lines, ""])


def test_pairs_are_the_rounds_in_which_both_sides_reported() -> None:
    text = (
        block("base", 1, "BenchmarkX-2 10 100 ns/op 8 B/op")
        + block("patched", 1, "BenchmarkX-2 10 110 ns/op 8 B/op")
        + block("patched", 2, "BenchmarkX-2 10 120 ns/op")
        + block("patched", 3, "BenchmarkX-2 10 130 ns/op 16 B/op")
        + block("base", 3, "BenchmarkX-2 10 90 ns/op 16 B/op", "BenchmarkY/a=1-2 10 5 ns/op")
        + block("base", 3, "BenchmarkX-2 10 1 ns/op", package="net")
    )
    found = {str(one.key): one for one in collect(text.splitlines())}
    time = found["runtime X-2 sec/op"]
    assert time.rounds == (1, 3)
    assert time.base == pytest.approx((100e-9, 90e-9))
    assert time.patched == pytest.approx((110e-9, 130e-9))
    assert found["runtime X-2 B/op"].rounds == (1, 3)
    assert found["runtime Y/a=1-2 sec/op"].rounds == ()
    assert found["net X-2 sec/op"].rounds == ()
    assert found["runtime Y/a=1-2 sec/op"].key.function == "BenchmarkY"


def test_logs_need_positive_finite_values() -> None:
    assert series([1, 2], [2, 1]).logs() == pytest.approx([math.log(2), -math.log(2)])
    for bad in (0.0, -1.0, math.inf, math.nan):
        assert series([1, 2], [bad, 1]).logs() is None


def test_rates_are_better_when_higher() -> None:
    assert not series([1], [1], unit="B/s").lower_is_better
    assert series([1], [1], unit="B/op").lower_is_better


def test_a_flagged_series_is_judged_on_fresh_rounds_alone() -> None:
    rng = random.Random(1)
    alarm, calm = noisy(rng, 10, 0.5), noisy(rng, 10)
    both = series([*alarm.base, *calm.base], [*alarm.patched, *calm.patched])
    verdict = analysis.judge([both], [str(both.key)], 10, RULES)[both.key]
    assert verdict.summary.n == 10
    assert verdict.summary.estimate == pytest.approx(
        paired.summarize(calm.logs() or [], confidence=0.95).estimate
    )
    assert verdict.word != "worse"


def test_q_stays_that_of_the_first_confirming_rounds() -> None:
    rng = random.Random(2)
    calm, later = noisy(rng, 20), noisy(rng, 30, 0.5)
    whole = series([*calm.base, *later.base], [*calm.patched, *later.patched])
    flagged = [str(whole.key)]
    early = analysis.judge([whole.first(20)], flagged, 10, RULES)[whole.key]
    late = analysis.judge([whole], flagged, 10, RULES)[whole.key]
    assert early.q == late.q > decision.ALPHA
    assert late.word == "inconclusive"  # whatever later rounds say, they make no alarm


def test_too_few_fresh_rounds_make_no_alarm() -> None:
    one = noisy(random.Random(3), 19, 0.5)
    verdict = analysis.judge([one], [str(one.key)], 10, RULES)[one.key]
    assert (verdict.word, verdict.phase, verdict.q) == ("inconclusive", "screen", 1.0)


def test_what_was_not_flagged_is_never_worse() -> None:
    one = noisy(random.Random(4), 30, 0.5)
    assert analysis.judge([one], [], 10, RULES)[one.key].word == "inconclusive"


def test_the_confirmations_are_corrected_together() -> None:
    rng = random.Random(5)
    all_ = [noisy(rng, 20, 0.2, name=f"X{k}-2") for k in range(5)]
    verdicts = analysis.judge(all_, [str(one.key) for one in all_], 10, RULES)
    assert {v.q for v in verdicts.values()} == {5 * paired.smallest_p(10)}
    assert {v.word for v in verdicts.values()} == {"worse"}


def test_a_series_without_pairs_has_no_verdict() -> None:
    empty = series([], [])
    assert analysis.judge([empty], [], 10, RULES) == {}
    assert analysis.flag([empty.first(0)], RULES) == []


def test_counts_that_do_not_vary_are_facts_and_times_are_not() -> None:
    allocs = series([2.0] * 12, [3.0] * 12, unit="allocs/op")
    clock = series([1e-7] * 12, [2e-7] * 12)
    verdicts = analysis.judge([allocs], [], 10, RULES)
    assert verdicts[allocs.key].word == "worse"
    assert analysis.judge([clock], [], 10, RULES)[clock.key].word != "worse"
    assert analysis.flag([allocs], RULES) == []


@pytest.mark.parametrize("odd", [2.0, 4.0])
def test_one_odd_round_does_not_hide_an_allocation(odd: float) -> None:
    screen = series([2.0] * 12, [odd] + [3.0] * 11, unit="allocs/op")
    assert analysis.flag([screen], RULES) == [screen.key]
    whole = series([2.0] * 24, [odd] + [3.0] * 13 + [odd] + [3.0] * 9, unit="allocs/op")
    assert analysis.judge([whole], [str(whole.key)], 12, RULES)[whole.key].word == "worse"


def test_an_allocation_where_there_was_none_is_never_no_change() -> None:
    one = series([0.0] * 12, [0.0] + [1.0] * 11, unit="allocs/op")
    assert analysis.judge([one], [], 12, RULES)[one.key].word == "inconclusive"


def test_an_odd_round_alone_is_no_allocation() -> None:
    one = series([0.0] * 12, [1.0] + [0.0] * 11, unit="allocs/op")
    assert analysis.judge([one], [], 12, RULES)[one.key].word == "no-change"


def test_bytes_without_allocations_count_beyond_a_bound() -> None:
    def bytes_word(change: float) -> str:
        allocs = series([0.0] * 12, [0.0] * 12, unit="allocs/op")
        used = [40.0 + k % 3 for k in range(12)]
        whole = series(used, [value + change for value in used], unit="B/op")
        return analysis.judge([allocs, whole], [], 12, RULES)[whole.key].word

    assert bytes_word(20) == "no-change"
    assert bytes_word(5000) == "inconclusive"


def test_zeros_beside_noise_are_inconclusive() -> None:
    one = series([0.0, 100.0] * 6, [50.0] * 12, unit="widgets/op")
    verdict = analysis.judge([one], [], 10, RULES)[one.key]
    assert (verdict.word, verdict.resolution) == ("inconclusive", math.inf)


def test_only_what_could_count_is_flagged() -> None:
    tiny = series([1.0 + k / 1e6 for k in range(12)], [1.001 + k / 1e6 for k in range(12)])
    assert paired.signed_rank_p(tiny.logs() or []) < 0.001
    assert analysis.flag([tiny], RULES) == []
    assert analysis.flag([noisy(random.Random(6), 12, 0.2)], RULES) == [Key("runtime", "X-2", "sec/op")]


def run(rng: random.Random, changes: list[float]) -> list[str]:
    """Screen on 8 rounds, confirm on 10, and judge, as a run does."""
    whole = [noisy(rng, 18, change, name=f"X{k}-2") for k, change in enumerate(changes)]
    flagged = [str(key) for key in analysis.flag([one.first(8) for one in whole], RULES)]
    shown = [one if str(one.key) in flagged else one.first(8) for one in whole]
    return [verdict.word for verdict in analysis.judge(shown, flagged, 8, RULES).values()]


def test_noise_is_hardly_ever_called_a_change_in_a_whole_family() -> None:
    rng = random.Random(20)
    tries = 150
    alarms = sum(bool({"worse", "better"} & set(run(rng, [0.0] * 6))) for _ in range(tries))
    assert alarms / tries <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / tries)


def test_a_change_of_twenty_percent_is_found() -> None:
    rng = random.Random(21)
    words = [run(rng, [0.2, 0.0, -0.2]) for _ in range(25)]
    assert all(word[0] == "worse" and word[2] == "better" for word in words)
