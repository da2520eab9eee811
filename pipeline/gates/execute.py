"""Running tests of one binary, so that one that takes the process down does not hide the others."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline import proc
from pipeline.cells.base import Shell, Where
from pipeline.cells.here import HERE
from pipeline.errors import HostError
from pipeline.gates import events
from pipeline.gates.events import Events, TestOutcome
from pipeline.golang import Go
from pipeline.values import TestBinary

# How often a process may die in one pass over a package before the rest is left out.
MAX_DEATHS = 10
# Names in one command line: Windows ends it at 32,767 characters.
MAX_PATTERN = 24_000
# Of the time of a process: a test that ran for less when it was up is not what used it up.
HANG_SHARE = 0.5

Outcomes = dict[str, TestOutcome]


@dataclass(frozen=True, kw_only=True)
class Program:
    """One side's test binary and what it is run with. ``environment`` comes on top of Go's own;
    ``where`` is the machine that ``shell`` runs it on."""

    shell: Shell
    binary: TestBinary
    go: Go
    environment: Mapping[str, str]
    short: bool
    where: Where = HERE

    @property
    def name(self) -> str:
        """The side and package, as logs are named."""
        variant = f"-{self.binary.variant}" if self.binary.variant else ""
        return f"{self.binary.side}-{self.binary.package.replace('/', '_')}{variant}"

    @property
    def env(self) -> dict[str, str]:
        """The whole environment of its processes."""
        return self.go.env(extra={"GOROOT": str(self.binary.goroot), **self.environment})

    @property
    def flags(self) -> list[str]:
        """What every process gets, apart from names and time limits. Like ``go test``, an os.Exit(0) within
        a test is a failure."""
        return ["-test.v=test2json", "-test.paniconexit0", *(["-test.short"] if self.short else [])]


def run(
    program: Program, names: Sequence[str], *, limit: int, budget: float, tag: str = ""
) -> tuple[Outcomes, bool]:
    """Run tests by name: their outcomes with those of their subtests, and whether all came to one.

    A process gets ``limit`` seconds, all together ``budget``. When one dies, the test that it died of has
    failed, and what had not ended is run again without it, at most ``MAX_DEATHS`` times. A name without an
    outcome was not run: the budget was spent, the process died too often, or the binary ran nothing.
    """
    deadline = time.monotonic() + budget
    found: Outcomes = {}
    left = list(names)
    deaths = 0
    while left and deaths <= MAX_DEATHS and (rest := deadline - time.monotonic()) >= 1:
        batch = _batch(left)
        seconds = max(1, min(limit, math.ceil(rest)))
        result = _process(program, batch, seconds, f"{tag}-{deaths}" if deaths else tag)
        died = _read(result, seconds)
        kept = _kept(died, batch, seconds)
        found |= kept
        deaths += bool(died.blamed)
        before = len(left)
        left = [name for name in left if name not in found]
        if len(left) == before:
            if not result.ok and not died.blamed:  # in an init function or TestMain
                output = events.visible(f"the process ended before its first test\n{result.tail}")
                found |= {n: TestOutcome(outcome="fail", seconds=0.0, output=output) for n in batch}
            left = [name for name in left if name not in batch]
    return found, all(name in found for name in names)


def _batch(names: Sequence[str]) -> list[str]:
    size = 0
    batch: list[str] = []
    for name in names:
        size += len(name) + 1
        if batch and size > MAX_PATTERN:
            break
        batch.append(name)
    return batch


def _process(program: Program, names: Sequence[str], seconds: int, tag: str) -> proc.Result:
    pattern = "^(" + "|".join(names) + ")$"
    binary = program.binary
    result = program.shell.run(
        f"test-{program.name}{tag}",
        [binary.path, *program.flags, f"-test.run={pattern}", f"-test.timeout={seconds}s"],
        env=program.env,
        cwd=binary.cwd,
        timeout=seconds + 30,
    )
    if not result.ok and (full := program.where.full(binary.path.parent, program.shell.logs)):
        raise HostError(
            f"the tests of {binary.package} were stopped by their machine: no space left at {full}",
            hint=f"free some space and add --resume; the log is {result.log}",
        )
    return result


def _read(result: proc.Result, seconds: int) -> Events:
    if result.timed_out:
        why = f"it did not end within {seconds + 30} s and was killed"
    elif result.returncode < 0:
        why = f"signal {-result.returncode}"
    else:
        why = f"exit status {result.returncode}"
    return events.parse(result.stdout, crashed=not result.ok, why=why)


def _kept(found: Events, names: Sequence[str], seconds: int) -> Outcomes:
    """The outcomes of the tests that were asked for. The time of the process may be up without any of its
    tests being slow: that is no failure of the one that happened to run."""
    asked = set(names)
    kept = {name: one for name, one in found.outcomes.items() if events.top(name) in asked}
    ended = sum(name in kept for name in names)
    if found.hung is not None and found.hung < HANG_SHARE * seconds and ended > 1:
        kept = {name: one for name, one in kept.items() if events.top(name) != found.blamed}
    return kept
