"""The machine that measures: what state it is in, and who else uses it.

Nothing here fails because a value cannot be read: it is None then.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import proc

# The least time to tell by who is busy.
SAMPLE_SECONDS = 0.2
# The host counts in ticks of 10 ms: over less than this a share would be mostly rounding.
SHORTEST_SECONDS = 0.1

LISTED = 5
LISTED_SHARE = 0.05
NAME_LENGTH = 40
# Sensors by these names are the processor's; a disk's or a radio's say nothing about the clock.
_CPU_SENSORS = ("core", "k10temp", "zenpower", "cpu", "x86_pkg", "soc")
CPUS = "devices/system/cpu"
# Files below CPUS, and what they say when turbo is on.
TURBO_SWITCHES = {"intel_pstate/no_turbo": 0, "cpufreq/boost": 1}

# What psutil lets through besides its own errors when a system's files are missing or odd.
_UNREADABLE = (AttributeError, LookupError, OSError, RuntimeError, ValueError)


@dataclass(frozen=True, kw_only=True)
class Busy:
    """Another process; ``share`` is of one core (more than 1 with several threads). The name is cleaned."""

    name: str
    share: float


@dataclass(frozen=True, kw_only=True)
class MachineState:
    """What could be read at one moment; None is "not readable here".

    ``load`` is the 1-minute average, this run's own work included. ``turbo_switch`` is the file below
    /sys/devices/system/cpu that switches turbo. ``throttles`` counts since the machine was started and is
    good for comparing only: one event may count on several cores. ``processes`` are the busiest ones that
    are not this run's since the watch began, busiest first.
    """

    load: float | None
    cores: int
    governors: tuple[str, ...] | None
    turbo: bool | None
    turbo_switch: str | None
    celsius: float | None
    throttles: int | None
    on_battery: bool | None
    virtual: bool | None
    processes: tuple[Busy, ...]


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Who had the processor over some time. ``elsewhere``: cores (0 to all of them) used by everything
    but this process and its waited-for children. ``steal``: the share (0 to 1) that the hypervisor took of
    the time that programs wanted, reckoned as one core's at least. None where the host does not tell."""

    elsewhere: float | None
    steal: float | None


class Watch:
    """Sees who else uses the processor, from when it is made on."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._spent = {key: spent for key, (_, spent) in _processes().items()}

    def state(
        self,
        *,
        sys_root: Path = Path("/sys"),
        proc_root: Path = Path("/proc"),
        seconds: float = SAMPLE_SECONDS,
    ) -> MachineState:
        """Look at the machine; waits until ``seconds`` are over since the watch began. Never raises."""
        time.sleep(max(0.0, self._began + seconds - time.monotonic()))
        turbo, switch = _turbo(sys_root)
        battery = _ask("sensors_battery")
        plugged = getattr(battery, "power_plugged", None)
        governors = {_read(path) for path in _glob(sys_root, f"{CPUS}/cpu[0-9]*/cpufreq/scaling_governor")}
        throttles = _numbers(sys_root, f"{CPUS}/cpu[0-9]*/thermal_throttle/*throttle_count")
        return MachineState(
            load=_load(),
            cores=os.cpu_count() or 1,
            governors=tuple(sorted(clean(name) for name in governors if name)) or None,
            turbo=turbo,
            turbo_switch=switch,
            celsius=_hottest(sys_root),
            throttles=sum(value for _, value in throttles) if throttles else None,
            on_battery=None if plugged is None else not plugged,
            virtual=_virtual(proc_root),
            processes=self._busiest(),
        )

    def _busiest(self) -> tuple[Busy, ...]:
        wall = time.monotonic() - self._began
        busy = []
        for key, (name, spent) in _processes().items():
            # What was not there when the watch began has spent all of it since.
            share = (spent - self._spent.get(key, 0.0)) / wall if wall > 0 else 0.0
            if share > LISTED_SHARE:
                busy.append(Busy(name=clean(name), share=share))
        return tuple(sorted(busy, key=lambda one: (-one.share, one.name))[:LISTED])


def unseen(cores: int) -> MachineState:
    """A machine that cannot be looked at."""
    return MachineState(
        load=None,
        cores=cores,
        governors=None,
        turbo=None,
        turbo_switch=None,
        celsius=None,
        throttles=None,
        on_battery=None,
        virtual=None,
        processes=(),
    )


def clean(name: str) -> str:
    """A process's name, which is anyone's text, fit for a terminal: nothing invisible, 40 characters."""
    return "".join(char for char in name if char.isprintable())[:NAME_LENGTH].strip() or "?"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except (OSError, ValueError):
        return ""


def _glob(root: Path, pattern: str) -> list[Path]:
    try:
        return sorted(root.glob(pattern))
    except OSError:
        return []


def _numbers(root: Path, pattern: str) -> list[tuple[Path, int]]:
    found = []
    for path in _glob(root, pattern):
        with contextlib.suppress(ValueError):
            found.append((path, int(_read(path))))
    return found


def _ask(name: str) -> Any:
    """What psutil's function says; None where this system has no such function or it fails."""
    import psutil

    try:
        return getattr(psutil, name)()
    except (psutil.Error, *_UNREADABLE):
        return None


