"""``axes:`` of matrix.yml: what a platform is run under besides as it is."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, model_validator

from pipeline.config import Mistake, MistakesError
from pipeline.plan.conditions import STRICT, Conditions
from pipeline.words import Glob, Identifier

# What `exclude` and `include` call the platforms, and an axis that is left alone.
PLATFORM = "platform"
PLAIN = "plain"


class AxisValue(Conditions):
    """What one value of an axis adds to a platform's conditions, or has instead of them."""

    @model_validator(mode="after")
    def _adds(self) -> AxisValue:
        if not self.model_fields_set:
            raise ValueError("adds nothing: each platform has a cell as it is already")
        return self


class AxisEntry(BaseModel):
    """A choice between conditions. Each platform that it is for has a cell without it and one with each of
    its values; with several axes, one with each combination."""

    model_config = STRICT
    platforms: Annotated[list[Glob], Field(max_length=64)] = ["*"]
    """The platforms that it is for, by name or glob: all, unless said. None, `[]`, is for an axis that only
    `include` uses."""
    values: Annotated[dict[Identifier, AxisValue], Field(min_length=1, max_length=64)]
    """What each value adds, by its name: a cell is named after its platform and its values."""

    @model_validator(mode="after")
    def _unreserved(self) -> AxisEntry:
        if PLAIN in self.values:
            text = f"{PLAIN} is what an axis that is left alone is called; choose another name"
            raise MistakesError(Mistake(("values", PLAIN), text))
        return self


# One combination or several: globs of platforms under PLATFORM, and values by their axes' names.
Pick = Annotated[
    dict[Identifier, Glob], Field(json_schema_extra={"required": [PLATFORM], "minProperties": 2})
]
