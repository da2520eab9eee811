"""A map: one series on many bases, and how far each came."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.records.base import Record
from pipeline.records.gates import Signal


class MapStarted(Record):
    """The first record of a map: the ``bases`` that the series is tried on, in order. ``compile`` is the
    dearest signal of the compile gate that is asked for, on every platform; ``notes`` are on the series."""

    kind: Literal["map"] = "map"
    series: str
    subject: str
    origin: str
    bases: list[str]
    compile: Literal["none", "types", "build"]
    allowed: list[str]
    host: str
    command: str
    environment: dict[str, str]
    notes: list[str] = Field(default=[])


class BaseTried(Record):
    """A base of a map is done: what the ledger says since the one before is about it. ``patches`` are the
    files of the series' ``variant`` (its range; '' where there is but one), and ``within`` is that the series
    is for this release by its own word, its ``range``. ``asked`` are the signals of the compile gate that
    were to be had here. ``ended`` is where trying it ended, and ``blame`` who ended it, the patch or the
    host, for which ``reason``; all are '' where it went well."""

    kind: Literal["base-tried"] = "base-tried"
    base: str
    version: str
    within: bool
    range: str
    variant: str
    patches: list[str]
    asked: list[Signal]
    ended: Literal["fetch", "apply", "compile", ""]
    blame: Literal["patch", "host", ""]
    reason: str
    notes: list[str]
    seconds: float
