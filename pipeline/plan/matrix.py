"""The model of ``matrix.yml``: platforms, profiles, thresholds, and where Go is fetched from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from pipeline import config
from pipeline.source import base as source_room
from pipeline.source import settings as source_settings
from pipeline.source.settings import ReleaseSource, Settings
from pipeline.stats import sequential
from pipeline.values import CommitRules, Scope
from pipeline.web import address


def _benchtime(value: str) -> str:
    if not re.fullmatch(r"[1-9]\d{0,5}(ms|s|x)", value):
        raise ValueError("should be Go's -benchtime, such as 100ms, 1s or 50x")
    return value


def _identifier(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", value):
        raise ValueError("should be lower-case letters, digits, '.', '_' or '-'")
    return value


def _word(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9]{1,20}", value):
        raise ValueError("should be a GOOS or GOARCH, such as linux or amd64")
    return value


def _setting(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.,=_+-]{0,199}", value):
        raise ValueError('should be plain text in quotes, such as "2" or "off"')
    return value


Word = Annotated[str, AfterValidator(_word)]
Setting = Annotated[str, AfterValidator(_setting)]
Identifier = Annotated[str, AfterValidator(_identifier)]
Rounds = Annotated[int, Field(ge=sequential.FIRST, le=sequential.LAST)]
Seconds = Annotated[int, Field(ge=1, le=86400)]
_STRICT = ConfigDict(frozen=True, extra="forbid", strict=True)
ProfileName = Literal["quick", "standard", "rigorous"]


class PlatformEntry(BaseModel):
    """One cell's platform, and what its benchmarks run under."""

    model_config = _STRICT
    goos: Word
    goarch: Word
    parameters: dict[Literal["GOMAXPROCS", "GOGC", "GOMEMLIMIT", "GODEBUG"], Setting] = Field(default={})
    pin: Annotated[list[Annotated[int, Field(ge=0, le=4095)]], Field(max_length=1024)] = Field(default=[])

    @model_validator(mode="after")
    def _once(self) -> PlatformEntry:
        if len(set(self.pin)) < len(self.pin):
            raise ValueError("pin names a CPU twice")
        if not re.fullmatch(r"[1-9]\d{0,3}", self.parameters.get("GOMAXPROCS", "1")):
            raise ValueError('GOMAXPROCS should be a number such as "2"')
        return self


class DepthEntry(BaseModel):
    """On which platforms the compile gate asks for each of its signals."""

    model_config = _STRICT
    types: Scope = "all"
    build: Scope = "cells"
    tests: Scope = "none"


class ProfileEntry(BaseModel):
    """How much one profile measures. The fewest rounds are those of the first look, the most those of the
    last: see pipeline.stats.sequential."""

    model_config = _STRICT
    rounds: Rounds
    max_rounds: Rounds
    max_seconds: Seconds
    noise_rounds: Annotated[int, Field(ge=0, le=48)]
    benchtime: Annotated[str, AfterValidator(_benchtime)]
    layout: Literal["fixed", "random"]
    cooldown: Annotated[int, Field(ge=0, le=600)] = 0
    budget: Seconds
    benchmark_timeout: Seconds
    test_timeout: Seconds
    toolchain: Literal["staged", "overlay"]
    commit_rules: CommitRules = "advice"
    compile: DepthEntry = DepthEntry()
    tests: Literal["listed", "packages"] = "listed"
    variants: list[Literal["race", "staticlockranking"]] = []

    @model_validator(mode="after")
    def _ordered(self) -> ProfileEntry:
        if self.max_rounds < self.rounds:
            raise ValueError("max_rounds should not be below rounds")
        return self


class ThresholdEntry(config.ThresholdEntry):
    """When a change counts, per profile; ``units`` for those that differ (sec/op, B/op …)."""

    units: dict[config.UnitName, config.ThresholdEntry] = Field(default={})


def _address(key: str, value: str) -> None:
    # Not as the field's own validator: its message would quote the value, and a password in it.
    try:
        address.check_address(value)
    except ValueError as error:
        raise ValueError(f"{key} {error}") from error


