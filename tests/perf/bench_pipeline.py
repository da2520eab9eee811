"""How long a validation takes, and how much of it is the pipeline's own: ``./inv self-bench``.

Three runs of the real command on the default series: ``standard`` and ``quick`` on an empty store, and
``quick`` on a warm store with an edited patch. What is not spent inside git, go, pip, tests or
benchmarks is the pipeline's own share.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SERIES = "kqueue-retry-backoff"
# Minutes that each run may take on two cores, and the largest share of its own.
GOALS = {"standard, empty store": 10.0, "quick, empty store": 4.0, "quick, warm store, edited patch": 2.0}
OWN_SHARE = 0.03


@dataclass(frozen=True, kw_only=True)
class Figures:
    """One run: its exit code, wall seconds, seconds by stage, and the share outside external tools."""

    code: int
    wall: float
    stages: dict[str, float]
    own: float


def main(argv: Sequence[str]) -> int:
    """Run and print; ``argv`` may name the runs by a part of their title. 0 when every goal is met."""
    with tempfile.TemporaryDirectory(prefix="gopatch-bench-") as name:
        base = Path(name)
        series = _copy_series(base / "plain", "")
        runs = {
            "standard, empty store": ("standard", base / "cache-standard", series),
            "quick, empty store": ("quick", base / "cache-quick", series),
            "quick, warm store, edited patch": (
                "quick",
                base / "cache-quick",
                _copy_series(base / "edited", "!"),
            ),
        }
        chosen = {
            title: run for title, run in runs.items() if not argv or any(word in title for word in argv)
        }
        missed = []
        for number, (title, (profile, cache, folder)) in enumerate(chosen.items()):
            figures = _run(profile, cache, folder, base / f"run{number}")
            _print(title, figures)
            if figures.wall > 60 * GOALS[title] or figures.own > OWN_SHARE or figures.code not in (0, 5):
                missed.append(title)
    sys.stdout.write(f"goals missed: {'; '.join(missed)}\n" if missed else "every goal is met\n")
    return 1 if missed else 0


def _copy_series(folder: Path, mark: str) -> Path:
    """The default series; with ``mark``, its code differs by a comment, as after an edit."""
    shutil.copytree(ROOT / "patches" / SERIES, folder / SERIES)
    patch = next((folder / SERIES).glob("0001-*.patch"))
    text = patch.read_text(encoding="utf-8")
    old = "+func netpollOpenBackoff("
    assert text.count(old) == 1
    patch.write_text(
        text.replace(old, f"+func netpollOpenBackoff( /*{mark}*/ ") if mark else text, encoding="utf-8"
    )
    return folder / SERIES


def _run(profile: str, cache: Path, series: Path, out: Path) -> Figures:
    import os
    import time

    started = time.monotonic()
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pipeline.commands",
            "patch-validate",
            f"--series={series}",
            f"--profile={profile}",
            f"--out={out}",
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "GOPATCH_CACHE": str(cache)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    wall = time.monotonic() - started
    if done.returncode not in (0, 5):
        sys.stderr.write(done.stderr)
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    own = 1 - _external(out / "ledger.jsonl") / wall
    return Figures(code=done.returncode, wall=wall, stages=report["timings"], own=own)


def _external(ledger: Path) -> float:
    """Seconds during which at least one external program ran."""
    spans = []
    for line in ledger.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if record["kind"] == "command":
            end = dt.datetime.fromisoformat(record["at"]).timestamp()
            spans.append((end - record["seconds"], end))
    total, reached = 0.0, 0.0
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def _print(title: str, figures: Figures) -> None:
    sys.stdout.write(
        f"{title}: {figures.wall:.0f} s (goal {60 * GOALS[title]:.0f} s), exit {figures.code}, "
        f"outside git, go and benchmarks {100 * figures.own:.1f} % (goal {100 * OWN_SHARE:.0f} %)\n"
    )
    for stage, seconds in figures.stages.items():
        sys.stdout.write(f"    {stage:<16} {seconds:7.1f} s\n")
    sys.stdout.flush()
