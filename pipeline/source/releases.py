"""Release numbers: which are near the one that was asked for, and whether two are the same."""

from __future__ import annotations

from collections.abc import Iterable

from packaging.version import InvalidVersion, Version


def same(asked: str, found: str) -> bool:
    """Whether a tree's VERSION is the release asked for. A fourth number is a packager's."""
    try:
        one, other = Version(asked), Version(found)
    except InvalidVersion:
        return False
    return one.release[:3] == other.release[:3] and one.pre == other.pre


def nearest(version: str, offered: Iterable[str]) -> list[str]:
    """The offered releases closest to the one asked for: same minor first, then by distance."""

    def parts(text: str) -> tuple[int, int, int]:
        try:
            release = (*Version(text).release, 0, 0, 0)
        except InvalidVersion:
            return (0, 0, 0)
        return release[0], release[1], release[2]

    want = parts(version)
    return sorted(offered, key=lambda text: [abs(a - b) for a, b in zip(parts(text), want, strict=True)])[:4]
