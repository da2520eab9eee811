"""Each gate on a series made to fail it, on real Go."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import ExitCode
from tests.integration.harness import LEN, ROOT, SPIN, Outcome, project, quick, ring_series, validate

pytestmark = pytest.mark.go

# After the walk over n elements, a walk over a fifth of them again: 20 % more of the same work.
SLOWER = """\
			n++
		}
		q := r
		for range n / 5 {
			q = q.next
		}
		if q == nil {
			return 0
		}
	}
	return n
"""

PANICS = """\
			n++
		}
	}
	if n == 1000 {
		panic("lost the ring")
	}
	return n
"""


@pytest.mark.measures
def test_a_slower_benchmark_is_called_worse(cache: Path, release: Path, tmp_path: Path) -> None:
    series = ring_series(tmp_path / "slower", release, body=SLOWER, thresholds={})
    done = validate(cache, tmp_path / "out", *quick(series), root=ROOT)
    assert done.code == ExitCode.PATCH_FAILS, done.err + done.out
    (row,) = [r for r in done.report["cells"][0]["benchmarks"] if r["unit"] == "sec/op"]
    assert row["verdict"] == "worse"
    assert row["name"].startswith("Spin")
    assert 1.10 < row["ratio"] < 1.35
    assert row["phase"] == "all"
    assert row["q"] <= 0.05
    assert "Spin" in done.report["headline"]
    assert "worse" in done.out


def test_a_patch_that_does_not_compile(cache: Path, release: Path, tmp_path: Path) -> None:
    series = ring_series(tmp_path / "broken", release, body=LEN.replace("return n", "return undefinedName"))
    done = validate(
        cache, tmp_path / "out", f"--series={series}", "--profile=quick", "--cells=linux-*", root=ROOT
    )
    assert done.code == ExitCode.PATCH_FAILS
    assert "patch 1 of 1 (0001-change.patch) does not compile on aix/ppc64, android/386" in done.err
    assert "ring.go:124:9: undefined: undefinedName" in done.err
    statuses = {gate["status"] for cell in done.report["cells"] for gate in cell["gates"]}
    assert statuses == {"fail"}
    assert done.report["verdict"] == "fail"
    assert "undefinedName" in done.summary


def test_a_patch_that_breaks_a_test(cache: Path, release: Path, tmp_path: Path) -> None:
    series = ring_series(tmp_path / "wrong", release, body=LEN.replace("return n", "return n + 1"))
    done = validate(cache, tmp_path / "out", *quick(series))
    assert done.code == ExitCode.PATCH_FAILS
    gates = {gate["subject"]: gate for gate in done.report["cells"][0]["gates"] if gate["gate"] == "test"}
    assert gates["container/ring.TestNew"]["status"] == "fail"
    assert gates["container/ring.TestNew"]["transition"] == "pass→fail"
    assert (
        "ring.Len()" in gates["container/ring.TestNew"]["detail"]
        or "expected" in gates["container/ring.TestNew"]["detail"]
    )
    assert "container/ring.TestNew" in done.err


def test_a_patch_that_does_not_apply_names_file_and_hunk(cache: Path, release: Path, tmp_path: Path) -> None:
    series = ring_series(tmp_path / "stale", release)
    patch = series / "0001-change.patch"
    text = patch.read_text(encoding="utf-8")
    assert "\n \treturn n\n" in text
    patch.write_text(text.replace("\n \treturn n\n", "\n \treturn m\n"), encoding="utf-8")
    done = validate(cache, tmp_path / "out", *quick(series))
    assert done.code == ExitCode.PATCH_FAILS
    assert "src/container/ring/ring.go:12" in done.err
    assert "hunk 1" in done.err
    assert done.report["verdict"] == "fail"


def _verdicts(done: Outcome) -> list[tuple[str, str]]:
    return [(row["name"], row["verdict"]) for row in done.report["cells"][0]["benchmarks"]]


def test_a_benchmark_that_panics_on_the_patched_side(cache: Path, release: Path, tmp_path: Path) -> None:
    series = ring_series(tmp_path / "panics", release, body=PANICS, tests={})
    done = validate(cache, tmp_path / "out", *quick(series))
    assert done.code == ExitCode.PATCH_FAILS
    assert _verdicts(done) == [("Spin", "failed")]
    assert "panic: lost the ring" in done.report["cells"][0]["benchmarks"][0]["reason"]


def test_a_benchmark_that_hangs_is_ended(cache: Path, release: Path, tmp_path: Path) -> None:
    # The fewest rounds, and one layout for all: both sides hang in every one of them.
    root = project(tmp_path / "project", benchmark_timeout=1, max_rounds=8, noise_rounds=0, layout="fixed")
    hang = SPIN.replace("n += r.Len()", "n += r.Len()\n\t\tfor {\n\t\t}")
    series = ring_series(tmp_path / "hangs", release, spin=hang, tests={})
    done = validate(cache, tmp_path / "out", *quick(series), root=root)
    # It hangs on both sides, so the patch is not charged; and it is never "no change".
    assert done.code == ExitCode.INCONCLUSIVE, done.err
    assert _verdicts(done) == [("Spin", "missing")]
    assert "both sides: did not end within 1 s" in done.report["cells"][0]["benchmarks"][0]["reason"]
