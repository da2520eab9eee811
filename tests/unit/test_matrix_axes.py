"""Axes: which cells they make, what each runs under, what is refused, and that nothing is made up."""

from __future__ import annotations

import fnmatch
import math
import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.plan import cells, combine, fleet, mistakes
from pipeline.plan.axes import PLAIN
from pipeline.plan.cells import Row
from pipeline.plan.file import MatrixFile
from pipeline.values import Platform
from tests.unit.matrixes import build, pointed, read, wrong

HOST = Platform(goos="linux", goarch="amd64")
PLATFORMS = """\
platforms:
  linux-amd64: {goos: linux, goarch: amd64}
  linux-arm64: {goos: linux, goarch: arm64}
  darwin-arm64: {goos: darwin, goarch: arm64}
"""
AXES = """\
axes:
  collector:
    platforms: [linux-*]
    values:
      gogc-50: {parameters: {GOGC: "50"}}
      gogc-off: {parameters: {GOGC: "off"}}
  processors:
    platforms: [linux-amd64]
    values:
      one: {parameters: {GOMAXPROCS: "1"}, pin: [0], test_timeout: 900}
"""


def rows(file: MatrixFile) -> dict[str, Row]:
    return {row.cell.id: row for row in cells.rows(file, "standard", HOST)}


def test_without_axes_there_is_one_cell_for_each_platform(tmp_path: Path) -> None:
    assert list(rows(read(tmp_path, PLATFORMS).file)) == ["linux-amd64", "linux-arm64", "darwin-arm64"]


def test_each_with_each_where_the_axes_are_for_a_platform(tmp_path: Path) -> None:
    assert list(rows(read(tmp_path, PLATFORMS + AXES).file)) == [
        "linux-amd64",
        "linux-amd64-one",
        "linux-amd64-gogc-50",
        "linux-amd64-gogc-50-one",
        "linux-amd64-gogc-off",
        "linux-amd64-gogc-off-one",
        "linux-arm64",
        "linux-arm64-gogc-50",
        "linux-arm64-gogc-off",
        "darwin-arm64",
    ]


def test_exclude_and_include(tmp_path: Path) -> None:
    file = read(
        tmp_path,
        f"{PLATFORMS}{AXES}"
        "exclude:\n"
        '  - {platform: "*", collector: gogc-*, processors: one}\n'
        "  - {platform: linux-arm64, collector: plain}\n"
        "include:\n"
        "  - {platform: darwin-*, collector: gogc-50}\n"
        "  - {platform: linux-arm64, processors: one, collector: gogc-off}\n",
    ).file
    assert list(rows(file)) == [
        "linux-amd64",
        "linux-amd64-one",
        "linux-amd64-gogc-50",
        "linux-amd64-gogc-off",
        "linux-arm64-gogc-50",
        "linux-arm64-gogc-off",
        "linux-arm64-gogc-off-one",  # in the order of the axes, not of the entry
        "darwin-arm64",
        "darwin-arm64-gogc-50",
    ]


def test_an_axis_for_no_platform_is_for_include_alone(tmp_path: Path) -> None:
    body = f"{PLATFORMS}axes:\n  x:\n    platforms: []\n    values:\n      y: {{pin: [1]}}\n"
    assert len(rows(read(tmp_path, body).file)) == 3
    found = rows(read(tmp_path, f"{body}include:\n  - {{platform: darwin-arm64, x: y}}\n").file)
    assert list(found)[-1] == "darwin-arm64-y"


