"""Which benchmarks and tests a series itself adds or alters, by the text of its test files on both sides.

Go's grammar is needed only as far as its tokens: what is a comment or a literal, and where braces close.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.patch.reach import changed_packages

# Tokens in which a brace or a `func` means nothing. Whichever begins first wins: a quote in a comment opens
# nothing, and neither does a comment sign in a string. One that is never closed ends where the compiler
# says so too: with its line, or with the file.
_OPAQUE = re.compile(
    r"""//[^\n]*
    |   /\*.*?(?:\*/|\Z)
    |   `[^`]*(?:`|\Z)
    |   "(?:\\[^\n]|[^"\\\n])*"?
    |   '(?:\\[^\n]|[^'\\\n])*'?
    """,
    re.DOTALL | re.VERBOSE,
)
# A brace, or the head of a benchmark up to its brace. As for the go command, the parameter is a pointer to
# some B: `testing` may be imported under another name. A method or a generic function is no benchmark.
_PLACE = re.compile(
    r"\bfunc\s+(?P<name>Benchmark\w*)\s*\(\s*(?:\w+\s*)?\*\s*(?:\w+\s*\.\s*)?B\s*,?\s*\)\s*\{|[{}]"
)
# The same for what -test.run runs; an example has no parameter.
_TEST_PLACE = re.compile(
    r"\bfunc\s+(?P<name>(?:Test|Fuzz|Example)\w*)"
    r"\s*\(\s*(?:(?:\w+\s*)?\*\s*(?:\w+\s*\.\s*)?[TF]\s*,?\s*)?\)\s*\{|[{}]"
)
# The texts of every function of one name: files for different platforms may each hold one.
_Functions = dict[str, list[str]]


@dataclass(frozen=True, kw_only=True)
class Touched:
    """Functions that only the patched side has, and those whose own text differs; by name."""

    added: tuple[str, ...]
    altered: tuple[str, ...]


def is_benchmark(name: str) -> bool:
    """Go's rule for names: ``Benchmark``, then nothing or anything but a lower-case letter."""
    return name.startswith("Benchmark") and _is_called_by_testing(name)


def is_test(name: str) -> bool:
    """The same for what ``-test.run`` runs: tests, fuzz tests and examples."""
    return name.startswith(("Test", "Fuzz", "Example")) and _is_called_by_testing(name)


def _is_called_by_testing(name: str) -> bool:
    found = re.fullmatch(r"(?:Benchmark|Test|Fuzz|Example)(\w*)", name)
    # The category and not islower(), which calls more lower-case than Go does.
    return found is not None and (not found[1] or unicodedata.category(found[1][0]) != "Ll")


def benchmarks(before: str, after: str) -> Touched:
    """The benchmarks that differ between two versions of a Go file. What they call does not count: a helper
    that changes leaves them unaltered."""
    return _compare(_functions([before]), _functions([after]))


def tests(before: str, after: str) -> Touched:
    """The same for tests, fuzz tests and examples."""
    return _compare(_functions([before], _TEST_PLACE), _functions([after], _TEST_PLACE))


def of_series(base_root: Path, patched_root: Path, changed: Sequence[str]) -> dict[str, Touched]:
    """The benchmarks of the changed test files of each package, by import path.

    Per package and not per file: a benchmark that moves to another file is neither added nor altered.
    """
    return _of_series(base_root, patched_root, changed, _PLACE)


def tests_of_series(base_root: Path, patched_root: Path, changed: Sequence[str]) -> dict[str, Touched]:
    """The same for tests, fuzz tests and examples."""
    return _of_series(base_root, patched_root, changed, _TEST_PLACE)


def _of_series(
    base_root: Path, patched_root: Path, changed: Sequence[str], place: re.Pattern[str]
) -> dict[str, Touched]:
    files: dict[str, list[str]] = {}
    for name in sorted(set(changed)):
        if _is_compiled_test(name):
            for package in changed_packages([name]):
                files.setdefault(package, []).append(name)
    return {
        package: _compare(
            _functions((_text(base_root / name) for name in names), place),
            _functions((_text(patched_root / name) for name in names), place),
        )
        for package, names in sorted(files.items())
    }


def _is_compiled_test(name: str) -> bool:
    path = PurePosixPath(name)
    # Go compiles neither what is in testdata nor a file whose name begins with one of these signs.
    return name.endswith("_test.go") and "testdata" not in path.parts and path.name[0] not in "_."


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ""  # the series adds or removes the file


def _compare(before: Mapping[str, Sequence[str]], after: Mapping[str, Sequence[str]]) -> Touched:
    shared = before.keys() & after.keys()
    return Touched(
        added=tuple(sorted(after.keys() - before.keys())),
        altered=tuple(sorted(name for name in shared if sorted(before[name]) != sorted(after[name]))),
    )


def _functions(sources: Iterable[str], heads: re.Pattern[str] = _PLACE) -> _Functions:
    """The benchmarks (or what else ``heads`` finds) of some files, from ``func`` to their closing braces."""
    found: _Functions = {}
    for source in sources:
        code = _OPAQUE.sub(lambda token: " " * len(token[0]), source)
        depth, start, name = 0, 0, ""
        for place in heads.finditer(code):
            if place[0] == "}":
                depth = max(depth - 1, 0)
                if name and not depth:
                    found.setdefault(name, []).append(source[start : place.end()])
                    name = ""
                continue
            if not depth and place["name"] and _is_called_by_testing(place["name"]):
                start, name = place.start(), place["name"]
            depth += 1
    return found
