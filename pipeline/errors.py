"""The one home of exit codes and of the errors that carry them.

Everything inside the pipeline raises; only the entry points in ``pipeline.commands`` catch. A message
says what happened, then (``meaning``) what the user probably meant or what it means, then (``hint``)
what to do.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What a command's exit status means. Documented in README.md; never renumber."""

    PASS = 0
    PATCH_FAILS = 1
    USAGE = 2
    NOTHING_TO_DO = 3
    ENVIRONMENT = 4
    INCONCLUSIVE = 5
    BUG = 70
    INTERRUPTED = 130


class PipelineError(Exception):
    """An expected failure: shown as one message, without a traceback."""

    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(self, what: str, *, meaning: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.meaning = meaning
        self.hint = hint

    def __str__(self) -> str:
        return "\n".join(part for part in (self.what, self.meaning, self.hint) if part)


class PatchError(PipelineError):
    """The patch is at fault: it does not apply, compile or pass, or it is worse."""

    exit_code = ExitCode.PATCH_FAILS


class UsageError(PipelineError):
    """The command line or a configuration file is at fault."""

    exit_code = ExitCode.USAGE


class NothingToDoError(PipelineError):
    """The request selects nothing."""

    exit_code = ExitCode.NOTHING_TO_DO


class HostError(PipelineError):
    """This machine cannot do it: no network, no Go, no space, no permission."""

    exit_code = ExitCode.ENVIRONMENT


class InterruptedRunError(PipelineError):
    """The user (Ctrl-C) or the system (SIGTERM) asked the run to stop."""

    exit_code = ExitCode.INTERRUPTED
