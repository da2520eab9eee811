"""What is measured when a series names no benchmarks: the order, the budget, and what is said of the rest."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.bench import choose as room
from pipeline.bench.choose import Choice, LeftOut
from pipeline.bench.measure import Target
from pipeline.bench.runner import SampleError
from pipeline.errors import ExitCode, HostError
from pipeline.ledger import Ledger, read
from pipeline.patch.touched import Touched
from pipeline.records import BenchmarksChosen

BEYOND = "beyond the time budget of 300 s"
TIRED = f"{BEYOND}: trying out others had used up a tenth of it"


class Machine:
    """Benchmarks ``p.BenchmarkX`` that take what ``costs`` says, or fail after ``failing`` seconds."""

    def __init__(self, costs: Mapping[str, float], failing: Mapping[str, float] | None = None) -> None:
        self.costs = costs
        self.failing = failing or {}
        self.now = 0.0
        self.tried: list[str] = []
        self.host = False

    def probe(self, target: Target) -> float:
        name = f"{target.package}.{target.benchmark.removeprefix('Benchmark')}"
        self.tried.append(name)
        if name in self.failing:
            self.now += self.failing[name]
            raise SampleError("panic: boom", None, host=self.host)
        return self.costs[name]

    def choose(
        self,
        touched: Mapping[str, Touched] | None = None,
        missing_on_base: frozenset[str] = frozenset(),
        budget: float = 300,
        extra: Mapping[str, tuple[str, ...]] | None = None,
    ) -> Choice:
        """Ten rounds: a benchmark of one second costs twenty."""
        listed: dict[str, list[str]] = {}
        for name in (*self.costs, *self.failing):
            package, short = name.split(".")
            listed.setdefault(package, []).append(f"Benchmark{short}")
        on_base = {
            package: {name for name in names if f"{package}.{name[9:]}" not in missing_on_base}
            for package, names in listed.items()
        }
        for package, names in (extra or {}).items():
            listed.setdefault(package, []).extend(names)
        return room.choose(
            touched=touched or {},
            listed=listed,
            on_base=on_base,
            rounds=10,
            budget=budget,
            probe=self.probe,
            clock=lambda: self.now,
        )


def short(choice: Choice) -> list[str]:
    return [f"{target.package}.{target.benchmark.removeprefix('Benchmark')}" for target in choice.chosen]


def reasons(choice: Choice) -> dict[str, str]:
    return {f"{one.package}.{one.benchmark.removeprefix('Benchmark')}": one.reason for one in choice.left_out}


def added(*names: str) -> Touched:
    return Touched(added=tuple(f"Benchmark{name}" for name in names), altered=())


def altered(*names: str) -> Touched:
    return Touched(added=(), altered=tuple(f"Benchmark{name}" for name in names))


def test_added_come_first_then_altered_then_the_packages_in_the_binarys_order() -> None:
    machine = Machine(dict.fromkeys(["q.Z", "q.B", "q.A", "p.D", "p.N", "p.C", "p.M"], 0.1))
    touched = {
        "q": Touched(added=("BenchmarkA",), altered=("BenchmarkB",)),
        "p": Touched(added=("BenchmarkN", "BenchmarkM"), altered=("BenchmarkC",)),
    }
    choice = machine.choose(touched)
    assert short(choice) == ["p.M", "p.N", "q.A", "p.C", "q.B", "q.Z", "p.D"]
    assert machine.tried == short(choice)
    assert choice.left_out == ()


def test_the_budget_is_filled_and_the_rest_is_said() -> None:
    machine = Machine({"p.A": 6, "p.Slow": 10, "p.B": 9, "p.C": 1})
    choice = machine.choose(budget=300)
    assert short(choice) == ["p.A", "p.B"], "what is too slow does not hide what comes after it"
    assert reasons(choice) == {"p.Slow": BEYOND, "p.C": BEYOND}
    assert machine.tried == ["p.A", "p.Slow", "p.B"], "nothing is tried once the budget is used up"


def test_what_costs_exactly_the_budget_is_within_it() -> None:
    assert short(Machine({"p.A": 15}).choose(budget=300)) == ["p.A"]
    assert short(Machine({"p.A": 15.01}).choose(budget=300)) == []


def test_touched_ones_are_taken_beyond_the_budget_and_then_nothing_else() -> None:
    machine = Machine({"p.A": 0.01, "p.N": 20, "q.M": 30})
    choice = machine.choose({"q": altered("M"), "p": added("N")})
    assert short(choice) == ["p.N", "q.M"]
    assert reasons(choice) == {"p.A": BEYOND}
    assert machine.tried == ["p.N", "q.M"]


def test_touched_ones_use_up_the_budget_of_the_others() -> None:
    machine = Machine({"p.N": 10, "p.A": 6, "p.B": 5})
    choice = machine.choose({"p": added("N")})
    assert short(choice) == ["p.N", "p.B"]
    assert reasons(choice) == {"p.A": BEYOND}


def test_trying_out_ends_at_a_tenth_of_the_budget() -> None:
    machine = Machine({"p.A": 16, "p.B": 14, "p.C": 0.5, "p.D": 16, "p.E": 0.1, "p.F": 0.1})
    choice = machine.choose()
    assert short(choice) == ["p.B", "p.C"]
    assert machine.tried == ["p.A", "p.B", "p.C"], "30.5 s of 300"
    assert reasons(choice) == {"p.A": BEYOND, "p.D": TIRED, "p.E": TIRED, "p.F": TIRED}


def test_a_tenth_itself_is_allowed() -> None:
    machine = Machine({"p.A": 30, "p.B": 1, "p.C": 1})
    assert short(machine.choose()) == ["p.B"]
    assert machine.tried == ["p.A", "p.B"]


def test_touched_ones_are_tried_however_long_that_takes() -> None:
    machine = Machine({"p.X": 1}, failing={"p.M": 40, "p.N": 40})
    choice = machine.choose({"p": added("M", "N")}, budget=1000)
    assert machine.tried == ["p.M", "p.N", "p.X"], "80 s of 1000"
    assert short(choice) == ["p.M", "p.N", "p.X"]
    machine = Machine({"p.X": 1}, failing={"p.M": 40, "p.N": 40})
    choice = machine.choose({"p": added("M", "N")}, budget=600)
    assert machine.tried == ["p.M", "p.N"], "80 s of 600"
    assert reasons(choice) == {"p.X": TIRED.replace("300", "600")}


def test_one_without_a_number_is_left_out_unless_it_is_touched() -> None:
    machine = Machine({"p.A": 1}, failing={"p.Bad": 2, "p.Worse": 2})
    choice = machine.choose({"p": altered("Bad")})
    assert short(choice) == ["p.Bad", "p.A"]
    assert reasons(choice) == {"p.Worse": "it gives no number: panic: boom"}


def test_the_time_of_what_fails_counts_as_trying_out() -> None:
    machine = Machine({}, failing={"p.A": 31, "p.B": 31})
    choice = machine.choose()
    assert machine.tried == ["p.A"]
    assert reasons(choice) == {"p.A": "it gives no number: panic: boom", "p.B": TIRED}


def test_a_touched_one_that_fails_costs_the_three_pairs_that_will_be_tried() -> None:
    """Of 300 s, 5 s six times leave 270."""
    for seconds, taken in ((13.5, ["p.Bad", "p.A"]), (13.6, ["p.Bad"])):
        machine = Machine({"p.A": seconds}, failing={"p.Bad": 5})
        assert short(machine.choose({"p": altered("Bad")})) == taken
        assert machine.tried == ["p.Bad", "p.A"]


def test_a_full_disk_is_this_machines_fault() -> None:
    machine = Machine({}, failing={"p.A": 1})
    machine.host = True
    with pytest.raises(HostError) as caught:
        machine.choose()
    assert caught.value.exit_code == ExitCode.ENVIRONMENT
    assert "BenchmarkA was panic: boom" in str(caught.value)


def test_what_one_of_the_sides_lacks() -> None:
    machine = Machine({"p.New": 1, "p.Moved": 1})
    choice = machine.choose(
        {"p": added("New", "Windows"), "elsewhere": added("X")}, frozenset({"p.New", "p.Moved"})
    )
    assert short(choice) == ["p.New"], "the caller says that it is new"
    assert machine.tried == []
    absent = "it is not in the test binary of this platform"
    assert reasons(choice) == {
        "elsewhere.X": absent,
        "p.Windows": absent,
        "p.Moved": "the baseline does not have it",
    }


def test_only_benchmarks_count_and_each_once() -> None:
    machine = Machine({"p.A": 1})
    choice = machine.choose(extra={"p": ("TestX", "ExampleY", "FuzzZ", "Benchmarks", "BenchmarkA", "ok")})
    assert (short(choice), choice.left_out) == (["p.A"], ())


def test_no_candidates_no_choice() -> None:
    assert Machine({}).choose() == Choice(chosen=(), left_out=())


COSTS = st.dictionaries(st.sampled_from([f"{p}.{n}" for p in "pq" for n in "ABCDEF"]), st.floats(0, 50))


@given(COSTS, st.sets(st.sampled_from("ABCDEF")), st.floats(1, 1000))
def test_every_candidate_is_chosen_or_said_to_be_left_out(
    costs: dict[str, float], names: set[str], budget: float
) -> None:
    machine = Machine(costs)
    choice = machine.choose({"p": altered(*names)}, budget=budget)
    wanted = {f"p.{name}" for name in names}
    chosen, left = short(choice), reasons(choice)
    assert sorted([*chosen, *left]) == sorted({*costs, *wanted})
    assert wanted & costs.keys() <= set(chosen)
    assert all(left.values())
    spent = sum(20 * costs[name] for name in chosen)
    assert spent <= budget * (1 + 1e-9) or set(chosen) <= wanted
    assert len(set(machine.tried)) == len(machine.tried)


def test_a_probe_takes_the_wall_time_of_a_run() -> None:
    seen = []

    def run(target: Target) -> None:
        seen.append(target)
        time.sleep(0.02)

    target = Target("p", "BenchmarkA")
    assert 0.02 <= room.timed(run)(target) < 5
    assert seen == [target]

    def fail(_: Target) -> None:
        raise SampleError("no", None)

    with pytest.raises(SampleError):
        room.timed(fail)(target)


def test_the_ledger_gives_the_choice_back(tmp_path: Path) -> None:
    choice = Choice(
        chosen=(Target("net/http", "BenchmarkÄ"), Target("p", "Benchmark")),
        left_out=(LeftOut(package="p", benchmark="BenchmarkB", reason=BEYOND),),
    )
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.append(choice.record("here", 300))
    (back,) = read(tmp_path / "ledger.jsonl")
    assert isinstance(back, BenchmarksChosen)
    assert back == choice.record("here", 300)
    assert room.of_record(back) == choice.chosen
    assert (back.cell, back.left_out, back.budget) == ("here", [["p", "BenchmarkB", BEYOND]], 300)


@pytest.mark.parametrize(
    "wrong",
    [
        {"chosen": ["BenchmarkA"]},
        {"chosen": ["p ../../x"]},
        {"chosen": ["p BenchmarkA/../x"]},
        {"chosen": ["p BenchmarkA\n"]},
        {"left_out": [["p", "BenchmarkA"]]},
        {"left_out": [["p", "BenchmarkA", "why", "more"]]},
    ],
)
def test_a_record_from_elsewhere_is_checked(wrong: dict[str, object]) -> None:
    good = {"cell": "c", "chosen": ["p BenchmarkA"], "left_out": [["p", "BenchmarkB", "why"]], "budget": 1}
    BenchmarksChosen.model_validate_json(json.dumps(good))
    with pytest.raises(ValidationError):
        BenchmarksChosen.model_validate_json(json.dumps({**good, **wrong}))
