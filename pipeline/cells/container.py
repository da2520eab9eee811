"""A container as the place where a cell's programs run: ``Shell`` and ``Where`` through its attendant."""

from __future__ import annotations

import base64
import contextlib
import os
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline import proc
from pipeline.cells.attendant import Answer, Attendant, Kind
from pipeline.cells.base import About
from pipeline.errors import HostError

# For a request that starts no program, and for the way there and back of one that does.
SECONDS = 120.0
MAX_FILE = 1 << 30
# This machine's, and of no use there.
_OF_THIS_MACHINE = {"TMPDIR", "TEMP", "TMP", "USERPROFILE", "LOCALAPPDATA", "APPDATA"}


@dataclass(kw_only=True)
class Container:
    """Programs of the bundle that was unpacked at ``root``, both here and there. Logs are written here, below
    ``logs``; ``observe`` is as in ``proc.Shell``."""

    attendant: Attendant
    about: About
    root: Path
    logs: Path
    observe: Callable[[str, proc.Result], None]
    can_pin: bool = True
    _cpus: tuple[int, ...] = field(default=())

    def run(
        self,
        name: str,
        argv: Sequence[str | os.PathLike[str]],
        *,
        env: Mapping[str, str],
        timeout: float,
        cwd: Path | None = None,
        stdin: bytes = b"",
        merge: bool = True,
    ) -> proc.Result:
        """As ``proc.run``; the times and the memory are those of the machine there. HostError also when the
        container is gone."""
        words = tuple(os.fspath(word) for word in argv)
        log = self.logs / f"{name}.log"
        self.logs.mkdir(parents=True, exist_ok=True)
        with log.open("ab", buffering=0) as sink:
            sink.write(f"$ {shlex.join(words)}\n".encode())
            capture = proc.Capture(sink)

            def each(kind: Kind, data: bytes) -> None:
                capture.add(data, kind == "o")

            request = {
                "op": "run",
                "argv": words,
                "env": [f"{key}={value}" for key, value in self._environment(env).items()],
                "dir": str(cwd or self.root),
                "stdin": base64.b64encode(stdin).decode(),
                "merge": merge,
                "cpus": self._cpus,
                "seconds": timeout,
            }
            answer = self.attendant.ask(request, seconds=timeout + SECONDS, each=each)
        if answer.error:
            raise HostError(f"cannot start {words[0]} in {self.attendant.name}: {answer.error}")
        result = proc.Result(
            argv=words,
            returncode=answer.status,
            stdout=capture.stdout(),
            tail=capture.tail(),
            seconds=answer.seconds,
            cpu_seconds=answer.cpu,
            max_rss=answer.rss,
            timed_out=answer.timed_out,
            log=log,
        )
        self.observe(name, result)
        return result

    def _environment(self, env: Mapping[str, str]) -> dict[str, str]:
        found = {name: value for name, value in env.items() if name not in _OF_THIS_MACHINE}
        own = [one for one in env.get("PATH", "").split(os.pathsep) if Path(one).is_relative_to(self.root)]
        return {**found, "PATH": ":".join(own)}

    @contextlib.contextmanager
    def pinned(self, cpus: tuple[int, ...]) -> Iterator[None]:
        """See ``Where``."""
        before, self._cpus = self._cpus, cpus
        try:
            yield
        finally:
            self._cpus = before

    def make(self, folder: Path) -> None:
        """See ``Where``."""
        self._asked({"op": "make", "path": str(folder)})

    def write(self, path: Path, text: str) -> None:
        """See ``Where``."""
        data = base64.b64encode(text.encode()).decode()
        self._asked({"op": "write", "path": str(path), "data": data})

    def remove(self, path: Path) -> None:
        """See ``Where``."""
        self._asked({"op": "remove", "path": str(path)})

    def exists(self, path: Path) -> bool:
        """See ``Where``."""
        answer = self.attendant.ask({"op": "stat", "path": str(path)}, seconds=SECONDS)
        return not answer.missing and self._checked(answer) is not None

    def read(self, path: Path) -> bytes:
        """See ``Where``."""
        found = bytearray()

        def each(_: Kind, data: bytes) -> None:
            if len(found) + len(data) > MAX_FILE:
                raise HostError(f"{path} in {self.attendant.name} is larger than {MAX_FILE} bytes")
            found.extend(data)

        answer = self.attendant.ask({"op": "read", "path": str(path)}, seconds=SECONDS, each=each)
        if answer.missing:
            raise FileNotFoundError(f"{path} is not in {self.attendant.name}")
        self._checked(answer)
        return bytes(found)

    def full(self, *places: Path) -> Path | None:
        """See ``Where``. Logs are on this machine."""
        for place in places:
            if place.is_relative_to(self.logs):
                free = shutil.disk_usage(place).free
            else:
                free = self._asked({"op": "room", "path": str(place)}).free
            if free < proc.FULL_DISK:
                return place
        return None

    def _asked(self, request: Mapping[str, str]) -> Answer:
        return self._checked(self.attendant.ask(request, seconds=SECONDS))

    def _checked(self, answer: Answer) -> Answer:
        if answer.error:
            raise HostError(f"{self.attendant.name} cannot do what it should: {answer.error}")
        return answer
