"""Projections: which fields of a result make its table, row or column, and how their values are ordered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pipeline.benchfmt import Result
from pipeline.benchstat.fields import FieldSpec, numeric_rank, parse_fields
from pipeline.benchstat.filters import Filter, Matcher
from pipeline.benchstat.lexer import ExpressionError, go_quote
from pipeline.benchstat.names import Extract, extractor, full_name_without

Key = tuple[str, ...]
"""Field values by index, without trailing empty ones, so that a field seen later changes no earlier key."""


@dataclass(kw_only=True, slots=True, eq=False)
class Field:
    """A field of a projection. ``index`` is its place in a key."""

    name: str
    index: int
    order: str
    ranks: dict[str, int] = field(default_factory=dict)
    observed: bool = False

    def rank(self, value: str) -> tuple[float, ...]:
        """Return what ``value`` sorts by; equal ranks fall back to the text."""
        if self.order == "num":
            return numeric_rank(value)
        if self.order == "alpha":
            return ()
        return (self.ranks.get(value, 0),)

    def of(self, key: Key) -> str:
        """Return the field's value in ``key``."""
        return key[self.index] if self.index < len(key) else ""


class Projection:
    """Turns results into keys. A ``.config`` group gains fields as new keys appear in the input."""

    def __init__(self) -> None:
        self._slots: list[Field | list[Field]] = []
        self._count = 0
        self._extractors: list[Callable[[Result, list[str]], None]] = []
        self._row: list[str] = []
        self._seen: set[Key] = set()
        self.unit_field: Field | None = None

    def add_field(self, name: str, order: str, fixed: tuple[str, ...] = ()) -> Field:
        """Append a field of its own."""
        new = self._new_field(name, order, fixed)
        new.observed = order == "first"
        self._slots.append(new)
        return new

    def add_group(self) -> list[Field]:
        """Append an empty group, whose fields are ordered by text unless they have a named order."""
        group: list[Field] = []
        self._slots.append(group)
        return group

    def add_to_group(self, group: list[Field], name: str, order: str) -> Field:
        """Append a field to a group."""
        new = self._new_field(name, order, ())
        group.append(new)
        return new

    def _new_field(self, name: str, order: str, fixed: tuple[str, ...]) -> Field:
        new = Field(name=name, index=self._count, order=order)
        new.ranks.update((value, place) for place, value in enumerate(fixed))
        self._count += 1
        self._row.append("")
        return new

    def on_project(self, extract: Callable[[Result, list[str]], None]) -> None:
        """Register a function that fills its part of the row buffer."""
        self._extractors.append(extract)

    def fields(self) -> list[Field]:
        """Return all fields in the order of comparison."""
        out: list[Field] = []
        for slot in self._slots:
            out.extend(slot if isinstance(slot, list) else [slot])
        return out

    def project(self, result: Result) -> Key:
        """Return the key of a result."""
        self._fill(result)
        return self._key()

    def project_units(self, result: Result) -> list[Key]:
        """Return one key for each measurement, differing in ``.unit``."""
        self._fill(result)
        if self.unit_field is None:
            raise AssertionError("the projection has no unit field")
        keys: list[Key] = []
        for unit in result.units:
            self._row[self.unit_field.index] = unit.name
            keys.append(self._key())
        return keys

    def _fill(self, result: Result) -> None:
        row = self._row
        row[:] = [""] * len(row)
        for extract in self._extractors:
            extract(result, row)

    def _key(self) -> Key:
        row = self._row
        end = len(row)
        while end and not row[end - 1]:
            end -= 1
        key = tuple(row[:end])
        if key not in self._seen:
            self._seen.add(key)
            for slot in self._slots:
                # Fields inside a group do not record the order of observation; benchstat's do not either.
                if isinstance(slot, Field) and slot.observed:
                    slot.ranks.setdefault(slot.of(key), len(slot.ranks))
        return key

    def sort(self, keys: Iterable[Key]) -> list[Key]:
        """Sort keys field by field."""
        fields = self.fields()
        return sorted(keys, key=lambda key: [(one.rank(one.of(key)), one.of(key)) for one in fields])

    def text(self, key: Key) -> str:
        """Return the non-empty values of a key, separated by spaces."""
        return " ".join(value for one in self.fields() if (value := one.of(key)))

    def varying(self, keys: Iterable[Key]) -> list[str]:
        """Return the names of the fields in which ``keys`` differ."""
        distinct = list(keys)
        return [one.name for one in self.fields() if len({one.of(key) for key in distinct}) > 1]


