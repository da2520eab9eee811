"""What a cell ran, where, and what its programs saw, as reports show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pipeline.records import CellBundled, CellStarted, EnvironmentSeen, ProgramBuilt, ProgramRan, Record

# What a run's own machine or its user has set, and no condition of the cell.
_DULL = {"HOME", "PATH", "GOPATH", "GOCACHE", "GOROOT", "TMPDIR", "TEMP", "TMP", "SystemRoot", "SYSTEMROOT"}
R = TypeVar("R", bound=Record)


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program of the cell: what was built, and ``state``: same, differs or missing, by what ran."""

    side: str
    package: str
    variant: str
    sha256: str
    state: str
    relinked: bool


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """``programs`` by side and package; ``seen`` by a program that was started as the benchmarks are;
    ``machine`` describes the cell's own, empty where it is the run's; ``bundle`` is what was sent there."""

    programs: tuple[Program, ...]
    commit: str
    series: str
    seen: EnvironmentSeen | None
    machine: Mapping[str, str]
    bundle: CellBundled | None = None

    @property
    def believed(self) -> bool:
        """Whether everything that ran is what was built."""
        return all(one.state == "same" for one in self.programs)


def build(cell: str, records: Sequence[Record]) -> Conditions | None:
    """The conditions of one cell; None where nothing was built for it. What was said last holds."""
    built = {_key(one): one for one in _of(records, ProgramBuilt) if one.cell == cell}
    if not built:
        return None
    ran = {_key(one): one for one in _of(records, ProgramRan) if one.cell == cell}
    seen = [one for one in _of(records, EnvironmentSeen) if one.cell == cell]
    started = [one for one in _of(records, CellStarted) if one.cell == cell]
    bundled = [one for one in _of(records, CellBundled) if one.cell == cell]
    first = next(iter(built.values()))
    return Conditions(
        programs=tuple(_program(one, ran.get(key)) for key, one in built.items()),
        commit=first.commit,
        series=first.series,
        seen=seen[-1] if seen else None,
        machine=started[-1].environment if started else {},
        bundle=bundled[-1] if bundled else None,
    )


def _of(records: Sequence[Record], kind: type[R]) -> list[R]:
    return [record for record in records if isinstance(record, kind)]


def _key(one: ProgramBuilt | ProgramRan) -> tuple[str, str, str]:
    return (one.side, one.package, one.variant)


def _program(built: ProgramBuilt, ran: ProgramRan | None) -> Program:
    def marks(one: ProgramBuilt | ProgramRan) -> tuple[str, ...]:
        return (one.sha256, one.commit, one.series, one.tree)

    state = "missing" if ran is None else "same" if marks(built) == marks(ran) else "differs"
    return Program(
        side=built.side,
        package=built.package,
        variant=built.variant,
        sha256=built.sha256,
        state=state,
        relinked=ran is not None and ran.relinked == built.sha256,
    )


def lines(found: Conditions | None) -> list[str]:
    """A sentence on the programs, and one on what they saw."""
    if found is None:
        return []
    text = []
    if found.programs and found.believed:
        again = (
            "; linked again there, they came out the same" if any(p.relinked for p in found.programs) else ""
        )
        text.append(
            f"Each of the {len(found.programs)} programs that ran is the one that was built, by sha256 and "
            f"the stamp in it (gopatch {found.commit or 'of no commit'}, series {found.series[:12]}){again}."
        )
    elif found.seen is not None:
        wrong = [one for one in found.programs if one.state != "same"]
        text.append(f"{len(wrong)} programs are not those that were built, or did not run.")
    if found.seen is not None:
        text.append(_seen(found.seen))
    if found.machine:
        names = ("cpu", "cores", "os", "machine", "docker")
        said = {name: found.machine[name] for name in names if found.machine.get(name)}
        text.append(
            "Its machine: " + ", ".join(f"{v} cores" if name == "cores" else v for name, v in said.items())
        )
    return text


def _seen(seen: EnvironmentSeen) -> str:
    limit = f"a memory limit of {seen.memory_limit} bytes" if seen.memory_limit else "no memory limit"
    gc = "off" if seen.gc_percent < 0 else str(seen.gc_percent)
    own = {name: value for name, value in seen.variables.items() if name not in _DULL}
    shown = " ".join(f"{name}={value}" for name, value in sorted(own.items()))
    cores = f"{seen.cpus} CPUs, GOMAXPROCS {seen.gomaxprocs}"
    return f"A program there saw {cores}, GOGC {gc} and {limit}, with {shown}."


def as_json(found: Conditions | None) -> dict[str, Any] | None:
    """For report.json."""
    if found is None:
        return None
    return {
        "programs": [vars(one) for one in found.programs],
        "commit": found.commit,
        "series": found.series,
        "seen": found.seen.model_dump(exclude={"kind", "cell"}) if found.seen else None,
        "machine": dict(found.machine) or None,
        "bundle": found.bundle.model_dump(exclude={"kind", "cell"}) if found.bundle else None,
    }
