"""A streaming reader of Go's benchmark format.

Holds one block of input at a time and shares configurations, names of units and their tidied forms, so
that memory follows the numbers and not the text.
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Iterable, Iterator
from operator import mul
from pathlib import Path
from typing import BinaryIO

from pipeline.benchfmt.lines import blocks, open_input
from pipeline.benchfmt.numbers import NumberError, parse_float, parse_int
from pipeline.benchfmt.records import (
    Config,
    Record,
    Result,
    Setting,
    SyntaxProblem,
    Unit,
    UnitMetadata,
    UnitSet,
    UnitTable,
    rescale,
)
from pipeline.benchfmt.units import tidy

_PREFIX = "Benchmark"
_SAFE_DIGITS = 18
_MOST_SHAPES = 4096
# White space for Go; Python's own idea of it has four separators more.
_GO_SPACE = re.compile("[\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_ASCII_KEY = re.compile(r"([a-z][^\x00-\x20A-Z:\x7f-\U0010ffff]*):(.*)", re.DOTALL)


class Reader:
    """Reads any number of inputs that share unit metadata, as one benchstat run does."""

    def __init__(self) -> None:
        self.units = UnitTable()
        self._configs: dict[tuple[Setting, ...], Config] = {}
        self.shapes: dict[tuple[str, ...], _Shape] = {}
        self._unit_sets: dict[tuple[Unit, ...], UnitSet] = {}

    def read(self, stream: BinaryIO, file_name: str, label: str | None = None) -> Iterator[Record]:
        """Yield the records of ``stream``.

        ``file_name`` is used in messages; ``label``, if given, becomes the internal key ``.file``. Bytes
        that are not UTF-8 pass through unharmed as surrogate escapes.

        Raises:
            InputError: the stream cannot be read, or a line is longer than 64 KiB.
        """
        return _InputReader(self, file_name, label).records(stream)

    def config(self, settings: tuple[Setting, ...]) -> Config:
        """Return the shared configuration that holds ``settings``."""
        found = self._configs.get(settings)
        if found is None:
            found = self._configs[settings] = Config(settings)
        return found

    def remember(self, written: tuple[str, ...]) -> None:
        """Prepare for more lines with these units."""
        if written not in self.shapes and len(self.shapes) < _MOST_SHAPES:
            shape = self.shapes[written] = _Shape(written)
            shape.units = self.unit_set(shape.units)

    def unit_set(self, units: tuple[Unit, ...]) -> UnitSet:
        """Return the shared tuple equal to ``units``."""
        found = self._unit_sets.get(units)
        if found is None:
            found = self._unit_sets[units] = UnitSet(units)
        return found


class _Shape:
    """The units of a line, tidied once: ``factors`` is None where no value needs rescaling."""

    __slots__ = ("factors", "units", "written")

    def __init__(self, written: tuple[str, ...]) -> None:
        self.written = written
        tidied = [(tidy(unit), unit) for unit in written]
        factors = tuple(factor for (_, factor), _ in tidied)
        self.factors = None if set(factors) == {1.0} else factors
        self.units: tuple[Unit, ...] = tuple(
            Unit(name, "" if factor == 1 else unit) for (name, factor), unit in tidied
        )


class _InputReader:
    """The state of reading one input."""

    def __init__(self, reader: Reader, file_name: str, label: str | None) -> None:
        self.reader = reader
        self.file = file_name or "<unknown>"
        self.settings: list[Setting] = [Setting(".file", label, False)] if label else []
        self.line = 0
        self.changed = False

    def records(self, stream: BinaryIO) -> Iterator[Record]:
        config = self.reader.config(tuple(self.settings))
        shape_of, file = self.reader.shapes.get, self.file
        number = 0
        for lines, plain in blocks(stream, self.file):
            for line in lines:
                number += 1
                if line[:9] == _PREFIX:
                    # Nearly all there is to do is the ordinary line; the exact reader does the rest.
                    fields = line.split()
                    shape = shape_of(tuple(fields[3::2]))
                    if plain and shape is not None:
                        result = _ordinary(line, fields, shape, config, file, number)
                        if result is not None:
                            yield result
                            continue
                    self.line = number
                    record = self._benchmark(line.removesuffix("\r"), config)
                    if record is not None:
                        yield record
                elif line:
                    self.line = number
                    yield from self._other(line.removesuffix("\r"))
                    if self.changed:
                        config = self.reader.config(tuple(self.settings))
                        self.changed = False

    def _other(self, line: str) -> Iterator[Record]:
        """Read a line that is no benchmark line: unit metadata, configuration, or nothing."""
        if line[:4] == "Unit" and (fields := _split(line))[0] == "Unit":
            return self._unit_line(fields[1:])
        self.changed = self._setting(line)
        return iter(())

    def _problem(self, message: str) -> SyntaxProblem:
        return SyntaxProblem(file=self.file, line=self.line, message=message)

    def _benchmark(self, line: str, config: Config) -> Result | SyntaxProblem | None:
        """Read a benchmark line by Go's rules to the letter; None for a bare name, which ``-v`` prints."""
        fields = _split(line)
        if len(fields) == 1:
            return None if fields[0] == line else self._problem("missing iteration count")
        try:
            iterations = parse_int(fields[1])
        except NumberError as error:
            return self._problem(f"parsing iteration count: {error}")
        raw: list[float] = []
        for field in fields[2::2]:
            try:
                raw.append(parse_float(field))
            except NumberError as error:
                return self._problem(f"parsing measurement: {error}")
            if len(fields) < 2 * len(raw) + 2:
                return self._problem("missing units")
        if not raw:
            return self._problem("missing measurements")
        self.reader.remember(tuple(fields[3::2]))
        units, values = rescale(fields[3::2], raw)
        units = self.reader.unit_set(units)
        return Result(config, fields[0][len(_PREFIX) :], iterations, units, values, raw, self.file, self.line)

    def _unit_line(self, fields: list[str]) -> Iterator[Record]:
        if not fields:
            yield self._problem("missing unit")
            return
        unit = fields[0]
        for field in fields[1:]:
            key, equals, value = field.partition("=")
            if not equals or not key:
                yield self._problem("expected key=value")
                continue
            new = UnitMetadata(
                unit=tidy(unit)[0], written=unit, key=key, value=value, file=self.file, line=self.line
            )
            old = self.reader.units.add(new)
            if old is new:
                yield new
            elif old.value != value:
                yield self._problem(f"metadata {key} of unit {unit} already set to {old.value}")

    def _setting(self, line: str) -> bool:
        """Apply a ``key: value`` line; tell whether it was one."""
        pair = _key_value(line)
        if pair is None:
            return False
        key, value = pair
        position = next((i for i, setting in enumerate(self.settings) if setting.key == key), None)
        if value:
            new = Setting(key, value)
            if position is None:
                self.settings.append(new)
            else:
                self.settings[position] = new
        elif position is not None:
            # Go fills the hole with the last key, which shows in the order of columns later on.
            last = self.settings.pop()
            if position < len(self.settings):
                self.settings[position] = last
        return True


