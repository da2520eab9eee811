"""A map as a terminal, Markdown and JSON show it: how a series applies to each base, and where it builds."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.errors import ExitCode
from pipeline.records import BaseTried, HunkPlaced, MapStarted, PatchApplied, Record, Signal, SourceFetched
from pipeline.report import compiling
from pipeline.report.compiling import CompileReport
from pipeline.report.markdown import fence, md, visible

SCHEMA = 1
OUTSIDE = "not for this release"
Result = Literal["ok", "FAIL", "unknown"]
_SIGNALS: Mapping[str, tuple[Signal, ...]] = {"none": (), "types": ("types",), "build": ("types", "build")}
_NOT = {"types": "not checked", "build": "not built"}
_HUNKS, _LINES, _WIDTH, _BASE = 12, 40, 300, 24


@dataclass(frozen=True, kw_only=True)
class BaseRow:
    """One base. ``tried`` is None for one that the map did not come to; ``patches`` go up to the first that
    fails; ``compiled`` is None where the compile gate did not run."""

    base: str
    tried: BaseTried | None
    source: SourceFetched | None
    patches: tuple[PatchApplied, ...]
    compiled: CompileReport | None

    @property
    def within(self) -> bool:
        """Whether the series is for it by its own word, or nobody knows yet."""
        return self.tried is None or self.tried.within

    @property
    def result(self) -> Result:
        """``ok``: every patch applies and what was asked for compiles. ``unknown``: nobody could say."""
        if self.tried is None or self.tried.blame == "host":
            return "unknown"
        return "FAIL" if self.tried.blame else "ok"

    def failing(self, signal: Signal) -> list[str]:
        """The platforms on which a signal fails."""
        rows = self.compiled.rows if self.compiled else ()
        return [row.platform for row in rows if row.signals[signal] == "FAIL"]

    def counts(self, signal: Signal) -> dict[str, int]:
        """How many platforms a signal says what about, in the words of PlatformRow; none of ``–``."""
        words = [row.signals[signal] for row in self.compiled.rows] if self.compiled else []
        return {word: words.count(word) for word in ("ok", "baseline", "FAIL", "not run") if word in words}


@dataclass(frozen=True, kw_only=True)
class MapReport:
    """The bases in the order of ``started``."""

    started: MapStarted
    rows: tuple[BaseRow, ...]

    @property
    def complete(self) -> bool:
        """Whether the map came to its last base."""
        return all(row.tried is not None for row in self.rows)

    @property
    def signals(self) -> tuple[Signal, ...]:
        """What was asked of the compile gate."""
        return _SIGNALS[self.started.compile]

    @property
    def exit_code(self) -> ExitCode:
        """1 when a base that the series is for fails; else 4 when one could not be fetched, or could not be
        judged though the series is for it; else 0. What fails outside the range is information."""
        if any(row.within and row.result == "FAIL" for row in self.rows):
            return ExitCode.PATCH_FAILS
        lost = [row for row in self.rows if row.result == "unknown"]
        if any(row.within or (row.tried is not None and row.tried.ended == "fetch") for row in lost):
            return ExitCode.ENVIRONMENT
        return ExitCode.PASS

    @property
    def headline(self) -> str:
        """The outcome in a sentence."""
        own = [row for row in self.rows if row.within]
        good = sum(row.result == "ok" for row in own)
        asked = "applies" + (" and compiles" if self.signals else "")
        if not own:
            return "the series is for none of these bases: all of this is information only"
        text = f"{asked} on {good} of {len(own)} bases that it is for"
        lost = sum(row.result == "unknown" for row in self.rows)
        return text + (f"; {lost} could not be judged" if lost else "")


def build(records: Sequence[Record]) -> MapReport:
    """The report of a map's ledger, also of one that has not come to its end."""
    started = next(record for record in records if isinstance(record, MapStarted))
    parts = list(_parts(records))
    rows = [_row(base, part, started) for base, part in zip(started.bases, parts, strict=False)]
    rest = started.bases[len(rows) :]
    return MapReport(started=started, rows=(*rows, *(_row(base, (), started) for base in rest)))


