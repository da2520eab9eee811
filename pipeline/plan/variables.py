"""Environment variables that matrix.yml may set: what code is built with, what tests and benchmarks see."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from pipeline.config import suggest

Parameter = Literal["GOMAXPROCS", "GOGC", "GOMEMLIMIT", "GODEBUG"]
BuildName = Literal[
    "GO386",
    "GOAMD64",
    "GOARM",
    "GOARM64",
    "GOMIPS",
    "GOMIPS64",
    "GOPPC64",
    "GORISCV64",
    "GOWASM",
    "GOEXPERIMENT",
]


@dataclass(frozen=True)
class Build:
    """A setting of the compiler: the architectures that it is of (none: any), what its values look like, and
    how to say that."""

    architectures: tuple[str, ...]
    values: str
    said: str


def _closed(architectures: str, *values: str) -> Build:
    said = f"{', '.join(values[:-1])} or {values[-1]}"
    return Build(tuple(architectures.split()), "|".join(map(re.escape, values)), said)


# As internal/buildcfg of Go 1.27 reads them; older releases know fewer. It takes any GOAMD64 and GOARM, and
# builds for the default instead, since what reads GOARM64 overwrites their error: nobody would ever know.
BUILD: Mapping[str, Build] = {
    "GO386": _closed("386", "sse2", "softfloat"),
    "GOAMD64": _closed("amd64", "v1", "v2", "v3", "v4"),
    "GOARM": Build(
        ("arm",), r"[567](,(soft|hard)float)?", "5, 6 or 7, perhaps with ,softfloat or ,hardfloat"
    ),
    "GOARM64": Build(
        ("arm64",),
        r"(v8\.[0-9]|v9\.[0-5])(,lse)?(,crypto)?",
        "v8.0 to v8.9 or v9.0 to v9.5, perhaps with ,lse and ,crypto",
    ),
    "GOMIPS": _closed("mips mipsle", "hardfloat", "softfloat"),
    "GOMIPS64": _closed("mips64 mips64le", "hardfloat", "softfloat"),
    "GOPPC64": _closed("ppc64 ppc64le", "power8", "power9", "power10"),
    "GORISCV64": _closed("riscv64", "rva20u64", "rva22u64", "rva23u64"),
    "GOWASM": Build(("wasm",), r"(satconv|signext)(,(satconv|signext))?", "satconv, signext or both"),
    "GOEXPERIMENT": Build((), r"[a-z0-9]+(,[a-z0-9]+)*", "names of experiments, with commas"),
}

# What Go's own tests are told by those who run them. Any other name that begins with GO means something to
# the go command, or makes a test binary play a helper's part.
_GO_TESTS = (
    "GO_BUILDER_FLAKY_NET",
    "GO_BUILDER_NAME",
    "GO_TEST_SHARDS",
    "GO_TEST_SHORT",
    "GO_TEST_TIMEOUT_SCALE",
    "GORACE",
    "GOTRACEBACK",
)
# Where programs, libraries and settings are looked for, and what a process is told to load or to ask.
_STEERING = re.compile(
    r"(LD|DYLD|GIT|PYTHON|PERL|RUBY|NODE|NPM|JAVA|BASH|CGO|GCC|SSH|SSL|PIP|PKG|XDG|MALLOC|ASAN|MSAN|TSAN|LC"
    r"|GITHUB|RUNNER|ACTIONS|INPUT|GOPATCH)_\w*"
    r"|PYTHON\w*|PERL\w*|RUBY\w*|BASH\w*|DYLD\w*|\w*_PROXY|\w*_PRELOAD"
    r"|PATH|HOME|SHELL|ENV|IFS|CDPATH|PS4|PROMPT_COMMAND|TMP|TEMP|TMPDIR|LANG|LANGUAGE|TZ|TERM|USER|LOGNAME"
    r"|CC|CXX|FC|AR|GCCGO|CI|CONTAINER_HOST|DOCKER_\w+|KUBECONFIG|NLSPATH|LOCPATH|GCONV_PATH|GLIBC_TUNABLES"
    r"|SYSTEMROOT|SYSTEMDRIVE|WINDIR|COMSPEC|PATHEXT|USERPROFILE|APPDATA|LOCALAPPDATA|PROGRAMDATA"
    r"|PROGRAMFILES|PSMODULEPATH|HOSTALIASES|LOCALDOMAIN|RES_OPTIONS|RESOLV_\w+|OPENSSL_\w+"
)


def refused(name: str) -> str:
    """Why ``environment`` may not set ``name``; '' where it may."""
    if name in get_args(Parameter):
        return "belongs under parameters"
    if name in BUILD:
        return "belongs under build"
    if name.startswith("GO") and name not in _GO_TESTS:
        return f"is no name that Go's tests are told something by; {suggest(name, _GO_TESTS)}"
    if _STEERING.fullmatch(name):
        return "is not for matrix.yml to set: it steers which programs, files or servers a process uses"
    return ""


def misbuilt(name: str, value: str) -> str:
    """What is wrong with a ``build`` setting's value; '' where nothing is."""
    known = BUILD[name]
    return "" if re.fullmatch(known.values, value) else f"should be {known.said} (found {value!r})"


def foreign(name: str, goarch: str) -> str:
    """Why a ``build`` setting says nothing about an architecture; '' where it does."""
    known = BUILD[name]
    if not known.architectures or goarch in known.architectures:
        return ""
    own = [other for other, one in BUILD.items() if goarch in one.architectures]
    mine = f"; of {goarch} it is {own[0]}" if own else ""
    return f"{name} is a setting of {' and '.join(known.architectures)}, not of {goarch}{mine}"
