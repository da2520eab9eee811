"""``gates/junit.xml``: the gates as CI systems read them."""

from __future__ import annotations

import re

import junitparser

from pipeline.records import GateResult
from pipeline.report.model import RunReport

# What XML 1.0 cannot hold, escaped or not.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: RunReport) -> bytes:
    """One suite a cell, one case a gate result."""
    document = junitparser.JUnitXml("gopatch")
    for cell in report.cells:
        suite = junitparser.TestSuite(cell.id)
        for gate in cell.gates:
            suite.add_testcase(_case(gate, cell.id))
        document.add_testsuite(suite)
    text: bytes = document.tostring()  # type: ignore[no-untyped-call]
    return text


def _case(gate: GateResult, cell: str) -> junitparser.TestCase:
    case = junitparser.TestCase(
        name=_clean(gate.subject), classname=f"{cell}.{gate.gate}", time=round(gate.seconds, 3)
    )
    if gate.status in {"fail", "error"}:
        outcome = junitparser.Failure(_clean(gate.transition or gate.status))
        outcome.text = _clean(gate.detail)
        case.result = [outcome]
    elif gate.status in {"skipped", "baseline-fails"}:
        # A test that the baseline fails too is shown, and not charged to the patch.
        case.result = [junitparser.Skipped(_clean(gate.transition or gate.status))]
    return case


def _clean(text: str) -> str:
    return _NOT_XML.sub("�", text)