def _parts(records: Sequence[Record]) -> Iterator[list[Record]]:
    part: list[Record] = []
    for record in records:
        part.append(record)
        if isinstance(record, BaseTried):
            yield part
            part = []


def _row(base: str, records: Sequence[Record], started: MapStarted) -> BaseRow:
    tried = next((one for one in records if isinstance(one, BaseTried)), None)
    depth = dict.fromkeys(tried.asked, "all") if tried else {}
    plan = {"profile": {"compile": depth}, "cells": [], "host": started.host}
    return BaseRow(
        base=base,
        tried=tried,
        source=next((one for one in records if isinstance(one, SourceFetched)), None),
        patches=tuple(one for one in records if isinstance(one, PatchApplied)),
        compiled=compiling.build(records, plan),
    )


def plain(text: str) -> str:
    """One line that a terminal shows as it is: nothing in it moves a cursor or turns the writing around."""
    line = " ".join(text.split())
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)


def _table(report: MapReport) -> list[list[str]]:
    """The head and a line for each base."""
    width = max((len(row.tried.patches) for row in report.rows if row.tried), default=0)
    signals = report.signals
    head = ["base", *(f"patch {number}" for number in range(1, width + 1)), *signals]
    lines = [[*head, *(["untouched"] if signals else []), "result", "variant"]]
    for row in report.rows:
        rungs = [f"{one.rung}*" if one.allowed or one.skipped else one.rung for one in row.patches]
        rungs += ["–"] * (width - len(rungs))
        untouched = [str(len(row.compiled.untouched)) if row.compiled else "–"] if signals else []
        compiled = [_signal(row, signal) for signal in signals]
        lines.append([_short(row.base), *rungs, *compiled, *untouched, _result(row), _variant(row)])
    return [[plain(cell) for cell in line] for line in lines]


def _short(base: str) -> str:
    return base if len(base) <= _BASE else f"…{base[1 - _BASE :]}"


def _signal(row: BaseRow, signal: Signal) -> str:
    words = {"baseline": "as baseline"}
    if counts := row.counts(signal):
        return ", ".join(f"{count} {words.get(word, word)}" for word, count in counts.items())
    if row.tried is None or row.tried.ended in {"fetch", "apply"}:
        return "–"
    return _NOT[signal] if row.tried.ended == "compile" or signal not in row.tried.asked else "none"


def _result(row: BaseRow) -> str:
    return row.result if row.within else f"({row.result})"


def _variant(row: BaseRow) -> str:
    if row.tried is None:
        return "–"
    if not row.tried.within:
        return OUTSIDE
    return row.tried.variant or row.tried.range or "any"


def _legend(report: MapReport) -> list[str]:
    """What the table's words stand for, as far as they are in it."""
    lists = {tuple(row.tried.patches): row.tried.variant for row in report.rows if row.tried}
    lines = []
    for names, variant in lists.items():
        which = f" for {variant}" if len(lists) > 1 else ""
        lines += [f"patch {number}{which}: {name}" for number, name in enumerate(names, 1)]
    if any(one.allowed or one.skipped for row in report.rows for one in row.patches):
        lines.append(f"*: let pass by --allow {','.join(report.started.allowed)}")
    if any(not row.within for row in report.rows):
        lines.append("(in parentheses): the series is not for this release; information only")
    if any(row.tried and len(row.patches) < len(row.tried.patches) for row in report.rows):
        lines.append("–: not tried, because what comes before failed")
    if any(row.compiled for row in report.rows):
        lines.append("untouched: platforms on which no changed file is compiled")
    return [plain(line) for line in lines]


def _details(row: BaseRow, report: MapReport) -> list[str]:
    """What the table has no room for: moved hunks, failing platforms, and why it ended where it did."""
    if row.tried is None:
        return ["not tried: the map ended before"]
    lines = list(row.tried.notes)
    # Of the patch that fails, the reason names the places.
    failed = len(row.patches) - 1 if row.tried.ended == "apply" else -1
    for index, one in enumerate(row.patches):
        moved = [] if index == failed else moved_hunks(one)
        lines += [f"patch {index + 1}: {_hunk(hunk)}" for hunk in moved[:_HUNKS]]
        if len(moved) > _HUNKS:
            lines.append(f"patch {index + 1}: and {len(moved) - _HUNKS} more hunks; map.json has them all")
    for signal in report.signals:
        if names := row.failing(signal):
            told = f"{signal} FAIL: {', '.join(names)}"
            lines += textwrap.wrap(told, compiling.WIDTH - 2, subsequent_indent="  ")
    reason = row.tried.reason.splitlines()
    lines += reason[:_LINES]
    if len(reason) > _LINES:
        lines.append(f"… and {len(reason) - _LINES} more lines; map.json has them all")
    return lines


