"""git through ``proc``, with everything a user's set-up could change pinned down."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline import proc
from pipeline.errors import HostError

TIMEOUT = 120.0

_PINNED = (
    "-c",
    "core.hooksPath=/dev/null",
    # Attributes are no configuration: without this, `* eol=crlf` of the user's rewrites whole files.
    "-c",
    f"core.attributesFile={os.devnull}",
    "-c",
    "core.autocrlf=false",
    "-c",
    "core.symlinks=false",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.quotePath=true",
    "-c",
    "apply.whitespace=nowarn",
    "-c",
    "protocol.allow=never",
)


def env(ceiling: Path) -> dict[str, str]:
    """An environment in which git sees no configuration and no repository at or above ``ceiling``.

    Without the ceiling, ``git apply`` in a folder below someone's checkout quietly skips every file.
    """
    return proc.base_env(
        {
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CEILING_DIRECTORIES": str(ceiling),
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
        }
    )


def run(
    shell: proc.Shell,
    name: str,
    arguments: Sequence[str],
    *,
    cwd: Path,
    stdin: bytes = b"",
    extra: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
    merge: bool = True,
) -> proc.Result:
    """``git ARGUMENTS`` in ``cwd``, which is treated as standing outside every repository. ``extra`` are
    further variables; they win."""
    return shell.run(
        name,
        ["git", *_PINNED, *arguments],
        env={**env(cwd.parent), **(extra or {})},
        cwd=cwd,
        timeout=timeout,
        stdin=stdin,
        merge=merge,
    )


def quiet(
    arguments: Sequence[str],
    *,
    cwd: Path,
    stdin: bytes = b"",
    extra: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
) -> proc.Result:
    """The same without a log, standard output by itself: for what is asked before a run has a folder."""
    return proc.run(
        ["git", *_PINNED, *arguments],
        env={**env(cwd.parent), **(extra or {})},
        cwd=cwd,
        timeout=timeout,
        stdin=stdin,
        merge=False,
    )


def describe(folder: Path) -> str:
    """``git describe --always --dirty`` of a checkout, or '' where there is none."""
    try:
        result = quiet(["describe", "--always", "--dirty", "--abbrev=12"], cwd=folder, timeout=20)
    except HostError:
        return ""
    return result.stdout.strip() if result.ok else ""
