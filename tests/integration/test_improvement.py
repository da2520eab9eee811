"""A real improvement of the standard library, found with the right sign and size."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from pipeline.errors import ExitCode
from tests.integration.harness import Edits, Outcome, diff, make_series, quick, validate

pytestmark = pytest.mark.go

CODE, TEST = "src/encoding/hex/hex.go", "src/encoding/hex/string_test.go"
# Two characters by one load from a table, and no copy from the buffer to the string.
OLD = """\
	j := 0
	for _, v := range src {
		dst[j] = hextable[v>>4]
		dst[j+1] = hextable[v&0x0f]
		j += 2
	}
	return len(src) * 2
"""
NEW = """\
	n := len(src) * 2
	out := dst[:n]
	for _, v := range src {
		if len(out) < 2 {
			break
		}
		*(*[2]byte)(out) = hexPairs[v]
		out = out[2:]
	}
	return n
"""
TABLE = """\
var hexPairs = func() (pairs [256][2]byte) {
	for v := range pairs {
		pairs[v] = [2]byte{hextable[v>>4], hextable[v&0x0f]}
	}
	return pairs
}()

"""
BENCHMARK = """\
package hex

import "testing"

func BenchmarkEncodeToString(b *testing.B) {
	src := make([]byte, 512)
	for i := range src {
		src[i] = byte(i)
	}
	b.ReportAllocs()
	for b.Loop() {
		EncodeToString(src)
	}
}
"""


def improve(text: str) -> str:
    """The improved file."""
    for old, new in (
        (OLD, NEW),
        ("\treturn string(dst)\n", "\treturn unsafe.String(unsafe.SliceData(dst), len(dst))\n"),
        ('\t"strings"\n)', '\t"strings"\n\t"unsafe"\n)'),
        ("// EncodedLen returns", TABLE + "// EncodedLen returns"),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def outcome(cache: Path, release: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The series names no benchmarks: what it adds is chosen first."""
    folder = tmp_path_factory.mktemp("improvement")
    before = (release / CODE).read_text(encoding="utf-8")
    edits = Edits(replace={CODE: (before, improve(before))}, add={TEST: BENCHMARK})
    series = make_series(
        folder / "hex", [diff(release, edits)], tests={"encoding/hex": ["TestEncode", "TestDecode"]}
    )
    return validate(cache, folder / "out", *quick(series))


def rows(outcome: Outcome, unit: str) -> dict[str, dict[str, Any]]:
    found = {row["name"]: row for row in outcome.report["cells"][0]["benchmarks"] if row["unit"] == unit}
    assert found, outcome.err
    return found


def own(outcome: Outcome, unit: str) -> dict[str, Any]:
    return next(row for name, row in rows(outcome, unit).items() if name.startswith("EncodeToString"))


def test_the_allocation_that_went_is_a_fact(outcome: Outcome) -> None:
    row = own(outcome, "allocs/op")
    assert (row["verdict"], row["phase"]) == ("better", "exact")
    assert (row["base"]["median"], row["patched"]["median"]) == (2, 1)


def test_what_the_series_adds_is_chosen_first_and_the_rest_is_accounted_for(outcome: Outcome) -> None:
    choice = outcome.report["cells"][0]["choice"]
    assert choice["chosen"][0] == "encoding/hex BenchmarkEncodeToString"
    known = {name.split(" ")[1] for name in choice["chosen"]} | {name for _, name, _ in choice["left_out"]}
    assert known >= {"BenchmarkEncode", "BenchmarkDecode", "BenchmarkDecodeString", "BenchmarkDump"}
    assert "The series names no benchmarks" in outcome.summary


def test_the_loop_is_better_and_nothing_else_is_worse(outcome: Outcome) -> None:
    # Decoding did not change; on a busy machine its rows may stay open, never become worse.
    assert outcome.code in {ExitCode.PASS, ExitCode.INCONCLUSIVE}, outcome.err
    row = own(outcome, "sec/op")
    assert row["verdict"] == "better", row
    assert row["ratio"] < 0.9
    assert not [name for name, one in rows(outcome, "sec/op").items() if one["verdict"] == "worse"]


def test_its_interval_covers_the_truth_measured_separately(
    outcome: Outcome, release: Path, tmp_path: Path
) -> None:
    """By plain ``go test -c`` in trees of our own: equal bits, measured otherwise and for longer."""
    binaries = [_build(release, tmp_path / name, improved=name == "new") for name in ("old", "new")]
    logs = []
    for number in range(80):
        order = (0, 1) if number % 2 else (1, 0)
        values = {side: _measure(binaries[side]) for side in order}
        logs.append(np.log(values[1] / values[0]))
    truth = stats.bootstrap((logs,), np.median, confidence_level=0.99, rng=np.random.default_rng(1))
    low, high = np.exp(truth.confidence_interval)
    assert high / low < 1.05, "the separate measurement is not precise enough to judge by"
    ci = own(outcome, "sec/op")["ci"]
    assert ci[0] <= high
    assert low <= ci[1]


def _build(release: Path, root: Path, *, improved: bool) -> Path:
    subprocess.run(["cp", "-r", release, root], check=True)
    code = root / CODE
    text = code.read_text(encoding="utf-8")
    if improved:
        code.write_text(improve(text), encoding="utf-8")
    (root / TEST).write_text(BENCHMARK, encoding="utf-8")
    out = root.with_suffix(".test")
    env = {
        "GOROOT": str(root),
        "GOCACHE": str(root.parent / "cache"),
        "GOPATH": str(root.parent / "path"),
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "",
        "GOENV": "off",
        "CGO_ENABLED": "0",
        "PATH": os.environ["PATH"],
    }
    command: list[str | Path] = [root / "bin/go", "test", "-c", "-trimpath", "-o", out, "./encoding/hex"]
    subprocess.run(command, cwd=root / "src", env=env, check=True)
    return out


def _measure(binary: Path) -> float:
    """Nanoseconds an operation."""
    command: list[str | Path] = [
        binary,
        "-test.run=^$",
        "-test.bench=^BenchmarkEncodeToString$",
        "-test.benchtime=150ms",
    ]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"([\d.]+) ns/op", text)
    assert found, text
    return float(found.group(1))
