"""Ranges of Go releases, as ``base:`` of a series writes them: what they admit, and whether two overlap."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

# Above every release there will be: what a range without an upper end admits.
_NO_END = Version("1.99999")
_DEVELOPMENT = re.compile(r"(?:go)?(\d+\.\d+)-devel_.*|devel (?:go)?(\d+\.\d+)-.*")
_BRANCH = re.compile(r"(?:refs/heads/)?release-branch\.go(\d+\.\d+)")


def number(version: str) -> str:
    """The release that ``version`` is or will become, such as 1.28 for ``1.28-devel_0123456789 …`` or for
    the name of its release branch; '' for what has none."""
    if found := _DEVELOPMENT.fullmatch(version) or _BRANCH.fullmatch(version):
        return next(group for group in found.groups() if group)
    if "." not in version:  # a commit may look like a version: 12a3
        return ""
    try:
        return str(Version(version))
    except InvalidVersion:
        return ""


def admits(text: str, version: str) -> bool:
    """Whether the range holds a release; False for what has no number."""
    known = number(version)
    return bool(known) and SpecifierSet(text).contains(Version(known), prereleases=True)


def shared(first: str, second: str) -> str:
    """The first release that both ranges hold, or ''."""
    both = SpecifierSet(f"{first}, {second}")
    found = [one for one in _candidates([first, second]) if both.contains(one, prereleases=True)]
    return str(min(found)) if found else ""


def newest(texts: Sequence[str]) -> int:
    """The index of the range that reaches highest; the first of equals."""
    known = list(_candidates(texts))

    def top(text: str) -> Version:
        specifier = SpecifierSet(text)
        return max((one for one in known if specifier.contains(one, prereleases=True)), default=Version("0"))

    return max(range(len(texts)), key=lambda index: top(texts[index]))


def _candidates(texts: Sequence[str]) -> Iterator[Version]:
    """Releases of which one is in every range that ``texts`` can make and that holds any.

    Such a range begins at a release that is named or right behind one; each ``!=`` can take one away.
    """
    specifiers = [one for text in texts for one in SpecifierSet(text)]
    yield from (Version("1.0"), _NO_END)
    for one in specifiers:
        try:
            version = Version(one.version.removesuffix(".*"))
        except InvalidVersion:  # after ===, which is compared as text: of no release
            continue
        yield version
        major, minor, micro = version.major, version.minor, version.micro
        for step in range(len(specifiers) + 2):
            yield Version(f"{major}.{minor}.{micro + step}")
            yield Version(f"{major}.{minor + step}")
            if version.pre:
                yield Version(f"{major}.{minor}{version.pre[0]}{version.pre[1] + step}")
