"""``doctor``: what this machine lacks, with a line each that mends it."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline import proc
from pipeline.commands import entry
from pipeline.console import Console
from pipeline.errors import ExitCode, HostError
from pipeline.flow import environment
from pipeline.source.wheel import PACKAGE, pip_env
from pipeline.store import default_root

Severity = Literal["ok", "warn", "error"]
NEEDED_GIB = 4.0


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One check: what was found, and what mends it ('' when nothing is to do)."""

    check: str
    severity: Severity
    found: str
    fix: str = ""


def main(*, as_json: bool) -> ExitCode:
    """Print every finding; 0 when nothing stands in the way, 4 otherwise."""
    console = Console()

    def action() -> ExitCode:
        findings = [check() for check in CHECKS]
        if as_json:
            sys.stdout.write(json.dumps([dataclasses.asdict(f) for f in findings], indent=2) + "\n")
        else:
            for finding in findings:
                sys.stdout.write(f"{finding.severity:<5}  {finding.check:<7}  {finding.found}\n")
                if finding.fix:
                    sys.stdout.write(f"{'':<16}fix: {finding.fix}\n")
        broken = any(finding.severity == "error" for finding in findings)
        return ExitCode.ENVIRONMENT if broken else ExitCode.PASS

    return entry.guarded(console, action)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding(check="python", severity="ok", found=f"{version} at {sys.executable}")


def _git() -> Finding:
    try:
        result = proc.run(["git", "--version"], env=proc.base_env(), timeout=20)
    except HostError:
        return Finding(
            check="git",
            severity="error",
            found="not on PATH",
            fix="install git (Debian: apt-get install git; macOS: xcode-select --install)",
        )
    return Finding(check="git", severity="ok" if result.ok else "error", found=result.stdout.strip())


def _pip() -> Finding:
    result = proc.run(
        [
            sys.executable,
            "-m",
            "pip",
            "--disable-pip-version-check",
            "index",
            "versions",
            "--retries=1",
            PACKAGE,
        ],
        env=pip_env(),
        timeout=60,
        merge=False,
    )
    if not result.ok:
        return Finding(
            check="pip",
            severity="error",
            found=f"pip cannot reach an index that has {PACKAGE}",
            fix="check the network and `pip config list`, or give patch-validate a local Go tree with --base",
        )
    newest = result.stdout.split("\n", 1)[0].strip()
    return Finding(check="pip", severity="ok", found=f"reaches the index; newest is {newest}")


def _disk() -> Finding:
    root = default_root()
    existing = next(path for path in (root, *root.parents) if path.exists())
    free = shutil.disk_usage(existing).free / 2**30
    found = f"{free:.1f} GiB free at {root}"
    if not os.access(existing, os.W_OK):
        return Finding(
            check="disk",
            severity="error",
            found=f"{existing} cannot be written",
            fix="set GOPATCH_CACHE to a folder you can write to",
        )
    if free < NEEDED_GIB:
        return Finding(
            check="disk",
            severity="error",
            found=found,
            fix=f"a run needs {NEEDED_GIB:g} GiB: free some, or set GOPATCH_CACHE to another disk",
        )
    return Finding(check="disk", severity="ok", found=found)


def _cores() -> Finding:
    count = environment.cores()
    found = f"{count}: {environment.cpu_model()}"
    if count < 2:
        return Finding(
            check="cores",
            severity="warn",
            found=found,
            fix="benchmarks share the only core with everything else: expect wide intervals",
        )
    return Finding(check="cores", severity="ok", found=found)


def _load() -> Finding:
    if not hasattr(os, "getloadavg"):
        return Finding(check="load", severity="ok", found="not readable on this system")
    load = os.getloadavg()[0]
    if load > 0.5:
        return Finding(
            check="load",
            severity="warn",
            found=f"{load:.2f} over the last minute",
            fix="stop other programs before measuring (top shows them)",
        )
    return Finding(check="load", severity="ok", found=f"{load:.2f} over the last minute")


def _governor() -> Finding:
    path = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    try:
        governor = path.read_text(encoding="utf-8").strip()
    except OSError:
        return Finding(check="cpufreq", severity="ok", found="no frequency governor to read")
    if governor != "performance":
        return Finding(
            check="cpufreq",
            severity="warn",
            found=f"governor {governor}",
            fix="cpupower frequency-set -g performance, while measuring",
        )
    return Finding(check="cpufreq", severity="ok", found=f"governor {governor}")


CHECKS: tuple[Callable[[], Finding], ...] = (_python, _git, _pip, _disk, _cores, _load, _governor)
