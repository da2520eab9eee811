"""What of a report belongs to a line: annotations of a check run, at lines that the repository has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from pipeline.errors import PatchError
from pipeline.patch import reader
from pipeline.records import GateResult, PatchApplied
from pipeline.report import gates, markdown
from pipeline.report.compiling import TITLES
from pipeline.report.model import RunReport

# Five requests; a report with more has them all in its text.
MOST = 250
PATCH_NAME = re.compile(r"\w[\w.+-]{0,199}\.(patch|diff)", re.ASCII)
_PATH = re.compile(r"src/(?!.*\.\.)[\w./+-]{1,300}", re.ASCII)
_FINDING = re.compile(r"(src/[\w./+-]{1,300}):(\d{1,7})(?::\d{1,7})?: (.*)", re.ASCII)
_IN_TEST = re.compile(r"^[ \t]{1,40}([\w.-]{1,100}_test\.go):(\d{1,7}): ", re.MULTILINE | re.ASCII)
_PACKAGE = re.compile(r"[a-z][\w./-]{0,199}", re.ASCII)
_LINES = 30
Level = Literal["notice", "warning", "failure"]
Key = tuple[str, int, int, str, str, str]


class Annotation(BaseModel):
    """One remark at a line of a file of the repository, in GitHub's own words."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    path: str = Field(pattern=r"^[A-Za-z0-9_./+-]+$", max_length=400)
    start_line: int = Field(ge=1)
    end_line: int = Field(ge=1)
    annotation_level: Level
    title: str = Field(max_length=200)
    message: str = Field(min_length=1, max_length=8000)

    @property
    def key(self) -> Key:
        """What tells it from others."""
        return (
            self.path,
            self.start_line,
            self.end_line,
            self.annotation_level,
            self.title,
            self.message,
        )


class _Line(NamedTuple):
    path: str
    line: int


def of(report: RunReport, patches: Mapping[str, bytes]) -> list[Annotation]:
    """Failing checks of the compile gate, failing tests that name a line, and what the lint says; at most
    MOST of them. ``patches`` are the series' by name, as far as the run's folder has them.

    Where the series is a folder of the repository, a line of Go is shown where the patch has it. Otherwise
    the repository is taken for Go's own.
    """
    places = _Places(report, patches)
    found = [*_compile(report, places), *_tests(report, places), *_lint(report, places)]
    return found[:MOST]


class _Places:
    """From lines of the patched tree to lines of the repository."""

    def __init__(self, report: RunReport, patches: Mapping[str, bytes]) -> None:
        self._patches = patches
        self._applied = {one.file: one for one in report.patches if PATCH_NAME.fullmatch(one.file)}
        folder = report.given is not None and report.given.form == "folder"
        self._prefix = f"patches/{report.plan['series']}/" if folder else ""
        self._lines: dict[str, dict[tuple[str, int], int]] = {}

    def patch(self, name: str, line: int) -> _Line | None:
        """A line of a patch; None where the repository has no such file."""
        known = self._prefix and name in self._applied
        return _Line(self._prefix + name, max(line, 1)) if known else None

    def source(self, path: str, line: int, patch: str = "") -> _Line | None:
        """A line of the tree. ``patch`` is the one that brings it; any, the last first, when not given."""
        if not _PATH.fullmatch(path) or line < 1:
            return None
        if not self._prefix:
            return _Line(path, line)
        for name in [patch] if patch else reversed(self._applied):
            if found := self._of(name).get((path, line)):
                return self.patch(name, found)
        return self.patch(patch, 1) if patch else _Line(path, line)

    def _of(self, name: str) -> dict[tuple[str, int], int]:
        if name not in self._lines:
            applied, content = self._applied.get(name), self._patches.get(name)
            self._lines[name] = _lines(name, content, applied) if content and applied else {}
        return self._lines[name]


def _lines(name: str, content: bytes, applied: PatchApplied) -> dict[tuple[str, int], int]:
    """Where a patch has the lines that it leaves: from path and line in the tree to its own line."""
    begins = {(one.file, one.number): one.line for one in applied.account if one.line > 0}
    found: dict[tuple[str, int], int] = {}
    try:
        changes = reader.parse(name, content)
    except PatchError:
        return found
    for change in changes:
        for hunk in change.hunks:
            line = begins.get((change.path, hunk.number), hunk.new_start)
            for number, (sign, _) in enumerate(hunk.rows, 1):
                if sign != "-":
                    found[change.path, line] = hunk.patch_line + number
                    line += 1
    return found


def _compile(report: RunReport, places: _Places) -> Iterator[Annotation]:
    """One for each message, whatever the number of platforms that it is of."""
    said: dict[tuple[_Line, str, str], list[str]] = {}
    for gate in report.compiled.failures if report.compiled else ():
        title = f"{TITLES[gate.signal or 'types']}: does not pass"
        for where, message in _findings(gate, places):
            said.setdefault((where, title, message), []).append(gate.platform)
    for (where, title, message), platforms in said.items():
        yield _annotation(
            where, "failure", title, f"{message[:7000]}\non {', '.join(dict.fromkeys(platforms))}"
        )


def _findings(gate: GateResult, places: _Places) -> Iterator[tuple[_Line, str]]:
    found = [match for line in gate.detail.split("\n")[:_LINES] if (match := _FINDING.fullmatch(line))]
    for match in found:
        if where := places.source(match[1], int(match[2]), gate.patch):
            yield where, match[0]
    if not found and (where := places.patch(gate.patch, 1)):
        yield where, _head(gate.detail) or gate.subject


def _tests(report: RunReport, places: _Places) -> Iterator[Annotation]:
    failing = [(cell, gate) for cell in report.cells for gate in cell.gates if gate.status == "fail"]
    for cell, gate in failing:
        package = (gate.package or gate.subject.rpartition(".")[0]).split(" ", 1)[0]
        match = _IN_TEST.search(gate.detail)
        if gate.gate != "test" or not match or not _PACKAGE.fullmatch(package):
            continue
        if where := places.source(f"src/{package}/{match[1]}", int(match[2])):
            message = f"{gates.result(gate)} on {cell.id}\n{_head(gate.detail)}"
            yield _annotation(where, "failure", gate.subject, message)


def _lint(report: RunReport, places: _Places) -> Iterator[Annotation]:
    for one in report.lint:
        if where := places.patch(one.file, one.line):
            level: Level = "failure" if one.severity == "error" else "notice"
            yield _annotation(where, level, one.rule, one.message)


def _head(text: str) -> str:
    return "\n".join(text.strip("\n").split("\n")[:_LINES])


def _annotation(where: _Line, level: Level, title: str, message: str) -> Annotation:
    return Annotation(
        path=where.path,
        start_line=where.line,
        end_line=where.line,
        annotation_level=level,
        title=markdown.visible(title)[:200],
        message=(markdown.visible(message, keep="\n\t").strip() or "no output")[:8000],
    )
