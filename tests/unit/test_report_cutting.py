"""A summary that is too long: what goes first, what stays, and that nothing is left open."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.report import blocks, cutting
from pipeline.report.markdown import md

WHERE = "the artifact `report`"
HEAD = "## ❌ s on Go 1.27.3: fail\n\n**The patch fails: runtime.TestX.** Mend it.\n"
PLATFORMS = "### How far each platform was exercised\n\n| cell | exercised |\n|---|---|\n"


def collapsed(title: str, lines: int) -> str:
    inside = "\n".join(["y" * 49] * lines)
    return f"<details><summary>{title}</summary>\n\n```text\n{inside}\n```\n\n</details>"


def table(title: str, rows: list[str]) -> str:
    return f"### {title}\n\n| name | verdict |\n|---|---|\n" + "\n".join(rows) + "\n"


def summary(*parts: str) -> str:
    rows = "".join(f"| cell-{n} | **measured** |\n" for n in range(4))
    return "\n".join((HEAD, PLATFORMS + rows, *parts))


BENCHSTAT = collapsed("The same samples as benchstat shows them (unpaired)", 60)
LINT = collapsed("What Go's reviewers may say of the patches (9)", 60)
ROWS = [f"| runtime.X{n} | {'worse' if n == 3 else 'no change beyond ±1 %'} |" for n in range(150)]
NOTES = "### Notes\n\n" + "word " * 400 + "\n"
REST = "### Environment\n\n| | |\n|---|---|\n| os | Linux |\n"


def test_what_fits_stays_as_it_is() -> None:
    text = summary(LINT, table("Benchmarks", ROWS), BENCHSTAT, REST)
    assert cutting.fit(text, len(text) + 1, WHERE) == text


def test_what_can_be_spared_goes_first() -> None:
    """Each step is only taken when those before it were not enough."""
    text = summary(LINT, table("Benchmarks", ROWS), BENCHSTAT, NOTES, REST)
    first = cutting.fit(text, len(text) - 1, WHERE)
    assert "benchstat shows" not in first
    assert "reviewers" in first
    assert all(row in first for row in ROWS)
    assert "Left out: 1 table by benchstat. All of it is in the artifact `report`." in first
    second = cutting.fit(text, len(text) - 3000, WHERE)
    assert "reviewers" not in second
    assert all(row in second for row in ROWS)
    third = cutting.fit(text, len(text) - 6200, WHERE)
    assert ROWS[3] in third, "a row that says something outlives those that say nothing"
    assert sum(row in third for row in ROWS) < 150
    kept = sum(row in third for row in ROWS)
    assert f"*and {150 - kept} more rows*" in third
    assert f"{150 - kept} rows" in third.rsplit("Left out", 1)[1]
    fourth = cutting.fit(text, 2000, WHERE)
    assert "word" not in fourth
    assert "of the sections Notes, Environment everything." in fourth
    assert "and 150 more rows" in fourth
    for shown in (first, second, third, fourth):
        assert shown.startswith(HEAD)
        assert all(f"| cell-{n} | **measured** |" in shown for n in range(4))


def test_a_huge_head_keeps_the_verdict_and_every_platform() -> None:
    reason = md("a|b <c> @d " * 200)
    rows = "".join(f"| cell-{n} | **compiled** | {reason} |\n" for n in range(256))
    failure = "```text\n" + "line of output\n" * 5000 + "```\n"
    text = f"{HEAD}\n{failure}\n{PLATFORMS}{rows}\n{REST}"
    shown = cutting.fit(text, 65_000, WHERE)
    assert blocks.units(shown) <= 65_000
    assert shown.startswith(HEAD)
    found = re.findall(r"(?m)^\| (cell-\d+) \| \*\*compiled\*\* \| .*… \|$", shown)
    assert found == [f"cell-{n}" for n in range(256)]
    assert "the ends of long texts" in shown
    assert all(
        len(re.findall(r"(?<!\\)\|", row)) == 4 for row in shown.splitlines() if row.startswith("| cell-")
    )


def test_a_marker_in_output_does_not_end_what_is_collapsed() -> None:
    inside = "<details><summary>x</summary>\n\n```text\n</details>\n### Not a section\n```\n\n</details>"
    text = summary(inside, "### Rest\n\n" + "word " * 1000)
    (block,) = [one for one in blocks.parse(text) if one.kind == "details"]
    assert block.text() == inside
    head, rest = cutting.divide(text.replace("word ", ""))
    assert "Not a section" in head
    assert rest == "### Rest\n"


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        (r"abc\|def", 7, r"abc…"),
        (r"\|\|\|\|", 7, r"\|…"),
        ("ab\\@&#8203;team", 12, "ab…"),
        ("**strong words** here", 14, "**strong w…**"),
        ("a `piece of code`", 12, "a `piece…`"),
        ("😀😀😀😀", 8, "😀😀😀😀"),
        ("😀😀😀😀😀", 9, "😀😀…"),
        ("a <b>c</b> and more", 9, "a <b>…"),
    ],
)
def test_nothing_is_cut_in_two(text: str, limit: int, expected: str) -> None:
    assert cutting.shorten(text, limit) == expected


def test_too_short_a_limit_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="cannot be cut to 100"):
        cutting.fit("x" * 3000, 100, WHERE)


LINE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=300)
MARKUP = st.sampled_from(
    [
        *("```", "```text", "````", "~~~", "~~~~ x", "# a", "## b", "### c", "#### d", "", "", "   "),
        *("<details><summary>s</summary>", "</details>", "x <details> y", "<details></details>"),
        *("\\<details\\>", "| a | b |", "|---|---|", "|", "| no change |", "**", "`", "\\", "&#8203;", "<b"),
        *("😀" * 200, "| x |" * 60),
    ]
)
SAFE = LINE.map(lambda text: re.sub(r"<(?=/?details)", "", text))
TEXT = st.lists(st.one_of(MARKUP, SAFE, LINE.map(md)), max_size=60).map(
    lambda lines: "\n".join(lines * (1 + 200 // (len(lines) + 1)))
)


def is_closed(text: str) -> bool:
    """As a reader of Markdown finds it: every fence ends, and every collapsed part outside of them."""
    fence, depth = "", 0
    for line in text.split("\n"):
        if fence:
            if re.fullmatch(rf" {{0,3}}{fence[0]}{{{len(fence)},}}\s*", line):
                fence = ""
        elif found := re.match(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})", line):
            fence = found.group(1)
        else:
            for mark in re.findall(r"(?<!\\)</?details\b", line):
                depth += 1 if mark == "<details" else -1
                if depth < 0:
                    return False
    return not fence and not depth


@example("```text\n" + "x\n" * 2000, 2000)
@example(f"{BENCHSTAT}\n" * 2 + "<details>\n```\nnever closed", 4000)
@settings(deadline=None)
@given(TEXT, st.integers(cutting.SHORTEST, 70_000))
def test_any_text_is_cut_to_any_length_and_left_whole(text: str, limit: int) -> None:
    shown = cutting.fit(text, limit, WHERE)
    assert blocks.units(shown) <= limit
    shown.encode()
    if blocks.units(text) <= limit:
        assert shown == text
        return
    assert is_closed(shown)
    assert shown.endswith(f"All of it is in {WHERE}.*\n")