def test_an_axis_adds_to_its_platform_and_has_the_last_word(tmp_path: Path) -> None:
    found = rows(
        read(
            tmp_path,
            "platforms:\n"
            '  a: {goos: linux, goarch: amd64, parameters: {GOGC: "200", GODEBUG: "x=1"}, pin: [3, 2],\n'
            "      test_timeout: 60, benchmark_timeout: 70, environment: {A: platform}}\n"
            "axes:\n  x:\n    values:\n"
            '      y: {parameters: {GOGC: "50"}, environment: {B: axis}, build: {GOAMD64: v3}, pin: [],\n'
            "          benchmark_timeout: 0}\n",
        ).file
    )
    plain, other = found["a"].cell, found["a-y"].cell
    assert (plain.parameters, plain.pin, plain.benchmark_timeout) == (
        {"GODEBUG": "x=1", "GOGC": "200"},
        (2, 3),
        70,
    )
    assert other.parameters == {"GODEBUG": "x=1", "GOGC": "50"}
    assert other.environment == {"A": "platform", "B": "axis"}
    assert (other.build, other.pin) == ({"GOAMD64": "v3"}, ())
    assert (other.test_timeout, other.benchmark_timeout) == (60, 0)  # 0: the profile's again
    assert list(other.parameters) == sorted(other.parameters)
    kinds = {one.name: one.origin.kind for one in found["a-y"].values}
    assert (kinds["pin"], kinds["test_timeout"], kinds["benchmark_timeout"]) == (
        "axis",
        "platform",
        "profile",
    )


def test_every_value_says_where_it_came_from(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        'platforms:\n  a: {goos: linux, goarch: amd64, parameters: {GOGC: "200"}, suites: [s]}\n'
        'axes:\n  x:\n    values:\n      y: {parameters: {GOMAXPROCS: "1"}, test_timeout: 0}\n'
        "suites:\n  s: {benchmarks: {net: [BenchmarkA, BenchmarkB]}}\n",
    )
    row = rows(found.file)["a-y"]
    origins = [(one.name, one.value, one.origin.text(found.document)) for one in row.values]
    path = tmp_path / "matrix.yml"
    profile = (path).read_text().splitlines().index("  standard:") + 1
    limits = [
        place
        for place, line in enumerate(path.read_text().splitlines(), 1)
        if place > profile and "_timeout:" in line
    ]
    assert origins == [
        ("goos", "linux", f"{path}:5:7 (platform a)"),
        ("goarch", "amd64", f"{path}:5:20 (platform a)"),
        ("parameters.GOGC", "200", f"{path}:5:48 (platform a)"),
        ("parameters.GOMAXPROCS", "1", f"{path}:9:24 (axis x: y)"),
        ("suite", "s", f"{path}:5:71 (platform a)"),
        ("benchmark", "net.BenchmarkA", f"{path}:11:26 (suite s)"),
        ("benchmark", "net.BenchmarkB", f"{path}:11:38 (suite s)"),
        ("benchmark_timeout", 120, f"{path}:{limits[0]}:5 (profile standard)"),
        ("test_timeout", 300, f"{path}:{limits[1]}:5 (profile standard)"),
        ("pin", [], "built-in default"),
    ]


def test_suites_of_the_profile_and_the_platform(tmp_path: Path) -> None:
    body = (
        "platforms:\n  a: {goos: linux, goarch: amd64, suites: [two, one]}\n"
        "  b: {goos: linux, goarch: arm64}\n"
        "suites:\n"
        "  one: {benchmarks: {net: [BenchmarkA], os: [BenchmarkC]}}\n"
        "  two: {benchmarks: {net: [BenchmarkB, BenchmarkA]}}\n"
    )
    matrix = read(tmp_path, body)
    assert rows(matrix.file)["a"].cell.benchmarks == {
        "net": ("BenchmarkB", "BenchmarkA"),
        "os": ("BenchmarkC",),
    }
    assert rows(matrix.file)["b"].cell.benchmarks == {}
    path = tmp_path / "matrix.yml"
    path.write_text(path.read_text().replace("  standard:\n", "  standard:\n    suites: [one]\n", 1))
    from pipeline.plan.matrix import load

    found = rows(load(path))
    assert found["b"].cell.benchmarks == {"net": ("BenchmarkA",), "os": ("BenchmarkC",)}
    assert found["a"].cell.benchmarks == {"net": ("BenchmarkA", "BenchmarkB"), "os": ("BenchmarkC",)}


