"""Ranges of releases: what they hold, and whether two of them share a release."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from pipeline.patch import ranges

# Every release that a small range can be about.
RELEASES = [
    Version(f"1.{minor}{end}")
    for minor, end in itertools.product(
        range(24, 31), ["", "rc1", "rc2", *(f".{micro}" for micro in range(1, 9))]
    )
]
VERSIONS = st.builds(
    "1.{}{}".format, st.integers(25, 28), st.sampled_from(["", ".0", ".1", ".3", "rc1", ".4"])
)
CLAUSES = st.one_of(
    st.builds("{}{}".format, st.sampled_from([">=", ">", "<", "<=", "==", "!="]), VERSIONS),
    st.builds("{}1.{}.*".format, st.sampled_from(["==", "!="]), st.integers(25, 28)),
    st.builds("~=1.{}.{}".format, st.integers(25, 28), st.integers(0, 3)),
)
RANGES = st.lists(CLAUSES, min_size=1, max_size=3).map(", ".join)


def both(first: str, second: str) -> list[Version]:
    wanted = SpecifierSet(f"{first}, {second}")
    return [one for one in RELEASES if wanted.contains(one, prereleases=True)]


@settings(max_examples=400, deadline=None)
@given(RANGES, RANGES)
def test_two_ranges_share_a_release_or_do_not(first: str, second: str) -> None:
    found = ranges.shared(first, second)
    if found:
        assert SpecifierSet(first).contains(found, prereleases=True)
        assert SpecifierSet(second).contains(found, prereleases=True)
    else:
        assert both(first, second) == []


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        (">=1.25, <1.26", ">=1.26, <1.27", ""),
        (">=1.25, <1.26", "~=1.25.3", "1.25.3"),
        (">=1.27", ">=1.26, <1.28", "1.27"),
        ("<1.26", "<1.24", "1.0"),
        (">=1.27", ">=1.30", "1.30"),
        (">1.27, !=1.27.1, !=1.27.2", "<1.27.3", ""),
        (">=1.27rc1, <1.27", "<1.27", ""),  # PEP 440: below a release, its candidates are not
    ],
)
def test_ranges_as_people_write_them(first: str, second: str, found: str) -> None:
    assert ranges.shared(first, second) == found
    assert bool(ranges.shared(second, first)) == bool(found)


@pytest.mark.parametrize(
    ("version", "number"),
    [
        ("1.27.3", "1.27.3"),
        ("1.28rc1", "1.28rc1"),
        ("1.28-devel_0123456789 2026-11-21", "1.28"),
        ("devel go1.24-0123456789 2026-11-21", "1.24"),
        ("release-branch.go1.26", "1.26"),
        ("refs/heads/release-branch.go1.26", "1.26"),
        ("tip", ""),
        ("master", ""),
        ("", ""),
        ("12" * 20, ""),
    ],
)
def test_the_number_of_a_version(version: str, number: str) -> None:
    assert ranges.number(version) == number


def test_a_development_tree_is_the_release_that_it_becomes() -> None:
    assert ranges.admits(">=1.28", "1.28-devel_0123456789 2026-11-21")
    assert not ranges.admits(">=1.27, <1.28", "1.28-devel_0123456789 2026-11-21")
    assert not ranges.admits(">=1.0", "tip")


def test_the_newest() -> None:
    assert ranges.newest([">=1.25, <1.26", ">=1.27", ">=1.26, <1.27"]) == 1
    assert ranges.newest([">=1.25, <1.26", "==1.27.*", ">=1.26, <1.27"]) == 1
    assert ranges.newest(["<1.26", ">=1.26, <1.26.9"]) == 1
