"""A real improvement of the standard library, found with the right sign and size."""

from __future__ import annotations

import math
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from pipeline.errors import ExitCode
from tests.integration.harness import (
    Edits,
    Outcome,
    diff,
    linked,
    make_series,
    project,
    quick,
    rewrite,
    validate,
)

pytestmark = [pytest.mark.go, pytest.mark.measures]

# Layouts of the separate measurement, and how wide its interval may be: high / low.
FEWEST, MOST, PRECISE = 12, 60, 1.06
TESTS = ["TestHTMLNospaceEscaper", "TestEscapersOnLower7AndSelectHighCodepoints"]
CODE, TEST = "src/html/template/html.go", "src/html/template/long_test.go"
OLD = """\
		r, w = utf8.DecodeRuneInString(s[i:])
		if int(r) < len(replacementTable) {
"""
# ASCII is not decoded, and the buffer is grown once.
NEW = """\
		if c := s[i]; c < utf8.RuneSelf {
			w = 1
			if int(c) < len(replacementTable) {
				if repl := replacementTable[c]; repl != "" {
					if written == 0 {
						b.Grow(2 * len(s))
					}
					b.WriteString(s[written:i])
					b.WriteString(repl)
					written = i + 1
				}
			}
			continue
		}
		r, w = utf8.DecodeRuneInString(s[i:])
		if int(r) < len(replacementTable) {
"""
BENCHMARK = """\
package template

import (
	"strings"
	"testing"
)

func BenchmarkHTMLEscaperLong(b *testing.B) {
	text := strings.Repeat("a plain sentence with <b> and \\"c\\" & more of it; ", 20)
	b.ReportAllocs()
	for b.Loop() {
		htmlEscaper(text)
	}
}
"""


def improve(text: str) -> str:
    """The improved file."""
    assert text.count(OLD) == 1
    return text.replace(OLD, NEW)


@pytest.fixture(scope="module")
def outcome(cache: Path, release: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The series names no benchmarks: what it adds is chosen first."""
    folder = tmp_path_factory.mktemp("improvement")
    before = (release / CODE).read_text(encoding="utf-8")
    edits = Edits(replace={CODE: (before, improve(before))}, add={TEST: BENCHMARK})
    series = make_series(
        folder / "escape",
        [diff(release, edits)],
        tests={"html/template": TESTS},
    )
    # Not many of the package's other benchmarks: they would be measured for as long again.
    root = project(folder / "project", budget=5)
    return validate(cache, folder / "out", *quick(series), root=root)


def rows(outcome: Outcome, unit: str) -> dict[str, dict[str, Any]]:
    found = {row["name"]: row for row in outcome.report["cells"][0]["benchmarks"] if row["unit"] == unit}
    assert found, outcome.err
    return found


def own(outcome: Outcome, unit: str) -> dict[str, Any]:
    return next(row for name, row in rows(outcome, unit).items() if name.startswith("HTMLEscaperLong"))


def test_the_allocation_that_went_is_a_fact(outcome: Outcome) -> None:
    row = own(outcome, "allocs/op")
    assert (row["verdict"], row["phase"]) == ("better", "exact")
    assert (row["base"]["median"], row["patched"]["median"]) == (4, 3)


def test_what_the_series_adds_is_chosen_first_and_the_rest_is_accounted_for(outcome: Outcome) -> None:
    choice = outcome.report["cells"][0]["choice"]
    assert choice["chosen"][0] == "html/template BenchmarkHTMLEscaperLong"
    known = {name.split(" ")[1] for name in choice["chosen"]} | {name for _, name, _ in choice["left_out"]}
    assert known >= {"BenchmarkCSSEscaper", "BenchmarkHTMLNospaceEscaper", "BenchmarkStripTags"}
    assert "The series names no benchmarks" in outcome.summary


def test_the_loop_is_better_and_nothing_else_is_worse(outcome: Outcome) -> None:
    # The rest did not change; on a busy machine its rows may stay open, never become worse.
    assert outcome.code in {ExitCode.PASS, ExitCode.INCONCLUSIVE}, outcome.err
    row = own(outcome, "sec/op")
    assert row["verdict"] == "better", row
    assert row["ratio"] < 0.9
    assert not [name for name, one in rows(outcome, "sec/op").items() if one["verdict"] == "worse"]


def test_its_interval_covers_the_truth_measured_separately(
    outcome: Outcome, release: Path, go_cache: Path, tmp_path: Path
) -> None:
    """By plain ``go test -c`` in trees of our own, over layouts of our own, measured for longer."""
    trees = [_tree(release, tmp_path / name, improved=name == "new") for name in ("old", "new")]
    logs: list[float] = []
    low, high = 0.0, math.inf
    # On a busy machine it takes more layouts to be as sure: the width alone says when it is enough.
    while len(logs) < FEWEST or (high / low >= PRECISE and len(logs) < MOST):
        with ThreadPoolExecutor() as pool:
            binaries = list(pool.map(lambda tree: _build(tree, go_cache, len(logs) + 1), trees))
        values = [_measure(binaries[side]) for side in (0, 1, 1, 0)]
        logs.append(math.log(min(values[1:3]) / min(values[0], values[3])))
        if len(logs) >= FEWEST:
            truth = stats.bootstrap(
                (logs,), np.median, confidence_level=0.99, rng=np.random.default_rng(1), n_resamples=2000
            )
            low, high = np.exp(truth.confidence_interval)
    assert high / low < PRECISE, "the separate measurement is not precise enough to judge by"
    ci = own(outcome, "sec/op")["ci"]
    assert ci[0] <= high
    assert low <= ci[1]


def _tree(release: Path, root: Path, *, improved: bool) -> Path:
    linked(release, root)
    text = (root / CODE).read_text(encoding="utf-8")
    rewrite(root / CODE, improve(text) if improved else text)
    rewrite(root / TEST, BENCHMARK)
    return root


def _build(root: Path, go_cache: Path, seed: int) -> Path:
    out = root.parent / f"{root.name}-{seed}.test"
    env = {
        "GOROOT": str(root),
        "GOCACHE": str(go_cache),
        "GOPATH": str(root.parent / "path"),
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "",
        "GOENV": "off",
        "CGO_ENABLED": "0",
        "PATH": os.environ["PATH"],
    }
    layout = f"-ldflags=-randlayout={seed} -w"
    command: list[str | Path] = [root / "bin/go", "test", "-c", "-trimpath", layout, "-o", out]
    subprocess.run([*command, "./html/template"], cwd=root / "src", env=env, check=True)
    return out


def _measure(binary: Path) -> float:
    """Nanoseconds an operation, in the quietest of a few moments."""
    command: list[str | Path] = [
        binary,
        "-test.run=^$",
        "-test.bench=^BenchmarkHTMLEscaperLong$",
        "-test.benchtime=25ms",
        "-test.count=4",
    ]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.findall(r"([\d.]+) ns/op", text)
    assert len(found) == 4, text
    return min(map(float, found))
