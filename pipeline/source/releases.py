"""Release numbers: which there can be, which are near the one that was asked for, and whether two are the
same."""

from __future__ import annotations

from collections.abc import Iterable

from packaging.version import InvalidVersion, Version

from pipeline.errors import UsageError

# The first minor release whose first release has a third number: go1.21.0 after go1.20.
_WITH_ZERO = 21


def check(version: str, known: Iterable[str]) -> None:
    """UsageError for 1.27, which is called 1.27.0, and for 1.20.0, which is called 1.20: each source would
    take it for something else. ``known`` are releases, of which the newest near one is suggested."""
    asked = Version(version)
    if asked.is_prerelease or asked.major != 1:
        return
    zero = f"1.{asked.minor}.0" if asked.minor >= _WITH_ZERO else f"1.{asked.minor}"
    if asked.release[2:] not in {(), (0,)} or version == zero:
        return
    newest = max((one for one in map(Version, known) if one.release[:2] == asked.release[:2]), default=None)
    raise UsageError(
        f"there is no release Go {version}: the first one of Go 1.{asked.minor} is called {zero}",
        hint=f"give {zero}" + (f", or {newest}, the newest that is known here" if newest else ""),
    )


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
