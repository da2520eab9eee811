"""A token from the environment: checked, and never shown."""

from __future__ import annotations

import os
import re

from pipeline.errors import UsageError


def from_environment(*names: str) -> str:
    """What the first of these variables that is set holds; '' when none is. UsageError for what no token is,
    which would be taken for more headers."""
    for name in names:
        token = os.environ.get(name, "").strip()
        if token and not re.fullmatch(r"[\x21-\x7e]{1,500}", token):
            raise UsageError(f"{name} holds what no token can", hint=f"set it again, or unset {name}")
        if token:
            return token
    return ""
