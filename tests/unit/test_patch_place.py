"""The model against real git: whatever the model places, git places the same."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import git
from pipeline.patch import reader
from pipeline.patch.diff import FileChange, split
from pipeline.patch.place import WAYS, Image, Way, occurrences, place

# Few and alike, so that hunks fit in more than one place.
LINE = st.sampled_from(["a", "b", "c", "}", "", "  x", " x", "\tx", "x ", "if y {", "\ty"])


@st.composite
def files(draw: st.DrawFn) -> list[str]:
    return draw(st.lists(LINE, max_size=25))


@st.composite
def edited(draw: st.DrawFn, lines: list[str], most: int = 4) -> list[str]:
    """The lines with some put in, taken out, altered, or altered in blanks only."""
    made = list(lines)
    for _ in range(draw(st.integers(0, most))):
        at = draw(st.integers(0, len(made)))
        kind = draw(st.sampled_from(["insert", "delete", "alter", "blank"]))
        if kind == "insert":
            made.insert(at, draw(LINE) + draw(st.sampled_from(["", "N"])))
        elif at < len(made):
            old = made.pop(at)
            if kind == "alter":
                made.insert(at, old + "M")
            elif kind == "blank":
                made.insert(at, old.replace(" ", "\t", 1) if " " in old else f" {old}")
    return made


@st.composite
def cases(draw: st.DrawFn) -> tuple[bytes, bytes, bytes, int]:
    """Before, after, the base that the patch meets, and how many lines of context it has."""
    before = draw(files())
    after = draw(edited(before))
    base = draw(st.lists(LINE, max_size=4)) + draw(edited(before))
    ends = draw(st.tuples(st.booleans(), st.booleans(), st.booleans()))
    made = [
        ("\n".join(lines) + ("\n" if lines and newline else "")).encode()
        for lines, newline in zip((before, after, base), ends, strict=True)
    ]
    return made[0], made[1], made[2], draw(st.sampled_from([1, 2, 3, 3, 3, 5]))


def diff(room: Path, before: bytes, after: bytes, context: int) -> bytes:
    (room / "a").write_bytes(before)
    (room / "b").write_bytes(after)
    done = subprocess.run(
        ["git", "diff", "--no-index", f"-U{context}", "a", "b"],
        cwd=room,
        env=git.env(room),
        capture_output=True,
        check=False,
    )
    lines = split(done.stdout)[4:]
    return b"--- a/f\n+++ b/f\n" + b"".join(lines) if lines else b""


def by_git(room: Path, base: bytes, patch: bytes, way: Way) -> bytes | None:
    (room / "f").write_bytes(base)
    done = subprocess.run(
        ["git", "apply", "-p1", *way.options, "-"],
        input=patch,
        cwd=room,
        env=git.env(room.parent),
        capture_output=True,
        check=False,
    )
    return (room / "f").read_bytes() if done.returncode == 0 else None


def by_model(base: bytes, change: FileChange, way: Way) -> bytes | None:
    image = Image(split(base))
    for hunk in change.hunks:
        found = place(image, hunk, way)
        if found is None:
            return None
        image.put(found)
    return b"".join(image.lines)


def check(room: Path, case: tuple[bytes, bytes, bytes, int], seen: Counter[str]) -> None:
    before, after, base, context = case
    patch = diff(room, before, after, context)
    if not patch:
        return
    (change,) = reader.parse("p.patch", patch)
    assert by_model(before, change, Way()) == after
    for way in WAYS:
        model, real = by_model(base, change, way), by_git(room, base, patch, way)
        seen[f"{way.options} {model is not None}"] += 1
        if model is not None:
            assert real == model, (way, patch, base)
        elif real is not None:
            # The three things that git does and the model refuses.
            assert (
                any(not hunk.before for hunk in change.hunks)
                or not all(text.endswith(b"\n") for text in (before, after, base) if text)
                or (way.fuzz and context > 3)
            ), (way, patch, base)


@pytest.mark.parametrize("many", [60, pytest.param(2_000, marks=pytest.mark.fuzz)])
def test_git_places_what_the_model_places(processes: None, tmp_path: Path, many: int) -> None:
    seen: Counter[str] = Counter()

    @settings(
        max_examples=many,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(cases())
    def run(case: tuple[bytes, bytes, bytes, int]) -> None:
        check(tmp_path, case, seen)

    run()
    # Each way both places and refuses: else this shows nothing.
    assert all(seen[f"{way.options} {held}"] > 3 for way in WAYS for held in (True, False)), seen


@given(st.lists(st.sampled_from("ab"), max_size=12), st.lists(st.sampled_from("ab"), max_size=4))
@settings(max_examples=200, deadline=None)
def test_occurrences_are_those_that_a_plain_search_finds(tokens: list[str], wanted: list[str]) -> None:
    plain = [at for at in range(len(tokens) + 1 - len(wanted)) if tokens[at : at + len(wanted)] == wanted]
    assert occurrences(tokens, wanted) == plain


def hunks(text: str) -> FileChange:
    (change,) = reader.parse("p.patch", f"--- a/f\n+++ b/f\n{text}".encode())
    return change


@pytest.mark.parametrize(
    ("lines", "at"),
    [
        # Three lines away on both sides: git looks below first.
        ("..abc..........abc..", 15),
        ("...abc.........abc...", 15),
        (".....abc....abc......", 5),
    ],
)
def test_the_nearest_place_and_below_first(lines: str, at: int) -> None:
    start = {2: 0, 15: 9, 5: 8}[at]
    change = hunks(f"@@ -{start + 1},3 +{start + 1},3 @@\n a\n-b\n+B\n c\n")
    found = place(Image([f"{char}\n".encode() for char in lines]), change.hunks[0], Way())
    assert found is not None
    assert (found.at, found.places) == (at, 2)


def test_a_hunk_does_not_touch_what_another_touched() -> None:
    change = hunks("@@ -2,3 +2,3 @@\n a\n-b\n+B\n c\n@@ -5,3 +5,3 @@\n c\n-d\n+D\n e\n")
    image = Image([b"x\n", b"a\n", b"b\n", b"c\n", b"d\n", b"e\n"])
    found = place(image, change.hunks[0], Way())
    assert found is not None
    image.put(found)
    assert place(image, change.hunks[1], Way()) is None


def test_without_context_above_it_belongs_to_the_beginning() -> None:
    change = hunks("@@ -1,2 +1,2 @@\n-a\n+A\n b\n")
    moved = Image([b"new\n", b"a\n", b"b\n"])
    assert place(moved, change.hunks[0], Way()) is None
    assert place(Image([b"a\n", b"b\n", b"x\n"]), change.hunks[0], Way()) is not None