def _load() -> float | None:
    try:
        return os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    except OSError:
        return None


def _turbo(sys_root: Path) -> tuple[bool | None, str | None]:
    for switch, on in TURBO_SWITCHES.items():
        for _, value in _numbers(sys_root, f"{CPUS}/{switch}"):
            return value == on, switch
    return None, None


def _hottest(sys_root: Path) -> float | None:
    """°C of the processor's hottest sensor, or of the hottest of all where none is known as its."""
    cpu: list[float] = []
    other: list[float] = []
    patterns = {"class/thermal/thermal_zone*/temp": "type", "class/hwmon/hwmon*/temp*_input": "name"}
    for pattern, label in patterns.items():
        for path, value in _numbers(sys_root, pattern):
            name = _read(path.with_name(label)).lower()
            (cpu if any(word in name for word in _CPU_SENSORS) else other).append(value / 1000)
    if sys.platform != "linux":
        chips = (_ask("sensors_temperatures") or {}).values()
        other += [sensor.current for chip in chips for sensor in chip if sensor.current is not None]
    # A sensor that is not wired up says 0, -128 or 255.
    real = [[value for value in values if 0 < value < 150] for values in (cpu, other)]
    return max(real[0] or real[1], default=None)


def _virtual(proc_root: Path) -> bool | None:
    for line in _read(proc_root / "cpuinfo").splitlines():
        if line.startswith("flags"):
            return "hypervisor" in line.split()
    return None


def _processes() -> dict[tuple[int, float], tuple[str, float]]:
    """The processes that are not this run's, by pid and start: the name, and its seconds so far."""
    import psutil

    found = {}
    try:
        own = psutil.Process()
        # 0 is the kernel, and on Windows the process that stands for idling.
        ours = {0, own.pid} | {one.pid for one in (*own.parents(), *own.children(recursive=True))}
        for one in (other for other in psutil.process_iter() if other.pid not in ours):
            with contextlib.suppress(psutil.Error, *_UNREADABLE):  # it ended, or is not ours to look at
                spent = one.cpu_times()
                found[one.pid, one.create_time()] = (one.name(), spent.user + spent.system)
    except (psutil.Error, *_UNREADABLE):
        return {}
    return found


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """Seconds: of the clock, and of processor time since the machine or this process was started."""

    wall: float
    busy: float
    idle: float
    steal: float | None
    own: float


def _reading() -> _Reading | None:
    times = _ask("cpu_times")
    if times is None:
        return None
    spent = os.times()
    # iowait is idling; Linux counts guests in user already, and Windows interrupts in system.
    kinds = ("user", "nice", "system", "irq", "softirq")
    return _Reading(
        wall=time.monotonic(),
        busy=sum(getattr(times, kind, 0.0) for kind in kinds),
        idle=times.idle,
        steal=getattr(times, "steal", None),
        own=spent.user + spent.system + spent.children_user + spent.children_system,
    )


class Meter:
    """What everything else on this machine uses while we measure. A call costs some 50 µs.

    Call it between programs: a child counts as ours only once it was waited for.
    """

    def __init__(self) -> None:
        self._last = _reading()

    @classmethod
    def start(cls) -> Meter:
        """A meter that counts from now on."""
        return cls()

    def usage(self) -> Usage:
        """Since the last call that could tell. Both None when that was less than 0.1 s ago (the time then
        belongs to the next call) or where the host's counters stand still. On Windows ``elsewhere`` is
        None: the time of children is not told there."""
        last, now = self._last, _reading()
        if last is None or now is None:
            return Usage(elsewhere=None, steal=None)
        wall, busy = now.wall - last.wall, now.busy - last.busy
        if wall < SHORTEST_SECONDS or busy + now.idle - last.idle <= 0:
            return Usage(elsewhere=None, steal=None)
        self._last = now
        elsewhere = max(0.0, min(float(os.cpu_count() or 1), (busy - now.own + last.own) / wall))
        steal = None
        if now.steal is not None and last.steal is not None:
            taken = max(0.0, now.steal - last.steal)
            # Of what was wanted, not of all: idle cores would dilute what a benchmark on one core lost.
            steal = taken / max(wall, busy + taken)
        return Usage(elsewhere=elsewhere if proc.POSIX else None, steal=steal)

    def elsewhere(self) -> float | None:
        """``usage().elsewhere``: cores used by everything else since the last call."""
        return self.usage().elsewhere


class Unmetered:
    """The meter of a machine that cannot be looked at."""

    def usage(self) -> Usage:
        """As ``Meter.usage``: nothing is known."""
        return Usage(elsewhere=None, steal=None)
