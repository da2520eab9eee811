"""What a cell's tests and benchmarks run under: said of a platform, and added to by the values of axes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from pipeline.config import Mistake, MistakesError
from pipeline.plan import variables
from pipeline.plan.variables import BuildName, Parameter
from pipeline.words import Matching

STRICT = ConfigDict(frozen=True, extra="forbid", strict=True)
Setting = Annotated[
    str, Matching(r"[A-Za-z0-9][A-Za-z0-9.,=_+-]{0,199}", 'plain text in quotes, such as "2" or "off"')
]
Variable = Annotated[
    str, Matching(r"[A-Z][A-Z0-9_]{0,63}", "the name of an environment variable, in capitals")
]
Text = Annotated[str, Matching(r"[ -~]{0,200}", "one line of ASCII text")]
Limit = Annotated[int, Field(ge=0, le=86400)]
Cpu = Annotated[int, Field(ge=0, le=4095)]
_BUILD = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        name: {"type": "string", "pattern": f"^(?:{one.values})$", "description": one.said}
        for name, one in variables.BUILD.items()
    },
}


class Conditions(BaseModel):
    """What tests and benchmarks run under. Whatever is not said is as the host and the profile have it."""

    model_config = STRICT
    parameters: dict[Parameter, Setting] = {}
    """Settings of Go's runtime that benchmarks run under."""
    environment: dict[Variable, Text] = {}
    """Further environment variables that tests and benchmarks see."""
    build: Annotated[dict[BuildName, Setting], WithJsonSchema(_BUILD)] = {}
    """What the code is compiled with: settings of the platform's architecture, and GOEXPERIMENT."""
    pin: Annotated[list[Cpu], Field(max_length=1024)] = []
    """The CPUs that benchmarks are held to, by number; an empty list for any."""
    benchmark_timeout: Limit = 0
    """Seconds for one process of a benchmark; 0 for the profile's."""
    test_timeout: Limit = 0
    """Seconds for one process of tests; 0 for the profile's."""

    @model_validator(mode="after")
    def _meaningful(self) -> Conditions:
        if found := list(self._mistakes()):
            raise MistakesError(*found)
        return self

    def _mistakes(self) -> Iterator[Mistake]:
        for index, cpu in enumerate(self.pin):
            if cpu in self.pin[:index]:
                yield Mistake(("pin", index), f"pin names a CPU twice (found {cpu})")
        if not re.fullmatch(r"[1-9]\d{0,3}", self.parameters.get("GOMAXPROCS", "1")):
            yield Mistake(("parameters", "GOMAXPROCS"), 'GOMAXPROCS should be a number such as "2"')
        for name in self.environment:
            if why := variables.refused(name):
                yield Mistake(("environment", name), f"{name} {why}")
        for build, value in self.build.items():
            if why := variables.misbuilt(build, value):
                yield Mistake(("build", build), why)
