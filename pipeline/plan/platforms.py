"""``platforms:`` of matrix.yml: what is built for, and which machine of a fleet runs it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, Field, WithJsonSchema, model_validator

from pipeline.config import Mistake, MistakesError, suggest
from pipeline.plan import labels, variables
from pipeline.plan.conditions import STRICT, Conditions
from pipeline.values import Platform
from pipeline.words import Identifier, Matching, OneOrMore

Word = Annotated[str, Matching(r"[a-z0-9]{1,20}", "a GOOS or GOARCH, such as linux or amd64")]
_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.:+-]{0,99}"
_LABEL = {"type": "string", "pattern": f"^{_PATTERN}$"}
Label = Annotated[str, Matching(_PATTERN, "a runner's label, such as ubuntu-24.04")]
Runner = Annotated[
    list[Label],
    OneOrMore,
    Field(max_length=8),
    WithJsonSchema(
        {"anyOf": [_LABEL, {"type": "array", "items": _LABEL, "minItems": 1, "maxItems": 8}]},
    ),
]


class VmEntry(BaseModel):
    """A virtual machine on the runner, for the systems that no runner has."""

    model_config = STRICT
    os: Literal["freebsd", "openbsd", "netbsd", "dragonfly"]
    """The system that it boots: the platform's GOOS."""
    version: Annotated[str, Matching(r"\d{1,3}(\.\d{1,3}){0,2}", 'a release in quotes, such as "14.5"')]
    """The system's release, in quotes."""


class PlatformEntry(Conditions):
    """A platform, the machine that a fleet runs it on, and what its tests and benchmarks run under."""

    goos: Word
    """GOOS, as `go tool dist list` has it."""
    goarch: Word
    """GOARCH, as `go tool dist list` has it."""
    runner: Runner = Field(default=[])
    """The label of a GitHub runner, or the labels of a self-hosted one. Without, no fleet runs it."""
    vm: VmEntry | None = None
    """A virtual machine on the runner."""
    suites: list[Identifier] = Field(default=[])
    """Suites that are measured here besides what the series names."""

    @property
    def platform(self) -> Platform:
        """The pair."""
        return Platform(goos=self.goos, goarch=self.goarch)

    @model_validator(mode="after")
    def _runnable(self) -> PlatformEntry:
        if found := [*self._builds(), *self._machines()]:
            raise MistakesError(*found)
        return self

    def _builds(self) -> Iterator[Mistake]:
        for name in self.build:
            if why := variables.foreign(name, self.goarch):
                yield Mistake(("build", name), why)

    def _machines(self) -> Iterator[Mistake]:
        if "runner" in self.model_fields_set and not self.runner:
            yield Mistake(("runner",), "should name a label; leave it out where no fleet runs the platform")
        for index, label in enumerate(self.runner):
            if label.lower() in [one.lower() for one in self.runner[:index]]:
                yield Mistake(("runner", index), f"{label} is named twice")
        if self.vm and not self.runner:
            yield Mistake(("vm",), "needs a runner: the machine that it runs on")
        if self.vm and self.vm.os != self.goos:
            yield Mistake(("vm", "os"), f"{self.vm.os} does not run programs for {self.goos}")
        for index, label in enumerate(self.runner):
            if why := labels.unfit(label, self.runner, self.platform, in_vm=self.vm is not None):
                yield Mistake(("runner", index), why)


def unknown_suites(named: list[str], known: list[str]) -> Iterator[Mistake]:
    """Those of ``named`` that no suite is called, below the list that names them."""
    for index, name in enumerate(named):
        if name not in known:
            hint = suggest(name, known) or "there is none under suites:"
            yield Mistake((index,), f"no suite {name}; {hint}")
        elif name in named[:index]:
            yield Mistake((index,), f"names suite {name} twice")
