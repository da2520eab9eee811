"""The test gate on programs that speak a test binary's language and do what they are told."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pipeline import proc, values
from pipeline.gates import execute, stored, tests
from pipeline.gates.execute import Program
from pipeline.gates.results import Own
from pipeline.golang import Go
from pipeline.records import GateResult, Side
from pipeline.store import Store
from pipeline.values import SIDES, Cell, Platform

pytestmark = pytest.mark.usefixtures("processes")

# What a test does is a word, or a list of words that its runs go through in turn.
FAKE = """\
#!{python} -IS
import json, os, re, signal, sys, pathlib
here = pathlib.Path(__file__)
plan = json.loads(here.with_suffix(".json").read_text())
options = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
if "-test.list" in options:
    print("\\n".join(plan)); sys.exit(0)
def say(text): sys.stdout.write(text); sys.stdout.flush()
def mark(text): say("\\x16" + text + "\\n")
if plan.get("TestMain") == "dies":
    say("panic: init of the package\\n"); sys.exit(2)
bad = False
for name in [name for name in plan if re.fullmatch(options["-test.run"], name)]:
    does = plan[name]
    if isinstance(does, list):
        count = here.with_name(here.stem + name + ".count")
        turn = int(count.read_text()) if count.exists() else 0
        count.write_text(str(turn + 1))
        does = does[turn % len(does)]
    mark("=== RUN   " + name)
    if does == "panic":
        say("panic: lost in " + name + "\\n\\ngoroutine 7 [running]:\\np." + name + ".func1()\\n")
        sys.exit(2)
    if does == "leaves":
        os._exit(0)
    if does == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if does.startswith("hangs "):
        say("panic: test timed out after " + options["-test.timeout"] + "\\n\\trunning tests:\\n\\t\\t")
        say(name + " (" + does.split()[1] + "s)\\n\\ngoroutine 1 [running]:\\n"); sys.exit(2)
    result = does
    if does.startswith("sub "):
        result = "PASS"
        for part in does.split()[1:]:
            sub, word = part.split(":")
            mark("=== RUN   " + name + "/" + sub)
            mark("    --- " + word + ": " + name + "/" + sub + " (0.00s)")
            result = "FAIL" if word == "FAIL" else result
    else:
        say("    x_test.go:1: " + name + " says " + does + "\\n")
        result = does.upper()
    bad = bad or result == "FAIL"
    mark("--- " + result + ": " + name + " (0.01s)")
mark("=== NAME  ")
mark("FAIL" if bad else "PASS")
sys.exit(bad)
"""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A package with two binaries, and the names of the programs that were run."""

    folder: Path
    store: Store
    shell: proc.Shell
    ran: list[str] = field(default_factory=list)

    def program(self, side: Side, plan: Mapping[str, Any]) -> Program:
        path = self.folder / f"{side}.test"
        path.write_text(FAKE.replace("{python}", sys.executable), encoding="utf-8")
        path.chmod(0o755)
        path.with_suffix(".json").write_text(json.dumps(plan), encoding="utf-8")
        return Program(
            shell=self.shell,
            binary=values.TestBinary(
                package="p", side=side, path=path, sha256=json.dumps(plan), goroot=self.folder / "go"
            ),
            go=Go(root=self.folder / "go", cache=self.folder / "cache", work=self.folder),
            environment={},
            short=False,
        )

    def check(
        self,
        base: Mapping[str, Any],
        patched: Mapping[str, Any],
        names: Sequence[str] | None = None,
        own: Mapping[str, Own] | None = None,
        limit: int = 20,
    ) -> dict[str, GateResult]:
        found: list[GateResult] = []
        plans: dict[Side, Mapping[str, Any]] = {"base": base, "patched": patched}
        job = tests.Job(
            cell=Cell(id="here", platform=Platform(goos="linux", goarch="amd64"), native=True),
            label="p",
            programs={side: self.program(side, plans[side]) for side in SIDES},
            tree="0",
            names=names if names is not None else list(patched),
            on_base=set(base),
            own=own or {},
            limit=limit,
            budget=2.0 * limit,
        )
        tests.check(job, self.store, found.append)
        assert len({one.test for one in found}) == len(found)
        return {one.test: one for one in found}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    (tmp_path / "go/src/p").mkdir(parents=True)
    ran: list[str] = []
    store = Store(tmp_path / "store")
    store.prepare()
    shell = proc.Shell(logs=tmp_path / "logs", observe=lambda name, _: ran.append(name))
    return Bench(folder=tmp_path, store=store, shell=shell, ran=ran)


def status(found: Mapping[str, GateResult]) -> dict[str, tuple[str, str]]:
    return {name: (one.status, one.transition) for name, one in found.items()}


def test_every_plain_transition(bench: Bench) -> None:
    base = {"TestA": "pass", "TestB": "fail", "TestC": "skip", "TestD": "pass", "TestE": "fail"}
    patched = {**dict(base), "TestD": "skip", "TestE": "pass", "TestNew": "pass", "TestBad": "fail"}
    assert status(bench.check(base, patched)) == {
        "TestA": ("pass", "pass→pass"),
        "TestB": ("baseline-fails", "fail→fail"),
        "TestC": ("skipped", "skip→skip"),
        "TestD": ("skipped", "pass→skip"),
        "TestE": ("pass", "fail→pass"),
        "TestNew": ("pass", "new→pass"),
        "TestBad": ("fail", "new→fail"),
    }


