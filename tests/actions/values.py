"""The values of GitHub's expressions, and how they compare and turn into text."""

from __future__ import annotations

import json
import math
import re
from typing import Any

# null, booleans, numbers, text, arrays and objects: None, bool, float, str, list and dict.
Value = Any


class ExpressionError(Exception):
    """An expression that GitHub would refuse, or that this runner does not know."""


class Strict(dict[str, Value]):
    """A context of which only a part is known here: the rest is an error, not null."""


def truth(value: Value) -> bool:
    """What ``if`` makes of a value. An array or object is true, also an empty one."""
    if isinstance(value, float):
        return value != 0 and not math.isnan(value)
    return value not in (None, False, "") if not isinstance(value, (list, dict)) else True


def text(value: Value) -> str:
    """A value as a string has it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else f"{value:.15g}"
    if isinstance(value, (list, dict)):
        return "Array" if isinstance(value, list) else "Object"
    return str(value)


def number(value: Value) -> float:
    """A value as a number; NaN for what is none."""
    if isinstance(value, (bool, float)):
        return float(value)
    if value is None:
        return 0.0
    if isinstance(value, str):
        if not value.strip():
            return 0.0
        word = value.strip()
        if re.fullmatch(r"0x[0-9a-fA-F]+", word):
            return float(int(word, 16))
        return float(word) if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", word) else math.nan
    return math.nan


def equal(left: Value, right: Value) -> bool:
    """GitHub's ``==``: text without regard to case, other types as numbers, containers by identity."""
    if isinstance(left, str) and isinstance(right, str):
        return left.upper() == right.upper()
    if isinstance(left, (list, dict)) and isinstance(right, (list, dict)):
        return left is right
    if left is None and right is None:
        return True
    return number(left) == number(right)


def less(left: Value, right: Value) -> bool:
    """GitHub's ``<``."""
    if isinstance(left, str) and isinstance(right, str):
        return left.upper() < right.upper()
    return number(left) < number(right)


def from_yaml(value: Any) -> Value:
    """A value that YAML or JSON read, with its numbers as GitHub has them."""
    if isinstance(value, dict):
        return {str(key): from_yaml(item) for key, item in value.items()}
    if isinstance(value, list):
        return [from_yaml(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def to_json(value: Value) -> str:
    """``toJSON``: whole numbers without a point, two blanks a level."""

    def plain(one: Value) -> Any:
        if isinstance(one, dict):
            return {key: plain(item) for key, item in one.items()}
        if isinstance(one, list):
            return [plain(item) for item in one]
        return int(one) if isinstance(one, float) and one.is_integer() else one

    return json.dumps(plain(value), indent=2, ensure_ascii=False)
