"""Gathering what is wrong with one patch, so that everything is said at once."""

from __future__ import annotations

from pipeline.values import Finding, Severity

# A patch that is wrong in a thousand places is wrong in a hundred: more would only bury the first.
MAX_FINDINGS = 100


class Findings:
    """The findings of one patch, in the order they were made."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._said: dict[tuple[str, int, str], Finding] = {}
        self._once: set[str] = set()
        self._dropped = 0

    def add(self, rule: str, line: int, message: str, severity: Severity = "error") -> None:
        """Note a finding; the same one again is no news."""
        key = (rule, line, message)
        if key in self._said:
            return
        if len(self._said) >= MAX_FINDINGS:
            self._dropped += 1
            return
        self._said[key] = Finding(severity=severity, rule=rule, file=self._file, line=line, message=message)

    def once(self, rule: str, line: int, message: str) -> None:
        """Note an error that would else be said of many lines: only of the first with this text."""
        if f"{rule} {message}" not in self._once:
            self._once.add(f"{rule} {message}")
            self.add(rule, line, message)

    def all(self) -> tuple[Finding, ...]:
        """Every finding by line, and a last one that counts what was left out."""
        found = sorted(self._said.values(), key=lambda one: one.line)
        if self._dropped:
            last = Finding(
                severity="error",
                rule="too-many",
                file=self._file,
                line=found[-1].line,
                message=f"{self._dropped} more findings are left out",
            )
            found.append(last)
        return tuple(found)
