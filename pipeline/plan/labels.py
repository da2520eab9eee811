"""The labels of GitHub's runners: which machine each is, which are going, and what comes after them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.config import suggest
from pipeline.values import Platform

# The day on which GitHub's list of runner images and its announcements were last read.
AS_OF = dt.date(2026, 11, 24)
# How long before its end a label is warned of, and how old this table may be before it says so.
SOON_DAYS = 180
SELF_HOSTED = "self-hosted"


@dataclass(frozen=True, kw_only=True)
class Label:
    """``runs`` is the platform whose programs it runs natively; ``ends`` the day that GitHub announced as its
    end, None where none is; ``successor`` the label to change to; ``caution`` why not to measure there."""

    runs: Platform
    ends: dt.date | None = None
    successor: str = ""
    caution: str = ""


def _of(goos: str, goarch: str) -> Platform:
    return Platform(goos=goos, goarch=goarch)


_LINUX, _LINUX_ARM = _of("linux", "amd64"), _of("linux", "arm64")
_WINDOWS, _WINDOWS_ARM = _of("windows", "amd64"), _of("windows", "arm64")
_MAC, _MAC_INTEL = _of("darwin", "arm64"), _of("darwin", "amd64")

_MOVES = "moves to another system by itself, and the numbers with it"
LABELS: Mapping[str, Label] = {
    "ubuntu-26.04": Label(runs=_LINUX),
    "ubuntu-26.04-arm": Label(runs=_LINUX_ARM),
    "ubuntu-24.04": Label(runs=_LINUX),
    "ubuntu-24.04-arm": Label(runs=_LINUX_ARM),
    "ubuntu-22.04": Label(runs=_LINUX, ends=dt.date(2027, 4, 17), successor="ubuntu-24.04"),
    "ubuntu-22.04-arm": Label(runs=_LINUX_ARM, ends=dt.date(2027, 4, 17), successor="ubuntu-24.04-arm"),
    "ubuntu-20.04": Label(runs=_LINUX, ends=dt.date(2025, 4, 15), successor="ubuntu-24.04"),
    "ubuntu-slim": Label(
        runs=_LINUX,
        successor="ubuntu-24.04",
        caution="is one CPU of a shared machine: its numbers say little",
    ),
    "ubuntu-latest": Label(runs=_LINUX, successor="ubuntu-24.04", caution=_MOVES),
    "windows-2025": Label(runs=_WINDOWS),
    "windows-2022": Label(runs=_WINDOWS),
    "windows-2019": Label(runs=_WINDOWS, ends=dt.date(2025, 6, 30), successor="windows-2025"),
    "windows-11-arm": Label(runs=_WINDOWS_ARM),
    "windows-latest": Label(runs=_WINDOWS, successor="windows-2025", caution=_MOVES),
    "macos-26": Label(runs=_MAC),
    "macos-26-intel": Label(runs=_MAC_INTEL),
    "macos-15": Label(runs=_MAC),
    # Of this one GitHub announced the month.
    "macos-15-intel": Label(runs=_MAC_INTEL, ends=dt.date(2027, 8, 31), successor="macos-26-intel"),
    "macos-14": Label(runs=_MAC, ends=dt.date(2026, 11, 2), successor="macos-15"),
    "macos-13": Label(runs=_MAC_INTEL, ends=dt.date(2025, 12, 4), successor="macos-15-intel"),
    "macos-latest": Label(runs=_MAC, successor="macos-15", caution=_MOVES),
}
# What a 64-bit system runs by its own processor besides.
_ALSO = {"linux/amd64": "linux/386", "windows/amd64": "windows/386"}


def warnings(runner: Sequence[str], today: dt.date) -> list[tuple[int, str]]:
    """What is to be said of a runner's labels, each with its place among them. Of a self-hosted runner only
    its owner knows."""
    if _is_self_hosted(runner):
        return []
    said = ((index, _said(label, today)) for index, label in enumerate(runner))
    return [(index, text) for index, text in said if text]


def _said(label: str, today: dt.date) -> str:
    known = LABELS.get(label.lower())
    if known is None:
        pinned = [name for name, one in LABELS.items() if not one.caution and not one.ends]
        return (
            f"{label} is no label of GitHub's standard runners as of {AS_OF}; {suggest(label, pinned)} "
            f"(a runner of your own has {SELF_HOSTED} among its labels)"
        )
    then = f"; use {known.successor}" if known.successor else ""
    if known.caution:
        return f"{label} {known.caution}{then}"
    if known.ends and known.ends <= today:
        return f"{label} is gone: GitHub announced its end for {known.ends}{then}"
    if known.ends and (known.ends - today).days <= SOON_DAYS:
        return f"{label} is deprecated: GitHub announced its end for {known.ends}{then}"
    return ""


def stale(today: dt.date) -> str:
    """A warning that the table itself is old; '' while it is not."""
    if (today - AS_OF).days <= SOON_DAYS:
        return ""
    return f"what this version knows of runner labels is of {AS_OF}: some may have come and gone since"


def unfit(label: str, runner: Sequence[str], platform: Platform, *, in_vm: bool) -> str:
    """Why a runner cannot run programs for ``platform`` by its own processor, itself or ``in_vm``; '' where
    it can or nobody knows."""
    known = LABELS.get(label.lower())
    if known is None or _is_self_hosted(runner):
        return ""
    if in_vm:
        fits = known.runs.goos == "linux" and known.runs.goarch == platform.goarch
        why = "a virtual machine is started on Linux, and one of another architecture would be emulated"
    else:
        fits = str(platform) in (str(known.runs), _ALSO.get(str(known.runs)))
        why = "the cell could not run there"
    return "" if fits else f"{label} is {known.runs} and the platform {platform}: {why}"


def _is_self_hosted(runner: Sequence[str]) -> bool:
    return SELF_HOSTED in [label.lower() for label in runner]
