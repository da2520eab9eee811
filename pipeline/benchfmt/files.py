"""The inputs of a comparison: paths, ``label=path``, and ``-`` for standard input."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.benchfmt.lines import open_input
from pipeline.benchfmt.reader import Reader
from pipeline.benchfmt.records import Record


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """One input as the user named it."""

    path: str
    label: str

    @property
    def is_stdin(self) -> bool:
        """Whether the input is standard input."""
        return self.path == "-"


def parse_inputs(arguments: Sequence[str]) -> list[Input]:
    """Split ``label=path`` arguments and tell repeated plain paths apart as ``path#0``, ``path#1``."""
    plain = Counter(argument for argument in arguments if "=" not in argument)
    used: Counter[str] = Counter()
    inputs: list[Input] = []
    for argument in arguments:
        label, equals, path = argument.partition("=")
        if not equals:
            path = argument
            if plain[path] > 1:
                label = f"{path}#{used[path]}"
                used[path] += 1
        inputs.append(Input(path=path, label=label))
    return inputs


def read_inputs(inputs: Sequence[Input], reader: Reader) -> Iterator[Record]:
    """Yield the records of every input in turn.

    Raises:
        InputError: an input cannot be opened or read.
    """
    for item in inputs:
        if item.is_stdin:
            yield from reader.read(sys.stdin.buffer, item.path, item.label)
            continue
        with open_input(item.path) as stream:
            yield from reader.read(stream, item.path, item.label)
