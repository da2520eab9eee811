"""Units: splitting them into words, and bringing pre-scaled ones to base units."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

_SEPARATORS = "*/-"
_SCALED = {"ns": ("sec", 1 / 1e9), "MB": ("B", 1e6)}
_BYTE_WORDS = frozenset({"B", "MB", "bytes"})


class UnitWord(NamedTuple):
    """One word of a unit such as ``total-B/op``."""

    text: str
    start: int
    denominator: bool


def words(unit: str) -> Iterator[UnitWord]:
    """Split a unit at ``*``, ``/``, ``-`` and white space, telling which words stand below a slash."""
    denominator = False
    start = -1
    for index, char in enumerate(unit):
        if char not in _SEPARATORS and not char.isspace():
            if start < 0:
                start = index
            continue
        if start >= 0:
            yield UnitWord(unit[start:index], start, denominator)
            start = -1
        if char == "/":
            denominator = True
        elif char == "*":
            denominator = False
    if start >= 0:
        yield UnitWord(unit[start:], start, denominator)


@lru_cache(maxsize=4096)
def tidy(unit: str) -> tuple[str, float]:
    """Return the base unit of ``unit`` and the factor that takes a value there.

    ``ns/op`` becomes ``sec/op`` (1e-9) and ``MB/s`` becomes ``B/s`` (1e6); only the numerator is changed.
    """
    if "ns" not in unit and "MB" not in unit:
        return unit, 1.0
    factor = 1.0
    pieces: list[str] = []
    end = 0
    for word in words(unit):
        scaled = _SCALED.get(word.text)
        if scaled is None or word.denominator:
            continue
        pieces += (unit[end : word.start], scaled[0])
        end = word.start + len(word.text)
        factor = factor / 1e9 if word.text == "ns" else factor * scaled[1]
    return "".join((*pieces, unit[end:])), factor


@lru_cache(maxsize=4096)
def is_binary(unit: str) -> bool:
    """Tell whether a unit counts bytes in its numerator, so that it takes Ki, Mi, … prefixes."""
    return any(word.text in _BYTE_WORDS and not word.denominator for word in words(unit))