def _ordinary(
    line: str, fields: list[str], shape: _Shape, config: Config, file: str, number: int
) -> Result | None:
    """Read pairs of plain numbers and known units, or leave the line to the exact reader.

    Python reads more than Go does as an integer or a float, so whatever is not plain is left.
    """
    count = fields[1]
    if len(fields) & 1 or not count.isdigit() or len(count) > _SAFE_DIGITS:
        return None
    if not line.isascii() and not "".join((count, *fields[2::2])).isascii():
        return None  # digits of another script
    try:
        raw = list(map(float, fields[2::2]))
    except ValueError:
        return None
    total = sum(raw)
    if total - total != 0:  # an infinity or a NaN
        return None
    values = raw
    if shape.factors is not None:
        if 0.0 in raw:  # keeps the unit it was written with
            return None
        values = list(map(mul, raw, shape.factors))
    return Result(config, fields[0][9:], int(count), shape.units, values, raw, file, number)


def _split(line: str) -> list[str]:
    """Split into fields by Go's white space; the first may be empty, the others are not."""
    fields = _GO_SPACE.split(line)
    if len(fields) > 1 and not fields[-1]:
        fields.pop()
    return fields


def _key_value(line: str) -> tuple[str, str] | None:
    match = _ASCII_KEY.match(line)
    if match is None:
        colon = line.find(":", 1)
        if colon < 0 or not _is_key(line[:colon]):
            return None
        key, value = line[:colon], line[colon + 1 :]
    else:
        key, value = match.groups()
    stripped = value.lstrip(" \t")
    if value and stripped == value:
        return None
    return key, stripped


def _is_key(text: str) -> bool:
    """Go's rule: a lower-case letter, then neither white space nor an upper-case letter."""
    return (
        unicodedata.category(text[0]) == "Ll"
        and not _GO_SPACE.search(text)
        and not any(unicodedata.category(char) == "Lu" for char in text)
    )


def read(source: str | Path | Iterable[str], label: str | None = None) -> Iterator[Record]:
    """Read one path, or lines of text that are already in memory.

    ``label`` becomes the internal key ``.file`` of every result.

    Raises:
        InputError: the path cannot be opened or read.
    """
    if isinstance(source, str | Path):
        with open_input(str(source)) as stream:
            yield from Reader().read(stream, str(source), label)
    else:
        text = "\n".join(line.removesuffix("\n") for line in source)
        yield from Reader().read(io.BytesIO(text.encode("utf-8", "surrogateescape")), label or "", label)
