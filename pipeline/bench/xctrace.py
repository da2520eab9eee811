"""Apple's Instruments on a benchmark: ``xcrun xctrace record``, which launches the program itself."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline import proc
from pipeline.values import Cell, Profile, TestBinary

# Writing a trace takes longer than what it is of.
_EXTRA = 300


@dataclass(frozen=True, kw_only=True)
class Tracer:
    """How traces are taken: by ``xcrun``, with the template of Instruments that the cell names."""

    shell: proc.Shell
    cell: Cell
    profile: Profile
    xcrun: str

    def take(self, binary: TestBinary, env: Mapping[str, str], benchmark: str, out: Path) -> str:
        """Record one benchmark into ``out``, a folder that is not there; '' or why there is no trace."""
        limit = self.profile.benchmark_timeout
        result = self.shell.run(
            f"trace-{binary.side}-{binary.package.replace('/', '_')}-{benchmark}",
            [
                *(self.xcrun, "xctrace", "record", "--no-prompt", "--template", self.cell.trace),
                *("--output", out, "--target-stdout", "-", "--time-limit", f"{limit}s"),
                # The launched program gets no other environment.
                *(word for name, value in sorted(env.items()) for word in ("--env", f"{name}={value}")),
                *("--launch", "--", binary.path),
                *("-test.run=^$", f"-test.bench=^{benchmark}$", f"-test.benchtime={self.profile.benchtime}"),
            ],
            env=env,
            cwd=binary.cwd,
            timeout=limit + _EXTRA,
        )
        if not result.ok:
            last = next((line for line in reversed(result.tail.splitlines()) if line.strip()), "")
            return f"xctrace failed: {last.strip()[:200]}" if last else "xctrace failed"
        return "" if out.exists() else "xctrace left no trace"


def find() -> str | None:
    """``xcrun`` of this machine, None where there is none."""
    return shutil.which("xcrun")