def moved_hunks(patch: PatchApplied) -> list[HunkPlaced]:
    """The hunks that did not apply exactly."""
    return [hunk for hunk in patch.account if hunk.rung != "exact"]


def _hunk(hunk: HunkPlaced) -> str:
    number = f" hunk {hunk.number}" if hunk.number else ""
    return f"{hunk.file}:{hunk.line}{number} {hunk.rung}" + (f", {hunk.note}" if hunk.note else "")


def _indented(line: str) -> str:
    """A line of a message with its blanks and tabs and nothing else that is invisible, cut where it is long:
    the lines of a conflict stand below each other."""
    shown = visible(line.rstrip(), keep="\t")
    return shown if len(shown) <= _WIDTH else f"{shown[: _WIDTH - 1]}…"


def text(report: MapReport) -> str:
    """The table for a terminal, and below it what it has no room for."""
    started = report.started
    table = _table(report)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [plain(f"{started.series}: {report.headline}"), ""]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append("  ".join(cells).rstrip())
    lines += ["", *_legend(report)]
    for one in report.rows:
        if details := _details(one, report):
            lines += ["", plain(one.base), *(f"  {_indented(line)}" for line in details)]
    return "\n".join(lines)


def markdown(report: MapReport) -> str:
    """The same as Markdown."""
    started = report.started
    table = [[md(cell) for cell in line] for line in _table(report)]
    lines = [
        f"# {md(plain(started.series))} on {len(report.rows)} Go trees",
        "",
        f"{md(plain(started.subject))}: {md(report.headline)}.",
        "",
    ]
    rows = [table[0], ["---"] * len(table[0]), *table[1:]]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    lines += ["", *(f"- {md(line)}" for line in [*_legend(report), *map(plain, started.notes)])]
    for one in report.rows:
        if details := _details(one, report):
            block = fence("\n".join(map(_indented, details)))
            lines += ["", f"## {md(plain(one.base))}", "", "```text", *block.splitlines(), "```"]
    return "\n".join([*lines, "", f"Made by {md(plain(started.command))}", ""])


def as_json(report: MapReport) -> dict[str, Any]:
    """Everything as JSON values."""
    started = report.started
    return {
        "schema_version": SCHEMA,
        **started.model_dump(exclude={"kind", "bases"}),
        "complete": report.complete,
        "exit_code": int(report.exit_code),
        "headline": report.headline,
        "bases": [_base_json(row, report.signals) for row in report.rows],
    }


def _base_json(row: BaseRow, signals: Sequence[Signal]) -> dict[str, Any]:
    tried = row.tried.model_dump(exclude={"kind", "base", "patches"}) if row.tried else None
    names = row.tried.patches if row.tried else []
    return {
        "base": row.base,
        "result": row.result,
        "tried": tried,
        "source": row.source.model_dump(exclude={"kind"}) if row.source else None,
        "patches": [
            _patch_json(name, one) for name, one in itertools.zip_longest(names, row.patches, fillvalue=None)
        ],
        "signals": {
            signal: {"platforms": row.counts(signal), "failing": row.failing(signal)} for signal in signals
        },
        "untouched": list(row.compiled.untouched) if row.compiled else None,
        "compile": compiling.as_json(row.compiled) if row.compiled else None,
    }


def _patch_json(name: str | None, patch: PatchApplied | None) -> dict[str, Any]:
    if patch is None:
        return {"file": name, "rung": None}
    found = patch.model_dump(exclude={"kind", "account", "message"})
    return {**found, "not_exact": [hunk.model_dump() for hunk in moved_hunks(patch)]}
