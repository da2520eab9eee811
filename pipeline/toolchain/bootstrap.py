"""The Go that a tree's tools are built with: each release names the oldest that will do."""

from __future__ import annotations

import re
from pathlib import Path

from packaging.version import InvalidVersion, Version

from pipeline.errors import HostError
from pipeline.values import GoTree

# https://go.dev/doc/install/source: from each release on, for a tree that does not say.
_MINIMA = (
    ("1.5", "1.4"),
    ("1.20", "1.17.13"),
    ("1.22", "1.20.6"),
    ("1.24", "1.22.6"),
    ("1.26", "1.24.6"),
    ("1.28", "1.26.0"),
)
_SAYS = (
    ("src/make.bash", re.compile(r"^bootgo=(\d+\.\d+(?:\.\d+)?)$", re.MULTILINE)),
    ("src/cmd/dist/buildtool.go", re.compile(r'\bminBootstrap = "go(\d+\.\d+(?:\.\d+)?)"')),
)


def minimum(source: GoTree) -> str:
    """The oldest Go that builds ``source``, by the tree's own word where it has one."""
    for name, pattern in _SAYS:
        if found := pattern.search(_text(source.root / name)):
            return found.group(1)
    version = number(source.version)
    known = [old for since, old in _MINIMA if version is None or version >= Version(since)]
    return known[-1] if known else "1.4"


def suffices(version: str, wanted: str) -> bool:
    """Whether Go ``version`` is ``wanted`` or later; False for a version without a number."""
    found = number(version)
    return found is not None and found >= Version(wanted)


def check(by: GoTree, source: GoTree) -> None:
    """HostError when ``by`` is too old to build ``source``. make.bash itself would go on and fail in words
    about something else, or take another Go from PATH."""
    wanted = minimum(source)
    if not suffices(by.version, wanted):
        raise HostError(
            f"Go {by.version} is too old to build Go {source.version}: that takes {wanted} or later",
            hint=f"name a newer one in matrix.yml: `sources: {{bootstrap: [{wanted}]}}`, or a Go tree's path",
        )


def number(version: str) -> Version | None:
    """The release number in a version's text: 1.27.3, 1.28rc1, 1.28-devel_0123456789 …, devel go1.24-012 …"""
    found = re.search(r"\d+\.\d+(?:\.\d+)?(?:(?:rc|beta)\d+)?", version)
    try:
        return Version(found.group(0)) if found else None
    except InvalidVersion:  # pragma: no cover - the pattern takes only what Version does
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
