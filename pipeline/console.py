"""Progress and messages: a live view on a terminal, plain lines elsewhere.

Stages report to the ``Progress`` protocol and never print; a command makes the console and hands it
down.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Protocol, TextIO

from rich.console import Console as RichConsole
from rich.live import Live
from rich.text import Text

from pipeline.errors import PipelineError

_REFRESH_PER_SECOND = 4


class Progress(Protocol):
    """What a stage may tell while it works."""

    def stage(self, name: str, estimate: float = 0.0) -> contextlib.AbstractContextManager[None]:
        """A stage runs inside this context. ``estimate`` is seconds, 0 when unknown."""
        ...

    def step(self, text: str, done: int = 0, total: int = 0) -> None:
        """What the stage does now, and how far it is."""
        ...

    def note(self, text: str) -> None:
        """A line that stays."""
        ...


def duration(seconds: float) -> str:
    """``8.3 s``, ``1 m 05 s``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} m {int(seconds) % 60:02d} s"


class Console:
    """Writes progress to ``err``: rich on a terminal, one line an event elsewhere."""

    def __init__(self, err: TextIO | None = None, *, quiet: bool = False) -> None:
        self._err = err if err is not None else sys.stderr
        self._rich = RichConsole(file=self._err, highlight=False, soft_wrap=True)
        self._quiet = quiet
        self._live: Live | None = None
        self._stage = ""
        self._step = ""
        self._fraction = 0.0
        self._estimate = 0.0
        self._quarter = 0
        self._started = time.monotonic()
        self._begun = time.monotonic()

    @property
    def interactive(self) -> bool:
        """Whether a live view is shown."""
        return self._rich.is_terminal and not self._quiet

    @contextlib.contextmanager
    def stage(self, name: str, estimate: float = 0.0) -> Iterator[None]:
        """See ``Progress.stage``. Prints the stage's time when it ends."""
        self._stage, self._step, self._fraction, self._estimate = name, "", 0.0, estimate
        self._started, self._quarter = time.monotonic(), 0
        outcome = "failed"
        try:
            with self._view():
                if not self.interactive:
                    self.note(f"{name} …")
                yield
            outcome = "done"
        finally:
            took = duration(time.monotonic() - self._started)
            detail = f"  {self._step}" if self._step and self.interactive else ""
            self.note(f"{name}: {outcome} in {took}{detail}")

    @contextlib.contextmanager
    def _view(self) -> Iterator[None]:
        if not self.interactive:
            yield
            return
        with Live(
            console=self._rich,
            get_renderable=self._render,
            refresh_per_second=_REFRESH_PER_SECOND,
            transient=True,
        ) as live:
            self._live = live
            try:
                yield
            finally:
                self._live = None

    def _render(self) -> Text:
        spent = time.monotonic() - self._started
        left = ""
        if 0.05 < self._fraction < 1:
            left = f", about {duration(spent / self._fraction - spent)} left"
        elif self._estimate > spent:
            left = f", about {duration(self._estimate - spent)} left"
        whole = duration(time.monotonic() - self._begun)
        return Text(
            f"▸ {self._stage}  {self._step}  [{duration(spent)}{left}; {whole} in all]",
            overflow="ellipsis",
            no_wrap=True,
        )

    def step(self, text: str, done: int = 0, total: int = 0) -> None:
        """See ``Progress.step``. Plain output shows a counted step at every quarter of the way."""
        self._step = f"{text} ({done}/{total})" if total else text
        self._fraction = done / total if total else 0.0
        quarter = 4 * done // total if total else 0
        if total and done <= 1:  # another count begins
            self._quarter = 0
        if not self.interactive and quarter > self._quarter:
            self.note(f"  {self._step}")
        self._quarter = max(quarter, self._quarter)

    def note(self, text: str) -> None:
        """See ``Progress.note``."""
        if not self._quiet:
            self._rich.print(Text(text))

    def error(self, error: PipelineError) -> None:
        """Show an expected failure; never silenced."""
        self._rich.print(Text(f"error: {error.what}", style="bold red"))
        for part in (error.meaning, error.hint):
            if part:
                self._rich.print(Text(f"  {part}"))
