"""What a benchmark file holds, as values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.benchfmt.units import tidy
from pipeline.errors import HostError


class InputError(HostError):
    """An input could not be read; the message is the one Go would print."""


class Setting(NamedTuple):
    """One configuration value in force; ``from_file`` is false for keys a tool added, such as ``.file``."""

    key: str
    value: str
    from_file: bool = True


class Config:
    """The configuration in force for a result: immutable, in the order Go's reader keeps it.

    Two results with equal configuration read by one reader share one object, so that identity may serve
    as a cache key.
    """

    __slots__ = ("_values", "settings")

    def __init__(self, settings: Iterable[Setting] = ()) -> None:
        self.settings: tuple[Setting, ...] = tuple(settings)
        self._values = {setting.key: setting.value for setting in self.settings}

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Config:
        """Build a file configuration from ``values``."""
        return cls(Setting(key, value) for key, value in values.items())

    def get(self, key: str) -> str:
        """Return the value of ``key``, or the empty string."""
        return self._values.get(key, "")

    def file_values(self) -> dict[str, str]:
        """Return the keys that came from the file itself."""
        return {setting.key: setting.value for setting in self.settings if setting.from_file}

    def __repr__(self) -> str:
        return f"Config({self._values!r})"


class Unit(NamedTuple):
    """A unit in base form, and the one that was written if the value was rescaled (else empty)."""

    name: str
    written: str = ""


class UnitSet(tuple[Unit, ...]):
    """The units of a line, shared by all lines that have them; hashed by identity, which is much faster."""

    __slots__ = ()
    __hash__ = object.__hash__


class Result(NamedTuple):
    """One benchmark line.

    ``values`` are in base units (seconds, bytes), one for each of ``units``; ``raw`` are the numbers as
    written. ``name`` excludes the leading ``Benchmark``.
    """

    config: Config
    name: str
    iterations: int
    units: tuple[Unit, ...]
    values: Sequence[float]
    raw: Sequence[float]
    file: str = ""
    line: int = 0

    @classmethod
    def of(
        cls,
        name: str,
        measurements: Mapping[str, float],
        *,
        iterations: int = 1,
        config: Config | None = None,
    ) -> Result:
        """Build a result from measurements by written unit (``{"ns/op": 12.5}``)."""
        units, values = rescale(tuple(measurements), raw := tuple(measurements.values()))
        return cls(config or Config(), name, iterations, units, values, raw)


@dataclass(frozen=True, kw_only=True, slots=True)
class UnitMetadata:
    """One ``key=value`` of a ``Unit`` line; ``unit`` is the base form and ``written`` what the file says."""

    unit: str
    written: str
    key: str
    value: str
    file: str
    line: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SyntaxProblem:
    """A line that could not be understood. Reading goes on after it."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


Record = Result | UnitMetadata | SyntaxProblem


class UnitTable:
    """The unit metadata gathered so far; it holds across the files of one run."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], UnitMetadata] = {}

    def add(self, metadata: UnitMetadata) -> UnitMetadata:
        """Record ``metadata`` unless the key is known; return what is in force."""
        return self._known.setdefault((metadata.unit, metadata.key), metadata)

    def get(self, unit: str, key: str) -> str:
        """Return the value of ``key`` for a unit in either form, or the empty string."""
        known = self._known.get((tidy(unit)[0], key))
        return known.value if known else ""

    def is_exact(self, unit: str) -> bool:
        """Tell whether repeated measurements in ``unit`` are declared to be always equal."""
        return self.get(unit, "assume") == "exact"


def rescale(written: Sequence[str], raw: Sequence[float]) -> tuple[tuple[Unit, ...], Sequence[float]]:
    """Bring values to base units.

    A value that rescaling leaves equal (zero, infinity) keeps the unit it was written with; that is
    benchstat's behaviour, and it puts ``0 ns/op`` in a table of its own.
    """
    units: list[Unit] = []
    values: list[float] = []
    for unit, value in zip(written, raw, strict=True):
        name, factor = tidy(unit)
        scaled = value * factor
        if scaled == value:
            units.append(Unit(unit))
            values.append(value)
        else:
            units.append(Unit(name, unit))
            values.append(scaled)
    return tuple(units), values
