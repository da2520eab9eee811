"""What every record has."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Side = Literal["base", "patched"]


class Record(BaseModel):
    """What every record has: a ``kind`` that names its model."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)
    kind: str
