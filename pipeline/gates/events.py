"""What a test binary says with ``-test.v=test2json``: which tests ran, how each ended, what it printed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Literal

Outcome = Literal["pass", "fail", "skip"]

# The framing mark keeps a test's own output from being taken for an event.
_MARK = "\x16"
_EVENT = re.compile(r"(?:=== (RUN|CONT|NAME|PAUSE)\s+(\S*)|(\s*)--- (PASS|FAIL|SKIP): (\S+) \(([\d.]+)s\))")
_OUTCOMES: dict[str, Outcome] = {"PASS": "pass", "FAIL": "fail", "SKIP": "skip"}
MAX_OUTPUT = 8192


@dataclass(frozen=True, kw_only=True)
class TestOutcome:
    """How one top-level test ended. ``output`` is what it printed, cut to its last ``MAX_OUTPUT``."""

    outcome: Outcome
    seconds: float
    output: str


@dataclass
class _Open:
    lines: list[str] = field(default_factory=list)


def parse(text: str, *, crashed: bool) -> dict[str, TestOutcome]:
    """Outcomes by test name. ``crashed`` is that the process failed: tests that had begun and not ended
    are then charged with it, and their output holds the panic or the time-out. Where all had ended well,
    the last is charged: a process that dies on its way out has not passed."""
    running: dict[str, _Open] = {}
    ended: dict[str, TestOutcome] = {}
    current = ""
    # As in test2json, the mark begins a line even where a test printed no newline before it.
    for raw in text.replace(_MARK, f"\n{_MARK}").splitlines():
        line = raw.removeprefix(_MARK)
        found = _EVENT.fullmatch(line) if raw.startswith(_MARK) else None
        if found and found.group(1):
            current = found.group(2).split("/", 1)[0]
            if found.group(1) == "RUN" and "/" not in found.group(2):
                running[current] = _Open()
        elif found and not found.group(3) and "/" not in found.group(5):
            name = found.group(5)
            opened = running.pop(name, _Open())
            ended[name] = TestOutcome(
                outcome=_OUTCOMES[found.group(4)], seconds=float(found.group(6)), output=_joined(opened.lines)
            )
            current = name
        elif current in running:
            running[current].lines.append(line)
        elif current in ended and (crashed or ended[current].outcome == "fail"):
            # testing prints a failed test's messages after its outcome line
            before = ended[current]
            ended[current] = TestOutcome(
                outcome=before.outcome, seconds=before.seconds, output=_joined([before.output, line])
            )
    if crashed:
        for name, opened in running.items():
            ended[name] = TestOutcome(outcome="fail", seconds=0.0, output=_joined(opened.lines))
        if current in ended and all(one.outcome != "fail" for one in ended.values()):
            ended[current] = replace(ended[current], outcome="fail")
    return ended


def _joined(lines: list[str]) -> str:
    return "\n".join(line for line in lines if line)[-MAX_OUTPUT:]
