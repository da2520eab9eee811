"""The matrix as text and as JSON values, for ``./inv matrix`` and wherever a plan is shown."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from pipeline.config import Document
from pipeline.plan import fleet, labels
from pipeline.plan.cells import Row
from pipeline.plan.ports import Ports
from pipeline.plan.settings import Value
from pipeline.values import Cell, Machine, Profile


def conditions(cell: Cell) -> str:
    """What a cell's tests and benchmarks run under; '' for what the host does by itself."""
    settings = {**cell.build, **cell.parameters, **cell.environment}
    words = [f"{name}={value}" for name, value in settings.items()]
    words += [f"pinned to CPU {', '.join(map(str, cell.pin))}"] if cell.pin else []
    words += [f"benchmarks {cell.benchmark_timeout} s"] if cell.benchmark_timeout else []
    words += [f"tests {cell.test_timeout} s"] if cell.test_timeout else []
    if count := sum(len(names) for names in cell.benchmarks.values()):
        words.append(f"{count} benchmark{'s' * (count > 1)} of suites")
    return ", ".join(words)


def table(rows: Sequence[Row], profile: Profile, ports: Ports) -> str:
    """One line a cell, and what was looked at."""
    lines = [("cell", "platform", "under", "runs")]
    lines += [(row.cell.id, str(row.cell.platform), conditions(row.cell) or "-", _where(row)) for row in rows]
    count = len(fleet.machines(rows))
    longest = max((fleet.minutes(cell, profile) for cell, _ in fleet.machines(rows)), default=0)
    jobs = f"{count} jobs of at most {fleet.MAX_JOBS}" + (f", each up to {longest} minutes" if count else "")
    return "\n".join(
        [
            *columns(lines),
            "",
            f"{len(rows)} cells; a fleet runs {jobs}",
            f"platforms are checked against {ports.name}; runner labels are as of {labels.AS_OF}",
        ]
    )


def _where(row: Row) -> str:
    here = ["here"] if row.cell.native else []
    if row.cell.machine:
        return "; ".join([*here, f"fleet: {_machine(row.cell.machine)}"])
    return f"here; no fleet: {row.alone}" if here else f"compiled only: {row.alone}"


def _machine(machine: Machine) -> str:
    inside = f"{machine.vm} {machine.version} in a virtual machine on " if machine.vm else ""
    return inside + ", ".join(machine.labels)


def explanation(row: Row, values: Sequence[Value], document: Document) -> str:
    """What a cell is, and one line a value: its name, itself, and where it came from."""
    chosen = "".join(f"; {axis}: {value}" for axis, value in row.chosen.items())
    lines = [("value", "is", "from")]
    lines += [(one.name, _shown(one), one.origin.text(document)) for one in values]
    return "\n".join([f"{row.cell.id}: {_where(row)}{chosen}", "", *columns(lines)])


def _shown(one: Value) -> str:
    if one.name.startswith("thresholds.") and isinstance(one.value, float):
        return f"{100 * one.value:g}%"
    if isinstance(one.value, (list, tuple)):
        return ", ".join(map(str, one.value)) or "-"
    text = str(one.value)
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text) or "''"


def columns(lines: Iterable[Sequence[str]]) -> list[str]:
    """Lines of words as columns; the last is as long as it likes."""
    found = list(lines)
    widths = [max(len(line[index]) for line in found) for index in range(len(found[0]) - 1)]
    return [
        "  ".join([*(word.ljust(width) for word, width in zip(line, widths, strict=False)), line[-1]])
        for line in found
    ]


def as_json(row: Row, values: Sequence[Value], profile: Profile, document: Document) -> dict[str, object]:
    """A cell with every value and its origin; ``at`` is file:line:column, '' where the file has no place."""
    cell = row.cell
    return {
        "id": cell.id,
        "goos": cell.platform.goos,
        "goarch": cell.platform.goarch,
        "native": cell.native,
        "axes": dict(row.chosen),
        "machine": cell.machine.as_json() if cell.machine else None,
        "no_fleet": row.alone,
        "minutes": fleet.minutes(cell, profile) if cell.machine else 0,
        "values": [
            {
                "name": one.name,
                "value": list(one.value) if isinstance(one.value, (list, tuple)) else one.value,
                "from": one.origin.kind,
                "of": one.origin.name,
                "at": document.where(one.origin.path) if one.origin.path is not None else "",
            }
            for one in values
        ],
    }


def checked(ports: Ports) -> dict[str, object]:
    """What the platforms and the runners' labels were checked against."""
    return {"platforms": ports.name, "final": ports.final, "labels_as_of": labels.AS_OF.isoformat()}


def today() -> dt.date:
    """The day by which labels are judged."""
    return dt.datetime.now(dt.UTC).date()
