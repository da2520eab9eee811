"""A Docker engine: what it is, and one container on it for as long as a cell runs. The only module that talks
to one, by docker-py.

Everything that is made carries a label, and nothing without it is touched.
"""

from __future__ import annotations

import contextlib
import json
import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.cells import archive, tunnel
from pipeline.cells.contexts import Endpoint
from pipeline.errors import HostError, PipelineError
from pipeline.golang import platform_of
from pipeline.values import Platform

LABEL = "gopatch"
NAME = "gopatch-cell"
CONNECT_SECONDS = 15
SECONDS = 600
REMOVE_SECONDS = 120
# A test may start many processes and use much memory; the host must go on living.
PIDS = 1 << 15
MEMORY_SHARE = 0.9
STALE_SECONDS = 3600.0
_FRAME = struct.Struct(">BxxxI")
_STDOUT = 1


@dataclass(frozen=True, kw_only=True)
class Engine:
    """An engine that answered. ``info`` is what it says of itself and of its machine."""

    api: Any
    context: str
    info: Mapping[str, Any]

    @property
    def platform(self) -> Platform:
        """Its machine as Go names it; HostError for one that Go does not know."""
        return platform_of(self.said("OSType").capitalize(), self.said("Architecture"))

    def describe(self) -> dict[str, str]:
        """Its machine, for the ledger: no address, nothing that opens anything."""
        values = {
            "os": f"Linux {self.said('KernelVersion')}".strip(),
            "system": self.said("OperatingSystem"),
            "machine": self.said("Architecture"),
            "cores": self.said("NCPU"),
            "memory": self.said("MemTotal"),
            "name": self.said("Name"),
            "docker": f"a container of Docker {self.said('ServerVersion')}, context {self.context}",
        }
        return {name: value for name, value in values.items() if value}

    @property
    def cores(self) -> int:
        """How many its machine has."""
        found = self.info.get("NCPU")
        return found if isinstance(found, int) and found > 0 else 1

    def said(self, key: str) -> str:
        """A value of ``info``, fit for a terminal; '' where there is none."""
        return "".join(char for char in str(self.info.get(key, "")) if char.isprintable())[:100]


@contextlib.contextmanager
def connect(endpoint: Endpoint) -> Iterator[Engine]:
    """The engine of an endpoint; HostError when there is none to be reached."""
    try:
        import docker
        import docker.tls
    except ImportError as error:
        raise HostError(
            f"the Python package docker cannot be imported: {error}", hint="./inv installs it; so does pip"
        ) from error
    where = f"the engine of the Docker context {endpoint.context}"
    with contextlib.ExitStack() as stack:
        host = endpoint.host
        if host.startswith("ssh://"):
            host = stack.enter_context(tunnel.forwarded(host, endpoint.context))
        with _errors(f"{where} cannot be reached"):
            options: dict[str, Any] = {"base_url": host or None, "version": "auto"}
            if endpoint.tls is not None:
                pem = endpoint.tls
                options["tls"] = docker.tls.TLSConfig(
                    client_cert=(str(pem / "cert.pem"), str(pem / "key.pem")),
                    ca_cert=str(pem / "ca.pem"),
                    verify=endpoint.verify,
                )
            # Twice: an engine that is not there is soon known, and one that is may need long to unpack.
            docker.APIClient(**options, timeout=CONNECT_SECONDS).close()
            api = docker.APIClient(**options, timeout=SECONDS)
            stack.callback(api.close)
            info = api.info()
        yield Engine(api=api, context=endpoint.context, info=info)


@contextlib.contextmanager
def _errors(what: str, hint: str = "docker --context NAME info shows whether it answers") -> Iterator[None]:
    """Turn whatever docker-py and what is below it raise into a HostError."""
    import docker.errors
    import requests
    import urllib3

    try:
        yield
    except PipelineError:
        raise
    except (
        docker.errors.DockerException,
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        OSError,
        ValueError,
    ) as error:
        raise HostError(f"{what}: {_said(error)}", hint=hint) from error


def _said(error: Exception) -> str:
    """One line of an error, without the address that some have in them."""
    explained = getattr(error, "explanation", None)
    text = str(explained or error)
    cause: BaseException | None = error
    while cause is not None:  # an OSError at the bottom says it best
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return text.splitlines()[0][:300] if text else type(error).__name__