def test_benchmarks_of_a_series_and_of_suites_are_merged() -> None:
    series = {"net": ["BenchmarkA"], "runtime": ["BenchmarkR"]}
    suites = {"net": ("BenchmarkB", "BenchmarkA"), "os": ("BenchmarkO",)}
    assert cells.merged(series, suites) == {
        "net": ("BenchmarkA", "BenchmarkB"),
        "runtime": ("BenchmarkR",),
        "os": ("BenchmarkO",),
    }


def test_a_host_that_no_cell_is_of_gets_one() -> None:
    file = build(platforms={"linux-amd64": {"goos": "windows", "goarch": "amd64"}})
    first, second = cells.rows(file, "standard", HOST)
    assert (first.cell.id, first.cell.native, second.cell.id) == ("this-host", True, "linux-amd64")
    assert first.alone
    file = build(platforms={"x": {"goos": "windows", "goarch": "amd64"}})
    assert cells.rows(file, "standard", HOST)[0].cell.id == "linux-amd64"


def axis(values: str, platforms: str = "") -> str:
    return f"axes:\n  x:\n{platforms}    values:\n{values}"


ONE = '      y: {parameters: {GOGC: "50"}}\n'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (axis("      ^y: {}\n"), "axes.x.values.y: adds nothing: each platform has a cell as it is already"),
        (axis("      ^plain: {pin: [1]}\n"), "axes.x.values.plain: plain is what an axis that is left alone"),
        (axis("      y: {^runner: x}\n"), "axes.x.values.y.runner: unknown key; known: benchmark_timeout,"),
        (axis("      y: {pin: [1, ^1]}\n"), "axes.x.values.y.pin[1]: pin names a CPU twice"),
        (axis("      ^Y: {pin: [1]}\n"), "axes.x.values.Y: should be lower-case letters, digits"),
        (axis(ONE, "    platforms: [linux-*, ^windoes]\n"), "axes.x.platforms[1]: no platform matches wind"),
        (axis(f"{ONE}    ^values: {{}}\n"), "axes.x.values: duplicate key"),
        ("axes:\n  ^platform:\n    values:\n" + ONE, "axes.platform: platform is what exclude and include"),
        ("axes:\n  x: {^values: {}}\n", "axes.x.values: should have at least 1 item (found 0)"),
        (
            axis("      y: {build: {^GOAMD64: v3}}\n"),
            "axes.x.values.y.build.GOAMD64: GOAMD64 is a setting of amd64, not of arm64; of arm64 it is "
            "GOARM64: the axis is for linux-arm64 as well",
        ),
        (
            f'{axis(ONE)}  z:\n    values:\n      w: {{parameters: {{^GOGC: "off"}}}}\n',
            "axes.z.values.w.parameters.GOGC: axis x: y sets it too, and linux-amd64-y-w has both",
        ),
        (
            axis(f"{ONE}      ^w: {{parameters: {{GOGC: \"50\"}}}}\n"),
            "axes.x.values.w: cells linux-amd64-y and linux-amd64-w are both linux/amd64, and differ in",
        ),
        (
            axis("      ^y: {test_timeout: 0, pin: []}\n"),
            "axes.x.values.y: cells linux-amd64 and linux-amd64-y are both linux/amd64, and differ in",
        ),
        (
            axis(f"      ^{'y' * 60}: {{pin: [1]}}\n"),
            f"axes.x.values.{'y' * 60}: cell linux-amd64-{'y' * 60} cannot be called so",
        ),
        (f"{AXES}exclude:\n  - ^{{collector: gogc-50}}\n", "exclude[0]: should name a platform, or"),
        (f"{AXES}exclude:\n  - ^{{platform: linux-*}}\n", "exclude[0]: should name an axis and its value;"),
        (
            f"{AXES}exclude:\n  - {{^platform: linux-amd46, collector: gogc-50}}\n",
            "exclude[0].platform: no platform matches linux-amd46; did you mean linux-amd64",
        ),
        (
            f"{AXES}exclude:\n  - {{platform: linux-*, ^colector: gogc-50}}\n",
            "exclude[0].colector: no axis colector; did you mean collector?",
        ),
        (
            f"{AXES}exclude:\n  - {{platform: linux-*, ^collector: gogc-5}}\n",
            "exclude[0].collector: axis collector has no value gogc-5; did you mean gogc-50",
        ),
        (
            f"{AXES}exclude:\n  - ^{{platform: darwin-*, collector: gogc-50}}\n",
            "exclude[0]: excludes nothing: no such combination is made",
        ),
        (
            f"{AXES}include:\n  - {{platform: darwin-*, ^collector: gogc-*}}\n",
            "include[0].collector: axis collector has no value gogc-*; did you mean",
        ),
        (
            f"{AXES}include:\n  - {{platform: darwin-*, ^collector: plain}}\n",
            "include[0].collector: axis collector has no value plain",
        ),
        (
            f"{AXES}include:\n  - ^{{platform: linux-*, collector: gogc-50}}\n",
            "include[0]: adds nothing: each of these is there already",
        ),
        (
            f"{AXES}include:\n  - {{platform: darwin-*, collector: gogc-50}}\n"
            "  - ^{platform: darwin-arm64, collector: gogc-50}\n",
            "include[1]: adds nothing",
        ),
        (f"{AXES}exclude:\n  - {{platform: x, ^collector: 50}}\n", "exclude[0].collector: should be a valid"),
    ],
)  # fmt: skip
def test_mistakes(tmp_path: Path, body: str, expected: str) -> None:
    pointed(tmp_path, PLATFORMS + body, expected)


