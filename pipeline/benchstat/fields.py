"""Projection expressions such as ``.name,/size@num goos@(linux darwin)``, and the order ``num``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from pipeline.benchfmt.numbers import NumberError, parse_float
from pipeline.benchstat.lexer import Tokens

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


def numeric_rank(value: str) -> tuple[float, ...]:
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
