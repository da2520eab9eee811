"""What a combination runs under, each value with where it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pipeline.config import Document, Path_
from pipeline.plan.combine import Combination
from pipeline.plan.conditions import Conditions
from pipeline.plan.file import MatrixFile

Kind = Literal["platform", "axis", "profile", "thresholds", "suite", "default", "option", "host"]
_WORDS: Mapping[Kind, str] = {"default": "built-in default", "host": "this host"}
_GROUPS = ("parameters", "environment", "build")
_SINGLE = ("pin", "benchmark_timeout", "test_timeout")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Who said a value: ``name`` is the platform's, axis value's, profile's, suite's or option's; ``path`` is
    its place in matrix.yml, where it has one."""

    kind: Kind
    name: str = ""
    path: Path_ | None = None

    def text(self, document: Document) -> str:
        """``matrix.yml:12:3 (axis gc: off)``; without a place, who says it."""
        if self.path is None:
            return f"{_WORDS.get(self.kind, self.kind)} {self.name}".strip()
        who = " ".join(word for word in (self.kind, self.name) if word)
        return f"{document.where(self.path)} ({who})"


@dataclass(frozen=True, kw_only=True)
class Value:
    """A value by its name, which says where in matrix.yml it belongs: ``parameters.GOGC``."""

    name: str
    value: object
    origin: Origin


def said(entry: Conditions, path: Path_) -> Iterator[tuple[str, object, Path_]]:
    """The conditions that an entry sets: their names, values and places."""
    for group in _GROUPS:
        for name, value in getattr(entry, group).items():
            yield f"{group}.{name}", value, (*path, group, name)
    for name in _SINGLE:
        if name in entry.model_fields_set:
            yield name, getattr(entry, name), (*path, name)


def chosen_entries(file: MatrixFile, one: Combination) -> Iterator[tuple[str, Conditions, Path_]]:
    """The values of axes that make a combination: what to call each, the entry and its place."""
    for axis, value in one.values:
        path: Path_ = ("axes", axis, "values", value)
        yield f"{axis}: {value}", file.axes[axis].values[value], path


def settle(file: MatrixFile, one: Combination) -> Mapping[str, Value]:
    """Every value of a combination by its name: what its platform says, and then its axes."""
    at: Path_ = ("platforms", one.platform)
    platform = file.platforms[one.platform]
    found: dict[str, Value] = {}

    def put(name: str, value: object, origin: Origin) -> None:
        found[name] = Value(name=name, value=value, origin=origin)

    def own(path: Path_) -> Origin:
        return Origin(kind="platform", name=one.platform, path=path)

    for name in ("goos", "goarch", "runner"):
        if value := getattr(platform, name):
            put(name, value, own((*at, name)))
    if platform.vm:
        put("vm.os", platform.vm.os, own((*at, "vm", "os")))
        put("vm.version", platform.vm.version, own((*at, "vm", "version")))
    for name, value, path in said(platform, at):
        put(name, value, own(path))
    for called, entry, where in chosen_entries(file, one):
        for name, value, path in said(entry, where):
            put(name, value, Origin(kind="axis", name=called, path=path))
    return found