def test_cells_that_would_have_one_name(tmp_path: Path) -> None:
    pointed(
        tmp_path,
        "platforms:\n  a: {goos: linux, goarch: amd64}\n  a-b: {goos: linux, goarch: arm64}\n"
        "axes:\n  x:\n    platforms: [a]\n    values:\n      ^b: {pin: [1]}\n",
        "axes.x.values.b: two cells would be called a-b: ",
    )


def test_an_axis_that_is_for_one_architecture_may_build_for_it(tmp_path: Path) -> None:
    body = axis("      v3: {build: {GOAMD64: v3}}\n", "    platforms: [linux-amd64]\n")
    assert rows(read(tmp_path, PLATFORMS + body).file)["linux-amd64-v3"].cell.build == {"GOAMD64": "v3"}


def many(count: int, platforms: int = 1) -> MatrixFile:
    """``count`` axes of nine values each."""
    names = ("GOGC", "GOMAXPROCS", "GODEBUG", "GOMEMLIMIT")
    return build(
        platforms={f"p{n}": {"goos": "linux", "goarch": f"arch{n}"} for n in range(platforms)},
        axes={
            f"a{n}": {"values": {f"a{n}v{v}": {"parameters": {names[n % 4]: f"{v + 1}"}} for v in range(9)}}
            for n in range(count)
        },
    )


def test_an_explosion_of_axes_is_refused_before_it_is_made() -> None:
    started = time.monotonic()
    (said,) = wrong(many(16))
    assert time.monotonic() - started < 2
    assert said.startswith(f"axes.a0: the axes make {10**16} combinations, and 4096 are the most; axis a0 ")
    assert f"without it there are {10**15}" in said


names = st.sampled_from(["a", "b", "c-d", "x", "y1"])
conditions = st.fixed_dictionaries(
    {},
    optional={
        "parameters": st.dictionaries(st.sampled_from(["GOGC", "GOMAXPROCS"]), st.sampled_from("12")),
        "environment": st.dictionaries(st.sampled_from(["A", "B"]), st.sampled_from("12")),
        "pin": st.lists(st.integers(0, 3), unique=True),
        "test_timeout": st.sampled_from([0, 60]),
    },
)  # fmt: skip
globs = st.sampled_from(["*", "a", "b*", "?", "c-d", "[!a]*"])
systems = st.tuples(st.sampled_from(["linux", "darwin"]), st.sampled_from(["amd64", "arm64"]))


