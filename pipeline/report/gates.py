"""The test gate's results as reports show them: counts by transition, and what is not pass→pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.records import GateResult
from pipeline.report.cell import CellReport

# "not run" is that the time was up on both sides: counted, and no use to be told one by one.
QUIET = frozenset({"pass→pass", "skip→skip", "not run"})


@dataclass(frozen=True, kw_only=True)
class Group:
    """The tests of one package, or of a variant of it. ``counts`` are tests (no subtests) by transition, the
    most frequent first; ``stored`` is the day that baseline results are from, '' where none came from the
    store; ``skipped`` says why none ran."""

    package: str
    scope: str
    counts: dict[str, int]
    stored: str
    skipped: str


def groups(cell: CellReport) -> tuple[Group, ...]:
    """What the test gate ran on a cell, by package. Tests without a record of their choice have their own."""
    tests = [gate for gate in cell.gates if gate.gate == "test"]
    chosen = {one.package: one for one in cell.tests}
    names = dict.fromkeys([*chosen, *(gate.package for gate in tests)])
    found = []
    for name in names:
        own = [gate for gate in tests if gate.package == name and "/" not in gate.test]
        record = chosen.get(name)
        found.append(
            Group(
                package=name,
                scope=record.scope if record else "",
                counts=dict(Counter(gate.transition or gate.status for gate in own).most_common()),
                stored=record.stored if record else "",
                skipped=record.skipped if record else "",
            )
        )
    return tuple(found)


def counted(group: Group) -> str:
    """``12 pass→pass, 1 fail→fail``, or why there is nothing to count."""
    return ", ".join(f"{count} {word}" for word, count in group.counts.items()) or (
        f"skipped: {group.skipped}" if group.skipped else "nothing"
    )


def notable(gates: Iterable[GateResult]) -> list[GateResult]:
    """The results to show one by one: of tests what failed first, then the rest that is not the same on both
    sides. The compile gate has a table of its own."""
    shown = [gate for gate in gates if gate.gate != "compile" and gate.transition not in QUIET]
    order = {"fail": 0, "error": 1, "unsettled": 2}
    return sorted(shown, key=lambda gate: (gate.gate, order.get(gate.status, 3)))


def skipped_alike(cell: CellReport) -> list[str]:
    """The tests that skip themselves on both sides: nobody learned anything from them."""
    return [gate.subject for gate in cell.gates if gate.transition == "skip→skip" and "/" not in gate.test]


def own(cell: CellReport) -> list[GateResult]:
    """The tests that the series itself brings, in the plain build."""
    return [gate for gate in cell.gates if gate.own and "(" not in gate.package]


_WITH = {
    "pass": "passes",
    "fail": "fails",
    "baseline-fails": "fails",
    "skipped": "is skipped",
    "flaky": "is flaky",
    "unsettled": "fails now and then",
    "error": "was not run",
}


def worth(gate: GateResult) -> str:
    """What a test of the series does without the change and with it, and what that says of the test."""
    said = f"{gate.without} without the change, {_WITH[gate.status]} with it"
    if gate.without == "passes" and gate.status == "pass":
        return (
            f"{said}: {'it does not test it' if gate.own == 'added' else 'the alteration does not test it'}"
        )
    return said


def result(gate: GateResult) -> str:
    """How a check came out, in a line."""
    said = [gate.transition, gate.note, f"baseline of {gate.stored} from the store" if gate.stored else ""]
    more = "; ".join(part for part in said if part)
    return gate.status + (f" ({more})" if more else "")
