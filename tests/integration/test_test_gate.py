"""The test gate on real Go: one series whose tests do everything that a test can do."""

from __future__ import annotations

import secrets
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ExitCode
from tests.integration.harness import (
    HEADER,
    LEN,
    Edits,
    Outcome,
    diff,
    make_series,
    project,
    quick,
    validate,
)

pytestmark = pytest.mark.go

BREAKS = """\
	switch n {
	case 1234:
		return 0
	case 4321:
		panic("lost the ring")
	}
"""
# Rings of 777 are what the change is for.
CHANGE = "\t\t\tn++\n\t\t}\n\t}\n\tif n == 777 {\n\t\treturn 778\n\t}\n"

TESTS = (
    HEADER
    + """\
import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

func want(t *testing.T, n, want int) {
	t.Helper()
	if got := New(n).Len(); got != want {
		t.Errorf("\\x1b[31mLen() = %d, want %d", got, want)
	}
}

func TestFailsAnyway(t *testing.T) { want(t, 5, 6) }

func TestBreaks(t *testing.T) { want(t, 1234, 1234) }

func TestPanics(t *testing.T) {
	t.Run("deep", func(t *testing.T) { want(t, 4321, 4321) })
}

func TestAfterThePanic(t *testing.T) { want(t, 3, 3) }

func TestOfTheChange(t *testing.T) { want(t, 777, 778) }

func TestOfNothing(t *testing.T) { want(t, 7, 7) }

// Both sides share one counter: every other run fails, whichever side it is of.
func TestFlakes(t *testing.T) {
	name := filepath.Join("COUNTER", "counter")
	text, _ := os.ReadFile(name)
	n, _ := strconv.Atoi(string(text))
	if err := os.WriteFile(name, []byte(strconv.Itoa(n+1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if n%2 == 1 {
		t.Fatal("an odd run")
	}
}
"""
)
NEW = HEADER + 'import "testing"\n\nfunc TestOfNewCode(t *testing.T) { _ = added }\n'
NAMES = [
    "TestFailsAnyway",
    "TestBreaks",
    "TestPanics",
    "TestAfterThePanic",
    "TestOfTheChange",
    "TestOfNothing",
    "TestFlakes",
    "TestOfNewCode",
]


def series(folder: Path, tree: Path, counter: Path, *, breaks: str = BREAKS, **keys: Any) -> Path:
    """A change to Ring.Len that comes with ``TESTS`` and with a test of code that only it has."""
    body = f"{CHANGE}{breaks}\treturn n\n"
    edits = Edits(
        replace={"src/container/ring/ring.go": (LEN, body)},
        add={
            "src/container/ring/added.go": f"{HEADER}const added = 1 // {folder.name}\n",
            "src/container/ring/gate_test.go": TESTS.replace("COUNTER", str(counter)),
            "src/container/ring/new_test.go": NEW,
        },
    )
    keys.setdefault("tests", {"container/ring": NAMES})
    return make_series(folder, [diff(tree, edits)], **keys)


def fresh(folder: Path) -> Path:
    """A folder whose name is in the test binary: no result of an earlier session can be in the cache."""
    path = folder / secrets.token_hex(8)
    path.mkdir()
    return path


def gates(done: Outcome) -> dict[str, dict[str, Any]]:
    return {gate["subject"]: gate for gate in done.report["cells"][0]["gates"] if gate["gate"] == "test"}


def outcomes(done: Outcome) -> dict[str, str]:
    found = gates(done)
    return {name.removeprefix("container/ring."): gate["transition"] for name, gate in found.items()}


def test_the_patch_is_charged_with_what_it_breaks_and_with_nothing_else(
    cache: Path, release: Path, tmp_path: Path
) -> None:
    counter = fresh(tmp_path)
    done = validate(cache, tmp_path / "out", *quick(series(tmp_path / "breaks", release, counter)))
    assert done.code == ExitCode.PATCH_FAILS, done.err + done.out
    assert outcomes(done) == {
        "TestFailsAnyway": "fail→fail",
        "TestBreaks": "pass→fail",
        "TestPanics": "pass→fail",
        "TestAfterThePanic": "pass→pass",
        "TestOfTheChange": "fail→pass",
        "TestOfNothing": "pass→pass",
        "TestFlakes": "flaky",
        "TestOfNewCode": "new→pass",
    }
    assert (
        "the patch fails 2 tests on linux-amd64: container/ring.TestBreaks, container/ring.TestPanics"
        in done.err
    )
    assert "Len() = 0, want 1234" in done.err
    panics = gates(done)["container/ring.TestPanics"]
    assert "panic: lost the ring" in panics["detail"]
    assert panics["note"].endswith("; in TestPanics/deep")
    assert "\x1b" not in done.err + done.summary
    _own_tests_are_told(done)
    _junit_tells_the_same(done)
    _the_store_has_the_baseline(cache, release, tmp_path, counter)


