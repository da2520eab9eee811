"""A map as it is shown: one row a base, what counts and what does not, and nothing hostile in it."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest

from pipeline.errors import ExitCode
from pipeline.records import (
    BaseTried,
    GateResult,
    GateStatus,
    HunkPlaced,
    MapStarted,
    PatchApplied,
    Record,
    SeriesReach,
    Signal,
)
from pipeline.report import mapping
from pipeline.report.mapping import MapReport

EVIL = "|x|\x1b[31m<script>@golang/go#1`\u202e\r\nnext"
THREE = ["0001-a.patch", "0002-b.patch", "0003-c.patch"]
Ended = Literal["fetch", "apply", "compile", ""]
Blame = Literal["patch", "host", ""]


def started(*bases: str, depth: Literal["none", "types", "build"] = "types", **more: Any) -> MapStarted:
    values: dict[str, Any] = {
        "series": "s",
        "subject": "runtime: x",
        "origin": "/s",
        "allowed": [],
        "host": "linux/amd64",
        "command": "./inv patch-map",
        "environment": {},
        **more,
    }
    return MapStarted(bases=list(bases), compile=depth, **values)


def tried(
    base: str,
    ended: Ended = "",
    blame: Blame = "",
    *,
    within: bool = True,
    patches: list[str] | None = None,
    **more: Any,
) -> BaseTried:
    values: dict[str, Any] = {
        "version": base,
        "range": ">=1.27, <1.28",
        "variant": "",
        "asked": ["types"],
        "reason": f"the {blame} is to blame" if blame else "",
        "notes": [],
        "seconds": 1.0,
        **more,
    }
    return BaseTried(
        base=base,
        ended=ended,
        blame=blame,
        within=within,
        patches=["0001-a.patch"] if patches is None else patches,
        **values,
    )


def applied(file: str = "0001-a.patch", rung: str = "exact", **more: Any) -> PatchApplied:
    hunk = HunkPlaced(file="src/x.go", number=2, title="@@", rung=rung, line=7, note="moved by 3 lines")
    return PatchApplied(file=file, subject="x", sha256="0", rung=rung, hunks=1, **{"account": [hunk], **more})


def reach(*platforms: str, untouched: tuple[str, ...] = ()) -> SeriesReach:
    return SeriesReach(
        reached={name: ["x"] for name in platforms},
        tests_only=[],
        untouched=list(untouched),
        dependents=0,
        host="linux/amd64",
    )


def checked(
    platform: str, status: GateStatus = "pass", signal: Signal = "types", detail: str = ""
) -> GateResult:
    return GateResult(
        gate="compile",
        cell="",
        subject="x",
        status=status,
        signal=signal,
        platform=platform,
        number=1,
        detail=detail,
    )


def report(*records: Record) -> MapReport:
    return mapping.build(records)


def cells(found: MapReport, base: str) -> list[str]:
    (line,) = [line for line in mapping.markdown(found).splitlines() if line.startswith(f"| {base} ")]
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([tried("1"), tried("2")], 0),
        ([tried("1"), tried("2", "apply", "patch")], 1),
        ([tried("1"), tried("2", "compile", "patch")], 1),
        ([tried("1"), tried("2", "apply", "patch", within=False)], 0),
        ([tried("1"), tried("2", "compile", "patch", within=False)], 0),
        ([tried("1"), tried("2", "fetch", "host")], 4),
        ([tried("1"), tried("2", "fetch", "host", within=False)], 4),
        ([tried("1"), tried("2", "compile", "host")], 4),
        ([tried("1"), tried("2", "compile", "host", within=False)], 0),
        ([tried("1", "fetch", "host"), tried("2", "apply", "patch")], 1),
        ([tried("1")], 4),  # the map did not come to the second
    ],
)
def test_what_decides_the_exit_code(rows: list[BaseTried], code: int) -> None:
    found = report(started("1", "2"), *rows)
    assert found.exit_code is ExitCode(code)
    assert mapping.as_json(found)["exit_code"] == code
    assert found.complete == (len(rows) == 2)


def test_records_belong_to_the_base_that_they_end_in() -> None:
    found = report(
        started("1.26.6", "1.27.3"),
        applied(rung="conflict"),
        tried("1.26.6", "apply", "patch", within=False),
        applied(),
        reach("linux/amd64", "linux/arm64", "darwin/arm64", untouched=("js/wasm", "wasip1/wasm")),
        checked("linux/amd64"),
        checked("linux/arm64", "baseline-fails"),
        checked("darwin/arm64", "fail"),
        tried("1.27.3", "compile", "patch"),
    )
    assert cells(found, "1.26.6") == ["1.26.6", "conflict", "–", "–", "(FAIL)", mapping.OUTSIDE]
    assert cells(found, "1.27.3") == [
        "1.27.3",
        "exact",
        "1 ok, 1 as baseline, 1 FAIL",
        "2",
        "FAIL",
        "\\>=1.27, \\<1.28",
    ]
    text = mapping.text(found)
    assert "types FAIL: darwin/arm64" in text
    assert "the patch is to blame" in text
    last = mapping.as_json(found)["bases"][1]
    assert last["signals"] == {
        "types": {"platforms": {"ok": 1, "baseline": 1, "FAIL": 1}, "failing": ["darwin/arm64"]}
    }
    assert last["untouched"] == ["js/wasm", "wasip1/wasm"]


def test_the_lines_of_a_conflict_stand_below_each_other() -> None:
    rows = "  \tif x {\n- \t\treturn\t// a\n+ \t\treturn\x1b[31m  \t// b"
    found = report(
        started("1.27.3"), applied(rung="conflict"), tried("1.27.3", "apply", "patch", reason=rows)
    )
    shown = "  \tif x {\n- \t\treturn\t// a\n+ \t\treturn\ufffd[31m  \t// b"
    assert f"\n{shown}\n" in mapping.markdown(found)
    assert "\n".join(f"  {line}" for line in shown.splitlines()) in mapping.text(found)


def test_a_table_of_three_patches_fits_into_100_columns() -> None:
    names = THREE
    every = ["linux/amd64", "linux/arm64"]
    found = report(
        started("1.24.11", "1.27.3", depth="build"),
        applied(names[0], "whitespace"),
        applied(names[1], "offset"),
        applied(names[2], "conflict"),
        tried("1.24.11", "apply", "patch", within=False, patches=names, asked=["types", "build"]),
        *[applied(name) for name in names],
        reach(*every),
        *[checked(one) for one in every],
        checked(every[0], "pass", "build"),
        checked(every[1], "fail", "build"),
        tried("1.27.3", "compile", "patch", patches=names, asked=["types", "build"]),
    )
    lines = mapping.text(found).splitlines()
    table = lines[2 : lines.index("", 2)]
    assert " ".join(table[0].split()) == "base patch 1 patch 2 patch 3 types build untouched result variant"
    assert max(map(len, table)) <= 100
    assert "1 ok, 1 FAIL" in table[2]
    assert cells(found, "1.24.11")[1:4] == ["whitespace", "offset", "conflict"]


def test_moved_hunks_are_named_and_those_of_the_failing_patch_once() -> None:
    found = report(
        started("1.27.3"),
        applied(rung="offset"),
        applied("0002-b.patch", "conflict"),
        tried("1.27.3", "apply", "patch", patches=THREE, reason="0002-b.patch does not apply:\n  here"),
    )
    text = mapping.text(found)
    assert "patch 1: src/x.go:7 hunk 2 offset, moved by 3 lines" in text
    assert "patch 2: src/x.go" not in text
    assert "    here" in text
    assert "–: not tried" in text
    patches = mapping.as_json(found)["bases"][0]["patches"]
    assert [one["rung"] for one in patches] == ["offset", "conflict", None]
    assert [one["file"] for one in patches] == THREE
    assert patches[0]["not_exact"][0]["line"] == 7


def test_what_was_let_pass_is_marked() -> None:
    found = report(
        started("1.27.3", depth="none", allowed=["fuzz"]),
        applied(rung="fuzz", allowed=["fuzz"]),
        tried("1.27.3", asked=[]),
    )
    assert cells(found, "1.27.3")[1] == "fuzz\\*"
    assert "*: let pass by --allow fuzz" in mapping.text(found)
    assert cells(found, "1.27.3") == ["1.27.3", "fuzz\\*", "ok", "\\>=1.27, \\<1.28"]


def test_every_failing_platform_is_named() -> None:
    names = [f"goos{number}/architecture{number}" for number in range(48)]
    found = report(
        started("1.27.3"),
        applied(),
        reach(*names),
        *[checked(name, "fail") for name in names],
        tried("1.27.3", "compile", "patch"),
    )
    for shown in (mapping.text(found), mapping.markdown(found)):
        assert [name for name in names if name not in shown] == []
    assert max(map(len, mapping.text(found).splitlines())) <= 100


def test_without_tools_it_says_so_and_does_not_pass() -> None:
    found = report(
        started("tip", depth="build"),
        applied(),
        tried("tip", "compile", "host", asked=["types", "build"], reason="no tools: not built"),
    )
    assert cells(found, "tip")[1:6] == ["exact", "not checked", "not built", "–", "unknown"]
    assert "no tools: not built" in mapping.text(found)


def test_signals_that_a_release_cannot_give() -> None:
    found = report(
        started("1.20.14", depth="build"),
        applied(),
        reach("linux/amd64"),
        checked("linux/amd64", signal="build"),
        tried("1.20.14", asked=["build"], notes=["types not checked: too old"]),
    )
    assert cells(found, "1.20.14")[2:4] == ["not checked", "1 ok"]
    assert "types not checked: too old" in mapping.text(found)


def test_a_base_that_changes_nothing_and_one_that_was_not_tried() -> None:
    found = report(
        started("1.27.3", "tip"),
        applied(rung="already-applied", skipped=True),
        tried("1.27.3", notes=["nothing to compile"]),
    )
    assert cells(found, "1.27.3")[1:4] == ["already-applied\\*", "none", "–"]
    assert cells(found, "tip")[1:] == ["–", "–", "–", "unknown", "–"]
    assert "not tried: the map ended before" in mapping.text(found)
    assert "1 could not be judged" in found.headline


def test_a_series_with_variants_shows_which() -> None:
    found = report(
        started("1.26.6", "1.27.3", depth="none"),
        applied("0001-old.patch"),
        tried("1.26.6", variant="<1.27", patches=["0001-old.patch"]),
        applied(),
        tried("1.27.3", variant=">=1.27"),
    )
    assert cells(found, "1.26.6")[-1] == "\\<1.27"
    text = mapping.text(found)
    assert "patch 1 for <1.27: 0001-old.patch" in text
    assert "patch 1 for >=1.27: 0001-a.patch" in text


def test_a_series_for_none_of_the_bases_is_told_from_one_that_passes() -> None:
    found = report(started("1.26.6"), applied(), tried("1.26.6", within=False))
    assert "for none of these bases" in found.headline
    assert cells(found, "1.26.6")[-2] == "(ok)"


def test_nothing_hostile_reaches_a_terminal_or_markdown() -> None:
    hunk = HunkPlaced(file=f"src/{EVIL}", number=1, title=EVIL, rung="offset", line=1, note=EVIL)
    found = report(
        started(f"git:{EVIL}", series=EVIL, subject=EVIL, command=EVIL, notes=[EVIL]),
        applied(EVIL, "offset", account=[hunk]),
        reach("linux/amd64"),
        checked("linux/amd64", "fail", detail=EVIL),
        tried(
            EVIL,
            "compile",
            "patch",
            patches=[EVIL],
            variant=EVIL,
            notes=[EVIL],
            reason=f"bad\n```\n# {EVIL}\n![x](http://x)",
        ),
    )
    text, page = mapping.text(found), mapping.markdown(found)
    for shown in (text, page):
        assert not [char for char in shown if not char.isprintable() and char != "\n"]
    outside = "".join(part for index, part in enumerate(page.split("```")) if not index % 2)
    assert page.count("```") == 2
    assert "<script>" not in outside.replace("\\<script", "")
    assert "@golang" not in outside.replace("\\@", "")
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert len({line.replace("\\|", "").count("|") for line in rows}) == 1
    assert json.loads(json.dumps(mapping.as_json(found)))["subject"] == EVIL


def test_many_lines_are_cut_and_said_to_be() -> None:
    found = report(
        started("1.27.3"),
        applied(
            rung="offset",
            account=[HunkPlaced(file="f", number=n, title="", rung="offset", line=n) for n in range(1, 30)],
        ),
        tried("1.27.3", "compile", "patch", reason="\n".join(f"line {n}" for n in range(100))),
    )
    text = mapping.text(found)
    assert "and 17 more hunks" in text
    assert "and 60 more lines" in text
    assert len(mapping.as_json(found)["bases"][0]["patches"][0]["not_exact"]) == 29
