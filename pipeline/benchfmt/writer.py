"""A writer of Go's benchmark format that prints only the configuration that changed."""

from __future__ import annotations

from typing import TextIO

from pipeline.benchfmt.numbers import format_float
from pipeline.benchfmt.records import Config, Record, Result, UnitMetadata


class Writer:
    """Writes records so that reading them back gives the same names, numbers and configuration."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._config: Config | None = None
        self._written: dict[str, str] = {}
        self._at_start = True

    def write(self, record: Record) -> None:
        """Write one record; syntax problems are left out."""
        if isinstance(record, Result):
            self._write_result(record)
        elif isinstance(record, UnitMetadata):
            self._out.write(f"Unit {record.written} {record.key}={record.value}\n")

    def _write_result(self, result: Result) -> None:
        if result.config is not self._config:
            self._write_config(result.config)
        parts = [f"Benchmark{result.name}", str(result.iterations)]
        for unit, value in zip(result.units, result.raw, strict=True):
            parts += (format_float(value), unit.written or unit.name)
        self._out.write(" ".join(parts) + "\n")
        self._at_start = False

    def _write_config(self, config: Config) -> None:
        self._config = config
        wanted = config.file_values()
        if wanted == self._written:
            return
        lines = [f"{key}:" for key in self._written if key not in wanted]
        lines += [f"{key}: {value}" for key, value in wanted.items() if self._written.get(key) != value]
        # A blank line on either side keeps blocks apart for a reader.
        self._out.write(("" if self._at_start else "\n") + "".join(f"{line}\n" for line in lines) + "\n")
        self._written = wanted
