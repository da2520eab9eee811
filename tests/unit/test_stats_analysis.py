"""A whole cell: pairs, screening, confirmation, and how often noise is called a change."""

from __future__ import annotations

import math
import random

import pytest

from pipeline.stats import analysis, paired, sequential
from pipeline.stats.analysis import SMALL_FAMILY, Rules, Screening
from pipeline.stats.pairs import Key, PairedSeries, collect
from pipeline.values import Threshold

RULES = Rules(threshold=Threshold(effect=0.03, margin=0.05))
# Rounds that are left, where it does not matter how many.
MANY = 100


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


def test_what_was_measured_under_other_conditions_keeps_no_pairs() -> None:
    def text(*cpus: str) -> list[str]:
        lines = ["BenchmarkX-2 10 100 ns/op"]
        blocks = [
            block(side, 1, *([f"cpu: {cpu}"] if cpu else ["cpu:"]), *lines)
            for side, cpu in zip(("base", "patched"), cpus, strict=True)
        ]
        return "".join(blocks).splitlines()

    (same,) = collect(text("A", "A"))
    assert (same.rounds, same.conflict) == ((1,), "")
    (other,) = collect(text("A", "B"))
    assert (other.rounds, other.conflict) == ((), "not comparable: cpu is A and B")
    (unknown,) = collect(text("A", ""))
    assert (unknown.rounds, unknown.conflict) == ((), "not comparable: cpu is A and not known")


def test_a_series_of_one_side_alone_says_so() -> None:
    (one,) = collect(block("patched", 1, "BenchmarkX-2 10 100 ns/op").splitlines())
    assert (one.rounds, one.only) == ((), "patched")


def family(rng: random.Random, rounds: int, changes: list[float]) -> list[PairedSeries]:
    return [noisy(rng, rounds, change, name=f"X{k}-2") for k, change in enumerate(changes)]


CALM = [0.0] * SMALL_FAMILY


def test_a_small_family_is_judged_on_all_rounds_and_corrected_for_its_size() -> None:
    rng = random.Random(5)
    one, two = family(rng, 20, [0.2, 0.0])
    alone = analysis.judge([one], [], RULES)[one.key]
    both = analysis.judge([one, two], [], RULES)[one.key]
    assert (alone.word, alone.phase, both.word) == ("worse", "all", "worse")
    assert alone.summary.n == 20
    assert both.q == pytest.approx(2 * alone.q)
    assert analysis.flag([one, two], [], RULES, MANY) == []


def test_a_large_family_is_screened_and_only_what_is_flagged_can_be_worse() -> None:
    rng = random.Random(6)
    whole = family(rng, 12, [0.2, *CALM])
    assert analysis.flag(whole, [], RULES, MANY) == [whole[0].key]
    verdict = analysis.judge(whole, [Screening(rounds=12, flagged=())], RULES)[whole[0].key]
    assert (verdict.word, verdict.phase) == ("inconclusive", "screen")


def test_a_flagged_series_is_judged_on_fresh_rounds_alone() -> None:
    rng = random.Random(1)
    calm = family(rng, 20, CALM)
    alarm, quiet = noisy(rng, 10, 0.5), noisy(rng, 10)
    both = series([*alarm.base, *quiet.base], [*alarm.patched, *quiet.patched])
    verdict = analysis.judge([both, *calm], [Screening(rounds=10, flagged=(str(both.key),))], RULES)[both.key]
    assert verdict.summary.n == 10
    assert verdict.summary.estimate == pytest.approx(
        paired.summarize(quiet.logs() or [], confidence=0.95).estimate
    )
    assert verdict.word != "worse"


def test_nothing_is_flagged_that_too_few_rounds_are_left_to_confirm() -> None:
    whole = family(random.Random(6), 12, [0.2, *CALM])
    assert analysis.flag(whole, [], RULES, left=8) == [whole[0].key]
    assert analysis.flag(whole, [], RULES, left=7) == []


@pytest.mark.parametrize("fresh", [0, 3, 7])
def test_what_is_suspected_is_open_and_described_by_all_its_rounds(fresh: int) -> None:
    whole = family(random.Random(6), 13 + fresh, [0.2, *CALM])
    # Even where that interval would do: only fresh rounds may settle a suspicion.
    wide = Rules(threshold=Threshold(effect=0.03, margin=9.0))
    screenings = [Screening(rounds=13, flagged=(str(whole[0].key),))]
    verdicts = analysis.judge(whole, screenings, wide)
    verdict = verdicts[whole[0].key]
    assert (verdict.word, verdict.phase, verdict.q) == ("inconclusive", "suspect", 1.0)
    assert verdict.summary.n == sequential.last_look(13 + fresh)
    assert verdict.summary.low < math.log(1.2) < verdict.summary.high
    assert analysis.pending(whole, screenings, verdicts) == {whole[0].key: 8 - fresh}


