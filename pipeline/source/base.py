"""The protocol of a source, and the choice of one for what the user gave as ``--base``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

from pipeline.errors import UsageError
from pipeline.proc import Shell
from pipeline.source.local import LocalTree
from pipeline.source.wheel import WheelRelease
from pipeline.store import Store
from pipeline.values import GoTree

_RELEASE = re.compile(r"(?:go)?(\d+\.\d+(?:\.\d+){0,2}(?:rc\d+|beta\d+)?)")


class Source(Protocol):
    """Something that can deliver a Go tree with its tools."""

    def check(self) -> None:
        """Refuse, before anything is done, what can be seen to be no Go tree."""
        ...

    def fetch(self, store: Store, shell: Shell) -> tuple[GoTree, bool]:
        """The tree, and whether the store already had it."""
        ...


def choose(base: str) -> Source:
    """A release number is fetched; anything with a path separator, or an existing folder, is a tree."""
    if is_path(base):
        return LocalTree(Path(base))
    if found := _RELEASE.fullmatch(base):
        return WheelRelease(found.group(1))
    raise UsageError(
        f"--base {base[:100]!r} is neither a Go release nor a folder",
        hint="give a release such as 1.27.3, or the path of a Go tree such as ./go",
    )


def is_path(base: str) -> bool:
    """Whether ``base`` means a folder rather than a release."""
    try:
        return "/" in base or "\\" in base or base in {".", ".."} or (base != "" and Path(base).is_dir())
    except OSError:  # longer than any name
        return False
