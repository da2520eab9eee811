"""What the machine did while a cell was measured, as reports show it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.records import MachineChecked, MachineFinding, RoundEnded


@dataclass(frozen=True, kw_only=True)
class MachineReport:
    """``findings``: what stands against the numbers, warnings first. ``elsewhere`` is how many of
    ``cores`` other programs used in the median round and in the worst one; ``steal`` the largest share of
    a round that a hypervisor took. None where the host does not tell."""

    findings: tuple[MachineFinding, ...]
    cores: int
    rounds: int
    elsewhere: tuple[float, float] | None
    steal: float | None

    @property
    def warnings(self) -> tuple[MachineFinding, ...]:
        """The findings that somebody should do something about."""
        return tuple(one for one in self.findings if one.severity == "warning")


def build(checks: Sequence[MachineChecked], rounds: Sequence[RoundEnded]) -> MachineReport | None:
    """The report of one cell; None where nothing was measured. What was seen last holds."""
    if not checks:
        return None
    found = {one.key: one for check in checks for one in check.findings}
    used = [one.elsewhere for one in rounds if one.elsewhere is not None]
    stolen = [one.steal for one in rounds if one.steal is not None]
    return MachineReport(
        findings=tuple(sorted(found.values(), key=lambda one: one.severity != "warning")),
        cores=checks[-1].cores,
        rounds=len(rounds),
        elsewhere=(statistics.median(used), max(used)) if used else None,
        steal=max(stolen) if stolen else None,
    )