@st.composite
def matrices(draw: st.DrawFn) -> dict[str, Any]:
    platforms = {
        name: {"goos": goos, "goarch": goarch, **draw(conditions)}
        for name, (goos, goarch) in draw(st.dictionaries(names, systems, min_size=1, max_size=3)).items()
    }
    some = st.dictionaries(names, conditions.filter(bool), min_size=1, max_size=2)
    axes = {
        name: {"platforms": draw(st.lists(globs, max_size=2)), "values": draw(some)}
        for name in draw(st.lists(names, unique=True, max_size=3))
    }
    pick = st.fixed_dictionaries(
        {"platform": globs}, optional={name: names | st.just(PLAIN) for name in axes}
    )
    return {
        "platforms": platforms,
        "axes": axes,
        "exclude": draw(st.lists(pick, max_size=2)),
        "include": draw(st.lists(pick, max_size=2)),
    }


@settings(max_examples=150, deadline=None)
@given(matrices())
def test_what_holds_of_every_matrix(parts: dict[str, Any]) -> None:
    file = build(**parts)
    found = mistakes.of(file)  # whatever is wrong, it is said and nothing breaks
    assert all(one.path and one.message for one in found)
    assume(not found)
    made = combine.of(file)
    every = cells.rows(file, "quick", HOST)
    ids = [row.cell.id for row in every]
    assert len(set(ids)) == len(ids) >= len(made)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9._-]*", one) for one in ids)
    for row in every:
        check_row(file, row)
    for one in made:
        wanted = {name: one.chosen.get(name, PLAIN) for name in file.axes}
        left_out = any(
            fnmatch.fnmatchcase(one.platform, pick["platform"])
            and all(
                fnmatch.fnmatchcase(wanted[name], value) for name, value in pick.items() if name in wanted
            )
            for pick in file.exclude
        )
        asked = any(
            fnmatch.fnmatchcase(one.platform, pick["platform"])
            and wanted == {name: pick.get(name, PLAIN) for name in file.axes}
            for pick in file.include
        )
        assert asked or not left_out
    # What each platform has without exclude and include: the product of its axes.
    whole = combine.of(build(**{**parts, "exclude": [], "include": []}))
    assert len(whole) == combine.size(file) == sum(
        math.prod(
            1 + len(axis.values)
            for axis in file.axes.values()
            if any(fnmatch.fnmatchcase(name, one) for one in axis.platforms)
        )
        for name in file.platforms
    )  # fmt: skip
    assert len(fleet.jobs(every, profile(file))["include"]) == 0


def check_row(file: MatrixFile, row: Row) -> None:
    """Every condition of a cell is a value with an origin, and there is no other."""
    cell = row.cell
    limits = {"test_timeout": cell.test_timeout, "benchmark_timeout": cell.benchmark_timeout}
    expected: dict[str, object] = {"goos": cell.platform.goos, "goarch": cell.platform.goarch}
    for group in ("parameters", "environment", "build"):
        expected |= {f"{group}.{name}": value for name, value in getattr(cell, group).items()}
    expected |= {name: value or getattr(file.profiles["quick"], name) for name, value in limits.items()}
    values = {one.name: one.value for one in row.values}
    assert len(values) == len(row.values)
    pin = values.pop("pin")
    assert isinstance(pin, list)
    assert tuple(sorted(pin)) == cell.pin
    assert values == expected
    for one in row.values:
        assert one.origin.path is not None or one.origin.kind in ("default", "host")


def profile(file: MatrixFile) -> Any:
    from pipeline.values import Depth, Profile

    entry = file.profiles["quick"]
    return Profile(
        name="quick",
        compile=Depth(),
        variants=(),
        **entry.model_dump(exclude={"compile", "variants", "suites"}),
    )
