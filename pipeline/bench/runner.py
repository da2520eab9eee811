"""One sample: one benchmark function of one test binary, in a process of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pipeline import benchfmt, proc
from pipeline.golang import Go
from pipeline.values import Profile, TestBinary

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
    """What one process printed: configuration lines, then result lines, in benchfmt."""

    config: tuple[str, ...]
    results: tuple[str, ...]

    def text(self, side: str, round_: int) -> str:
        """The sample as a block of the cell's benchfmt file."""
        keys = (f"side: {side}", f"round: {round_}")
        return "\n".join((*keys, *self.config, *self.results)) + "\n"


def run(shell: proc.Shell, binary: TestBinary, go: Go, benchmark: str, profile: Profile) -> Sample:
    """Run one benchmark function once. SampleError when there is nothing to compare."""
    limit = profile.benchmark_timeout
    result = shell.run(
        f"bench-{binary.side}-{binary.package.replace('/', '_')}-{benchmark}",
        [
            binary.path,
            "-test.run=^$",
            f"-test.bench=^{benchmark}$",
            f"-test.benchtime={profile.benchtime}",
            "-test.benchmem",
            "-test.count=1",
            f"-test.timeout={limit}s",
        ],
        env=go.env(extra={"GOROOT": str(binary.goroot)}),
        cwd=binary.cwd,
        timeout=limit + 10,
    )
    if not result.ok:
        full = proc.full_disk(binary.path.parent, shell.logs)
        why = f"stopped by this machine: no space left at {full}" if full else _why(result, limit)
        raise SampleError(why, result.log, host=full is not None)
    config = tuple(line for line in result.stdout.splitlines() if _CONFIG.fullmatch(line))
    results = tuple(line.rstrip() for line in result.stdout.splitlines() if _RESULT.fullmatch(line))
    for record in benchfmt.read(results):
        if isinstance(record, benchfmt.SyntaxProblem):
            raise SampleError(f"it printed a result that cannot be read: {record.message}", result.log)
    if not results:
        skipped = "--- SKIP" in result.stdout
        raise SampleError("it skips itself on this host" if skipped else "it printed no result", result.log)
    return Sample(config=config, results=results)


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
