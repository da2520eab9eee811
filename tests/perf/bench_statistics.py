"""The error rates and costs of the rules, by simulation: ``./inv self-bench statistics``. The tables of
docs/statistics.md are what it prints."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tests.simulation.table import lines

COUNT = 40_000


def main(argv: Sequence[str]) -> int:
    """Print the tables; ``argv`` may give the number of simulated comparisons a cell."""
    for line in lines(int(argv[0]) if argv else COUNT):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    return 0
