"""The frozen values that stages hand to each other. Data flows one way; nothing here does anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pipeline.records import InputForm, Side

SIDES: tuple[Side, Side] = ("base", "patched")
Recipe = Literal["staged", "overlay"]
Layout = Literal["fixed", "random"]
Severity = Literal["error", "advice"]
CommitRules = Severity
Scope = Literal["none", "host", "cells", "all"]
TestScope = Literal["listed", "packages"]
VariantName = Literal["race", "staticlockranking"]


@dataclass(frozen=True, kw_only=True)
class Platform:
    """A GOOS/GOARCH pair."""

    goos: str
    goarch: str

    def __str__(self) -> str:
        return f"{self.goos}/{self.goarch}"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where a fleet runs a cell: ``labels`` of the runner, and the system that a virtual machine on it boots
    (``vm`` and its ``version``; '' for the runner itself)."""

    labels: tuple[str, ...]
    vm: str = ""
    version: str = ""

    def as_json(self) -> dict[str, object]:
        """The machine as JSON values."""
        return {"labels": list(self.labels), "vm": self.vm, "version": self.version}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One row of the matrix: a platform under one set of conditions, and whether this host runs it natively.

    ``parameters`` are the runtime's environment variables that its benchmarks run under (GOMAXPROCS,
    GOGC …), ``environment`` further ones that its tests and benchmarks see, ``build`` those that its code is
    compiled with (GOAMD64, GOEXPERIMENT), and ``pin`` the CPUs that they are held to; empty for what the host
    does by itself. The time limits are seconds, 0 for the profile's. ``benchmarks``, by import path, are
    those of suites, measured besides the series' own. ``machine`` is None for a cell that no fleet runs.
    ``trace`` is the template of Instruments by which benchmarks are traced afterwards, '' for none.
    """

    id: str
    platform: Platform
    native: bool
    parameters: Mapping[str, str] = field(default_factory=dict)
    pin: tuple[int, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    build: Mapping[str, str] = field(default_factory=dict)
    benchmark_timeout: int = 0
    test_timeout: int = 0
    benchmarks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    machine: Machine | None = None
    trace: str = ""

    @property
    def variables(self) -> dict[str, str]:
        """All that its tests and benchmarks see besides Go's own environment."""
        return {**self.build, **self.environment, **self.parameters}


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """When a change counts. Fractions: ``effect`` .03 is 3 %; ``margin`` is the equivalence margin."""

    effect: float
    margin: float


@dataclass(frozen=True, kw_only=True)
class Depth:
    """On which platforms the compile gate asks for each signal: ``types`` checks, ``build``, and ``tests``
    with vet: ``none``, the ``host``, the matrix's ``cells``, or ``all`` that the release supports."""

    types: Scope = "all"
    build: Scope = "cells"
    tests: Scope = "none"


