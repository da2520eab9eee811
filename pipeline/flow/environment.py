"""The machine a run happened on, as plain strings for the ledger."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from pipeline import git


def describe(project: Path) -> dict[str, str]:
    """CPU, cores, kernel, load, governor, Python, and the project's own commit."""
    values = {
        "os": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "cpu": cpu_model(),
        "cores": str(cores()),
        "python": sys.version.split()[0],
        "gopatch": git.describe(project) or "not a checkout",
        "user": "root" if hasattr(os, "geteuid") and os.geteuid() == 0 else "not root",
    }
    if hasattr(os, "getloadavg"):
        values["load_1m"] = f"{os.getloadavg()[0]:.2f}"
    governor = _first_line(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"))
    if governor:
        values["governor"] = governor
    return values


def cores() -> int:
    """The cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_model() -> str:
    """The processor's name, as well as the host tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").split("\n", 1)[0]
    except OSError:
        return ""
