"""``gates/junit.xml``: the gates as CI systems read them."""

from __future__ import annotations

import re

import junitparser

from pipeline.records import GateResult
from pipeline.report import gates
from pipeline.report.compiling import TITLES
from pipeline.report.model import RunReport

# What XML 1.0 cannot hold, escaped or not.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: RunReport) -> bytes:
    """One suite a cell and one for every other platform, one case a gate result: a test under the class of
    its package, what else was checked under that of its gate. A case that says more than that it passed has
    it in ``system-out``."""
    document = junitparser.JUnitXml("gopatch")
    for cell in report.cells:
        suite = junitparser.TestSuite(cell.id)
        for gate in cell.gates:
            suite.add_testcase(_case(gate, cell.id))
        document.add_testsuite(suite)
    others: dict[str, list[GateResult]] = {}
    for gate in report.compiled.results if report.compiled else ():
        if not gate.cell:
            others.setdefault(gate.platform, []).append(gate)
    for platform, results in others.items():
        suite = junitparser.TestSuite(platform)
        for gate in results:
            suite.add_testcase(_case(gate, platform))
        document.add_testsuite(suite)
    text: bytes = document.tostring()  # type: ignore[no-untyped-call]
    return text


def _case(gate: GateResult, cell: str) -> junitparser.TestCase:
    case = junitparser.TestCase(
        name=_clean(gate.test or _name(gate)),
        classname=_clean(gate.package or f"{cell}.{gate.gate}"),
        time=round(gate.seconds, 3),
    )
    said = _clean("; ".join(part for part in (gate.transition or gate.status, gate.note) if part))
    if gate.status in {"fail", "error"}:
        kind = junitparser.Failure if gate.status == "fail" else junitparser.Error
        outcome = kind(said, "error" if gate.status == "error" else "failure")
        outcome.text = _clean(gate.detail)
        case.result = [outcome]
    elif gate.status != "pass":
        # A test that the baseline fails too, or that flakes, is shown, and not charged to the patch.
        reason = junitparser.Skipped(said, gate.status)
        reason.text = _clean(gate.detail)
        case.result = [reason]
    lines = [gate.transition, gate.note, gates.worth(gate) if gate.own else ""]
    lines += [f"baseline result of {gate.stored} from the store"] if gate.stored else []
    if text := "\n".join(line for line in lines if line):
        case.system_out = _clean(text)
    return case


def _name(gate: GateResult) -> str:
    if not gate.signal:
        return gate.subject
    return f"{gate.patch} on {gate.platform}: {TITLES[gate.signal]}: {gate.subject}"


def _clean(text: str) -> str:
    return _NOT_XML.sub("�", text)