class ProjectionParser:
    """Parses projections that exclude one another.

    A specific key in any of them is left out of the groups ``.config`` and ``.fullname`` in all of them.
    """

    def __init__(self, selection: Filter) -> None:
        self._filter = selection
        self._config_keys: set[str] = set()
        self._name_keys: list[str] = []
        self._have_config = False
        self._have_full_name = False

    def parse(self, expression: str, *, with_unit: bool = False) -> Projection:
        """Parse one expression; ``with_unit`` appends a field ``.unit``.

        Raises:
            ExpressionError: pointing at the place.
        """
        projection = Projection()
        conditions: list[Matcher] = []
        for spec in parse_fields(expression):
            condition = self._add(projection, expression, spec)
            if condition is not None:
                conditions.append(condition)
        if conditions:
            self._filter.require(conditions)
        if with_unit:
            projection.unit_field = projection.add_field(".unit", "first")
        return projection

    def residue(self) -> Projection:
        """Return a projection to all that no parsed expression mentions."""
        projection = Projection()
        if not self._have_config:
            self._add_config(projection, "first")
        if not self._have_full_name:
            self._add_full_name(projection, "first", ())
        return projection

    def _add(self, projection: Projection, expression: str, spec: FieldSpec) -> Matcher | None:
        if spec.order not in ("fixed", "first", "alpha", "num"):
            message = f"unknown order {go_quote(spec.order)}"
            raise ExpressionError(expression, spec.order_offset, message)
        if spec.key == ".config":
            if spec.order == "fixed":
                raise ExpressionError(expression, spec.order_offset, "fixed order not allowed for .config")
            self._add_config(projection, spec.order)
            return None
        if spec.key == ".unit":
            raise ExpressionError(expression, spec.key_offset, ".unit is only allowed in filters")
        if spec.key == ".fullname":
            self._add_full_name(projection, spec.order, spec.fixed)
            return _one_of(spec, extractor(spec.key))
        if spec.key == ".name" or spec.key.startswith("/"):
            self._name_keys.append(spec.key)
        else:
            self._config_keys.add(spec.key)
        try:
            extract = extractor(spec.key)
        except ValueError as error:
            raise ExpressionError(expression, spec.key_offset, str(error)) from None
        index = projection.add_field(spec.key, spec.order, spec.fixed).index

        def fill(result: Result, row: list[str]) -> None:
            row[index] = extract(result)

        projection.on_project(fill)
        return _one_of(spec, extract)

    def _add_config(self, projection: Projection, order: str) -> None:
        self._have_config = True
        group = projection.add_group()
        known: dict[str, Field] = {}

        def fill(result: Result, row: list[str]) -> None:
            for setting in result.config.settings:
                if not setting.from_file:
                    continue
                place = known.get(setting.key)
                if place is None:
                    if setting.key in self._config_keys:
                        continue
                    place = known[setting.key] = projection.add_to_group(group, setting.key, order)
                row[place.index] = setting.value

        projection.on_project(fill)

    def _add_full_name(self, projection: Projection, order: str, fixed: tuple[str, ...]) -> None:
        self._have_full_name = True
        index = projection.add_field(".fullname", order, fixed).index
        extract: Extract | None = None

        def fill(result: Result, row: list[str]) -> None:
            # Built at the first result, when every projection has named what it takes away.
            nonlocal extract
            if extract is None:
                extract = full_name_without(self._name_keys)
            row[index] = extract(result)

        projection.on_project(fill)


def _one_of(spec: FieldSpec, extract: Extract) -> Matcher | None:
    """Return the condition that a fixed order implies."""
    if spec.order != "fixed":
        return None
    allowed = frozenset(spec.fixed)
    return lambda result: extract(result) in allowed