def test_the_confirmations_are_corrected_together_and_alone() -> None:
    rng = random.Random(5)
    changed, calm = family(rng, 24, [0.2] * 3), family(rng, 24, [0.0] * 5)
    calm = [series(list(one.base), list(one.patched), name=f"Y{k}-2") for k, one in enumerate(calm)]
    flagged = tuple(str(one.key) for one in changed)
    verdicts = analysis.judge([*changed, *calm], [Screening(rounds=10, flagged=flagged)], RULES)
    # All fresh pairs have one sign, so all have the same p: three times that of one alone.
    alone = sequential.adjusted({n: paired.smallest_p(n) for n in range(8, 15)}, "paired")
    assert [verdicts[one.key].q for one in changed] == pytest.approx([3 * alone] * 3)
    assert {verdicts[one.key].word for one in changed} == {"worse"}
    assert {verdicts[one.key].q for one in calm} == {1.0}


def test_what_was_flagged_once_is_not_flagged_again() -> None:
    whole = family(random.Random(6), 12, [0.2, *CALM])
    assert analysis.flag(whole, [Screening(rounds=8, flagged=(str(whole[0].key),))], RULES, MANY) == []


def test_a_verdict_changes_at_looks_only() -> None:
    one = noisy(random.Random(8), 19, 0.08)
    at = [analysis.judge([one.first(n)], [], RULES)[one.key] for n in (18, 19)]
    assert at[0] == at[1]


def test_pending_counts_to_the_next_look_and_ends_after_the_last() -> None:
    def wanted(n: int) -> dict[Key, int]:
        wild = series([1.0] * n, [0.5 if k % 2 else 2.0 for k in range(n)])
        return analysis.pending([wild], [], analysis.judge([wild], [], RULES))

    assert wanted(3) == {Key("runtime", "X-2", "sec/op"): 5}
    assert wanted(14) == {Key("runtime", "X-2", "sec/op"): 2}
    assert wanted(sequential.LAST) == {}
    calm = series([1.0 + k / 1e6 for k in range(8)], [1.0] * 8)
    assert analysis.pending([calm], [], analysis.judge([calm], [], RULES)) == {}


def test_the_design_is_the_rules() -> None:
    one = noisy(random.Random(9), 12, 0.2)
    rules = Rules(threshold=RULES.threshold, designs={str(one.key): "unpaired"})
    verdict = analysis.judge([one], [], rules)[one.key]
    assert (verdict.design, verdict.word) == ("unpaired", "worse")
    assert analysis.judge([one], [], RULES)[one.key].design == "paired"


def test_a_unit_may_have_its_own_threshold() -> None:
    one = noisy(random.Random(10), 20, 0.2)
    assert analysis.judge([one], [], RULES)[one.key].word == "worse"
    wide = Rules(threshold=RULES.threshold, units={"sec/op": Threshold(effect=0.5, margin=0.6)})
    assert analysis.judge([one], [], wide)[one.key].word == "no-change"


def test_a_series_without_pairs_has_no_verdict() -> None:
    empty = series([], [])
    assert analysis.judge([empty], [], RULES) == {}
    assert analysis.flag([empty] * 9, [], RULES, MANY) == []


def test_counts_that_do_not_vary_are_facts_and_times_are_not() -> None:
    allocs = series([2.0] * 12, [3.0] * 12, unit="allocs/op")
    verdict = analysis.judge([allocs], [], RULES)[allocs.key]
    assert (verdict.word, verdict.phase) == ("worse", "exact")
    clock = series([1e-7] * 12, [2e-7] * 12)
    assert analysis.judge([clock], [], RULES)[clock.key].phase == "all"


@pytest.mark.parametrize("odd", [2.0, 4.0])
def test_one_odd_round_does_not_hide_an_allocation(odd: float) -> None:
    one = series([2.0] * 12, [odd] + [3.0] * 11, unit="allocs/op")
    assert analysis.judge([one], [], RULES)[one.key].word == "worse"


def test_an_allocation_where_there_was_none_is_worse_and_gone_is_better() -> None:
    one = series([0.0] * 12, [0.0] + [1.0] * 11, unit="allocs/op")
    assert analysis.judge([one], [], RULES)[one.key].word == "worse"
    gone = series([0.0] + [1.0] * 11, [0.0] * 12, unit="allocs/op")
    assert analysis.judge([gone], [], RULES)[gone.key].word == "better"


