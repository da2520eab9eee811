"""A contributor's repository for tests: real git, no settings of whoever runs them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

TEXT = "".join(f"line {number}\n" for number in range(1, 41))
FILE = "src/runtime/proc.go"


class Repository:
    """A repository with one commit that holds ``FILE``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=master")
        self.commit({FILE: TEXT}, "first")

    def run(self, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """git, whatever it answers."""
        env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_DATE": "2026-11-20T23:30:00-0800",
            "GIT_COMMITTER_DATE": "2026-11-20T23:30:00-0800",
        }
        who = ["-c", "user.name=Jürgen A", "-c", "user.email=a@example.test"]
        return subprocess.run(
            ["git", *who, *words], cwd=self.path, env=env, input=stdin, check=False, capture_output=True
        )

    def raw(self, *words: str, stdin: bytes = b"") -> bytes:
        """What git prints; it must not fail."""
        done = self.run(*words, stdin=stdin)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout

    def git(self, *words: str) -> str:
        """The same as text."""
        return self.raw(*words).decode().strip()

    def commit(self, files: Mapping[str, str], message: str) -> str:
        """Write files and commit them; the commit's id."""
        for name, text in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        self.git("add", "--all")
        self.raw(
            "-c",
            "commit.cleanup=verbatim",
            "commit",
            "--quiet",
            "--allow-empty",
            "-F-",
            stdin=message.encode(),
        )
        return self.git("rev-parse", "HEAD")

    def edit(self, number: int, new: str, message: str) -> str:
        """Commit another text for one line of ``FILE``; the commit's id."""
        text = (self.path / FILE).read_text()
        return self.commit({FILE: text.replace(f"line {number}\n", f"{new}\n")}, message)
