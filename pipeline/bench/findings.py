"""What of a machine's state stands against trusting what is measured on it, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pipeline.bench.machine import CPUS, TURBO_SWITCHES, MachineState, Usage

# Other programs are worth a word from this many cores on, or from this share of all cores.
BUSY_CORES = 0.15
BUSY_SHARE = 0.05
BUSY_LOAD = 0.5
HOT_CELSIUS = 90.0
STEAL = 0.02

# "userspace" is what a person sets to pin the frequency: as steady as "performance".
_STEADY_GOVERNORS = frozenset({"performance", "userspace"})

Severity = Literal["warning", "info"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that makes measurements worse: one line of ``what``, one of ``advice``."""

    key: str
    severity: Severity
    what: str
    advice: str


UNSEEN = Finding(
    key="unseen",
    severity="warning",
    what="the Docker host's load, governor, heat and other programs were not observed while it measured",
    advice="see that it has nothing else to do",
)


def findings(
    state: MachineState, usage: Usage | None = None, *, before: MachineState | None = None
) -> list[Finding]:
    """What stands against trusting measurements under ``state``, the worst first.

    ``usage`` is a meter's, over the time in question; without it the sample of ``state`` must do.
    ``before`` is the state when measuring began: with it, throttling is a warning when it happened since.
    """
    usage = usage or Usage(elsewhere=None, steal=None)
    found = (_others(state, usage), _throttled(state, before), _machine(state, usage), _clock(state))
    return sorted((one for some in found for one in some), key=lambda one: one.severity != "warning")


def _warning(key: str, what: str, advice: str) -> Finding:
    return Finding(key=key, severity="warning", what=what, advice=advice)


def _info(key: str, what: str, advice: str) -> Finding:
    return Finding(key=key, severity="info", what=what, advice=advice)


def _others(state: MachineState, usage: Usage) -> Iterator[Finding]:
    used = usage.elsewhere
    if used is None:
        used = min(float(state.cores), sum(one.share for one in state.processes))
    if used >= max(BUSY_CORES, BUSY_SHARE * state.cores):
        names = ", ".join(f"{one.name} {100 * one.share:.0f} %" for one in state.processes)
        cores = "1 core was" if state.cores == 1 else f"{state.cores} cores were"
        what = f"{used:.1f} of {cores} used by other programs" + (f" ({names})" if names else "")
        yield _warning("busy", what, "close them or measure at a quieter time")
    elif usage.elsewhere is None and state.load is not None and state.load > BUSY_LOAD:
        # No warning: after compiling Go the load is our own, and the sample saw nobody else.
        what = f"the load average of the last minute is {state.load:.2f}, this run's own work included"
        yield _info("load", what, "if other programs make it, close them (top shows them)")


def _throttled(state: MachineState, before: MachineState | None) -> Iterator[Finding]:
    advice = "improve its cooling, or switch turbo off"
    if before is not None and before.throttles is not None and state.throttles is not None:
        if state.throttles > before.throttles:
            yield _warning("throttled", "the processor was slowed down for heat while measuring", advice)
    elif state.throttles:
        yield _info("throttled", "the processor was slowed down for heat since this machine started", advice)


def _machine(state: MachineState, usage: Usage) -> Iterator[Finding]:
    if usage.steal is not None and usage.steal > STEAL:
        what = f"the hypervisor took {100 * usage.steal:.0f} % of the processor time that programs wanted"
        yield _warning("steal", what, "measure on a machine of your own, or trust only wide margins")
    if state.celsius is not None and state.celsius >= HOT_CELSIUS:
        what = f"the processor is at {state.celsius:.0f} °C and about to slow down"
        yield _warning("hot", what, "let it cool down, and improve its cooling")
    if state.on_battery:
        what = "this machine runs on its battery, which lowers and varies the clock"
        yield _warning("battery", what, "plug it in")
    if state.virtual:
        what = "this is a virtual machine: what its neighbours do is measured too"
        yield _info("virtual", what, "confirm small changes on a machine of your own")


def _clock(state: MachineState) -> Iterator[Finding]:
    unsteady = [name for name in state.governors or () if name not in _STEADY_GOVERNORS]
    if unsteady:
        yield _warning(
            "governor", f"the governor is {', '.join(unsteady)}", "sudo cpupower frequency-set -g performance"
        )
    if state.turbo and state.turbo_switch:
        off = 1 - TURBO_SWITCHES[state.turbo_switch]
        what = "turbo is on: the clock varies with heat and with how many cores are busy"
        yield _info("turbo", what, f"echo {off} | sudo tee /sys/{CPUS}/{state.turbo_switch}")
