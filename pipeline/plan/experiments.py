"""Which GOEXPERIMENTs a Go tree has: the go command says so only when something is built."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.config import Mistake, Path_, suggest
from pipeline.plan.conditions import Conditions
from pipeline.plan.file import MatrixFile

FLAGS = "src/internal/goexperiment/flags.go"
_FLAG = re.compile(r"^\t([A-Z]\w*) +bool$", re.MULTILINE)


def of_tree(root: Path) -> frozenset[str]:
    """The names that GOEXPERIMENT takes, in small letters; empty for a tree that does not say."""
    try:
        text = (root / FLAGS).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return frozenset()
    return frozenset(name.lower() for name in _FLAG.findall(text))


def unknown(file: MatrixFile, names: frozenset[str]) -> Iterator[Mistake]:
    """The experiments of matrix.yml that are none of ``names``."""
    for path, entry in _entries(file):
        for one in entry.build.get("GOEXPERIMENT", "none").split(","):
            if one != "none" and one not in names and one.removeprefix("no") not in names:
                hint = suggest(one, sorted(names))
                yield Mistake((*path, "build", "GOEXPERIMENT"), f"no experiment {one} in the base; {hint}")


def _entries(file: MatrixFile) -> Iterator[tuple[Path_, Conditions]]:
    for name, platform in file.platforms.items():
        yield ("platforms", name), platform
    for name, axis in file.axes.items():
        for value, entry in axis.values.items():
            yield ("axes", name, "values", value), entry