def test_one_that_newly_fails_every_time_is_charged_with_its_output(bench: Bench) -> None:
    found = bench.check({"TestA": "pass", "TestB": "pass"}, {"TestA": "fail", "TestB": "pass"})
    assert status(found) == {"TestA": ("fail", "pass→fail"), "TestB": ("pass", "pass→pass")}
    assert "TestA says fail" in found["TestA"].detail
    assert "failed 5 of 5 patched, 0 of 5 baseline, Fisher p = 0.004" in found["TestA"].note


def test_where_everything_is_new_the_baseline_is_never_run(bench: Bench) -> None:
    found = bench.check({}, {"TestA": "pass", "TestB": "fail", "TestC": "sub one:FAIL two:PASS"})
    assert status(found) == {
        "TestA": ("pass", "new→pass"),
        "TestB": ("fail", "new→fail"),
        "TestC": ("fail", "new→fail"),
    }
    assert bench.ran
    assert not [name for name in bench.ran if "base" in name]


@pytest.mark.parametrize("does", ["panic", "leaves", "killed", "hangs 20"])
def test_one_that_takes_the_process_down_hides_no_other(bench: Bench, does: str) -> None:
    plan = {"TestA": "pass", "TestB": "pass", "TestC": "pass", "TestD": "pass"}
    found = bench.check(plan, {**plan, "TestB": does, "TestD": "fail"})
    assert status(found) == {
        "TestA": ("pass", "pass→pass"),
        "TestB": ("fail", "pass→fail"),
        "TestC": ("pass", "pass→pass"),
        "TestD": ("fail", "pass→fail"),
    }
    said = {
        "panic": "panic: lost in TestB",
        "leaves": "the process ended: exit status 0",
        "killed": "the process ended: signal 9",
        "hangs 20": "test timed out after 20s",
    }
    assert said[does] in found["TestB"].detail


def test_a_panic_on_both_sides_is_no_charge_and_hides_nothing(bench: Bench) -> None:
    plan = {"TestA": "panic", "TestB": "pass"}
    found = bench.check(plan, {**plan, "TestB": "fail"})
    assert status(found) == {"TestA": ("baseline-fails", "fail→fail"), "TestB": ("fail", "pass→fail")}


def test_dying_is_bounded(bench: Bench) -> None:
    names = [f"Test{n:02d}" for n in range(2 * execute.MAX_DEATHS)]
    found, complete = execute.run(
        bench.program("patched", dict.fromkeys(names, "panic")), names, limit=20, budget=600
    )
    assert not complete
    assert sorted(found) == names[: execute.MAX_DEATHS + 1]
    assert len(bench.ran) == execute.MAX_DEATHS + 1


def test_a_result_that_was_cut_short_is_not_kept(bench: Bench, tmp_path: Path) -> None:
    names = [f"Test{n:02d}" for n in range(2 * execute.MAX_DEATHS)]
    program = bench.program("base", dict.fromkeys(names, "panic"))
    for _ in range(2):
        found = stored.outcomes(Store(tmp_path / "own"), "tree", program, names, limit=20, budget=600)
        assert (found.complete, found.stored) == (False, "")
    assert len(bench.ran) == 2 * (execute.MAX_DEATHS + 1)


def test_what_could_not_be_run_with_the_patch_is_no_pass(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute, "MAX_DEATHS", 1)
    names = [f"Test{n:02d}" for n in range(execute.MAX_DEATHS + 2)]
    found = bench.check(dict.fromkeys(names, "pass"), dict.fromkeys(names, "panic"))
    assert status(found)[names[0]] == ("fail", "pass→fail")
    assert status(found)[names[-1]] == ("error", "pass→not run")


def test_a_process_that_dies_before_its_first_test_is_charged(bench: Bench) -> None:
    plan = {"TestA": "pass", "TestB": "pass"}
    found = bench.check(plan, {**plan, "TestMain": "dies"}, names=list(plan))
    assert status(found) == {"TestA": ("fail", "pass→fail"), "TestB": ("fail", "pass→fail")}
    assert "init of the package" in found["TestA"].detail


def test_the_end_of_the_time_is_no_failure_of_the_test_that_happens_to_run(bench: Bench) -> None:
    plan = {"TestA": "pass", "TestB": "pass", "TestC": "pass"}
    found = bench.check(plan, {**plan, "TestB": ["hangs 1", "pass"]})
    assert status(found)["TestB"] == ("pass", "pass→pass")
    assert "test-patched-p-1" in bench.ran


def test_a_flake_on_both_sides_is_called_that(bench: Bench) -> None:
    found = bench.check({"TestA": ["pass", "fail"]}, {"TestA": ["fail", "pass"]})
    assert status(found) == {"TestA": ("flaky", "flaky")}
    assert "on both sides" in found["TestA"].note


