"""What a server's API answers, as checked values."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from pipeline.errors import HostError
from pipeline.web.answers import Wanted

T = TypeVar("T")


class Answer(BaseModel):
    """A part of a server's answer; what is not asked for may be there."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


def parse(raw: bytes, kind: type[T], wanted: Wanted, hint: str) -> T:
    """A JSON answer as ``kind``: an Answer, or a list of them. HostError, with ``hint``, for what is none."""
    try:
        return TypeAdapter(kind).validate_json(raw)
    except (ValidationError, RecursionError) as error:
        where = ""
        if isinstance(error, ValidationError):
            where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise HostError(
            f"{wanted.place} does not answer as its API should" + (f": {where[:80]}" if where else ""),
            meaning="something else answers there, or its API changed",
            hint=hint,
        ) from error
