"""``python -m pipeline.benchstat``: benchstat's arguments, output and exit status."""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Sequence
from typing import TextIO

from pipeline.benchfmt import Reader, Result, SyntaxProblem, parse_inputs, read_inputs
from pipeline.benchstat.builder import Builder
from pipeline.benchstat.csv_output import write_csv
from pipeline.benchstat.flags import USAGE, CommandLine, FlagError, parse_arguments
from pipeline.benchstat.text import write_text
from pipeline.errors import PipelineError, UsageError

_USAGE_STATUS = 2
_INTERRUPTED = 130
_BROKEN_PIPE = 141  # what a shell reports for SIGPIPE


def run(arguments: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Run benchstat on ``arguments`` and return its exit status.

    As benchstat's, the status is 0 even after an error, once the flags have been parsed.
    """
    try:
        command = parse_arguments(arguments)
    except FlagError as error:
        message = str(error)
        err.write(f"{message}\n{USAGE}" if message else USAGE)
        return _USAGE_STATUS if message else 0
    if not command.inputs:
        err.write(USAGE)
        return _USAGE_STATUS
    try:
        _compare(command, out, err)
    except PipelineError as error:
        err.write(f"benchstat: {error.what}\n")
    return 0


def _compare(command: CommandLine, out: TextIO, err: TextIO) -> None:
    builder = Builder(command.options)
    if command.format not in ("text", "csv"):
        raise UsageError("-format must be text or csv")
    reader = Reader()
    add = builder.add
    for record in read_inputs(parse_inputs(command.inputs), reader):
        if isinstance(record, Result):
            add(record)
        elif isinstance(record, SyntaxProblem):
            err.write(f"{record}\n")
    tables = builder.tables(reader.units)
    if command.format == "csv":
        write_csv(tables, out.write, err.write)
    else:
        write_text(tables, out.write)


def main() -> int:
    """Run as a process: bytes that are not UTF-8 pass through, and a closed pipe is no error."""
    # Nothing here forms cycles; collecting would only walk millions of numbers over and over.
    gc.disable()
    out = io.TextIOWrapper(sys.stdout.buffer, "utf-8", "surrogateescape", newline="\n")
    err = io.TextIOWrapper(
        sys.stderr.buffer, "utf-8", "surrogateescape", newline="\n", line_buffering=True, write_through=True
    )
    try:
        status = run([_argument(argument) for argument in sys.argv[1:]], out, err)
        out.flush()
    except BrokenPipeError:
        # The reader has gone (``| head``). Go dies of SIGPIPE here; be as quiet.
        return _BROKEN_PIPE
    except KeyboardInterrupt:
        return _INTERRUPTED
    return status


def _argument(argument: str) -> str:
    """Undo the locale's decoding of an argument, so that it matches file contents."""
    return os.fsencode(argument).decode("utf-8", "surrogateescape")


if __name__ == "__main__":
    # Everything is flushed; leaving at once spares freeing millions of numbers one by one.
    os._exit(main())
