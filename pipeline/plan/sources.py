"""``sources:`` of matrix.yml: where Go, and changes to it, are fetched from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, model_validator

from pipeline.errors import UsageError
from pipeline.plan.conditions import STRICT
from pipeline.source import base as source_room
from pipeline.source import settings as source_settings
from pipeline.source.settings import ReleaseSource, Settings
from pipeline.web import address


def _address(key: str, value: str) -> None:
    # Not as the field's own validator: its message would quote the value, and a password in it.
    try:
        address.check_address(value)
    except ValueError as error:
        raise ValueError(f"{key} {error}") from error


class ArchiveEntry(BaseModel):
    """Where official archives come from: their index, and the mirrors in the order they are asked."""

    model_config = STRICT
    index: str = source_settings.INDEX
    """The list of releases and of the sha256 of their archives: a URL or a path."""
    mirrors: Annotated[list[str], Field(min_length=1, max_length=16)] = list(source_settings.MIRRORS)
    """Where the archives are: URLs or paths, asked one after the other."""

    @model_validator(mode="after")
    def _addresses(self) -> ArchiveEntry:
        _address("index", self.index)
        for mirror in self.mirrors:
            _address("each of mirrors", mirror)
        return self


class GitEntry(BaseModel):
    """Where commits come from."""

    model_config = STRICT
    url: str = source_settings.GIT
    """Go's repository: a URL or a path."""

    @model_validator(mode="after")
    def _addresses(self) -> GitEntry:
        _address("url", self.url)
        return self


def _is_word(value: str) -> bool:
    return value == source_settings.MACHINE or bool(source_room.release(value))


def _bootstrap(value: str) -> str:
    if _is_word(value):
        if value != source_settings.MACHINE:
            _check_release(value)
        return value
    try:
        if address.is_local(address.check_address(value)):
            return value
    except ValueError:
        pass
    raise ValueError(
        "should be a release such as 1.26.6, machine, or a path that starts with /, ./, ../ or ~/"
    )


def _check_release(value: str) -> None:
    try:
        source_room.choose(value)
    except UsageError as error:
        raise ValueError(error.what) from error


class ReviewEntry(BaseModel):
    """Where changes under review are read from."""

    model_config = STRICT
    url: str
    """The plain https:// address of the server."""

    @model_validator(mode="after")
    def _addresses(self) -> ReviewEntry:
        _address("url", self.url)
        if address.is_local(self.url) or "?" in self.url or "#" in self.url:
            raise ValueError("url should be the plain https:// address of a server")
        return self


class SourcesEntry(BaseModel):
    """Where Go and changes to it are fetched from. Paths are relative to the folder of ``matrix.yml``."""

    model_config = STRICT
    order: Annotated[list[ReleaseSource], Field(min_length=1)] = list(source_settings.ORDER)
    """Which source is asked for a release: the first that has it and can be reached."""
    archive: ArchiveEntry = ArchiveEntry()
    """The Go team's archives."""
    git: GitEntry = GitEntry()
    """Go's repository, for tip, branches, tags and commits."""
    bootstrap: Annotated[list[Annotated[str, AfterValidator(_bootstrap)]], Field(max_length=16)] = []
    """What builds a tree without tools: releases, paths, and `machine` for the Go of this machine."""
    gerrit: ReviewEntry = ReviewEntry(url=source_settings.GERRIT)
    """Where --gerrit reads changes from."""
    github: ReviewEntry = ReviewEntry(url=source_settings.GITHUB)
    """The API that --github asks."""

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
