"""What a test binary says with ``-test.v=test2json``: which tests ran, how each ended, what it printed,
and whose fault it is that the process died.

All of it is hostile text. What a test prints through ``testing`` cannot be an event: there the mark is
escaped. What it writes to its standard output by itself can; a failure that was seen is never undone by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Outcome = Literal["pass", "fail", "skip"]

# The framing mark keeps a test's own output from being taken for an event. As in test2json, it begins a
# line even where a test printed no newline before it, and testing puts an escape before one that is quoted.
_BEGIN = re.compile(r"(?<!\x1b)\x16")
_EVENT = re.compile(
    r"=== (RUN|CONT|NAME|PAUSE)\s+(\S{0,300})"
    r"|\s*--- (PASS|FAIL|SKIP): (\S{1,300}) \((\d{1,9}(?:\.\d{1,9})?)s\)"
)
_DEATHS = ("panic: ", "fatal error: ", "unexpected fault address ", "SIGSEGV: ", "SIGQUIT: ", "SIGABRT: ")
_TIMED_OUT = "panic: test timed out after "
_RUNNING = re.compile(r"\t\t(\S{1,300}) \((?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9}(?:\.\d{1,9})?)s)?\)")
_FRAME = re.compile(r"(?:created by )?\S*?\.((?:Test|Fuzz|Example)\w*)(?:[.(]|\sin goroutine|$)")
# Since Go 1.26 testing puts these around an error's text; where a test prints one of the signs itself through
# testing, an escape stands before it.
_ERROR_TEXT = re.compile(r"(?<!\x1b)[\x0e\x0f]")
_QUOTED = re.compile(r"\x1b(?=[\x0e\x0f\x16])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_OUTCOMES: dict[str, Outcome] = {"PASS": "pass", "FAIL": "fail", "SKIP": "skip"}
MAX_OUTPUT = 8192
MAX_TESTS = 50_000


@dataclass(frozen=True, kw_only=True)
class TestOutcome:
    """How one test or subtest ended. ``output`` is what it printed, cut to its last ``MAX_OUTPUT``."""

    outcome: Outcome
    seconds: float
    output: str


@dataclass(frozen=True, kw_only=True)
class Events:
    """One process: outcomes by test name, subtests under ``Test/sub``. Where the process died within tests,
    ``blamed`` is the one that is charged with it (in ``outcomes`` as well), ``cause`` the line it died with
    and ``hung`` how many seconds the test had run when the time was up. Tests that were only interrupted are
    in none of them."""

    outcomes: Mapping[str, TestOutcome]
    blamed: str = ""
    cause: str = ""
    hung: float | None = None


def visible(text: str) -> str:
    """Text with its control characters written out: it may go to a terminal."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", _QUOTED.sub("", _ERROR_TEXT.sub("", text)))


def top(name: str) -> str:
    """The test that a subtest belongs to."""
    return name.split("/", 1)[0]


