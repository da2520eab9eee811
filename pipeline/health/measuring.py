"""What disturbs measurements on this machine."""

from __future__ import annotations

from pipeline.bench import machine
from pipeline.bench.findings import findings
from pipeline.flow import environment
from pipeline.health.base import Finding, Host, Severity


def cores(_host: Host) -> list[Finding]:
    """One core is shared with everything else."""
    count = environment.cores()
    found = f"{count}: {environment.cpu_model()}"
    if count < 2:
        fix = "benchmarks share the only core with everything else: expect wide intervals"
        return [Finding(check="cores", severity="warn", found=found, fix=fix)]
    return [Finding(check="cores", severity="ok", found=found)]


def quiet(_host: Host) -> list[Finding]:
    """Load, governor, turbo, heat: what a run looks at before it measures."""
    return said(machine.Watch().state())


def said(state: machine.MachineState) -> list[Finding]:
    """The findings of a state; one that says so where there is none."""
    words: dict[str, Severity] = {"warning": "warn", "info": "ok"}
    found = [
        Finding(check=one.key, severity=words[one.severity], found=one.what, fix=one.advice)
        for one in findings(state)
    ]
    return found or [Finding(check="machine", severity="ok", found="nothing disturbs measurements")]
