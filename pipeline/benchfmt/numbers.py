"""Numbers as Go reads and prints them.

Go's ``strconv`` and Python's ``float`` agree on ordinary decimals and differ at the edges: Go has
hexadecimal floats, refuses a sign before NaN, refuses to overflow silently and knows only ASCII digits.
"""

from __future__ import annotations

import math
import re

_DECIMAL = re.compile(
    r"[+-]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9][0-9_]*)?", re.ASCII
)
_HEXADECIMAL = re.compile(
    r"[+-]?0[xX](?:[0-9a-fA-F_]+(?:\.[0-9a-fA-F_]*)?|\.[0-9a-fA-F_]+)[pP][+-]?[0-9][0-9_]*", re.ASCII
)
_LONE_UNDERSCORE = re.compile(r"_(?![0-9a-fA-F])|(?<![0-9a-fA-FxX])_")
_INFINITY = re.compile(r"[+-]?inf(?:inity)?", re.ASCII | re.IGNORECASE)
_PLAIN_FROM, _PLAIN_BELOW = 1e-4, 1e6  # where the shortest form has no exponent
_SHORT_INTEGER = 19  # strings below this length cannot overflow 64 bits
_INT64_MAX = (1 << 63) - 1
_UINT64_MAX = (1 << 64) - 1

INVALID_SYNTAX = "invalid syntax"
OUT_OF_RANGE = "value out of range"


class NumberError(ValueError):
    """A field that is not a number; the message is Go's own (``invalid syntax``, ``value out of range``)."""


def parse_float(text: str) -> float:
    """Read one measurement as benchfmt does.

    Underscores may stand between digits, ``NaN`` carries no sign, and a value too large for a double is an
    error rather than infinity.

    Raises:
        NumberError: with Go's reason as its message.
    """
    if _DECIMAL.fullmatch(text):
        value = _decimal(text)
    elif _HEXADECIMAL.fullmatch(text):
        value = _hexadecimal(text)
    elif _INFINITY.fullmatch(text):
        return -math.inf if text[0] == "-" else math.inf
    elif text.isascii() and text.lower() == "nan":
        return math.nan
    else:
        raise NumberError(INVALID_SYNTAX)
    if math.isinf(value):
        raise NumberError(OUT_OF_RANGE)
    return value


def _decimal(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        # Python and Go agree on where an underscore may stand.
        raise NumberError(INVALID_SYNTAX) from None


def _hexadecimal(text: str) -> float:
    if _LONE_UNDERSCORE.search(text) or not re.search(r"[xX][^pP]*[0-9a-fA-F]", text):
        raise NumberError(INVALID_SYNTAX)
    try:
        return float.fromhex(text.replace("_", ""))
    except OverflowError:
        raise NumberError(OUT_OF_RANGE) from None
    except ValueError:
        raise NumberError(INVALID_SYNTAX) from None


def parse_int(text: str) -> int:
    """Read an iteration count: a signed 64-bit decimal without underscores.

    Raises:
        NumberError: with Go's reason as its message.
    """
    digits = text[1:] if text[:1] in ("+", "-") else text
    negative = text[:1] == "-"
    if not digits:
        raise NumberError(INVALID_SYNTAX)
    if len(text) < _SHORT_INTEGER:
        if not (digits.isascii() and digits.isdigit()):
            raise NumberError(INVALID_SYNTAX)
        value = int(digits)
        return -value if negative else value
    value = 0
    for char in digits:
        # Overflow is noticed digit by digit, so it wins over a bad character that comes later.
        if not "0" <= char <= "9":
            raise NumberError(INVALID_SYNTAX)
        value = value * 10 + int(char)
        if value > _UINT64_MAX:
            raise NumberError(OUT_OF_RANGE)
    if value > _INT64_MAX + negative:
        raise NumberError(OUT_OF_RANGE)
    return -value if negative else value


def format_float(value: float) -> str:
    """Print ``value`` as Go's ``%v`` does: the shortest digits, an exponent below 1e-4 and from 1e6 on."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")
    text = repr(value)
    if value == 0 or _PLAIN_FROM <= abs(value) < _PLAIN_BELOW:
        return text.removesuffix(".0")
    mantissa, _, exponent = text.partition("e")
    if exponent:
        return text
    # Only large numbers come here: Python keeps them plain up to 1e16.
    whole, _, fraction = mantissa.removesuffix(".0").partition(".")
    digits = whole.lstrip("-")
    tail = (digits[1:] + fraction).rstrip("0")
    return f"{'-' if value < 0 else ''}{digits[0]}{'.' if tail else ''}{tail}e+{len(digits) - 1:02d}"


def format_fixed(value: float, precision: int, *, signed: bool = False) -> str:
    """Print ``value`` with ``precision`` decimals as Go's ``%.Nf`` (``%+.Nf`` if ``signed``) does."""
    if math.isfinite(value):
        return f"{value:+.{precision}f}" if signed else f"{value:.{precision}f}"
    if math.isnan(value):
        return "+NaN" if signed else "NaN"
    return "+Inf" if value > 0 else "-Inf"
