"""The compile gate as it is shown: by platform, with what was not asked, and in JUnit's words."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest

from pipeline.records import GateResult, GateStatus, Record, RunEnded, RunStarted, SeriesReach, Signal
from pipeline.report import compiling, junit, markdown, model

QUICK = {"types": "all", "build": "cells", "tests": "none"}
REACH = SeriesReach(
    reached={"linux/amd64": ["runtime"], "darwin/arm64": ["runtime", "net"]},
    tests_only=["windows/arm64"],
    untouched=["js/wasm"],
    dependents=276,
    host="linux/amd64",
)


def plan(depth: dict[str, str]) -> dict[str, Any]:
    return {
        "series": "s",
        "subject": "runtime: x",
        "issue": "",
        "series_digest": "0",
        "benchmarks": {},
        "base": "1.27.3",
        "profile": {"name": "quick", "rounds": 8, "max_rounds": 32, "benchtime": "1s", "compile": depth},
        "threshold": {"effect": 0.03, "margin": 0.05},
        "unit_thresholds": {},
        "host": "linux/amd64",
        "cells": [{"id": "here", "goos": "linux", "goarch": "amd64", "native": True}],
    }


def result(
    platform: str, signal: Signal, status: GateStatus = "pass", number: int = 1, **more: Any
) -> GateResult:
    return GateResult(
        gate="compile",
        cell="here" if platform == "linux/amd64" else "",
        subject="runtime",
        status=status,
        signal=signal,
        platform=platform,
        patch=f"000{number}.patch",
        number=number,
        **more,
    )


def shown(*records: Record, depth: dict[str, str] = QUICK) -> compiling.CompileReport:
    found = compiling.build([REACH, *records], plan(depth))
    assert found is not None
    return found


def test_what_no_platform_compiles_is_named() -> None:
    reach = REACH.model_copy(update={"unlisted": ["src/os/x_dariwn.go"]})
    report = compiling.build([reach, result("linux/amd64", "types")], plan(QUICK))
    assert report is not None
    assert "compiled nowhere: src/os/x_dariwn.go" in compiling.text(report)
    assert compiling.as_json(report)["unlisted"] == ["src/os/x_dariwn.go"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {},
            "The series changes net, runtime (276 other packages of std and cmd are built from them on "
            "linux/amd64), on 2 of 4 platforms of the release.",
        ),
        (
            {"reached": {"linux/amd64": ["net"]}, "dependents": 1, "importing": 1, "importing_checked": True},
            "The series changes net (1 other package of std and cmd is built from it on linux/amd64), on 1 "
            "of 3 platforms of the release. 1 package of std imports it directly on one of these platforms "
            "or more: checked as well.",
        ),
        (
            {"dependents": 0, "importing": 190, "importing_unchecked": ["linux/amd64", "darwin/arm64"]},
            "The series changes net, runtime, on 2 of 4 platforms of the release. 190 packages of std import "
            "them directly on one of these platforms or more: too many to check their types.",
        ),
    ],
)
def test_what_is_counted_and_where(changes: dict[str, Any], said: str) -> None:
    found = compiling.build([REACH.model_copy(update=changes)], plan(QUICK))
    assert found is not None
    assert found.reach == said


def test_without_its_reach_there_is_nothing_to_show() -> None:
    assert compiling.build([], plan(QUICK)) is None


def test_a_platform_is_as_bad_as_its_worst_prefix_and_what_did_not_run_is_said() -> None:
    report = shown(
        result("linux/amd64", "types"),
        result("darwin/arm64", "types", "fail", 1),
        result("darwin/arm64", "types", "pass", 2),
        result("windows/arm64", "types"),
    )
    signals = {row.platform: dict(row.signals) for row in report.rows}
    assert signals == {
        "linux/amd64": {"types": "ok", "build": "not run", "vet": "–", "tests": "–"},
        "darwin/arm64": {"types": "FAIL", "build": "–", "vet": "–", "tests": "–"},
        "windows/arm64": {"types": "ok", "build": "–", "vet": "–", "tests": "–"},
    }
    # Of linux/amd64 the build is not known, darwin/arm64 failed, and windows/arm64 was not compiled.
    assert (report.compiled, report.typed) == (0, 1)
    assert report.untouched == ("js/wasm",)


def test_a_repeated_record_counts_once_and_the_last_holds() -> None:
    report = shown(result("linux/amd64", "types", "fail"), result("linux/amd64", "types", "pass"))
    assert report.checks == 1
    assert report.failures == ()


@pytest.mark.parametrize(
    ("depth", "said"),
    [
        (QUICK, ["builds on the platforms of the matrix only", "vet and test binaries not at all"]),
        (
            {"types": "all", "build": "all", "tests": "host"},
            ["vet and test binaries on the host's platform only"],
        ),
        ({"types": "all", "build": "all", "tests": "all"}, []),
    ],
)
def test_what_was_not_asked_is_said(depth: dict[str, str], said: list[str]) -> None:
    limits = compiling.limits(depth)
    assert bool(limits) == bool(said)
    for part in said:
        assert part in limits


def test_the_text_names_every_platform() -> None:
    text = compiling.text(shown(result("linux/amd64", "types", reused=True)))
    for part in (
        "linux/amd64",
        "darwin/arm64",
        "js/wasm",
        "276 other packages of std and cmd",
        "1 checks, of which 1 were known",
    ):
        assert part in text


def test_junit_has_every_platform_with_its_patch() -> None:
    started = RunStarted(
        run_id="r", plan_digest="0", plan=plan(QUICK), command="./inv patch-validate", environment={}
    )
    report = model.build(
        [
            started,
            REACH,
            result("linux/amd64", "types"),
            result("windows/arm64", "types", "fail", 2, detail="src/x_test.go:1:1: no"),
            RunEnded(seconds=1, failure="no", failure_code=1),
        ],
        {},
    )
    suites = {suite.get("name"): suite for suite in ET.fromstring(junit.render(report))}  # noqa: S314
    (case,) = suites["windows/arm64"]
    assert case.get("name") == "0002.patch on windows/arm64: types: runtime"
    assert case[0].tag == "failure"
    assert case[0].text == "src/x_test.go:1:1: no"
    assert [one.get("classname") for one in suites["here"]] == ["here.compile"]
    assert "| windows/arm64 | only test files change | FAIL |" in markdown.render(report, {})
