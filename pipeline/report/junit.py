"""``gates/junit.xml``: the gates as CI systems read them."""

from __future__ import annotations

import re

import junitparser

from pipeline.records import GateResult
from pipeline.report.compiling import TITLES
from pipeline.report.model import RunReport

# What XML 1.0 cannot hold, escaped or not.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: RunReport) -> bytes:
    """One suite a cell and one for every other platform, one case a gate result."""
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
    for platform, gates in others.items():
        suite = junitparser.TestSuite(platform)
        for gate in gates:
            suite.add_testcase(_case(gate, platform))
        document.add_testsuite(suite)
    text: bytes = document.tostring()  # type: ignore[no-untyped-call]
    return text


def _case(gate: GateResult, cell: str) -> junitparser.TestCase:
    case = junitparser.TestCase(
        name=_clean(_name(gate)), classname=f"{cell}.{gate.gate}", time=round(gate.seconds, 3)
    )
    if gate.status in {"fail", "error"}:
        outcome = junitparser.Failure(_clean(gate.transition or gate.status))
        outcome.text = _clean(gate.detail)
        case.result = [outcome]
    elif gate.status in {"skipped", "baseline-fails"}:
        # A test that the baseline fails too is shown, and not charged to the patch.
        case.result = [junitparser.Skipped(_clean(gate.transition or gate.status))]
    return case


def _name(gate: GateResult) -> str:
    if not gate.signal:
        return gate.subject
    return f"{gate.patch} on {gate.platform}: {TITLES[gate.signal]}: {gate.subject}"


def _clean(text: str) -> str:
    return _NOT_XML.sub("�", text)
