"""One sample: one benchmark function of one test binary, in a process of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline import benchfmt, proc
from pipeline.cells.base import Shell, Where
from pipeline.cells.here import HERE
from pipeline.golang import Go
from pipeline.values import Cell, Profile, TestBinary

_CONFIG = re.compile(r"(goos|goarch|pkg|cpu): [^\x00-\x1f]*")
_RESULT = re.compile(r"Benchmark\S+\s+\d+\s+\S.*")


class SampleError(Exception):
    """A sample that gave no number: it crashed, hung, failed or printed none. ``reason`` is one line;
    ``host`` says that this machine is at fault."""

    def __init__(self, reason: str, log: Path | None, *, host: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.log = log
        self.host = host


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What one process printed: configuration lines, then result lines, in benchfmt. ``conditions`` are
    the keys of what it ran under."""

    config: tuple[str, ...]
    results: tuple[str, ...]
    conditions: Mapping[str, str]

    def text(self, side: str, round_: int) -> str:
        """The sample as a block of the cell's benchfmt file."""
        keys = (f"side: {side}", f"round: {round_}")
        own = (f"{key}: {value}" for key, value in self.conditions.items())
        return "\n".join((*keys, *own, *self.config, *self.results)) + "\n"


@dataclass(frozen=True, kw_only=True)
class Runner:
    """What every sample of a cell shares. The same runner measures both sides: other conditions on one of
    them would be a comparison of conditions. ``where`` is the machine that ``shell`` runs programs on."""

    shell: Shell
    cell: Cell
    profile: Profile
    where: Where = HERE

    def run(self, binary: TestBinary, go: Go, benchmark: str) -> Sample:
        """Run one benchmark function once. SampleError when there is nothing to compare."""
        with self.where.pinned(self.cell.pin):
            return self._run(binary, go, benchmark)

    def _run(self, binary: TestBinary, go: Go, benchmark: str) -> Sample:
        limit = self.profile.benchmark_timeout
        result = self.shell.run(
            f"bench-{binary.side}-{binary.package.replace('/', '_')}-{benchmark}",
            [
                binary.path,
                "-test.run=^$",
                f"-test.bench=^{benchmark}$",
                f"-test.benchtime={self.profile.benchtime}",
                "-test.benchmem",
                "-test.count=1",
            ],
            env=environment_of(self.cell, binary, go),
            cwd=binary.cwd,
            # Not -test.timeout: testing stops its alarm before it runs benchmarks.
            timeout=limit,
        )
        return self._sample(result, binary, limit)

    def _sample(self, result: proc.Result, binary: TestBinary, limit: int) -> Sample:
        if not result.ok:
            full = self.where.full(binary.path.parent, *([result.log.parent] if result.log else []))
            why = f"stopped by its machine: no space left at {full}" if full else _why(result, limit)
            raise SampleError(why, result.log, host=full is not None)
        return _sample(result, self._conditions(binary))

    def _conditions(self, binary: TestBinary) -> dict[str, str]:
        given = sorted(self.cell.variables.items())
        keys = {name.lower().replace("_", "-"): value for name, value in given}
        if self.cell.pin and self.where.can_pin:
            keys["pin"] = ",".join(map(str, self.cell.pin))
        keys["benchtime"] = self.profile.benchtime
        if binary.layout_seed:
            keys["layout-seed"] = str(binary.layout_seed)
        return keys


def environment_of(cell: Cell, binary: TestBinary, go: Go) -> dict[str, str]:
    """The whole environment of a benchmark's process."""
    return go.env(extra={"GOROOT": str(binary.goroot), **cell.variables})


def _sample(result: proc.Result, conditions: Mapping[str, str]) -> Sample:
    config = tuple(line for line in result.stdout.splitlines() if _CONFIG.fullmatch(line))
    results = tuple(line.rstrip() for line in result.stdout.splitlines() if _RESULT.fullmatch(line))
    for record in benchfmt.read(results):
        if isinstance(record, benchfmt.SyntaxProblem):
            raise SampleError(f"it printed a result that cannot be read: {record.message}", result.log)
    if not results:
        skipped = "--- SKIP" in result.stdout
        raise SampleError("it skips itself on this host" if skipped else "it printed no result", result.log)
    return Sample(config=config, results=results, conditions=conditions)


def _why(result: proc.Result, limit: int) -> str:
    if result.timed_out or "panic: test timed out" in result.stdout:
        return f"did not end within {limit} s"
    for line in result.stdout.splitlines():
        if line.startswith(("panic:", "fatal error:")):
            return line.strip()[:200]
    if result.returncode < 0:
        return f"ended by signal {-result.returncode}"
    if "--- FAIL" in result.stdout:
        return "the benchmark reported a failure"
    return f"exit status {result.returncode}"
