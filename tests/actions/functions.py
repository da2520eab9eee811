"""The functions of GitHub's expressions that work everywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from tests.actions.values import ExpressionError, Value, equal, from_yaml, text, to_json

Function = Callable[..., Value]


def _contains(where: Value, item: Value) -> bool:
    if isinstance(where, list):
        return any(equal(one, item) for one in where)
    return text(item).lower() in text(where).lower()


def _format(pattern: Value, *values: Value) -> str:
    def fill(found: re.Match[str]) -> str:
        if found.group() in ("{{", "}}"):
            return found.group()[0]
        if not found.group(1) or int(found.group(1)) >= len(values):
            raise ExpressionError(f"format: {found.group()!r} in {pattern!r}")
        return text(values[int(found.group(1))])

    return re.sub(r"\{\{|\}\}|\{(\d+)\}|[{}]", fill, text(pattern))


def _from_json(value: Value) -> Value:
    try:
        return from_yaml(json.loads(text(value)))
    except ValueError as error:
        raise ExpressionError(f"fromJSON of {text(value)[:80]!r}: {error}") from error


def _join(items: Value, between: Value = ",") -> str:
    return text(between).join(text(item) for item in items) if isinstance(items, list) else text(items)


FUNCTIONS: Mapping[str, Function] = {
    "contains": _contains,
    "startswith": lambda whole, part: text(whole).lower().startswith(text(part).lower()),
    "endswith": lambda whole, part: text(whole).lower().endswith(text(part).lower()),
    "format": _format,
    "join": _join,
    "tojson": to_json,
    "fromjson": _from_json,
}
