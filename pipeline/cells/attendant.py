"""Talking to ``suites/attendant.go``, whose source says what is said."""

from __future__ import annotations

import json
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline import proc
from pipeline.errors import HostError, InterruptedRunError, PipelineError

Kind = Literal["o", "e"]
_KINDS = {ord(kind): kind for kind in get_args(Kind)}
_END = ord(".")
_HEAD = struct.Struct(">BI")
_MAX_FRAME = 1 << 24
_TICK = 0.5


class Line(Protocol):
    """A line to an attendant."""

    def send(self, data: bytes) -> None:
        """Send all of it; OSError when the line is gone."""

    def receive(self, seconds: float) -> bytes:
        """At least a byte of what it answers, b'' at the end; TimeoutError when none came in ``seconds``."""

    def last_words(self) -> str:
        """What the attendant, or who runs it, said when it ended; '' for nothing."""


class Answer(BaseModel):
    """The end of an answer: see the source."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    error: str
    missing: bool
    status: int
    seconds: float
    cpu: float
    rss: int
    timed_out: bool
    free: int


@dataclass(kw_only=True)
class Attendant:
    """One attendant, which answers one request at a time. ``name`` is of what it runs in.

    Once a request did not come to its end there is no other: each fails as that one did.
    """

    line: Line
    name: str
    _buffer: bytearray = field(default_factory=bytearray)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _failure: PipelineError | None = None

    def ask(
        self,
        request: Mapping[str, Any],
        *,
        seconds: float,
        each: Callable[[Kind, bytes], None] = lambda _kind, _data: None,
    ) -> Answer:
        """Put a request and wait for its end; ``each`` gets output as it comes. HostError when the line
        breaks or the end takes more than ``seconds``, InterruptedRunError when the run is being stopped."""
        with self._lock:
            if self._failure is not None:
                raise self._failure
            try:
                return self._ask(request, time.monotonic() + seconds, each)
            except PipelineError as error:
                self._failure = error
                raise
            except BaseException:
                self._failure = InterruptedRunError("interrupted")
                raise

    def _ask(
        self, request: Mapping[str, Any], deadline: float, each: Callable[[Kind, bytes], None]
    ) -> Answer:
        data = json.dumps(request).encode()
        try:
            self.line.send(len(data).to_bytes(4, "big") + data)
        except OSError as error:
            raise self._gone() from error
        while True:
            kind, size = _HEAD.unpack(self._take(_HEAD.size, deadline))
            if size > _MAX_FRAME or (kind != _END and kind not in _KINDS):
                raise HostError(f"{self.name} answers with what is no answer")
            data = self._take(size, deadline)
            if kind == _END:
                return self._parsed(data)
            each(_KINDS[kind], data)

    def _take(self, size: int, deadline: float) -> bytes:
        while len(self._buffer) < size:
            if proc.interrupted():
                raise InterruptedRunError("interrupted")
            left = deadline - time.monotonic()
            if left <= 0:
                raise HostError(
                    f"{self.name} no longer answers",
                    meaning="the Docker host is out of reach, or has no time left for it",
                )
            try:
                found = self.line.receive(min(left, _TICK))
            except TimeoutError:
                continue
            except OSError as error:
                raise self._gone() from error
            if not found:
                raise self._gone()
            self._buffer += found
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _gone(self) -> HostError:
        said = self.line.last_words()
        return HostError(
            f"{self.name} is gone{': ' + said if said else ''}",
            meaning="its engine was stopped, somebody removed it, or the way there broke; nothing of this "
            "cell is believed",
            hint="see to the Docker host and run the cell again",
        )

    def _parsed(self, data: bytes) -> Answer:
        try:
            return Answer.model_validate_json(data)
        except ValidationError as error:
            raise HostError(f"{self.name} answers with what is no answer") from error
