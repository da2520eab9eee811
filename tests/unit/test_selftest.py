"""The self-test can fail: what is right about a known patch, and what the command makes of what is not."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest

from pipeline import git, proc
from pipeline.bench import exclusive
from pipeline.commands import self_test
from pipeline.errors import ExitCode
from pipeline.flow import selftest
from pipeline.flow.selftest import Outcome
from pipeline.stats import pairs
from pipeline.stats.decision import Verdict
from pipeline.stats.paired import ShiftSummary
from pipeline.suites import selftest as suite
from pipeline.values import GoTree
from tests.unit.hostile import check

ROOT = Path(__file__).resolve().parents[2]
FNV = """\
package fnv

func (s *sum64) Write(data []byte) (int, error) {
	hash := *s
	for _, c := range data {
		hash *= prime64
		hash ^= sum64(c)
	}
	*s = hash
	return len(data), nil
}

func (s *sum64a) Write(data []byte) (int, error) {
	hash := *s
	for _, c := range data {
		hash ^= sum64a(c)
		hash *= prime64
	}
	*s = hash
	return len(data), nil
}

func (s *sum128) Write(data []byte) (int, error) {
	return len(data), nil
}
"""


def verdict(word: str, change: float, half: float = 0.001, phase: str = "all") -> Verdict:
    middle = math.inf if change == math.inf else math.log1p(change)
    summary = ShiftSummary(n=50, estimate=middle, low=middle - half, high=middle + half, p=0.001)
    return Verdict(word=word, summary=summary, q=0.001, resolution=0.01, phase=phase)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("true", "word", "found", "half", "state"),
    [
        (0.03, "worse", 0.03, 0.001, "right"),
        (0.03, "worse", 0.038, 0.001, "right"),  # near enough
        (0.03, "worse", 0.06, 0.04, "right"),  # covered
        (0.03, "worse", 0.06, 0.001, "wrong"),  # worse, and the size is wrong
        (0.03, "no-change", 0.03, 0.001, "wrong"),  # missed
        (0.03, "inconclusive", 0.03, 0.05, "undecided"),
        (0.03, "better", -0.03, 0.001, "wrong"),
        (-0.05, "better", -0.05, 0.001, "right"),
        (-0.05, "worse", 0.05, 0.001, "wrong"),
        (0.0, "no-change", 0.0, 0.001, "right"),
        (0.0, "inconclusive", 0.0, 0.5, "undecided"),
        (0.0, "worse", 0.02, 0.001, "wrong"),  # a false alarm
        (0.0, "better", -0.02, 0.001, "wrong"),
        (math.inf, "worse", math.inf, 0.0, "right"),
        (math.inf, "worse", 1.0, 0.0, "wrong"),
        (math.inf, "no-change", 0.0, 0.0, "wrong"),
    ],
)
def test_what_is_right(true: float, word: str, found: float, half: float, state: str) -> None:
    assert selftest.judged(true, verdict(word, found, half)) == state


def test_a_lost_benchmark_is_wrong_for_every_unit() -> None:
    case = suite.cases()[0]
    outcomes = list(selftest._judge(case, {}))
    assert {one.unit for one in outcomes} == {"sec/op", "allocs/op"}
    assert not any(one.right for one in outcomes)


def test_the_truth_of_each_case_is_what_is_asked_for() -> None:
    cases = {case.name: case for case in suite.cases()}
    assert {name: (case.change, case.allocs) for name, case in cases.items()} == {
        "same": (0.0, 0),
        "slower-3": (0.03, 0),
        "slower-5": (0.05, 0),
        "slower-20": (0.20, 0),
        "faster-5": (-0.05, 0),
        "allocates": (0.0, 1),
    }
    found = pairs.Key(suite.PACKAGE, "SelfTest-2", "allocs/op")
    outcomes = list(selftest._judge(cases["allocates"], {found: verdict("worse", math.inf, 0.0, "exact")}))
    assert [(one.unit, one.right) for one in outcomes] == [("sec/op", False), ("allocs/op", True)]


@pytest.mark.parametrize("case", suite.cases(), ids=lambda case: case.name)
def test_each_patch_applies_where_the_function_moved(
    processes: None, tmp_path: Path, case: suite.Case
) -> None:
    code = tmp_path / "src/hash/fnv/fnv.go"
    code.parent.mkdir(parents=True)
    code.write_text(FNV, encoding="utf-8")
    shell = proc.Shell(logs=tmp_path / "logs", observe=lambda *_: None)
    done = git.run(shell, "apply", ["apply", "-p1", "-"], cwd=tmp_path, stdin=case.patch.encode())
    assert done.ok, done.tail
    text = code.read_text(encoding="utf-8")
    assert (text == FNV) == (case.name == "same")
    assert "BenchmarkSelfTest" in (code.parent / "selftest_test.go").read_text(encoding="utf-8")
    # Only sum64a changed.
    assert text.split("func (s *sum64a)")[0] == FNV.split("func (s *sum64a)", maxsplit=1)[0]


@pytest.mark.parametrize("case", suite.cases(), ids=lambda case: case.name)
def test_the_suite_passes_its_own_lint(case: suite.Case) -> None:
    (patch,) = suite.series(case).patches
    assert check(patch.name, patch.content) == patch.files


def outcomes(state: selftest.State) -> list[Outcome]:
    found = verdict("worse", 0.03)
    return [
        Outcome(case="same", unit="sec/op", expected="no change", verdict=None, state=state),
        Outcome(case="slower-3", unit="sec/op", expected="worse by 3 %", verdict=found, state="right"),
    ]


@pytest.mark.parametrize(
    ("state", "code", "said"),
    [
        ("right", ExitCode.PASS, "only then"),
        ("wrong", ExitCode.PATCH_FAILS, "is wrong about same sec/op"),
        ("undecided", ExitCode.INCONCLUSIVE, "could not decide same sec/op"),
    ],
)
def test_the_command_fails_when_the_gate_does(
    state: selftest.State,
    code: ExitCode,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    class Source:
        def check(self) -> None: ...

        def fetch(self, *_: object) -> tuple[GoTree, bool]:
            return GoTree(root=tmp_path, version="1.27.3", digest="", manifest={}), True

    monkeypatch.setattr("pipeline.source.base.choose", lambda *_: Source())
    monkeypatch.setattr(selftest, "run", lambda *_: outcomes(state))
    monkeypatch.setattr(exclusive, "_lock_path", lambda: tmp_path / "lock")
    (tmp_path / "matrix.yml").write_text((ROOT / "matrix.yml").read_text(encoding="utf-8"), encoding="utf-8")
    assert self_test.main(tmp_path, base=None) == code
    shown = capsys.readouterr().out
    assert (tmp_path / "runs").is_dir()
    assert said in shown
    assert ("WRONG" in shown) == (state == "wrong")
    assert "slower-3" in shown
    assert "worse +3.0 %" in shown


def test_the_self_test_measures_long_enough_to_know_a_size() -> None:
    from pipeline.plan import plan
    from pipeline.plan.plan import Request

    quick = plan.ground(Request(root=ROOT, profile="quick")).profile
    found = selftest.profile(quick)
    assert found.rounds >= 40
    assert dataclasses.replace(found, name="x").benchmark_timeout == quick.benchmark_timeout


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "matrix.yml").write_text((ROOT / "matrix.yml").read_text(encoding="utf-8"), encoding="utf-8")
    assert self_test.main(tmp_path, base=None, out=str(tmp_path)) == ExitCode.USAGE
