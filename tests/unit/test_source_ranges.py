"""What ``--bases`` stands for."""

from __future__ import annotations

import pytest

from pipeline.errors import UsageError
from pipeline.source.ranges import expand, needs_offer

# As an index may list them: out of order, with a packager's fourth number and with what is not released.
OFFERED = [
    "1.27.3",
    "1.27.0",
    "1.27.1",
    "1.27.2",
    "1.26.6",
    "1.26.0",
    "1.28rc1",
    "1.25.5",
    "1.24.11",
    "1.24.3",
    "1.23.4.4",
    "1.23.9",
    "1.22.10",
    "nonsense",
]


@pytest.mark.parametrize(
    ("text", "bases"),
    [
        ("1.24..1.27", "1.24.11 1.25.5 1.26.6 1.27.3"),
        ("1.22..1.23, tip", "1.22.10 1.23.9 tip"),
        ("1.23", "1.23.9"),
        ("go1.26..go1.27", "1.26.6 1.27.3"),
        ("1.26.1..1.27.1", "1.26.6 1.27.0 1.27.1"),
        ("1.23.0..1.23.5", "1.23.4.4"),
        ("1.27.3,1.26..1.27", "1.27.3 1.26.6"),
        ("../go,git:a..b", "../go git:a..b"),
        ("1.27.99", "1.27.99"),
        ("1.27..1.99", "1.27.3"),
    ],
)
def test_what_it_stands_for(text: str, bases: str) -> None:
    assert list(expand(text, OFFERED)) == bases.split()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1.27..1.22", "runs backwards"),
        ("1.28..1.29", "holds no release"),
        ("1.28", "holds no release"),
        ("1.26.6..1.27", "from a minor release to a full one"),
        (" , ", "names no release"),
        (",".join(f"./{n}" for n in range(101)), "the most are 100"),
    ],
)
def test_what_does_not(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        expand(text, OFFERED)


def test_only_what_needs_the_list_asks_for_it() -> None:
    assert needs_offer("1.22..1.27")
    assert needs_offer("1.27")
    assert not needs_offer("1.27.3,tip")
