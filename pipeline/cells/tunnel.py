"""Engines behind ssh: the user's own ssh brings their socket here.

docker-py would speak ssh by itself, with another library and its own idea of keys and known hosts.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from pipeline import proc
from pipeline.errors import HostError, InterruptedRunError

SOCKET = "/var/run/docker.sock"
SECONDS = 30.0
# Not by urllib: it makes names small, and those in ~/.ssh/config need not be.
_ADDRESS = re.compile(
    r"ssh://(?:(?P<user>[A-Za-z0-9_.][A-Za-z0-9_.$-]*)@)?"
    r"(?P<host>[A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<socket>(?:/[A-Za-z0-9_.-]+)*)/?"
)
_OPTIONS = ("BatchMode=yes", "ExitOnForwardFailure=yes", "ConnectTimeout=20", "ServerAliveInterval=15")


@contextlib.contextmanager
def forwarded(address: str, context: str) -> Iterator[str]:
    """The address of a socket here that leads to the engine at ``ssh://[user@]host[:port][/socket]``.
    HostError when ssh does not get there without asking anything."""
    with tempfile.TemporaryDirectory(prefix="gopatch-") as folder:
        local = Path(folder) / "docker.sock"
        # Where its agent is; all else it finds by the user's files.
        agent = {name: os.environ[name] for name in ("SSH_AUTH_SOCK",) if name in os.environ}
        with proc.beside(command(address, local, context), env=proc.base_env(agent)) as ssh:
            deadline = time.monotonic() + SECONDS
            while not local.exists():
                if proc.interrupted():
                    raise InterruptedRunError("interrupted")
                if ssh.ended() or time.monotonic() > deadline:
                    said = (ssh.tail().splitlines() or ["it says nothing"])[-1].strip()
                    raise HostError(
                        f"ssh does not reach the host of the Docker context {context}: {said[:200]}",
                        hint="ssh to it must work without a question, and its user be allowed to use Docker",
                    )
                time.sleep(0.05)
            yield f"unix://{local}"


def command(address: str, local: Path, context: str) -> list[str]:
    """The command line of ssh."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise HostError(
            f"the Docker context {context} has no address that ssh could reach",
            meaning="it should be ssh://[user@]host[:port]",
        )
    user, port = found["user"], found["port"]
    return [
        *("ssh", "-nNT"),
        *(word for option in _OPTIONS for word in ("-o", option)),
        *("-L", f"{local}:{found['socket'] or SOCKET}"),
        *(("-l", user) if user else ()),
        *(("-p", port) if port else ()),
        *("--", found["host"].strip("[]")),
    ]