@dataclass(frozen=True, kw_only=True)
class Profile:
    """How much to measure. Times are seconds except ``benchtime``, which is Go's flag value. ``rounds`` are
    measured before anything is decided; what is open then gets more for ``max_seconds``, and ``max_rounds``
    at most; ``noise_rounds`` go to the noise floor.
    ``layout`` random links both sides anew for every round, with one seed; ``cooldown`` is waited after
    each pair; ``budget`` is for benchmarks that the series does not name. ``commit_rules`` is what breaking
    Go's rules for commit messages counts as, ``compile`` what the compile gate checks where. ``tests`` are
    those that the series lists or whole packages, ``variants`` other builds of these that are tested as
    well."""

    name: str
    rounds: int
    max_rounds: int
    max_seconds: int
    noise_rounds: int
    benchtime: str
    layout: Layout
    cooldown: int
    budget: int
    benchmark_timeout: int
    test_timeout: int
    toolchain: Recipe
    commit_rules: CommitRules = "advice"
    compile: Depth = field(default_factory=Depth)
    tests: TestScope = "listed"
    variants: tuple[VariantName, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that the lint has against a patch: ``line``, from 1, of the patch file. An ``error`` refuses
    the patch, advice does not."""

    severity: Severity
    rule: str
    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.severity}: {self.rule}: {self.message}"


@dataclass(frozen=True, kw_only=True)
class Patch:
    """One patch file of a series, read once. ``files`` are the paths it touches, below GOROOT;
    ``message`` is its commit message without the subject; ``findings`` is what the lint has to say of it."""

    name: str
    subject: str
    message: str
    sha256: str
    content: bytes
    files: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Series:
    """A patch series. ``tests`` and ``benchmarks`` map a package's import path to function names;
    ``thresholds`` are those of single units, by the unit's name (sec/op, B/op …). ``base`` is the range of
    releases that it is for, '' for any; of a series with variants, ``ranges`` are those of all of them, and
    ``variant`` is the range of the one in use."""

    name: str
    subject: str
    issue: str
    base: str
    root: Path
    patches: tuple[Patch, ...]
    packages: tuple[str, ...]
    tests: Mapping[str, tuple[str, ...]]
    benchmarks: Mapping[str, tuple[str, ...]]
    thresholds: Mapping[str, Threshold]
    digest: str
    variant: str = ""
    ranges: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a series is from. ``origin`` is a path or URL, ``revision`` the commit where there is one;
    ``raw`` are the bytes as they came, with their ``sha256`` (both empty for a series folder). ``notes`` are
    sentences that the user should read; ``options`` bring the same series again."""

    form: InputForm
    origin: str
    options: tuple[str, ...]
    revision: str = ""
    sha256: str = ""
    raw: bytes = field(default=b"", repr=False)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class GoTree:
    """A Go tree with a digest over its files. ``manifest`` maps a path to ``sha256`` or
    ``sha256 x`` for a file with the run bit. ``built`` is that its tools are there."""

    root: Path
    version: str
    digest: str
    manifest: Mapping[str, str]
    origin: str = ""
    proof: str = ""
    built: bool = True


@dataclass(frozen=True, kw_only=True)
class Toolchain:
    """A GOROOT that can be run. ``digest`` is over the files of bin and pkg/tool. ``own_tools`` is
    that the series may change what the compiler puts out, so that only these tools may compile it."""

    root: Path
    version: str
    digest: str
    recipe: str
    proof: str
    own_tools: bool
    reused: bool


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A way to build and run tests. ``trimmed`` is with -trimpath; ``identity`` is what of the host goes into
    the bits."""

    name: str = ""
    flags: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    identity: str = ""
    trimmed: bool = True


@dataclass(frozen=True, kw_only=True)
class Kit:
    """What a test binary is linked from, so that it can be linked again where nothing can be compiled.
    ``archives`` maps import paths to files, each called by its sha256 below ``folder``; ``main`` is the
    program's own. ``flags`` and ``environment`` are the linker's, ``settings`` the build information that the
    go command gives it (None for none), and ``program`` its file name."""

    folder: Path
    program: str
    archives: Mapping[str, str]
    main: str
    flags: tuple[str, ...]
    environment: Mapping[str, str]
    settings: str | None


@dataclass(frozen=True, kw_only=True)
class TestBinary:
    """A compiled test binary. ``cwd`` is the package's folder in the tree it was built from;
    ``layout_seed`` what its functions were laid out by, 0 for the linker's own order. ``sha256`` is '' for
    one that lives for a round; ``variant`` names the build, '' for the plain one. ``compiled`` is the sha256
    of what the go command made, before it was linked again with a stamp ('' where it was not)."""

    package: str
    side: Side
    path: Path
    sha256: str
    goroot: Path
    layout_seed: int = 0
    variant: str = ""
    compiled: str = ""

    @property
    def cwd(self) -> Path:
        """The folder in which ``go test`` would run it."""
        return self.goroot / "src" / self.package


# Both sides' programs, by package.
Binaries = Mapping[Side, Mapping[str, TestBinary]]
