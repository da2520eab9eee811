"""The small values of configuration files: what a name, a path or a number of seconds may look like, for the
reader of a file and for the JSON Schema that editors have of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema, core_schema


@dataclass(frozen=True)
class Matching:
    """For ``Annotated[str, Matching(pattern, what)]``: text that ``pattern`` matches as a whole. ``what``
    goes on after "should be". ``schema`` is the pattern for JavaScript where that would read it otherwise."""

    pattern: str
    what: str
    schema: str = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def check(value: str) -> str:
            if not re.fullmatch(self.pattern, value):
                raise ValueError(f"should be {self.what}")
            return value

        return core_schema.no_info_after_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "pattern": f"^(?:{self.schema or self.pattern})$"}


def _percent(value: object) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)%", value) if isinstance(value, str) else None
    if not found or not 0 < float(found.group(1)) <= 100:
        raise ValueError("should be a percentage such as 3%")
    return float(found.group(1)) / 100


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Identifier = Annotated[
    str, Matching(r"[a-z0-9][a-z0-9._-]{0,63}", "lower-case letters, digits, '.', '_' or '-'")
]
Glob = Annotated[str, Matching(r"[a-z0-9*?\[\]!._-]{1,64}", "a name, or a glob of names such as linux-*")]
Percent = Annotated[
    float, BeforeValidator(_percent), WithJsonSchema({"type": "string", "pattern": r"^\d+(?:\.\d+)?%$"})
]
Seconds = Annotated[int, Field(ge=1, le=86400)]
Package = Annotated[
    str, Matching(r"[a-z][a-z0-9_]*(/[a-z0-9][a-z0-9_.]*)*", "an import path of the standard library")
]
# JavaScript's \w is ASCII alone, and Go's names are not.
LETTER = r"[^\x00-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f]"
TestName = Annotated[
    str,
    Matching(
        r"(Test|Example|Fuzz)\w{1,120}",
        "a test function's name",
        rf"(Test|Example|Fuzz){LETTER}{{1,120}}",
    ),
]
BenchmarkName = Annotated[
    str,
    Matching(r"Benchmark\w{1,120}", "a benchmark function's name", rf"Benchmark{LETTER}{{1,120}}"),
]
# A word alone may stand for a list of one.
OneOrMore = BeforeValidator(_as_list)
