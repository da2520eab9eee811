"""What matrix.yml may say of platforms, conditions, suites and actions, and where a mistake is pointed at."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from pipeline.plan import variables
from pipeline.plan.variables import BuildName, Parameter
from tests.unit.matrixes import pointed, read, refused

LINUX = "platforms:\n  a: {goos: linux, goarch: amd64"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        # machines
        ("^runner: []", "platforms.a.runner: should name a label"),
        ("runner: [x, ^X]", "platforms.a.runner[1]: X is named twice"),
        ("^runner: 7", "platforms.a.runner: should be a valid list (found '7')"),
        (
            '^runner: "a b"',
            "platforms.a.runner: should be a runner's label, such as ubuntu-24.04 (found 'a b')",
        ),
        ('runner: [^"${{ x }}"]', "platforms.a.runner[0]: should be a runner's label"),
        (
            "^runner: windows-2025",
            "platforms.a.runner: windows-2025 is windows/amd64 and the platform linux/amd64: the cell could",
        ),
        (
            "runner: [^ubuntu-24.04-ARM]",
            "platforms.a.runner[0]: ubuntu-24.04-ARM is linux/arm64 and the platform linux/amd64",
        ),
        (
            '^vm: {os: freebsd, version: "14.5"}',
            "platforms.a.vm: needs a runner: the machine that it runs on",
        ),
        (
            'runner: ubuntu-24.04, vm: {^os: freebsd, version: "14.5"}',
            "platforms.a.vm.os: freebsd does not run programs for linux",
        ),
        ("vm: {^os: plan9, version: x}", "platforms.a.vm.os: should be 'freebsd', 'openbsd'"),
        ("vm: {os: netbsd, ^version: 10}", "platforms.a.vm.version: should be a valid string (found '10')"),
        ('vm: {os: netbsd, ^version: "10 -x"}', "platforms.a.vm.version: should be a release in quotes"),
        ("^vms: {}", "platforms.a.vms: unknown key; did you mean vm?"),
        # conditions
        ("environment: {^PATH: x}", "platforms.a.environment.PATH: PATH is not for matrix.yml to set"),
        (
            "environment: {^GOGC: off}",
            "platforms.a.environment.GOGC: should be a valid string (found 'False')",
        ),
        ('environment: {^GOGC: "off"}', "platforms.a.environment.GOGC: GOGC belongs under parameters"),
        ("environment: {^GOAMD64: v3}", "platforms.a.environment.GOAMD64: GOAMD64 belongs under build"),
        (
            "environment: {^GO_BUILDER_NAM: x}",
            "platforms.a.environment.GO_BUILDER_NAM: GO_BUILDER_NAM is no name that Go's tests are told "
            "something by; did you mean GO_BUILDER_NAME or GO_BUILDER_FLAKY_NET?",
        ),
        ("environment: {^path: x}", "platforms.a.environment.path: should be the name of an environment"),
        ('environment: {^A: "x\\ny"}', "platforms.a.environment.A: should be one line of ASCII text"),
        ('environment: {^A: "\\e[2J"}', "platforms.a.environment.A: should be one line of ASCII text"),
        ("build: {^GOAMD64: v5}", "platforms.a.build.GOAMD64: should be v1, v2, v3 or v4 (found 'v5')"),
        (
            "build: {^GOARM64: v8.0}",
            "platforms.a.build.GOARM64: GOARM64 is a setting of arm64, not of amd64; of amd64 it is GOAMD64",
        ),
        ("build: {^GOFLAGS: x}", "platforms.a.build.GOFLAGS: should be 'GO386', 'GOAMD64'"),
        ("build: {^GOEXPERIMENT: A b}", "platforms.a.build.GOEXPERIMENT: should be plain text in quotes"),
        ("build: {^GOEXPERIMENT: A+b}", "platforms.a.build.GOEXPERIMENT: should be names of experiments"),
        ("pin: [0, 1, ^0]", "platforms.a.pin[2]: pin names a CPU twice (found 0)"),
        ("pin: [^-1]", "platforms.a.pin[0]: should be greater than or equal to 0"),
        ("^test_timeout: -1", "platforms.a.test_timeout: should be greater than or equal to 0"),
        ("^benchmark_timeout: 99999", "platforms.a.benchmark_timeout: should be less than or equal to"),
        (
            'parameters: {^GOMAXPROCS: "0"}',
            "platforms.a.parameters.GOMAXPROCS: GOMAXPROCS should be a number",
        ),
        ("suites: [^x]", "platforms.a.suites[0]: no suite x; there is none under suites:"),
    ],
)
def test_mistakes_of_a_platform(tmp_path: Path, said: str, expected: str) -> None:
    pointed(tmp_path, f"{LINUX}, {said}}}\n", expected)


def test_every_mistake_is_said_at_once_from_top_to_bottom(tmp_path: Path) -> None:
    body = (
        "actions:\n  a/b: {sha: 123, version: latest}\n"
        "platforms:\n  a:\n    goos: linux\n    goarch: amd64\n    pin: [1, 1]\n"
        '    environment: {LD_PRELOAD: "x"}\n'
        "    build: {GOAMD64: v9}\n  b: {goos: linux}\n"
    )
    places = [line.split(": ")[:2] for line in refused(tmp_path, body)]
    assert places == [
        ["2:9", "actions.a/b.sha"],
        ["2:19", "actions.a/b.version"],
        ["7:14", "platforms.a.pin[1]"],
        ["8:19", "platforms.a.environment.LD_PRELOAD"],
        ["9:13", "platforms.a.build.GOAMD64"],
        ["10:3", "platforms.b.goarch"],
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("platforms: ^&a {}\nx: *a\n", "anchors and aliases are not allowed here"),
        (
            "platforms:\n  a: {goos: linux, goarch: amd64}\n  ^a: {goos: linux, goarch: arm64}\n",
            "platforms.a: dup",
        ),
        (f"{LINUX}}}\n^matrix: 1\n", "matrix: unknown key"),
        (f"{LINUX}}}\n^axis: {{}}\n", "axis: unknown key; did you mean axes?"),
        (
            f"{LINUX}}}\nactions:\n  ^nobody: {{sha: x, version: v1}}\n",
            "actions.nobody: should be an action such",
        ),
        (f"{LINUX}}}\nsuites:\n  s: {{^benchmarks: {{}}}}\n", "suites.s.benchmarks: "),
        (
            f"{LINUX}}}\nsuites:\n  s: {{benchmarks: {{net: [^TestX]}}}}\n",
            "suites.s.benchmarks.net[0]: should be a",
        ),
        (
            f"{LINUX}}}\nsuites:\n  s: {{benchmarks: {{^../x: [BenchmarkX]}}}}\n",
            "suites.s.benchmarks.../x: should",
        ),
        (
            f"{LINUX}, suites: [net, ^nett]}}\nsuites:\n  net: {{benchmarks: {{net: [BenchmarkX]}}}}\n",
            "platforms.a.suites[1]: no suite nett; did you mean net?",
        ),
        (
            f"{LINUX}, suites: [net, ^net]}}\nsuites:\n  net: {{benchmarks: {{net: [BenchmarkX]}}}}\n",
            "platforms.a.suites[1]: names suite net twice",
        ),
        (
            "platforms:\n  a: {goos: linux, goarch: amd64}\n  ^b: {goos: linux, goarch: amd64}\n",
            "platforms.b: platforms a and b are both linux/amd64, and differ in nothing that they run under",
        ),
        (
            "platforms:\n  a: {goos: linux, goarch: amd64, pin: [0, 1], runner: [self-hosted, big]}\n"
            "  ^b: {goos: linux, goarch: amd64, pin: [1, 0], runner: [big, self-hosted]}\n",
            "platforms.b: platforms a and b are both linux/amd64, and differ in nothing that they run under",
        ),
        ("platforms:\n  ^con: {goos: linux, goarch: amd64}\n", "platforms.con: cell con cannot be called so"),
        ("platforms:\n  ^nul.x: {goos: linux, goarch: amd64}\n", "platforms.nul.x: cell nul.x cannot be"),
        ("platforms:\n  ^a.: {goos: linux, goarch: amd64}\n", "platforms.a.: cell a. cannot be called so"),
    ],
)
def test_mistakes_of_the_file(tmp_path: Path, body: str, expected: str) -> None:
    pointed(tmp_path, body, expected)


@pytest.mark.parametrize(
    "more",
    [
        "runner: macos-26",
        "pin: [0]",
        'parameters: {GOGC: "50"}',
        "build: {GOARM64: v9.0}",
        "environment: {GO_TEST_SHORT: x}",
        "test_timeout: 9",
        "suites: [s]",
    ],
)
def test_platforms_that_differ_in_something_are_two_cells(tmp_path: Path, more: str) -> None:
    found = read(
        tmp_path,
        "suites:\n  s: {benchmarks: {net: [BenchmarkX]}}\nplatforms:\n"
        f"  a: {{goos: darwin, goarch: arm64}}\n  b: {{goos: darwin, goarch: arm64, {more}}}\n",
    )
    assert list(found.file.platforms) == ["a", "b"]


def test_what_may_be_said(tmp_path: Path) -> None:
    entry = read(
        tmp_path,
        "platforms:\n"
        "  a: {goos: linux, goarch: arm64, runner: [self-hosted, linux, ARM64, bench],\n"
        '      environment: {GO_BUILDER_NAME: "x (a b)", GO_TEST_TIMEOUT_SCALE: "2", GOTRACEBACK: crash},\n'
        '      build: {GOARM64: "v8.1,lse,crypto", GOEXPERIMENT: "noswissmap,arenas"}, test_timeout: 900}\n'
        '  b: {goos: openbsd, goarch: amd64, runner: ubuntu-24.04, vm: {os: openbsd, version: "7.9"}}\n',
    ).file.platforms
    assert entry["a"].runner == ["self-hosted", "linux", "ARM64", "bench"]
    assert entry["b"].runner == ["ubuntu-24.04"]


HARMFUL = [
    *("PATH", "HOME", "SHELL", "ENV", "BASH_ENV", "IFS", "TMPDIR", "CC", "CGO_CFLAGS", "LC_ALL", "TZ"),
    *(
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "DYLD_INSERT_LIBRARIES",
        "GLIBC_TUNABLES",
        "GCONV_PATH",
        "MALLOC_CONF",
    ),
    *("GIT_DIR", "GIT_CONFIG_COUNT", "PYTHONPATH", "PYTHONSTARTUP", "PERL5OPT", "RUBYOPT", "NODE_OPTIONS"),
    *("GITHUB_TOKEN", "GITHUB_ENV", "GITHUB_PATH", "RUNNER_TEMP", "ACTIONS_RUNTIME_TOKEN", "INPUT_X", "CI"),
    *("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "PIP_INDEX_URL", "XDG_CONFIG_HOME"),
    *("GOROOT", "GOFLAGS", "GOPATH", "GOCACHE", "GOCACHEPROG", "GOENV", "GOPROXY", "GOTOOLCHAIN", "GOTMPDIR"),
    *("GOOS", "GOARCH", "CGO_ENABLED", "GO111MODULE", "GO_GCFLAGS", "GO_LDFLAGS", "GO_EXTLINK_ENABLED"),
    *("GO_WANT_HELPER_PROCESS", "GO_EXEC_TEST_PID", "GOCOVERDIR", "GOPATCH_CACHE", "COMSPEC", "PATHEXT"),
    *get_args(Parameter),
    *get_args(BuildName),
]


@pytest.mark.parametrize("name", HARMFUL)
def test_environment_does_not_reach_what_steers_a_process(name: str) -> None:
    assert variables.refused(name)


@pytest.mark.parametrize(
    "name", ["GO_BUILDER_NAME", "GO_TEST_TIMEOUT_SCALE", "GOTRACEBACK", "GORACE", "MY_FLAG", "DEBUG"]
)
def test_environment_takes_what_tests_are_told(name: str) -> None:
    assert variables.refused(name) == ""


def test_what_the_pipeline_sets_for_go_is_refused(tmp_path: Path) -> None:
    from pipeline.golang import Go
    from pipeline.values import Platform

    go = Go(root=tmp_path, cache=tmp_path, work=tmp_path)
    for name in go.env(Platform(goos="linux", goarch="amd64")):
        assert variables.refused(name), name


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("GO386", "sse2 softfloat", "387"),
        ("GOAMD64", "v1 v4", "v0 v5 3"),
        ("GOARM", "5 7 7,softfloat 6,hardfloat", "8 7,soft v7"),
        ("GOARM64", "v8.0 v8.9 v9.5 v8.1,lse v9.0,crypto v8.0,lse,crypto", "v8 v8.10 v9.6 v8.0,sve"),
        ("GOMIPS", "hardfloat softfloat", "hard"),
        ("GOMIPS64", "hardfloat softfloat", "hard"),
        ("GOPPC64", "power8 power10", "power7"),
        ("GORISCV64", "rva20u64 rva23u64", "rva21u64"),
        ("GOWASM", "satconv satconv,signext", "simd satconv,"),
        ("GOEXPERIMENT", "none rangefunc nocoverageredesign,greenteagc", "A a,,b"),
    ],
)
def test_the_values_of_build_settings(name: str, good: str, bad: str) -> None:
    assert not [value for value in good.split() if variables.misbuilt(name, value)]
    assert not [value for value in bad.split() if not variables.misbuilt(name, value)]


def test_every_build_setting_is_known() -> None:
    assert set(variables.BUILD) == set(get_args(BuildName))
    assert variables.foreign("GOEXPERIMENT", "s390x") == ""
    assert variables.foreign("GOMIPS", "mipsle") == ""
    assert variables.foreign("GOAMD64", "s390x") == "GOAMD64 is a setting of amd64, not of s390x"
