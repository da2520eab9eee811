"""What a fleet of GitHub's runners is told: one job for each cell that has a machine."""

from __future__ import annotations

import datetime as dt
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.config import Mistake
from pipeline.errors import HostError, UsageError
from pipeline.plan import labels
from pipeline.plan.cells import Row, limited
from pipeline.plan.file import MatrixFile
from pipeline.plan.matrix import Matrix
from pipeline.values import Cell, Machine, Profile

# https://docs.github.com/en/actions/reference/limits: jobs of one matrix.
MAX_JOBS = 256
# Minutes for what a job does besides the cell's own work: a clone, Python, artifacts; and to boot a system.
_ROUND = 15
_BOOT = 10
_LONGEST = 360


def machines(rows: Sequence[Row]) -> list[tuple[Cell, Machine]]:
    """The cells that a fleet runs, with their machines."""
    return [(row.cell, row.cell.machine) for row in rows if row.cell.machine]


def jobs(rows: Sequence[Row], profile: Profile) -> dict[str, list[dict[str, object]]]:
    """``strategy.matrix`` of the job that runs cells. ``vm`` and ``version`` are '' without a virtual
    machine; ``minutes`` is for timeout-minutes."""
    return {
        "include": [
            {
                "id": cell.id,
                **machine.as_json(),
                "minutes": minutes(cell, profile),
            }
            for cell, machine in machines(rows)
        ]
    }


def minutes(cell: Cell, profile: Profile) -> int:
    """When a job counts as hung: twice what the profile allows its measurements, and its tests six times
    their limit in each build, for both sides and what is repeated. No estimate: most take a fraction. GitHub
    ends a job on its own machines after six hours."""
    own = limited(profile, cell)
    builds = 1 + len(own.variants)
    seconds = 6 * builds * own.test_timeout + 2 * (own.budget + own.max_seconds + own.benchmark_timeout)
    boot = _BOOT if cell.machine and cell.machine.vm else 0
    return min(_LONGEST, _ROUND + boot + math.ceil(seconds / 60))


def check(matrix: Matrix, rows: Sequence[Row]) -> None:
    """UsageError for more jobs than GitHub runs of one matrix."""
    count = len(machines(rows))
    if count <= MAX_JOBS:
        return
    left = {
        axis: sum(1 for row in rows if row.cell.machine and axis not in row.chosen)
        for axis in matrix.file.axes
    }
    text = f"{count} jobs, and GitHub runs at most {MAX_JOBS} of one matrix"
    most = min(left, key=lambda axis: left[axis], default="")
    if most and left[most] < count:
        mistake = Mistake(
            ("axes", most),
            f"{text}; axis {most} multiplies most: without it there are {left[most]}",
        )
        hint = f"list fewer platforms or values for {most}, exclude combinations, or choose with --cells"
    else:
        mistake = Mistake(("platforms",), text)
        hint = "choose some of the cells with --cells, or take the runner from others"
    raise UsageError(matrix.document.line(mistake), hint=hint)


def warnings(matrix: Matrix, today: dt.date) -> list[str]:
    """What is to be said of the runners' labels, each with its place in the file."""
    found = [
        matrix.document.line(
            Mistake(matrix.document.known(("platforms", name, "runner", index)), text),
        )
        for name, entry in matrix.file.platforms.items()
        for index, text in labels.warnings(entry.runner, today)
    ]
    old = labels.stale(today)
    return [*found, *([old] if old and machines_named(matrix.file) else [])]


def machines_named(file: MatrixFile) -> bool:
    """Whether any platform has a runner."""
    return any(entry.runner for entry in file.platforms.values())


def outputs(rows: Sequence[Row], profile: Profile, base: str) -> dict[str, str]:
    """What a job of a workflow tells the next. ``jobs`` is how many there are: GitHub refuses a
    matrix of none."""
    told = jobs(rows, profile)
    return {
        "matrix": json.dumps(told, separators=(",", ":")),
        "jobs": str(len(told["include"])),
        "base": base,
        "profile": profile.name,
    }


def append(path: Path, values: Mapping[str, str]) -> None:
    """Append outputs to the file that GitHub names in GITHUB_OUTPUT, one line each. UsageError, and nothing
    is written, for a value that would be more than one line; HostError when the file cannot be written."""
    for name, value in values.items():
        if not value.isprintable():
            raise UsageError(f"the output {name} would not be one line of text: {value[:200]!r}")
    lines = "".join(f"{name}={value}\n" for name, value in values.items())
    try:
        with path.open("a+b") as stream:
            if stream.tell():
                stream.seek(-1, os.SEEK_END)
                lines = lines if stream.read() == b"\n" else f"\n{lines}"
            stream.write(lines.encode())
    except OSError as error:
        raise HostError(
            f"{path} cannot be written: {error.strerror}",
            meaning="--github-output takes the file that GitHub names in GITHUB_OUTPUT",
        ) from error
