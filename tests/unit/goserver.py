"""A real HTTP server on 127.0.0.1 that behaves like go.dev/dl and misbehaves on demand; small releases."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.server
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterable, Mapping
from typing import Any

VERSION = "1.26.6"
NAME = f"go{VERSION}.linux-amd64.tar.gz"
FILES = {
    "go/VERSION": b"go1.26.6\ntime 2026-01-01T00:00:00Z\n",
    "go/src/runtime/proc.go": b"package runtime\n" * 400,
    "go/src/make.bash": b"#!/bin/sh\n",
    "go/bin/go": b"#!/bin/sh\n",
    "go/pkg/tool/linux_amd64/compile": b"\x7fELF" + hashlib.sha512(b"x").digest() * 300,
    "go/test/helloworld.go": b"package main\n",
}
RUNNABLE = {"go/src/make.bash", "go/bin/go", "go/pkg/tool/linux_amd64/compile"}


def plain(name: str, data: bytes, mode: int = 0o644) -> tuple[tarfile.TarInfo, bytes]:
    """A file of a tar."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode
    return info, data


def special(name: str, kind: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    """A link, a device or what else a tar can hold."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def tar(files: Mapping[str, bytes] = FILES, extra: Iterable[tuple[tarfile.TarInfo, bytes]] = ()) -> bytes:
    """A .tar.gz of ``files`` and what else is to be in it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info, body = plain(name, data, 0o755 if name in RUNNABLE else 0o644)
            archive.addfile(info, io.BytesIO(body))
        for info, body in extra:
            archive.addfile(info, io.BytesIO(body))
    return gzip.compress(out.getvalue(), mtime=0)


def zipped(files: Mapping[str, bytes], attributes: Mapping[str, int] | None = None) -> bytes:
    """A .zip of ``files``; ``attributes`` are the Unix modes of some."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo("placeholder")
            info.filename = info.orig_filename = name  # ZipInfo would make some names harmless
            info.external_attr = (attributes or {}).get(name, 0) << 16
            archive.writestr(info, data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as the server's script says, and well when the script says nothing."""

    server: GoServer

    def do_GET(self) -> None:
        """See the class."""
        path = self.path.partition("?")[0]
        self.server.hits.append((self.path, dict(self.headers)))
        script = self.server.scripts.get(path, [])
        behave = script.pop(0) if script else well
        with contextlib.suppress(OSError):  # the client went away
            behave(self, self.server.body(path, self.headers.get("Accept", "")))

    def head(self, code: int, **headers: object) -> None:
        """The status and the headers; an underscore stands for a hyphen."""
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""


Behaviour = Callable[[Handler, bytes | None], None]


class GoServer(http.server.ThreadingHTTPServer):
    """``files`` by path, ``scripts`` of how the next requests of a path are answered, ``hits`` so far."""

    def __init__(self, handler: type[Handler] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), handler or Handler)
        self.files: dict[str, bytes] = {}
        self.scripts: dict[str, list[Behaviour]] = {}
        self.hits: list[tuple[str, dict[str, str]]] = []
        self.closing = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        """The server's address, without a slash at its end."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def body(self, path: str, accept: str) -> bytes | None:
        """What is at a path; a file named ``PATH ACCEPT`` is for those who ask for that media type."""
        return self.files.get(f"{path} {accept}", self.files.get(path))

    def stop(self) -> None:
        """End every answer that still waits, and the server."""
        self.closing.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave are what is tested."""

    def publish(self, archive: bytes, name: str = NAME, *, version: str = VERSION, **entry: object) -> None:
        """Serve an archive, and an index that lists it; ``entry`` overrides what the index says."""
        self.files[f"/dl/{name}"] = archive
        goos, arch = name.removeprefix(f"go{version}.").split(".")[0].split("-")
        listed = {
            "filename": name,
            "os": goos,
            "arch": arch,
            "version": f"go{version}",
            "sha256": hashlib.sha256(archive).hexdigest(),
            "size": len(archive),
            "kind": "archive",
        }
        source = {**listed, "filename": f"go{version}.src.tar.gz", "os": "", "arch": "", "kind": "source"}
        index = [
            {"version": f"go{version}", "stable": True, "files": [source, {**listed, **entry}]},
            *({"version": f"go{v}", "stable": True, "files": []} for v in ("1.26.5", "1.27.0", "1.4")),
        ]
        self.files["/dl/"] = json.dumps(index).encode()


def etag(body: bytes) -> str:
    """A strong validator."""
    return f'"{hashlib.sha256(body).hexdigest()[:16]}"'


def well(handler: Handler, body: bytes | None) -> None:
    """As go.dev does, with Range and If-Range."""
    if body is None:
        handler.head(404, Content_Type="text/html")
        return
    wanted = handler.headers.get("Range", "")
    if wanted and handler.headers.get("If-Range", etag(body)) == etag(body):
        start = int(wanted.removeprefix("bytes=").rstrip("-"))
        if start >= len(body):
            handler.head(416, Content_Range=f"bytes */{len(body)}")
            return
        handler.head(
            206,
            Content_Range=f"bytes {start}-{len(body) - 1}/{len(body)}",
            Content_Length=len(body) - start,
            ETag=etag(body),
        )
        handler.wfile.write(body[start:])
        return
    whole(handler, body)


def whole(handler: Handler, body: bytes | None) -> None:
    """The whole, whatever range was asked for."""
    assert body is not None
    handler.head(200, Content_Length=len(body), ETag=etag(body), Content_Type="application/octet-stream")
    handler.wfile.write(body)


def cut(count: int, **headers: object) -> Behaviour:
    """Promises all and ends after ``count`` bytes."""

    def behave(handler: Handler, body: bytes | None) -> None:
        assert body is not None
        handler.head(200, **{"Content_Length": len(body), "ETag": etag(body), **headers})
        handler.wfile.write(body[:count])

    return behave


def stall(count: int) -> Behaviour:
    """Sends ``count`` bytes of the body and then nothing."""

    def behave(handler: Handler, body: bytes | None) -> None:
        assert body is not None
        handler.head(200, Content_Length=len(body), ETag=etag(body))
        handler.wfile.write(body[:count])
        handler.wfile.flush()
        handler.server.closing.wait(20)

    return behave


def drip(handler: Handler, body: bytes | None) -> None:
    """One byte now and then: never still for long, and never done."""
    assert body is not None
    handler.head(200, Content_Length=len(body))
    for at in range(len(body)):
        handler.wfile.write(body[at : at + 1])
        if handler.server.closing.wait(0.05):
            return


def status(code: int, **headers: object) -> Behaviour:
    """Nothing but a status."""
    return lambda handler, _: handler.head(code, **headers)


def page(handler: Handler, _: bytes | None) -> None:
    """A log-in page with status 200."""
    handler.head(200, Content_Type="text/html; charset=utf-8")
    handler.wfile.write(b"<!DOCTYPE html>\n<html>please log in</html>\n")


def disguised_page(handler: Handler, _: bytes | None) -> None:
    """A web page that is not called one."""
    handler.head(200, Content_Type="application/octet-stream")
    handler.wfile.write(b"\n <HTML>please log in</HTML>")


def endless(handler: Handler, body: bytes | None) -> None:
    """No length, and no end."""
    assert body is not None
    handler.head(200)
    handler.wfile.write(body)
    while not handler.server.closing.is_set():
        handler.wfile.write(bytes(1 << 16))
