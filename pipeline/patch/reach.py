"""What a series reaches: which packages change, and on which platforms the changed files are compiled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pipeline.patch.listing import Listing, Listings
from pipeline.values import Platform


@dataclass(frozen=True, kw_only=True)
class Reach:
    """On one platform: changed packages whose own code changes there, and the changed files compiled.

    ``test_packages`` are those of which only test files change there, and ``tested`` those of both that
    have tests of their own on this platform.
    """

    platform: Platform
    packages: tuple[str, ...]
    test_packages: tuple[str, ...]
    tested: tuple[str, ...]
    files: tuple[str, ...]

    @property
    def reached(self) -> bool:
        """Whether any code that is not a test differs on this platform."""
        return bool(self.packages)

    @property
    def changed(self) -> tuple[str, ...]:
        """Packages of which anything changes there, code or tests."""
        return tuple(sorted({*self.packages, *self.test_packages}))


def is_test_file(path: str) -> bool:
    """Whether a path below GOROOT only matters to tests."""
    pure = PurePosixPath(path)
    return pure.name.endswith("_test.go") or "testdata" in pure.parts


def changed_packages(files: Iterable[str]) -> list[str]:
    """Import paths of the folders below src/ that hold changed files; testdata counts for its owner."""
    found: set[str] = set()
    for name in files:
        parts = PurePosixPath(name).parts
        if parts[0] != "src" or len(parts) < 3:
            continue
        folder = parts[1:-1]
        if "testdata" in folder:
            folder = folder[: folder.index("testdata")]
        if folder:
            found.add("/".join(folder))
    return sorted(found)


def unlisted(reaches: Iterable[Reach], changed: Iterable[str]) -> list[str]:
    """Changed files below src/ that no platform lists, testdata and tests apart: what they do is unknown."""
    listed = {name for one in reaches for name in one.files}
    return sorted(
        name
        for name in changed
        if name not in listed and PurePosixPath(name).parts[0] == "src" and not is_test_file(name)
    )


def of_platforms(before: Listings, after: Listings, changed: Sequence[str]) -> dict[Platform, Reach]:
    """Which of the changed files each platform compiles, in either tree: one that the series removes is only
    in the first."""
    wanted = set(changed)
    return {platform: _one(platform, before.get(platform, {}), after[platform], wanted) for platform in after}


def _one(
    platform: Platform, before: Mapping[str, Listing], after: Mapping[str, Listing], changed: set[str]
) -> Reach:
    code: dict[str, set[str]] = {}
    tests: dict[str, set[str]] = {}
    for side in (before, after):
        for package, listing in side.items():
            for names, into in ((listing.code, code), (listing.tests, tests)):
                if hit := names & changed:
                    into.setdefault(package, set()).update(hit)
    tested = {package for package, listing in after.items() if listing.tested}
    files = {name for group in (code, tests) for names in group.values() for name in names}
    return Reach(
        platform=platform,
        packages=tuple(sorted(code)),
        test_packages=tuple(sorted(set(tests) - set(code))),
        tested=tuple(sorted(tested & (set(code) | set(tests)))),
        files=tuple(sorted(files)),
    )


def untouched(platform: Platform) -> Reach:
    """The reach of a series that changes nothing there."""
    return Reach(platform=platform, packages=(), test_packages=(), tested=(), files=())
