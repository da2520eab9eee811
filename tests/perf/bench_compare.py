"""Times the benchstat drop-in as a whole process, start-up included.

Run as ``./inv self-bench compare`` or ``python tests/perf/bench_compare.py [--runs N] [--benchmarks N]``.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_RUNS_A_BENCHMARK = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What one process took: seconds of wall and CPU time, and peak resident memory in MB."""

    wall: float
    cpu: float
    peak: float


def main(argv: Sequence[str]) -> int:
    """Print median figures of the drop-in, and of ``benchstat`` if there is one on PATH."""
    parser = argparse.ArgumentParser(prog="self-bench compare", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="processes timed for each figure")
    parser.add_argument("--benchmarks", type=int, default=10_000, help="benchmarks in each of two files")
    parser.add_argument("--seed", type=int, default=1, help="seed of the generated files")
    options = parser.parse_args(list(argv))
    ours = [sys.executable, "-m", "pipeline.benchstat"]
    theirs = shutil.which("benchstat")
    with tempfile.TemporaryDirectory(prefix="bench-compare-") as folder:
        sizes = (2, options.benchmarks, 2 * options.benchmarks)
        costs = {}
        for size in sizes:
            files = [str(path) for path in write_files(Path(folder), size, options.seed)]
            costs[size] = measure([*ours, *files], options.runs)
            _report(f"drop-in, 2 x {size} benchmarks x 10 runs x 3 units", costs[size])
            if theirs:
                other = measure([theirs, *files], options.runs)
                _report(f"benchstat, the same {size} benchmarks", other)
                _say(f"    ratio of wall times (drop-in / benchstat): {costs[size].wall / other.wall:.2f}")
        start, half, full = (costs[size].wall for size in sizes)
        _say(f"twice the benchmarks take {(full - start) / (half - start):.2f} times as long, less start-up")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def _report(title: str, cost: Cost) -> None:
    _say(f"{title}: wall {cost.wall:.2f} s, CPU {cost.cpu:.2f} s, peak {cost.peak:.0f} MB")


def write_files(folder: Path, benchmarks: int, seed: int) -> list[Path]:
    """Write two files of ``benchmarks`` benchmarks, 10 runs each, with ns/op, B/op and allocs/op."""
    paths = [folder / f"{side}-{benchmarks}.txt" for side in ("old", "new")]
    for number, path in enumerate(paths):
        rng = random.Random(seed)  # noqa: S311 - test data
        noise = random.Random(seed + 1 + number)  # noqa: S311 - test data
        with path.open("w", encoding="utf-8") as out:
            out.write("goos: linux\ngoarch: amd64\npkg: example.org/speed\ncpu: Example 1\n")
            for index in range(benchmarks):
                centre = 10 ** rng.uniform(0.5, 8)
                factor = rng.choice((1, 1, 1.05, 0.9)) if number else rng.choice((1, 1, 1, 1))
                size, count = rng.randrange(1 << 20), rng.randrange(2000)
                for _ in range(_RUNS_A_BENCHMARK):
                    value = centre * factor * noise.gauss(1, 0.02)
                    out.write(
                        f"BenchmarkThing{index % 100}/size={index // 100}/mode=a-8 \t"
                        f"{noise.randrange(1000, 999999)}\t{value:.4g} ns/op\t"
                        f"{size + noise.randrange(8)} B/op\t{count} allocs/op\n"
                    )
    return paths


def measure(command: Sequence[str], runs: int) -> Cost:
    """Run ``command`` several times, output thrown away, and return the median costs."""
    costs = [_once(command) for _ in range(runs)]
    return Cost(
        wall=statistics.median(cost.wall for cost in costs),
        cpu=statistics.median(cost.cpu for cost in costs),
        peak=statistics.median(cost.peak for cost in costs),
    )


def _once(command: Sequence[str]) -> Cost:
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=_ROOT)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command[0]} failed with status {process.returncode}")
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return Cost(wall=wall, cpu=usage.ru_utime + usage.ru_stime, peak=kilobytes / 1024)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