def test_a_flake_by_the_patch_is_charged_with_its_counts(bench: Bench) -> None:
    found = bench.check({"TestA": "pass"}, {"TestA": ["fail", "pass"]})
    assert status(found) == {"TestA": ("fail", "pass→flaky")}
    assert found["TestA"].repeats is not None
    assert found["TestA"].repeats.model_dump() == {
        "base_failed": 0,
        "base_runs": 20,
        "patched_failed": 10,
        "patched_runs": 20,
    }
    assert "flaky by the patch" in found["TestA"].note


def test_one_failure_on_the_patched_side_is_neither_charged_nor_forgotten(bench: Bench) -> None:
    found = bench.check({"TestA": "pass"}, {"TestA": ["panic", *["pass"] * 30]})
    assert status(found) == {"TestA": ("unsettled", "unsettled")}
    assert "panic: lost in TestA" in found["TestA"].detail


def test_a_baseline_that_flakes_excuses_no_test_that_always_fails(bench: Bench) -> None:
    """It fails at first, and not when it is asked again: that excuses nothing."""
    found = bench.check({"TestA": ["fail", *["pass"] * 30]}, {"TestA": "fail"})
    assert status(found)["TestA"][0] == "fail"


def test_a_subtest_that_fails_newly_within_a_test_that_fails_anyway(bench: Bench) -> None:
    base = {"TestA": "sub x:FAIL y:PASS z:PASS", "TestB": "sub x:PASS"}
    found = bench.check(base, {**base, "TestA": "sub x:FAIL y:FAIL z:SKIP"})
    assert status(found) == {
        "TestA": ("baseline-fails", "fail→fail"),
        "TestA/y": ("fail", "pass→fail"),
        "TestA/z": ("skipped", "pass→skip"),
        "TestB": ("pass", "pass→pass"),
    }


def test_the_series_own_tests_on_the_baselines_code(bench: Bench) -> None:
    base = {"TestFails": "fail", "TestPasses": "pass", "TestFlaky": ["fail", "pass"]}
    patched = {"TestFails": "pass", "TestPasses": "pass", "TestFlaky": "pass", "TestNew": "pass"}
    found = bench.check(base, patched, own={**dict.fromkeys(patched, "added"), "TestPasses": "altered"})
    assert {name: one.without for name, one in found.items()} == {
        "TestFails": "fails",
        "TestPasses": "passes",
        "TestFlaky": "is flaky",
        "TestNew": "is not compiled",
    }
    assert found["TestFails"].transition == "fail→pass"
    assert "TestFails says fail" in found["TestFails"].detail
    assert found["TestPasses"].own == "altered"


def test_the_baseline_comes_from_the_store_the_second_time(bench: Bench) -> None:
    base = {"TestA": "pass", "TestB": "pass"}
    first = bench.check(base, base)
    assert {one.stored for one in first.values()} == {""}
    assert "test-base-p" in bench.ran
    bench.ran.clear()
    second = bench.check(base, {**base, "TestB": "skip"})
    assert "test-base-p" not in bench.ran
    assert second["TestA"].stored.startswith("20")
    bench.check({**base, "TestC": "pass"}, base)
    assert "test-base-p" in bench.ran, "another binary is another result"


def test_a_stored_failure_excuses_only_after_it_came_again(bench: Bench) -> None:
    base = {"TestA": ["fail", "fail", *["pass"] * 30]}
    assert status(bench.check(base, {"TestA": "fail"}))["TestA"] == ("baseline-fails", "fail→fail")
    again = bench.check(base, {"TestA": "fail"})
    assert "test-base-p-confirm" in bench.ran
    assert status(again)["TestA"] == ("fail", "pass→fail")
    assert again["TestA"].stored == "", "what was run here is not said to be from the store"


def test_a_stored_pass_that_no_longer_holds_charges_nobody(bench: Bench) -> None:
    base = {"TestA": ["pass", *["fail"] * 30]}
    bench.check(base, {"TestA": "pass"})
    found = bench.check(base, {"TestA": "fail"})
    assert status(found) == {"TestA": ("baseline-fails", "fail→fail")}
    assert "began to fail here" in found["TestA"].note


def test_many_names_are_split_over_command_lines(bench: Bench) -> None:
    names = [f"Test{n:04d}" + "x" * 190 for n in range(300)]
    found, complete = execute.run(
        bench.program("patched", dict.fromkeys(names, "pass")), names, limit=20, budget=60
    )
    assert complete
    assert len(found) == 300
    assert len(bench.ran) == 3


def test_a_failure_that_could_not_be_asked_again_excuses_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = execute.run

    def unless_asked_again(*args: Any, tag: str = "", **more: Any) -> tuple[execute.Outcomes, bool]:
        return ({}, False) if tag == "-confirm" else real(*args, tag=tag, **more)

    monkeypatch.setattr(execute, "run", unless_asked_again)
    found = bench.check({"TestA": ["fail", *["pass"] * 30]}, {"TestA": "fail"})
    assert found["TestA"].status == "fail"