class _Tail:
    """The last ``MAX_OUTPUT`` characters of what is added."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._size = 0

    def add(self, line: str) -> None:
        if line:
            self._lines.append(line[-MAX_OUTPUT:])
            self._size += len(self._lines[-1]) + 1
            if self._size > 8 * MAX_OUTPUT:
                self._lines = ["\n".join(self._lines)[-MAX_OUTPUT:]]
                self._size = MAX_OUTPUT + 1

    def text(self) -> str:
        return visible("\n".join(self._lines))[-MAX_OUTPUT:]


@dataclass
class _Death:
    """What was printed since the last event: a dump, if the process died of it."""

    said: _Tail = field(default_factory=_Tail)
    cause: str = ""
    timed_out: bool = False
    running: dict[str, float] = field(default_factory=dict)
    frames: list[str] = field(default_factory=list)
    blocks: int = 0

    def read(self, line: str) -> None:
        self.said.add(line)
        if not self.cause:
            if line.startswith(_DEATHS):
                self.cause, self.timed_out = line[:200].strip(), line.startswith(_TIMED_OUT)
        elif self.timed_out and (found := _RUNNING.fullmatch(line)):
            hours, minutes, seconds = (float(part or 0) for part in found.groups()[1:])
            self.running.setdefault(found[1], 3600 * hours + 60 * minutes + seconds)
        elif line.startswith("goroutine "):
            self.blocks += 1
        # The first goroutine of the dump is the one that died; a time-out's is the alarm.
        elif self.blocks == 1 and not self.timed_out and (found := _FRAME.match(line)):
            self.frames.append(found[1])


class _Reader:
    def __init__(self) -> None:
        self.tails: dict[str, _Tail] = {}
        self.open: dict[str, bool] = {}  # running tests in the order they began; True: paused
        self.ended: dict[str, TestOutcome] = {}
        self.current = ""
        self.last = ""
        self.sinks: list[_Tail] = []
        self.death = _Death()

    def event(self, found: re.Match[str]) -> None:
        verb, name, word, ended, seconds = found.groups()
        self.death = _Death()
        if word:
            self._end(ended, _OUTCOMES[word], float(seconds))
        elif verb == "PAUSE":
            if name in self.open:
                self.open[name] = True
            return
        else:
            self.current = name
            if verb == "RUN" and len(self.tails) < MAX_TESTS:
                self.tails[name] = _Tail()
                self.open[name] = False
            elif verb == "CONT" and name in self.open:
                self.open[name] = False
        # What a subtest prints is its test's as well.
        names = dict.fromkeys((self.current, top(self.current)))
        self.sinks = [self.tails[name] for name in names if name in self.tails]

    def _end(self, name: str, outcome: Outcome, seconds: float) -> None:
        if name not in self.open and name not in self.ended:
            return  # it never began: no event of testing's
        self.open.pop(name, None)
        before = self.ended.get(name)
        if before is None or before.outcome != "fail":
            self.ended[name] = TestOutcome(outcome=outcome, seconds=seconds, output="")
        if outcome == "pass" and "/" in name:
            self.tails.pop(name, None)
        # testing prints a failed test's messages after its outcome line
        self.current = self.last = name

    def line(self, text: str) -> None:
        self.death.read(text)
        for tail in self.sinks:
            tail.add(text)

    def fail(self, name: str, seconds: float) -> None:
        self.open.pop(name, None)
        before = self.ended.get(name)
        self.ended[name] = (
            replace(before, outcome="fail")
            if before
            else TestOutcome(outcome="fail", seconds=seconds, output="")
        )

    def blame(self) -> str:
        """The test that the process died of; '' when it did not die within a test."""
        tests = [name for name in self.open if "/" not in name]
        active = [name for name in tests if not self.open[name]] or tests
        if not active:
            failed = any(one.outcome == "fail" for one in self.ended.values())
            return "" if failed else top(self.last)
        running = {name: time for name, time in self.death.running.items() if name in active}
        if running:
            return max(running, key=lambda name: running[name])
        for name in self.death.frames:
            if name in active:
                return name
        recovered = self.last and self.ended[self.last].outcome == "fail" and "[recovered" in self.death.cause
        if recovered:
            return top(self.last)
        return top(self.current) if top(self.current) in active else active[-1]


def parse(text: str, *, crashed: bool, why: str = "") -> Events:
    """Read one process's output. ``crashed`` is that it did not exit 0, ``why`` how it ended, in words.

    A process that ends while a test runs has failed whatever its exit status is. One test is charged with
    it: by the list that a time-out prints the one that ran longest, by the stack of the goroutine that died
    the one in it, else the last that said something. Where all had ended well, the last is charged: a process
    that dies on its way out has not passed.
    """
    reader = _Reader()
    for marked, line in _lines(text):
        found = _EVENT.fullmatch(line) if marked else None
        if found:
            reader.event(found)
        else:
            reader.line(line)
    blamed = reader.blame() if crashed or reader.open else ""
    hung = reader.death.running.get(blamed) if reader.death.timed_out else None
    if blamed:
        stuck = reader.death.running if blamed in reader.death.running else reader.open
        for name in [n for n in stuck if n in reader.open and top(n) == blamed]:
            reader.fail(name, reader.death.running.get(name, 0.0))
        reader.fail(blamed, hung or 0.0)
    return Events(
        outcomes={name: _with_output(reader, name, blamed, why) for name in reader.ended},
        blamed=blamed,
        cause=visible(reader.death.cause or why) if blamed else "",
        hung=hung,
    )


def _with_output(reader: _Reader, name: str, blamed: str, why: str) -> TestOutcome:
    one = reader.ended[name]
    if one.outcome == "pass" and "/" in name:
        return one
    text = reader.tails[name].text() if name in reader.tails else ""
    if name == blamed:
        # The dump comes while any test, or none, is the current one.
        dump = reader.death.said.text() if top(reader.current) != blamed else ""
        ended = f"the process ended: {why}" if why and not reader.death.cause else ""
        text = "\n".join(part for part in (text, dump, ended) if part)[-MAX_OUTPUT:]
    return replace(one, output=text)


def _lines(text: str) -> Iterator[tuple[bool, str]]:
    """Lines with whether a mark begins them, one at a time: a hostile test may print a hundred million."""
    at = 0
    marked = False
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        mark = _BEGIN.search(text, at, end)
        if mark is None:
            yield marked, text[at:end].removesuffix("\r")
            marked, at = False, end + 1
        else:
            if marked or mark.start() > at:
                yield marked, text[at : mark.start()]
            marked, at = True, mark.end()
