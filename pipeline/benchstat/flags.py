"""The command line, with the syntax and the messages of Go's flag package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.benchfmt.numbers import OUT_OF_RANGE, NumberError, parse_float
from pipeline.benchstat.lexer import go_quote
from pipeline.benchstat.model import TableOptions

USAGE = """Usage: benchstat [flags] inputs...

benchstat computes statistical summaries and A/B comparisons of Go
benchmarks. It shows benchmark medians in a table with a row for each
benchmark and a column for each input file. If there is more than one
input file, it also shows A/B comparisons between the files. If a
difference is likely to be noise, it shows "~".

For details, see https://pkg.go.dev/golang.org/x/perf/cmd/benchstat.
  -alpha α
    \tconsider change significant if p < α (default 0.05)
  -col projection
    \tsplit results into columns by distinct values of projection (default ".file")
  -confidence level
    \tconfidence level for ranges (default 0.95)
  -filter query
    \tuse only benchmarks matching benchfilter query (default "*")
  -format format
    \tprint results in format:
    \t  text - plain text
    \t  csv  - comma-separated values (warnings will be written to stderr)
    \t (default "text")
  -ignore keys
    \tignore variations in keys
  -row projection
    \tsplit results into rows by distinct values of projection (default ".fullname")
  -table projection
    \tsplit results into tables by distinct values of projection (default ".config")
"""
_TEXT_FLAGS = ("table", "row", "col", "ignore", "filter", "format")
_NUMBER_FLAGS = ("alpha", "confidence")
_HELP = ("h", "help")


class FlagError(Exception):
    """A command line that cannot be parsed; no message means that help was asked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandLine:
    """What the user asked for."""

    options: TableOptions
    format: str
    inputs: tuple[str, ...]


def parse_arguments(arguments: Sequence[str]) -> CommandLine:
    """Parse ``-x v``, ``-x=v`` and ``--x=v`` up to the first argument that is no flag.

    Raises:
        FlagError: with the flag package's message.
    """
    texts: dict[str, str] = {}
    numbers: dict[str, float] = {}
    rest = list(arguments)
    while rest and len(rest[0]) >= 2 and rest[0][0] == "-":
        argument = rest.pop(0)
        if argument == "--":
            break
        name, value = _split(argument)
        if name not in _TEXT_FLAGS and name not in _NUMBER_FLAGS:
            raise FlagError("" if name in _HELP else f"flag provided but not defined: -{name}")
        if value is None:
            if not rest:
                raise FlagError(f"flag needs an argument: -{name}")
            value = rest.pop(0)
        if name in _TEXT_FLAGS:
            texts[name] = value
        else:
            numbers[name] = _number(name, value)
    output = texts.pop("format", "text")
    return CommandLine(options=_options(texts, numbers), format=output, inputs=tuple(rest))


def _options(texts: dict[str, str], numbers: dict[str, float]) -> TableOptions:
    default = TableOptions()
    return TableOptions(
        table=texts.get("table", default.table),
        row=texts.get("row", default.row),
        col=texts.get("col", default.col),
        ignore=texts.get("ignore", default.ignore),
        filter=texts.get("filter", default.filter),
        alpha=numbers.get("alpha", default.alpha),
        confidence=numbers.get("confidence", default.confidence),
    )


def _split(argument: str) -> tuple[str, str | None]:
    name = argument[2:] if argument.startswith("--") else argument[1:]
    if not name or name[0] in "-=":
        raise FlagError(f"bad flag syntax: {argument}")
    name, equals, value = name.partition("=")
    return name, value if equals else None


def _number(name: str, value: str) -> float:
    try:
        return parse_float(value)
    except NumberError as error:
        reason = OUT_OF_RANGE if str(error) == OUT_OF_RANGE else "parse error"
        raise FlagError(f"invalid value {go_quote(value)} for flag -{name}: {reason}") from None
