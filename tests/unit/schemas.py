"""As much of JSON Schema as this project's own schemas use. A keyword that it does not know is an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

_SAID = {"title", "description", "default", "$schema", "$id", "$defs"}
_TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "boolean": bool,
    "null": type(None),
}


def faults(value: Any, schema: dict[str, Any], root: dict[str, Any], path: str = "") -> Iterator[str]:
    """Where ``value`` is not what ``schema`` says; ``root`` is the whole of it."""
    for keyword, wanted in schema.items():
        if keyword == "$ref":
            yield from faults(value, root["$defs"][wanted.removeprefix("#/$defs/")], root, path)
        elif keyword == "anyOf":
            if all(list(faults(value, one, root, path)) for one in wanted):
                yield f"{path}: none of anyOf"
        elif keyword in ("properties", "additionalProperties", "items", "propertyNames"):
            yield from _inside(keyword, value, schema, root, path)
        elif keyword not in _SAID and not _holds(keyword, value, wanted):
            yield f"{path}: {keyword} {wanted}"


def _inside(
    keyword: str, value: Any, schema: dict[str, Any], root: dict[str, Any], path: str
) -> Iterator[str]:
    wanted = schema[keyword]
    if keyword == "items":
        for index, one in enumerate(value if isinstance(value, list) else ()):
            yield from faults(one, wanted, root, f"{path}[{index}]")
    for name, one in value.items() if isinstance(value, dict) else ():
        at = f"{path}.{name}".lstrip(".")
        if keyword == "properties" and name in wanted:
            yield from faults(one, wanted[name], root, at)
        elif keyword == "propertyNames":
            yield from faults(name, wanted, root, at)
        elif keyword == "additionalProperties" and name not in schema.get("properties", {}):
            if wanted is False:
                yield f"{at}: unknown"
            else:
                yield from faults(one, wanted, root, at)


def _holds(keyword: str, value: Any, wanted: Any) -> bool:
    checks: dict[str, Callable[[], object]] = {
        "type": lambda: isinstance(value, _TYPES[wanted]) and (wanted == "boolean" or value is not True),
        "enum": lambda: value in wanted,
        "const": lambda: value == wanted,
        "pattern": lambda: not isinstance(value, str) or re.search(wanted, value),
        "required": lambda: not isinstance(value, dict) or set(wanted) <= set(value),
        "minimum": lambda: not isinstance(value, int) or value >= wanted,
        "maximum": lambda: not isinstance(value, int) or value <= wanted,
        "minItems": lambda: not isinstance(value, list) or len(value) >= wanted,
        "maxItems": lambda: not isinstance(value, list) or len(value) <= wanted,
        "minProperties": lambda: not isinstance(value, dict) or len(value) >= wanted,
        "maxProperties": lambda: not isinstance(value, dict) or len(value) <= wanted,
    }
    return bool(checks[keyword]())