def test_an_odd_round_alone_is_no_allocation() -> None:
    one = series([0.0] * 12, [1.0] + [0.0] * 11, unit="allocs/op")
    assert analysis.judge([one], [], RULES)[one.key].word == "no-change"


def test_bytes_without_allocations_count_beyond_a_bound() -> None:
    def bytes_word(change: float) -> str:
        allocs = series([0.0] * 12, [0.0] * 12, unit="allocs/op")
        used = [40.0 + k % 3 for k in range(12)]
        whole = series(used, [value + change for value in used], unit="B/op")
        return analysis.judge([allocs, whole], [], RULES)[whole.key].word

    assert bytes_word(20) == "no-change"
    assert bytes_word(5000) == "worse"


def test_zeros_beside_noise_are_inconclusive() -> None:
    one = series([0.0, 100.0] * 6, [50.0] * 12, unit="widgets/op")
    verdict = analysis.judge([one], [], RULES)[one.key]
    assert verdict.word == "inconclusive"
    assert math.isnan(verdict.summary.estimate)


def test_only_what_could_count_is_flagged() -> None:
    tiny = series([1.0 + k / 1e6 for k in range(12)], [1.001 + k / 1e6 for k in range(12)])
    calm = family(random.Random(7), 12, CALM)
    assert paired.signed_rank_p(tiny.logs() or []) < 0.001
    assert analysis.flag([tiny, *calm], [], RULES, MANY) == []


def run(rng: random.Random, changes: list[float], rounds: int = 60) -> list[str]:
    """Measure and judge as a run does: until nothing is open, screening on the way."""
    whole = family(rng, rounds, changes)
    counts = dict.fromkeys([one.key for one in whole], 8)
    screenings: list[Screening] = []
    while True:
        shown = [one.first(counts[one.key]) for one in whole]
        number = max(counts.values())
        flagged = tuple(str(key) for key in analysis.flag(shown, screenings, RULES, rounds - number))
        screenings.append(Screening(rounds=number, flagged=flagged))
        verdicts = analysis.judge(shown, screenings, RULES)
        wanted = analysis.pending(shown, screenings, verdicts)
        if not wanted or number >= rounds:
            return [verdicts[one.key].word for one in whole]
        more = min(wanted.values())
        for key in wanted:
            counts[key] = min(rounds, counts[key] + more)


@pytest.mark.parametrize("members", [2, 8])
def test_noise_is_hardly_ever_called_a_change_in_a_whole_family(members: int) -> None:
    rng = random.Random(20)
    tries = 100
    alarms = sum(bool({"worse", "better"} & set(run(rng, [0.0] * members))) for _ in range(tries))
    assert alarms / tries <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / tries)


@pytest.mark.parametrize("more", [0, 6])
def test_a_change_of_twenty_percent_is_found(more: int) -> None:
    rng = random.Random(21)
    words = [run(rng, [0.2, 0.0, -0.2, *[0.0] * more]) for _ in range(15)]
    assert all(word[0] == "worse" and word[2] == "better" for word in words)


@pytest.mark.parametrize(
    ("unit", "base", "patched", "word"),
    [
        ("B/op", 40960, 41984, "worse"),
        ("B/op", 40, 50, "no-change"),  # within 16 B
        ("allocs/op", 2, 3, "worse"),
        ("allocs/op", 3, 2, "better"),
    ],
)
def test_facts_count_beyond_the_units_floor(unit: str, base: float, patched: float, word: str) -> None:
    one = series([base] * 12, [patched] * 12, unit=unit)
    assert analysis.judge([one], [], RULES)[one.key].word == word


def test_facts_count_beyond_the_units_own_threshold() -> None:
    wide = Rules(threshold=RULES.threshold, units={"B/op": Threshold(effect=0.5, margin=0.6)})
    small, large = (series([1000.0] * 12, [new] * 12, unit="B/op") for new in (1200.0, 1600.0))
    assert analysis.judge([small], [], wide)[small.key].word == "no-change"
    assert analysis.judge([large], [], wide)[large.key].word == "worse"


def test_a_few_rounds_are_no_fact() -> None:
    one = series([2.0] * 7, [3.0] * 7, unit="allocs/op")
    assert analysis.judge([one], [], RULES)[one.key].word == "inconclusive"
    whole = series([2.0] * 8, [3.0] * 8, unit="allocs/op")
    assert analysis.judge([whole], [], RULES)[whole.key].word == "worse"
