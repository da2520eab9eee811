"""An engine of one's own: Debian's docker.io, without a bridge or a rule in any firewall, in a folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psutil

CONTEXT = "lab"


class Engine:
    """A running engine in a ``folder`` of its own, and a Docker context for it in its own configuration."""

    def __init__(self) -> None:
        assert os.geteuid() == 0, "an engine needs root"
        assert shutil.which("dockerd"), "install it: apt-get install docker.io"
        # The path of a socket may have 107 characters, and containerd's lie deep.
        folder = Path(tempfile.mkdtemp(prefix="engine-"))
        self.folder = folder
        self.socket = folder / "docker.sock"
        self.log = folder / "log"
        self.config = folder / "config"
        words = ["--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs"]
        words += [f"--data-root={folder / 'data'}", f"--exec-root={folder / 'exec'}"]
        words += [f"--host=unix://{self.socket}", f"--pidfile={folder / 'pid'}"]
        # It gives its own containerd 15 seconds, which a busy machine does not always have for it.
        for _ in range(3):
            with self.log.open("w") as stream:
                self.process = subprocess.Popen(
                    ["dockerd", *words], stdout=stream, stderr=stream, start_new_session=True
                )
            if self._is_up():
                break
            self._clear()
        else:
            raise AssertionError(self.log.read_text()[-3000:])
        self.docker("context", "create", CONTEXT, "--docker", f"host=unix://{self.socket}")

    @property
    def env(self) -> dict[str, str]:
        """What finds the context."""
        values = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
        return {**values, "DOCKER_CONFIG": str(self.config)}

    def docker(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Docker's own command line, beside what is tested."""
        host = () if words[0] == "context" else ("--host", f"unix://{self.socket}")
        return subprocess.run(
            ["docker", *host, *words], env=self.env, capture_output=True, text=True, timeout=120, check=check
        )

    def left(self) -> tuple[list[str], list[str]]:
        """The containers and images that are there."""
        return self.docker("ps", "-aq").stdout.split(), self.docker("images", "-aq").stdout.split()

    def kill(self) -> None:
        """What a machine that goes down does: the engine and all it started."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)

    def _is_up(self) -> bool:
        deadline = time.monotonic() + 120
        while self.docker("version", check=False).returncode:
            if self.process.poll() is not None or time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        return True

    def stop(self) -> None:
        """End it in order, with what a killed one leaves: containers go on without their engine."""
        self._clear()
        shutil.rmtree(self.folder)

    def _clear(self) -> None:
        self._end()
        for one in psutil.process_iter(["cmdline"]):
            if any(str(self.folder / "exec") in word for word in one.info["cmdline"] or ()):
                for process in (*one.children(recursive=True), one):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.kill()
        mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        for place in sorted(mounts, reverse=True):
            if Path(place).is_relative_to(self.folder):
                subprocess.run(["umount", "-l", place], check=True)

    def _end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()