def _own_tests_are_told(done: Outcome) -> None:
    told = done.summary.split("The series' own tests:", 1)[1].split("\n### ", 1)[0].replace("\\", "")
    lines = {line.split(" on ")[0].removeprefix("- container/ring."): line for line in told.splitlines()}
    for name, said in {
        "TestOfTheChange": "fails without the change, passes with it",
        "TestOfNothing": "passes without the change, passes with it: it does not test it",
        "TestBreaks": "passes without the change, fails with it",
        "TestOfNewCode": "is not compiled without the change, passes with it",
    }.items():
        assert lines[name].endswith(f": {said}")
    assert "2 pass→fail, 2 pass→pass, 1 fail→fail" in done.summary


def _junit_tells_the_same(done: Outcome) -> None:
    root = ET.parse(done.folder / "gates/junit.xml").getroot()  # noqa: S314  # our own file
    # The other suites are platforms that the compile gate alone knows of.
    (suite,) = (one for one in root.iter("testsuite") if one.get("name") == "linux-amd64")
    cases = {case.get("name"): case for case in suite if case.get("classname") == "container/ring"}
    assert cases.keys() == set(NAMES)
    kinds = {name: [child.tag for child in case if child.tag != "system-out"] for name, case in cases.items()}
    assert {name for name, tags in kinds.items() if tags == ["failure"]} == {"TestBreaks", "TestPanics"}
    assert {name for name, tags in kinds.items() if tags == ["skipped"]} == {"TestFailsAnyway", "TestFlakes"}
    assert "Len() = 0, want 1234" in (cases["TestBreaks"].findtext("failure") or "")
    assert "fails without the change, passes with it" in (
        cases["TestOfTheChange"].findtext("system-out") or ""
    )


def _the_store_has_the_baseline(cache: Path, release: Path, tmp_path: Path, counter: Path) -> None:
    """An edited patch with the same tests: the baseline's results are there, and nothing is charged now."""
    edited = series(tmp_path / "edited", release, counter, breaks="")
    done = validate(cache, tmp_path / "out2", *quick(edited))
    assert done.code == ExitCode.PASS, done.err + done.out
    (group,) = done.report["cells"][0]["tests"]
    assert group["stored"]
    assert f"baseline results of {group['stored']} from the store" in done.summary
    logs = {path.name for path in (done.folder / "logs").iterdir()}
    assert "test-base-container_ring.log" not in logs
    # What excuses the patch, and what speaks for it, was run again.
    found = gates(done)
    assert "test-base-container_ring-confirm.log" in logs
    assert found["container/ring.TestBreaks"]["stored"] == group["stored"]
    assert found["container/ring.TestFailsAnyway"]["stored"] == ""
    assert outcomes(done)["TestBreaks"] == "pass→pass"


def test_whole_packages_and_the_race_detector(cache: Path, release: Path, tmp_path: Path) -> None:
    root = project(tmp_path / "project", tests="packages", variants=["race", "staticlockranking"])
    whole = series(tmp_path / "whole", release, fresh(tmp_path), breaks="", tests={})
    done = validate(cache, tmp_path / "out", *quick(whole), root=root)
    assert done.code == ExitCode.PASS, done.err + done.out
    plain, race = done.report["cells"][0]["tests"]
    assert plain["scope"] == "the whole package"
    assert {"TestCornerCases", "TestNew", "ExampleRing_Len", *NAMES} <= outcomes(done).keys()
    assert sum(plain["counts"].values()) + sum(race["counts"].values()) == len(outcomes(done))
    if race["skipped"]:
        assert "gcc is not on PATH" in race["skipped"]
        assert "gcc is not on PATH" in done.summary
    else:
        assert race["package"] == "container/ring (race)"
        assert race["counts"] == plain["counts"]
