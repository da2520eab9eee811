"""The program that says what it sees of its environment, and how its words are read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from pipeline.errors import HostError

SOURCE = Path(__file__).with_name("environment.go")


class Seen(BaseModel):
    """What the program printed: see its source."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    version: str
    goos: str
    goarch: str
    cpus: int
    gomaxprocs: int
    gc_percent: int
    memory_limit: int
    variables: Annotated[dict[str, str], Field(max_length=1000)]
    build: dict[str, str]


def read(text: str) -> Seen:
    """The program's output; HostError when it is something else."""
    try:
        return Seen.model_validate_json(text)
    except ValueError as error:
        raise HostError(f"environment.go printed something else: {text[:200]!r}") from error
