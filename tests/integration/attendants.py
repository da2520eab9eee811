"""attendant.go and a program for it to run, compiled; and the attendant as an ordinary process."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from select import select

from pipeline.suites.attendant import SOURCE

INSIDE = Path(__file__).with_name("inside.go")


def compile_both(release: Path, cache: Path, folder: Path) -> Path:
    """``attendant`` and ``inside`` in ``folder``."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder / "home"),
        "GOROOT": str(release),
        "GOCACHE": str(cache),
        "GOTOOLCHAIN": "local",
        "GOPROXY": "off",
        "CGO_ENABLED": "0",
    }
    (folder / "programs").mkdir(parents=True)
    for source in (SOURCE, INSIDE):
        target = folder / "programs" / source.stem
        words: list[str | Path] = [release / "bin/go", "build", "-trimpath", "-o", target, source]
        subprocess.run(words, env=env, cwd=folder, check=True, capture_output=True)
    return folder / "programs"


class Beside:
    """``Line`` to an attendant that is a process of this machine."""

    def __init__(self, program: Path) -> None:
        self.process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True
        )

    def send(self, data: bytes) -> None:
        """See ``Line``."""
        assert self.process.stdin is not None
        sent = 0
        while sent < len(data):
            sent += os.write(self.process.stdin.fileno(), data[sent:])

    def receive(self, seconds: float) -> bytes:
        """See ``Line``."""
        assert self.process.stdout is not None
        ready, _, _ = select([self.process.stdout], [], [], seconds)
        if not ready:
            raise TimeoutError
        return os.read(self.process.stdout.fileno(), 1 << 16)

    def last_words(self) -> str:
        """See ``Line``."""
        return ""

    def close(self) -> int:
        """End its input; its exit status."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(10)
