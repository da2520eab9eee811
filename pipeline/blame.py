"""Whose fault it is that a go command failed: the code's that it was given, or this machine's."""

from __future__ import annotations

import errno
import os
import re
import signal
from dataclasses import replace
from pathlib import Path

from pipeline import proc
from pipeline.errors import HostError

# What a compiler, an assembler or vet says of a place: file, line, column, message.
FINDING = re.compile(r"^(?:vet: )?(?:\./)?([\w./+~@-]+\.\w+):(\d+)(?::(\d+))?: (.*)$", re.MULTILINE)
# A part of the keys of what is kept: a new number when other failures than before are the patch's.
CHARGED = 3
# What a tool says about a place in a source, and the indented lines below it, may quote the patch.
_ABOUT_SOURCE = re.compile(r"\s|(?:vet: )?\S+\.\w+:\d+")
# What blames a symbol, a package or go.mod without a line of a file, or says what a release cannot do.
_ABOUT_CODE = re.compile(
    r"relocation target \S+ not defined|definition of symbol|invalid reference to|nosplit stack over"
    r"|is not in std|import cycle not allowed|use of internal package|build constraints exclude all"
    r"|no (?:non-test )?Go files in|found packages .* in |source files not allowed when not using cgo"
    r"|main is undeclared|errors parsing \S*go\.mod|inconsistent vendoring"
    r"|requires external \(cgo\) linking|\bnot supported on\b|\brequires cgo\b"
)
# These end a tool whatever it had found before.
_STOPPED = re.compile(
    r"\bsignal: (?:killed|terminated|interrupt|hangup)\b"
    r"|^fatal error: (?:runtime: )?(?:out of memory|cannot allocate|failed to reserve|newosproc)"
)
# By these the go command says that it could not do its own work.
_CANNOT_WORK = re.compile(
    r"^go: (?:creating work dir|mkdir|error obtaining buildID|no such tool)\b"
    r"|^failed to initialize build cache|^build cache is (?:required|disabled)"
    r"|\bfork/exec .+: |: (?:permission denied|operation not permitted|exec format error)$"
    r"|(?:\$WORK|\bgo-build\d+)[/\\].*: no such file or directory$"
)
# How a system call that fails ends a line, in whichever tool: Go has the system's words in lower case.
_SYSTEM_SAYS = re.compile(
    rf": (?:{'|'.join(sorted({re.escape(os.strerror(one)) for one in errno.errorcode}))}"
    r"|the system cannot .*|access is denied\.|the process cannot access .*)$",
    re.IGNORECASE,
)


def host_fault(result: proc.Result) -> str:
    """How the machine made a go command fail, or '' when it passed or what it was given is at fault."""
    if result.ok:
        return ""
    if result.timed_out:
        return f"it did not end in {result.seconds:.0f} s"
    if result.returncode < 0:
        return f"it was ended by {_signal_name(-result.returncode)}"
    text = result.stdout or result.tail
    own = [line for line in text.splitlines() if not _ABOUT_SOURCE.match(line)]
    ended = next((line.strip() for line in own if _STOPPED.search(line)), "")
    # The whole output: the line may be far above the end of it, which is all that a result looks at.
    if cause := ended or replace(result, tail="\n".join(own)).host_cause():
        return cause
    if _is_about_code(text):
        return ""
    said = (line for line in own if _CANNOT_WORK.search(line) or _SYSTEM_SAYS.search(line.rstrip()))
    return next(said, "").strip()


def unclear(result: proc.Result) -> bool:
    """Whether a go command failed without a word about code. ``host_fault`` knows the usual words about a
    machine; for others, only a comparison can tell whose fault it is."""
    return not result.ok and not _is_about_code(result.stdout or result.tail)


def _is_about_code(text: str) -> bool:
    return bool(FINDING.search(text) or _ABOUT_CODE.search(text))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def stopped(what: str, cause: str, log: Path | None) -> HostError:
    """The error for ``what`` that failed by ``cause``, which ``host_fault`` gave."""
    return HostError(
        f"{what} was stopped by this machine: {cause}",
        meaning="that says nothing about the patch, and nothing of it is kept",
        hint=f"see to memory, disk space, TMPDIR and {os.devnull}, and run it again; the log is {log}",
    )
