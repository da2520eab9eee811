"""Projections: which fields of a result make its table, row or column, and how their values are ordered."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pipeline.benchfmt import Result
from pipeline.benchfmt.numbers import NumberError, parse_float
from pipeline.benchstat.filters import Filter, Matcher
from pipeline.benchstat.lexer import ExpressionError, Tokens, go_quote
from pipeline.benchstat.names import Extract, extractor, full_name_without

Key = tuple[str, ...]
"""Field values by index, without trailing empty ones, so that a field seen later changes no earlier key."""

_NUMBER = re.compile(r"([0-9.]+)([kKMGTPEZY]i?)?[bB]?", re.ASCII)
_PREFIXES = "KMGTPEZY"


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldSpec:
    """One element of a projection expression."""

    key: str
    order: str
    fixed: tuple[str, ...]
    key_offset: int
    order_offset: int


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
            return _numeric_rank(value)
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


def parse_fields(expression: str) -> list[FieldSpec]:
    """Split a projection expression such as ``.name,/size@num goos@(linux darwin)``.

    Raises:
        ExpressionError: pointing at the place.
    """
    fields: list[FieldSpec] = []
    tokens = Tokens.of(expression)
    while True:
        token, after = tokens.next()
        if not token.kind:
            break
        if token.kind == "," and fields:
            tokens = after
        spec, tokens = _parse_field(tokens)
        if spec is not None:
            fields.append(spec)
    tokens.finish()
    return fields


def _parse_field(tokens: Tokens) -> tuple[FieldSpec | None, Tokens]:
    key, after = tokens.next()
    if key.kind not in ("w", "q"):
        return None, tokens.fail("expected key")
    tokens = after
    separator, after = tokens.next()
    if separator.kind != "@":
        return _spec(key.text, key.offset, "first", key.offset), tokens
    tokens = after
    order, after = tokens.next()
    if order.kind in ("w", "q"):
        # A word that happens to be called like an internal kind of order is a named order all the same.
        return _spec(key.text, key.offset, order.text, order.offset), after
    if order.kind != "(":
        return None, tokens.fail("expected named sort order or parenthesized list")
    values: list[str] = []
    tokens = after
    while True:
        value, after = tokens.next()
        if value.kind in ("w", "q"):
            values.append(value.text)
            tokens = after
            continue
        if value.kind != ")":
            return None, tokens.fail("missing )")
        if not values:
            return None, tokens.fail("nothing to match")
        return _spec(key.text, key.offset, "fixed", order.offset, tuple(values)), after


def _spec(key: str, key_offset: int, order: str, order_offset: int, fixed: tuple[str, ...] = ()) -> FieldSpec:
    return FieldSpec(key=key, order=order, fixed=fixed, key_offset=key_offset, order_offset=order_offset)


def _numeric_rank(value: str) -> tuple[float, ...]:
    """Numbers by size, NaN after them, other text last."""
    number = _loose_number(value)
    if number is None:
        return (1, 0, 0)
    if math.isnan(number):
        return (0, 1, 0)
    return (0, 0, number)


def _loose_number(text: str) -> float | None:
    """Read a number that may carry a prefix, as in ``2k`` or ``1MiB``."""
    try:
        return parse_float(text)
    except NumberError:
        match = _NUMBER.search(text)
    if match is None:
        return None
    try:
        number = parse_float(match[1])
    except NumberError:
        return None
    prefix = match[2] or ""
    power = 1 + _PREFIXES.index(prefix[0].upper()) if prefix else 0
    return number * float(1024 if prefix.endswith("i") else 1000) ** power
