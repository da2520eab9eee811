"""The compile gate as reports show it: platforms by signal, and what was not asked."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.records import GateResult, Record, SeriesReach, Signal

SIGNALS: tuple[Signal, ...] = ("types", "build", "vet", "tests")
TITLES: Mapping[str, str] = {"types": "types", "build": "build", "vet": "vet", "tests": "test binaries"}
WIDTH = 100
_PLACES = {"host": "on the host's platform only", "cells": "on the platforms of the matrix only"}


@dataclass(frozen=True, kw_only=True)
class PlatformRow:
    """One platform: its cell, if any, and what each signal said over all prefixes: ok, FAIL, ``baseline``
    (which complains alike), ``–`` (not asked there), ``not run`` (the gate ended before). ``packages`` are
    changed there, ``beside`` were built as well."""

    platform: str
    cell: str
    packages: tuple[str, ...]
    beside: tuple[str, ...]
    signals: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class PlatformGroup:
    """Platforms of which everything is the same: see PlatformRow. ``tests_only`` is that only test files
    change there."""

    platforms: tuple[str, ...]
    packages: tuple[str, ...]
    beside: tuple[str, ...]
    signals: Mapping[str, str]
    tests_only: bool

    @property
    def what(self) -> str:
        """The packages in words."""
        also = f" (built as well: {', '.join(self.beside)})" if self.beside else ""
        nothing = "only test files change" if self.tests_only else "nothing in the end"
        return (", ".join(self.packages) or nothing) + also


@dataclass(frozen=True, kw_only=True)
class CompileReport:
    """The gate over all platforms of the release. ``limits`` says in words what was not asked; ``reused``
    counts the results that were known from before, of ``checks``; ``unlisted`` are changed files that no
    platform compiles."""

    rows: tuple[PlatformRow, ...]
    tests_only: tuple[str, ...]
    untouched: tuple[str, ...]
    failures: tuple[GateResult, ...]
    results: tuple[GateResult, ...]
    limits: str
    reach: str
    checks: int
    reused: int
    unlisted: tuple[str, ...] = ()

    @property
    def groups(self) -> tuple[PlatformGroup, ...]:
        """The rows, those that say the same together; what fails first."""
        found: dict[tuple[str, ...], list[PlatformRow]] = {}
        for row in self.rows:
            only = str(row.platform in self.tests_only)
            found.setdefault((*row.signals.values(), only, *row.packages, "", *row.beside), []).append(row)
        groups = [
            PlatformGroup(
                platforms=tuple(row.platform for row in rows),
                packages=rows[0].packages,
                beside=rows[0].beside,
                signals=rows[0].signals,
                tests_only=rows[0].platform in self.tests_only,
            )
            for rows in found.values()
        ]
        return tuple(sorted(groups, key=lambda one: "FAIL" not in one.signals.values()))

    @property
    def compiled(self) -> int:
        """On how many platforms the compiler itself was asked, and all was well."""
        return sum(row.signals["build"] == "ok" and _well(row) for row in self.rows)

    @property
    def typed(self) -> int:
        """On how many more only types were checked, and were well."""
        return sum(
            row.signals["types"] == "ok" and row.signals["build"] == "–" and _well(row) for row in self.rows
        )


def _well(row: PlatformRow) -> bool:
    return not {"FAIL", "not run", "baseline"} & set(row.signals.values())


def build(records: Sequence[Record], plan: Mapping[str, Any]) -> CompileReport | None:
    """The report; None for a run that ended before its reach was known."""
    found = [record for record in records if isinstance(record, SeriesReach)]
    if not found:
        return None
    reach = found[-1]
    gates = [record for record in records if isinstance(record, GateResult) and record.gate == "compile"]
    # A resumed run asks again: the last answer holds.
    results = tuple({(one.platform, one.signal, one.number): one for one in gates}.values())
    depth = plan["profile"].get("compile", {})
    cells = {f"{cell['goos']}/{cell['goarch']}": str(cell["id"]) for cell in plan["cells"]}
    host = str(plan.get("host", ""))
    names = list(dict.fromkeys([*reach.reached, *reach.tests_only, *(one.platform for one in results)]))
    rows = tuple(
        PlatformRow(
            platform=name,
            cell=cells.get(name, ""),
            packages=tuple(reach.reached.get(name, ())),
            beside=_beside(name, results, reach),
            signals={
                signal: _status([one for one in results if (one.platform, one.signal) == (name, signal)])
                or ("not run" if _asked(depth, signal, name, cells, host, reach) else "–")
                for signal in SIGNALS
            },
        )
        for name in names
    )
    return CompileReport(
        rows=rows,
        tests_only=tuple(reach.tests_only),
        untouched=tuple(name for name in reach.untouched if name not in names),
        failures=tuple(one for one in results if one.status == "fail"),
        results=results,
        limits=limits(depth),
        reach=_reach(reach),
        checks=len(results),
        reused=sum(one.reused for one in results),
        unlisted=tuple(reach.unlisted),
    )


def _beside(platform: str, results: Sequence[GateResult], reach: SeriesReach) -> tuple[str, ...]:
    builds = [one for one in results if (one.platform, one.signal) == (platform, "build")]
    built = {package for one in builds for package in one.subject.split(", ")}
    return tuple(sorted(built - set(reach.reached.get(platform, ()))))


def _status(results: Sequence[GateResult]) -> str:
    statuses = {one.status for one in results}
    if "fail" in statuses:
        return "FAIL"
    return "baseline" if "baseline-fails" in statuses else "ok" if statuses else ""


def _scope(depth: Mapping[str, str], signal: Signal) -> str:
    return depth.get("tests" if signal == "vet" else signal, "none")


def _asked(
    depth: Mapping[str, str],
    signal: Signal,
    platform: str,
    cells: Mapping[str, str],
    host: str,
    reach: SeriesReach,
) -> bool:
    if signal == "build" and platform not in reach.reached:
        return False
    places = {"all": True, "cells": platform in cells, "host": platform == host}
    return places.get(_scope(depth, signal), False)


def limits(depth: Mapping[str, str]) -> str:
    """What the profile leaves out, in words; '' for nothing."""
    parts = []
    for signal, what in (("types", "types"), ("build", "builds"), ("tests", "vet and test binaries")):
        place = depth.get(signal, "none")
        if place != "all":
            parts.append(f"{what} {_PLACES.get(place, 'not at all')}")
    return f"Checked: {', '.join(parts)}; the rigorous profile checks everything everywhere." if parts else ""


def _reach(reach: SeriesReach) -> str:
    packages = sorted({name for names in reach.reached.values() for name in names})
    total = len(reach.reached) + len(reach.tests_only) + len(reach.untouched)
    them = "it" if len(packages) == 1 else "them"
    others = (
        "1 other package of std and cmd is"
        if reach.dependents == 1
        else (f"{reach.dependents} other packages of std and cmd are")
    )
    built = f" ({others} built from {them} on {reach.host})" if reach.dependents else ""
    near = ""
    if reach.importing:
        many = len(reach.importing_unchecked)
        where = "" if many >= len(reach.reached) else f" on {many} platform{'s' if many > 1 else ''}"
        checked = "checked as well" if reach.importing_checked else f"too many to check their types{where}"
        who = (
            "1 package of std imports"
            if reach.importing == 1
            else f"{reach.importing} packages of std import"
        )
        near = f" {who} {them} directly on one of these platforms or more: {checked}."
    return (
        f"The series changes {', '.join(packages) or 'no package'}{built}, on {len(reach.reached)} of "
        f"{total} platforms of the release.{near}"
    )


def text(report: CompileReport) -> str:
    """The table for a terminal, and below it what was not asked and where nothing changes."""
    head = (*TITLES.values(), "platforms")
    merged: dict[tuple[str, ...], list[str]] = {}
    for one in report.groups:
        note = " (only test files change)" if one.tests_only else ""
        merged.setdefault((*one.signals.values(), note), []).extend(one.platforms)
    body = [(*signals, ", ".join(platforms) + note) for (*signals, note), platforms in merged.items()]
    widths = [max(len(line[column]) for line in (head, *body)) for column in range(len(SIGNALS))]
    lines = []
    for *signals, platforms in (head, *body):
        start = "  ".join(word.ljust(width) for word, width in zip(signals, widths, strict=True)) + "  "
        lines += textwrap.wrap(
            platforms,
            WIDTH,
            initial_indent=start,
            subsequent_indent=" " * len(start),
            break_long_words=False,
            break_on_hyphens=False,
        )
    if report.untouched:
        lines += ["", *textwrap.wrap(f"untouched: {', '.join(report.untouched)}", WIDTH)]
    if report.unlisted:
        lines += ["", *textwrap.wrap(f"compiled nowhere: {', '.join(report.unlisted)}", WIDTH)]
    known = f"{report.checks} checks, of which {report.reused} were known from before. {report.limits}"
    lines += ["", *textwrap.wrap(report.reach, WIDTH), *textwrap.wrap(known, WIDTH)]
    return "\n".join(lines).rstrip()


def as_json(report: CompileReport) -> dict[str, Any]:
    """The report as JSON values."""
    return {
        "reach": report.reach,
        "limits": report.limits,
        "platforms": [asdict(row) for row in report.rows],
        "untouched": list(report.untouched),
        "unlisted": list(report.unlisted),
        "results": [one.model_dump(exclude={"kind", "gate"}) for one in report.results],
    }
