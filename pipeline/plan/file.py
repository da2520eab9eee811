"""What ``matrix.yml`` may hold: what runs where, how much of it, and what counts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, model_validator

from pipeline import config
from pipeline.plan.axes import AxisEntry, Pick
from pipeline.plan.conditions import STRICT
from pipeline.plan.platforms import PlatformEntry
from pipeline.plan.sources import SourcesEntry
from pipeline.stats import sequential
from pipeline.values import CommitRules, Scope
from pipeline.words import BenchmarkName, Identifier, Matching, Package, Seconds

Benchtime = Annotated[str, Matching(r"[1-9][0-9]{0,5}(ms|s|x)", "Go's -benchtime, such as 100ms, 1s or 50x")]
Rounds = Annotated[int, Field(ge=sequential.FIRST, le=sequential.LAST)]
ProfileName = Literal["quick", "standard", "rigorous"]
ActionName = Annotated[
    str,
    Matching(
        r"[A-Za-z0-9][A-Za-z0-9-]{0,38}(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}){1,4}",
        "an action such as actions/checkout",
    ),
]


class DepthEntry(BaseModel):
    """On which platforms the compile gate asks for each of its signals."""

    model_config = STRICT
    types: Scope = "all"
    """Type checks."""
    build: Scope = "cells"
    """The build."""
    tests: Scope = "none"
    """Vet and the test binaries."""


class ProfileEntry(BaseModel):
    """How much one profile measures. The fewest rounds are those of the first look, the most those of the
    last: see pipeline.stats.sequential."""

    model_config = STRICT
    rounds: Rounds
    """Pairs of baseline and patched before anything is judged."""
    max_rounds: Rounds
    """Pairs at most, for what is not decided by then."""
    max_seconds: Seconds
    """Seconds at most for what is not decided by then."""
    noise_rounds: Annotated[int, Field(ge=0, le=48)]
    """Pairs of the baseline with itself, until a host knows a benchmark's noise floor."""
    benchtime: Benchtime
    """Go's -benchtime."""
    layout: Literal["fixed", "random"]
    """Whether every round gets test binaries that are linked in an order of their own."""
    cooldown: Annotated[int, Field(ge=0, le=600)] = 0
    """Seconds to wait after each pair."""
    budget: Seconds
    """Seconds for benchmarks that the series does not name."""
    benchmark_timeout: Seconds
    """Seconds for one process of a benchmark."""
    test_timeout: Seconds
    """Seconds for one process of tests."""
    toolchain: Literal["staged", "overlay"]
    """Whether every tool is built from the patched tree, or the release's own are put on it."""
    commit_rules: CommitRules = "advice"
    """What it counts as when a message breaks Go's rules for commit messages."""
    compile: DepthEntry = DepthEntry()
    """Where every prefix of the series is checked."""
    tests: Literal["listed", "packages"] = "listed"
    """Whether the series' own tests are run, or whole packages."""
    variants: list[Literal["race", "staticlockranking"]] = []
    """Other builds of whole packages that are tested as well."""
    suites: list[Identifier] = []
    """Suites that are measured on every cell besides what the series names."""

    @model_validator(mode="after")
    def _ordered(self) -> ProfileEntry:
        if self.max_rounds < self.rounds:
            text = "max_rounds should not be below rounds"
            raise config.MistakesError(config.Mistake(("max_rounds",), text))
        return self


class ProfileThresholds(config.ThresholdEntry):
    """When a change counts, per profile."""

    units: dict[config.UnitName, config.ThresholdEntry] = Field(default={})
    """Units that differ (sec/op, B/op …)."""


class SuiteEntry(BaseModel):
    """Benchmarks that are measured together, whatever the series."""

    model_config = STRICT
    benchmarks: Annotated[
        dict[Package, Annotated[list[BenchmarkName], Field(min_length=1, max_length=200)]],
        Field(min_length=1, max_length=100),
    ]
    """Benchmark functions by their package's import path."""


class ActionEntry(BaseModel):
    """The one commit of an action that workflows may run."""

    model_config = STRICT
    sha: Annotated[str, Matching(r"[0-9a-f]{40}", "a commit's 40 digits, in quotes if they are all decimal")]
    """The commit."""
    version: Annotated[str, Matching(r"v?[0-9]{1,5}(\.[0-9]{1,5}){0,3}", "a version such as v7.0.1")]
    """The version that the commit was released as."""


class MatrixFile(BaseModel):
    """What runs where, how much of it, and what counts: `matrix.yml` of gopatch."""

    model_config = STRICT
    version: Literal[1]
    """The version of this file's format."""
    base: str
    """The Go release to patch, unless --base names another."""
    series: str
    """The series to validate, unless --series names another."""
    platforms: Annotated[dict[Identifier, PlatformEntry], Field(min_length=1, max_length=256)]
    """Platforms by name. Each is a cell of the matrix, called as it is."""
    axes: Annotated[dict[Identifier, AxisEntry], Field(max_length=16)] = {}
    """Conditions that platforms are run under besides as they are, by the axis's name."""
    exclude: Annotated[list[Pick], Field(max_length=256)] = []
    """Combinations to leave out: a glob of platforms, and a value or glob for each of some axes; `plain` is
    an axis left alone."""
    include: Annotated[list[Pick], Field(max_length=256)] = []
    """Combinations to add, also where an axis is not for a platform: a glob of platforms, and a value for
    each of some axes."""
    suites: dict[Identifier, SuiteEntry] = {}
    """Benchmarks by the name of their suite. Profiles and platforms say which of them are theirs."""
    profiles: dict[ProfileName, ProfileEntry]
    """How much is measured."""
    thresholds: dict[ProfileName, ProfileThresholds]
    """When a change counts."""
    actions: Annotated[dict[ActionName, ActionEntry], Field(max_length=100)] = {}
    """The actions that the workflows may use, each pinned to a commit."""
    sources: SourcesEntry = SourcesEntry()
    """Where Go and changes to it are fetched from."""
