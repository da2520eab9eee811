"""The type checker that ships with the project as Go source: what it is, and what it reads and writes.

The compiler takes 5 s of processor time a platform for the runtime, and 35 with its tests. Checking types
alone takes 0.4 s, because one process parses each file once for all platforms and leaves out the bodies of
functions that nobody changed. What only a compiler finds (escape rules of the runtime, assembly, sizes of
frames) it does not see.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

# The oldest release that builds it.
OLDEST = "1.21"
SOURCE = Path(__file__).with_name("typecheck.go")


@dataclass(frozen=True, kw_only=True)
class Job:
    """Packages of the tree at ``root`` as a platform sees them; ``tags`` are those that the release sets."""

    root: str
    goos: str
    goarch: str
    tags: tuple[str, ...]
    packages: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A compiler-style error; ``file`` is below GOROOT. ``line`` is 0 where it is about a whole package."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        place = f":{self.line}:{self.column}" if self.line else ""
        return f"{self.file}{place}: {self.message}"


def request(jobs: Sequence[Job], width: int) -> bytes:
    """What the checker reads from standard input: ``width`` jobs are done at a time."""
    return json.dumps({"width": max(1, width), "jobs": [asdict(job) for job in jobs]}).encode()


def results(text: str) -> list[tuple[Finding, ...]]:
    """What it wrote, a list of findings for each job. ValueError when that is not what it writes."""
    try:
        return [tuple(Finding(**one) for one in row["findings"]) for row in json.loads(text)]
    except (KeyError, TypeError) as error:
        raise ValueError(f"not the type checker's output: {error!r}") from error
