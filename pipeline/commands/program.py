"""Invoke's program with this project's exit codes: a wrong option is 2, Ctrl-C is 130."""

from __future__ import annotations

import difflib
import os
import re
import sys
from pathlib import Path

import invoke
from invoke.exceptions import Exit, ParseError

from pipeline.errors import ExitCode


class Program(invoke.Program):
    """Parses as Invoke does; what cannot be parsed gets one message with a suggestion."""

    def parse_core(self, argv: list[str] | None) -> None:
        """See invoke.Program."""
        try:
            super().parse_core(argv)
        except ParseError as error:
            raise self._usage(error) from error

    def parse_tasks(self) -> None:
        """See invoke.Program."""
        try:
            super().parse_tasks()
        except ParseError as error:
            raise self._usage(error) from error
        except ValueError as error:  # Invoke lets int() speak for itself; its exit code would be 1
            raise Exit(
                message=f"error: {_no_number(str(error))}\n  ./inv --help TASK shows what it takes",
                code=int(ExitCode.USAGE),
            ) from error

    def _usage(self, error: ParseError) -> Exit:
        message = str(error)
        hint = ""
        if found := re.search(r"'([^']+)'", message):
            hint = self._suggestion(found.group(1))
        text = f"error: {message}" + (f"\n  {hint}" if hint else "") + "\n  ./inv --list shows every task"
        return Exit(message=text, code=int(ExitCode.USAGE))

    def _suggestion(self, word: str) -> str:
        known: list[str] = []
        collection = getattr(self, "collection", None)
        for context in collection.to_contexts() if collection is not None else []:
            known.append(context.name)
            if context.name in sys.argv:
                known += [f"--{flag.lstrip('-')}" for flag in context.flags]
        near = difflib.get_close_matches(word, known, n=2, cutoff=0.5)
        return f"did you mean {' or '.join(near)}?" if near else ""


def _no_number(said: str) -> str:
    """What int() ``said`` of an option's value, in words for a user."""
    value = said.partition(": ")[2]
    words = sys.argv[1:]
    for before, word in zip(["", *words], words, strict=False):
        option, equals, own = word.partition("=")
        if option.startswith("-") and equals and repr(own) == value:
            return f"{option} takes a number, not {value}"
        if before.startswith("-") and repr(word) == value:
            return f"{before} takes a number, not {value}"
    return f"a number is wanted, not {value or said}"


# Tasks that take plain words, and the option that Invoke knows them by.
_VARIADIC = {
    "compare": "inputs",
    "self-bench": "what",
    "toolchain-rollback": "goroot",
    "cell": "name",
    "merge": "inputs",
    "publish": "run",
}
_FLAGS = {"--help", "--json", "--dry-run", "--check", "--no-check"}


def spread(words: list[str]) -> list[str]:
    """``compare OLD NEW`` as ``compare --inputs=OLD --inputs=NEW``: Invoke has no positional lists.

    The word after an ``--option`` of these tasks belongs to it, unless that is a flag.
    """
    if not words or words[0] not in _VARIADIC:
        return words
    result, takes_value = [words[0]], False
    for word in words[1:]:
        option = word.startswith("--") and not takes_value
        plain = not option and not takes_value and word != "-h"
        result.append(f"--{_VARIADIC[words[0]]}={word}" if plain else word)
        takes_value = option and "=" not in word and word not in _FLAGS
    return result


def main() -> None:
    """The entry point of ``./inv``: runs the tasks of the project it stands in."""
    # Invoke keeps no bytecode unless it is told to: every command would compile the whole project again.
    core = [*([] if sys.dont_write_bytecode else ["--write-pyc"]), "--search-root", str(_root())]
    try:
        Program(name="inv", binary="./inv").run(["inv", *core, *spread(sys.argv[1:])])
        sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit(int(ExitCode.INTERRUPTED))
    except BrokenPipeError:  # `./inv --help | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(int(ExitCode.ENVIRONMENT))


def _root() -> Path:
    return Path(__file__).resolve().parents[2]