class Hijacked:
    """``Line`` over a connection that attach gave: an engine's frames, of which those of standard output are
    the attendant's answers and those of standard error its last words."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._socket = getattr(stream, "_sock", stream)
        self._buffer = bytearray()
        self._words = bytearray()

    def send(self, data: bytes) -> None:
        """See ``Line``."""
        self._socket.settimeout(CONNECT_SECONDS)
        self._socket.sendall(data)

    def receive(self, seconds: float) -> bytes:
        """See ``Line``."""
        end = time.monotonic() + seconds
        while True:
            if (found := self._frame()) is not None:
                return found
            self._socket.settimeout(max(0.001, end - time.monotonic()))
            data = self._socket.recv(1 << 16)
            if not data:
                return b""
            self._buffer += data

    def _frame(self) -> bytes | None:
        """The content of the next whole frame of standard output."""
        while len(self._buffer) >= _FRAME.size:
            stream, size = _FRAME.unpack_from(self._buffer)
            if len(self._buffer) < _FRAME.size + size:
                return None
            data = bytes(self._buffer[_FRAME.size : _FRAME.size + size])
            del self._buffer[: _FRAME.size + size]
            if stream == _STDOUT:
                if data:
                    return data
            else:
                self._words = (self._words + data)[-4096:]
        return None

    def last_words(self) -> str:
        """See ``Line``."""
        lines = self._words.decode("utf-8", "replace").splitlines()
        return "".join(char for char in lines[0] if char.isprintable())[:200] if lines else ""

    def close(self) -> None:
        """End the attendant's input, and so the attendant."""
        with contextlib.suppress(OSError):
            self._stream.close()
            self._socket.close()


@contextlib.contextmanager
def container(engine: Engine, root: Path, attendant: Path) -> Iterator[Hijacked]:
    """A running container that holds what is below ``root``, with ``attendant`` as its first process, and a
    line to that. Whatever happens, it and its image are gone in the end. HostError when it cannot be made."""
    api = engine.api
    with contextlib.ExitStack() as stack:
        with _errors(f"no container can be made by the Docker context {engine.context}", hint=""):
            _sweep(api)
            image = _image(api)
            stack.callback(_remove_image, api, image)
            made = _create(engine, image, attendant)
            stack.callback(_quietly, api.remove_container, made, force=True, v=True)
            api.put_archive(made, "/", archive.tree(root))
            # Before it is started: what it says cannot come with the head of the answer, and get lost.
            line = Hijacked(
                api.attach_socket(made, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
            )
            stack.callback(line.close)
            api.start(made)
        yield line


def _quietly(remove: Any, *words: Any, **options: Any) -> bool:
    """Whether it was removed. What cannot be is gone, or its engine is: another error is on its way then."""
    with contextlib.suppress(HostError), _errors("it cannot be removed"):
        remove(*words, **options)
        return True
    return False


def _remove_image(api: Any, image: str) -> None:
    # The engine also removes the container by itself, which takes as long as its files are many; until then
    # it refuses this.
    deadline = time.monotonic() + REMOVE_SECONDS
    while time.monotonic() < deadline:
        if _quietly(api.remove_image, image) or not _quietly(api.inspect_image, image):
            return
        time.sleep(0.25)


def _image(api: Any) -> str:
    said = api.import_image_from_data(archive.system(), changes=[f"LABEL {LABEL}=cell"])
    # One JSON object a line; the last one tells the image.
    last = json.loads(str(said).strip().splitlines()[-1])
    if "status" not in last:
        raise HostError(f"the image was not taken: {last.get('error', last)}")
    return str(last["status"])


def _create(engine: Engine, image: str, attendant: Path) -> str:
    import docker.errors
    from docker.types import LogConfig

    api = engine.api
    memory = int(float(engine.info.get("MemTotal", 0)) * MEMORY_SHARE)
    host = api.create_host_config(
        auto_remove=True,
        network_mode="none",
        pids_limit=PIDS,
        mem_limit=memory or None,
        security_opt=["no-new-privileges"],
        # What the attendant says is meant for one reader, and is much.
        log_config=LogConfig(type=LogConfig.types.NONE),
    )
    try:
        made = api.create_container(
            image,
            entrypoint=[attendant.as_posix()],
            name=NAME,
            hostname="gopatch",
            labels={LABEL: "cell"},
            stdin_open=True,
            host_config=host,
        )
    except docker.errors.APIError as error:
        if error.status_code != 409:
            raise
        raise HostError(
            f"another cell runs on the Docker host of the context {engine.context}",
            meaning=f"there is a container {NAME}: two cells at a time would measure each other",
            hint=f"wait for it; if nobody runs one: docker --context {engine.context} rm -f {NAME}",
        ) from error
    return str(made["Id"])


def _sweep(api: Any) -> None:
    """Remove images that a run left which was killed. One that a container uses is refused by the engine, and
    one that is new may be waiting for its container."""
    for image in api.images(filters={"label": f"{LABEL}=cell"}):
        if time.time() - float(image.get("Created", 0)) > STALE_SECONDS:
            _quietly(api.remove_image, image["Id"])
