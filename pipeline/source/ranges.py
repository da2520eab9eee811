"""Several bases at once: ``1.22..1.27,tip`` as the releases that it stands for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from packaging.version import InvalidVersion, Version

from pipeline.errors import UsageError

MOST = 100
_END = re.compile(r"(?:go)?(\d+\.\d+)(\.\d+)?")


def needs_offer(text: str) -> bool:
    """Whether it takes the list of releases to say what ``text`` stands for."""
    return any(".." in word or _minor(word) for word in _words(text))


def expand(text: str, offered: Sequence[str]) -> tuple[str, ...]:
    """The bases that ``text`` names, in its order and each once. Pure.

    Between two minor releases (``1.22..1.27``) it is the newest of each; between two full ones
    (``1.26.3..1.27.1``) it is every release; a minor alone is its newest. What is neither is left as it is.
    UsageError for a range that holds nothing, runs backwards or is not one.
    """
    releases = _releases(offered)
    found: list[str] = []
    for word in _words(text):
        for base in _of(word, releases):
            if base not in found:
                found.append(base)
    if not found:
        raise UsageError(f"--bases {text!r} names no release", hint="give such as 1.25..1.27,tip")
    if len(found) > MOST:
        raise UsageError(f"--bases {text[:100]!r} names {len(found)} releases, and the most are {MOST}")
    return tuple(found)


def newest(offered: Sequence[str], minors: int) -> tuple[str, ...]:
    """The newest release of each of the newest ``minors`` minor releases, the oldest first. Pure."""
    known = _releases(offered)
    by_minor = {_padded(one)[:2]: str(one) for one in known}
    return tuple(list(by_minor.values())[-minors:])


def _releases(offered: Sequence[str]) -> list[Version]:
    return sorted({one for one in map(_version, offered) if one is not None and not one.is_prerelease})


def _words(text: str) -> Iterable[str]:
    return (word.strip() for word in text.split(",") if word.strip())


def _minor(word: str) -> str:
    found = re.fullmatch(r"(?:go)?(\d+\.\d+)", word)
    return found.group(1) if found else ""


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _of(word: str, releases: Sequence[Version]) -> list[str]:
    # A path may hold dots as well: only what looks like releases on either side is a range.
    first, dots, last = word.partition("..")
    if dots and _END.fullmatch(first) and _END.fullmatch(last):
        return _range(word, first.removeprefix("go"), last.removeprefix("go"), releases)
    if minor := _minor(word):
        return _range(word, minor, minor, releases)
    return [word]


def _range(word: str, first: str, last: str, releases: Sequence[Version]) -> list[str]:
    by_minor = first.count(".") == 1
    if by_minor != (last.count(".") == 1):
        raise UsageError(
            f"--bases {word!r} is from a minor release to a full one, or the other way round",
            hint="give 1.25..1.27 for the newest of each minor release, or 1.25.0..1.27.3 for every release",
        )
    low, high = Version(first), Version(last)
    if low > high:
        raise UsageError(f"--bases {word!r} runs backwards", hint=f"give {last}..{first}")
    width = 2 if by_minor else 3
    inside = [one for one in releases if low.release <= _padded(one)[:width] <= _cut(high, width)]
    if by_minor:
        newest = {_padded(one)[:2]: one for one in inside}  # sorted: the last one stays
        inside = list(newest.values())
    if not inside:
        near = ", ".join(map(str, releases[-5:])) or "none"
        raise UsageError(
            f"--bases {word!r} holds no release that can be fetched", meaning=f"the newest are {near}"
        )
    return [str(one) for one in inside]


def _padded(version: Version) -> tuple[int, ...]:
    return (*version.release, 0, 0)[:3]


def _cut(version: Version, width: int) -> tuple[int, ...]:
    return _padded(version)[:width]
