"""Results of the baseline's tests, kept from run to run: an edited patch then runs its own side alone."""

from __future__ import annotations

import datetime as dt
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.gates import execute
from pipeline.gates.events import TestOutcome
from pipeline.gates.execute import Outcomes, Program
from pipeline.store import Store


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The baseline's outcomes. ``stored`` is the day of an earlier run that they are from, '' for this one;
    ``complete`` that every test came to one."""

    outcomes: Outcomes
    stored: str
    complete: bool


def outcomes(
    store: Store, tree: str, program: Program, names: Sequence[str], *, limit: int, budget: float
) -> Baseline:
    """The outcomes of ``names``, from the store or by running them. ``tree`` is the digest of the tree that
    the tests read their files in."""

    def build(_: Path) -> Mapping[str, Any]:
        found, complete = execute.run(program, names, limit=limit, budget=budget)
        if not complete:
            raise _CutShortError(found)
        rows = {name: [one.outcome, one.seconds, _kept(one)] for name, one in found.items()}
        return {"date": dt.datetime.now(dt.UTC).date().isoformat(), "outcomes": rows}

    if not names:
        return Baseline(outcomes={}, stored="", complete=True)
    inputs = {
        # A stamp says where a binary is from and nothing else: another one leaves the results as they are.
        "binary": program.binary.compiled or program.binary.sha256,
        "tree": tree,
        "package": program.binary.package,
        "names": list(names),
        "flags": program.flags,
        "limit": [limit, budget],
        "environment": program.env,
        "host": _host(program),
    }
    try:
        entry = store.fill("test-results", inputs, build)
    except _CutShortError as cut:
        return Baseline(outcomes=cut.outcomes, stored="", complete=False)
    found = {
        str(name): TestOutcome(outcome=outcome, seconds=float(seconds), output=str(output))
        for name, (outcome, seconds, output) in entry.meta["outcomes"].items()
    }
    return Baseline(
        outcomes=found,
        stored=str(entry.meta["date"]) if entry.reused else "",
        complete=True,
    )


class _CutShortError(Exception):
    """The time was up: how far it came tells of this hour and not of the tests, so it is not kept."""

    def __init__(self, outcomes: dict[str, TestOutcome]) -> None:
        super().__init__()
        self.outcomes = outcomes


def _kept(one: TestOutcome) -> str:
    return "" if one.outcome == "pass" else one.output


def _host(program: Program) -> list[str]:
    """What of the machine decides results: its kernel, its cores, and who runs the tests."""
    if (about := program.where.about) is not None:
        return list(about.identity)
    system = platform.uname()
    user = str(os.getuid()) if hasattr(os, "getuid") else ""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return [system.system, system.release, system.version, system.machine, str(cores), user]
