"""What checks are given and what they give."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pipeline import proc
from pipeline.errors import HostError

Severity = Literal["ok", "warn", "error"]
ASK_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at, and what mends it ('' when nothing is to do). ``error`` stands in the way
    of a run; ``warn`` makes it worse, or will surprise somebody."""

    check: str
    severity: Severity
    found: str
    fix: str = ""


def ask(
    argv: Sequence[str], env: Mapping[str, str] | None = None, seconds: float = ASK_SECONDS
) -> proc.Result | None:
    """Run a program that only tells something; None where it cannot be started."""
    try:
        return proc.run(argv, env=env or proc.base_env(), timeout=seconds, merge=False)
    except HostError:
        return None


@dataclass(frozen=True, kw_only=True)
class Host:
    """The machine as checks see it: its system as Python names it, the user's variables, where a program is,
    and what a program says."""

    system: str = field(default_factory=platform.system)
    variables: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    which: Callable[[str], str | None] = shutil.which
    ask: Callable[..., proc.Result | None] = ask


Check = Callable[[Host], list[Finding]]