class ArchiveEntry(BaseModel):
    """Where official archives come from: their index, and the mirrors in the order they are asked."""

    model_config = _STRICT
    index: str = source_settings.INDEX
    mirrors: Annotated[list[str], Field(min_length=1, max_length=16)] = list(source_settings.MIRRORS)

    @model_validator(mode="after")
    def _addresses(self) -> ArchiveEntry:
        _address("index", self.index)
        for mirror in self.mirrors:
            _address("each of mirrors", mirror)
        return self


class GitEntry(BaseModel):
    """Where commits come from."""

    model_config = _STRICT
    url: str = source_settings.GIT

    @model_validator(mode="after")
    def _addresses(self) -> GitEntry:
        _address("url", self.url)
        return self


def _is_word(value: str) -> bool:
    return value == source_settings.MACHINE or bool(source_room.release(value))


def _bootstrap(value: str) -> str:
    if _is_word(value):
        return value
    try:
        if address.is_local(address.check_address(value)):
            return value
    except ValueError:
        pass
    raise ValueError(
        "should be a release such as 1.26.6, machine, or a path that starts with /, ./, ../ or ~/"
    )


class ReviewEntry(BaseModel):
    """Where changes under review are read from."""

    model_config = _STRICT
    url: str

    @model_validator(mode="after")
    def _addresses(self) -> ReviewEntry:
        _address("url", self.url)
        if address.is_local(self.url) or "?" in self.url or "#" in self.url:
            raise ValueError("url should be the plain https:// address of a server")
        return self


class SourcesEntry(BaseModel):
    """Where Go and changes to it are fetched from. Paths are relative to the folder of ``matrix.yml``."""

    model_config = _STRICT
    order: Annotated[list[ReleaseSource], Field(min_length=1)] = list(source_settings.ORDER)
    archive: ArchiveEntry = ArchiveEntry()
    git: GitEntry = GitEntry()
    bootstrap: Annotated[list[Annotated[str, AfterValidator(_bootstrap)]], Field(max_length=16)] = []
    gerrit: ReviewEntry = ReviewEntry(url=source_settings.GERRIT)
    github: ReviewEntry = ReviewEntry(url=source_settings.GITHUB)

    @model_validator(mode="after")
    def _once(self) -> SourcesEntry:
        if len(set(self.order)) < len(self.order):
            raise ValueError("order names a source twice")
        return self

    def settings(self, root: Path, base: str) -> Settings:
        """What the sources work with; ``root`` is the folder of ``matrix.yml`` and ``base`` its release, the
        first to be asked to build a tree that has no tools."""
        named = self.bootstrap or [base, source_settings.MACHINE]
        return Settings(
            order=tuple(self.order),
            index=address.resolve(self.archive.index, root),
            mirrors=tuple(address.resolve(mirror, root) for mirror in self.archive.mirrors),
            git=address.resolve(self.git.url, root),
            bootstrap=tuple(one if _is_word(one) else address.resolve(one, root) for one in named),
            gerrit=self.gerrit.url.rstrip("/"),
            github=self.github.url.rstrip("/"),
        )


class MatrixFile(BaseModel):
    """What ``matrix.yml`` may hold."""

    model_config = _STRICT
    version: Literal[1]
    base: str
    series: str
    platforms: Annotated[dict[Identifier, PlatformEntry], Field(min_length=1)]
    profiles: dict[ProfileName, ProfileEntry]
    thresholds: dict[ProfileName, ThresholdEntry]
    sources: SourcesEntry = SourcesEntry()

    @model_validator(mode="after")
    def _complete(self) -> MatrixFile:
        seen: dict[tuple[str, str], str] = {}
        for name, entry in self.platforms.items():
            other = seen.setdefault((entry.goos, entry.goarch), name)
            if other != name:
                raise ValueError(f"platforms {other} and {name} are both {entry.goos}/{entry.goarch}")
        for name in ("quick", "standard", "rigorous"):
            if name not in self.profiles or name not in self.thresholds:
                raise ValueError(f"profiles and thresholds should both have {name}")
        return self


def load(path: Path) -> MatrixFile:
    """Read and check ``matrix.yml``; UsageError lists every mistake at once."""
    return config.check(config.load(path), MatrixFile)
