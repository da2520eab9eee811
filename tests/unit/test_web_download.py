"""One file over HTTP, against a server that does everything wrong that a server can do."""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from pipeline import proc
from pipeline.errors import HostError, InterruptedRunError, PipelineError, UsageError
from pipeline.web import answers, download, sending
from pipeline.web.address import check_address, resolve, shown
from pipeline.web.answers import Patience, Wanted
from tests.unit import goserver as go
from tests.unit.goserver import GoServer

BODY = b"\x1f\x8b" + b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(2000))
SHA256 = hashlib.sha256(BODY).hexdigest()
QUICK = Patience(connect=2, read=0.3, total=8, tries=3, pause=0.01, longest_pause=0.3)
PATH = "/dl/x.tar.gz"


@pytest.fixture
def server(processes: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[GoServer]:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    made = GoServer()
    made.files[PATH] = BODY
    yield made
    made.stop()


def wanted(server: GoServer, path: str = PATH, **more: object) -> Wanted:
    given: dict[str, object] = {
        "sha256": SHA256,
        "size": len(BODY),
        "limit": len(BODY),
        "starts": b"\x1f\x8b",
    }
    return Wanted(address=server.url + path, what="the archive x.tar.gz", **{**given, **more})  # type: ignore[arg-type]


def get(server: GoServer, folder: Path, patience: Patience = QUICK, **more: object) -> Path:
    target = folder / "x.tar.gz"
    download.fetch(wanted(server, **more), target, patience)  # type: ignore[arg-type]
    return target


def refused(
    server: GoServer, folder: Path, what: str, kind: type[PipelineError] = HostError, **more: object
) -> PipelineError:
    """It must end with one error of the kind, and nothing may have the final name."""
    with pytest.raises(kind, match=what) as caught:
        get(server, folder, **more)  # type: ignore[arg-type]
    assert not (folder / "x.tar.gz").exists()
    assert caught.value.hint
    return caught.value


def ranges(server: GoServer) -> list[str | None]:
    return [headers.get("Range") for _, headers in server.hits]


def test_the_right_file(server: GoServer, tmp_path: Path) -> None:
    assert get(server, tmp_path).read_bytes() == BODY
    assert [path.name for path in tmp_path.iterdir()] == ["x.tar.gz"]
    assert server.hits[0][1]["Accept-Encoding"] == "identity"


def test_a_wrong_sha256(server: GoServer, tmp_path: Path) -> None:
    server.files[PATH] = BODY[:-1] + b"?"
    said = refused(server, tmp_path, "has the sha256 .*, not " + SHA256)
    assert "altered or damaged" in said.meaning
    assert list(tmp_path.iterdir()) == []
    assert len(server.hits) == 1


def test_truncated_again_and_again(server: GoServer, tmp_path: Path) -> None:
    server.scripts[PATH] = [go.cut(100), go.cut(100), go.cut(100)]
    said = refused(server, tmp_path, "could not be fetched.*cut")
    assert "given up after 3 tries" in said.meaning
    assert len(server.hits) == 3


def test_truncated_then_resumed(server: GoServer, tmp_path: Path) -> None:
    server.scripts[PATH] = [go.cut(30_000)]
    assert get(server, tmp_path).read_bytes() == BODY
    assert ranges(server) == [None, "bytes=30000-"]
    assert server.hits[1][1]["If-Range"] == go.etag(BODY)


def test_resumed_in_a_later_call(server: GoServer, tmp_path: Path) -> None:
    server.scripts[PATH] = [go.cut(30_000), *[go.status(503)] * 2]
    refused(server, tmp_path, "the server failed .503")
    assert (tmp_path / "x.tar.gz.part").stat().st_size == 30_000
    assert get(server, tmp_path).read_bytes() == BODY
    assert ranges(server)[-1] == "bytes=30000-"
    assert [path.name for path in tmp_path.iterdir()] == ["x.tar.gz"]


def test_a_server_without_ranges_begins_again(server: GoServer, tmp_path: Path) -> None:
    server.scripts[PATH] = [go.cut(30_000), go.whole]
    assert get(server, tmp_path).read_bytes() == BODY
    assert ranges(server) == [None, "bytes=30000-"]


def test_the_file_changes_in_the_middle(server: GoServer, tmp_path: Path) -> None:
    other = b"\x1f\x8b" + bytes(len(BODY) - 2)

    def old(handler: go.Handler, _: bytes | None) -> None:
        go.cut(30_000)(handler, other)

    server.scripts[PATH] = [old]
    assert get(server, tmp_path).read_bytes() == BODY
    assert server.hits[1][1]["If-Range"] == go.etag(other)


def test_a_piece_under_another_etag_is_not_appended(server: GoServer, tmp_path: Path) -> None:
    def piece(handler: go.Handler, body: bytes | None) -> None:
        assert body is not None
        handler.head(206, Content_Range=f"bytes 30000-{len(body) - 1}/{len(body)}", ETag='"another"')
        handler.wfile.write(body[30_000:])

    server.scripts[PATH] = [go.cut(30_000), piece]
    assert get(server, tmp_path).read_bytes() == BODY
    assert ranges(server) == [None, "bytes=30000-", None]


def test_a_piece_from_elsewhere_is_not_appended(server: GoServer, tmp_path: Path) -> None:
    def piece(handler: go.Handler, body: bytes | None) -> None:
        assert body is not None
        handler.head(206, Content_Range=f"bytes 0-{len(body) - 1}/{len(body)}")
        handler.wfile.write(body)

    server.scripts[PATH] = [go.cut(30_000), piece]
    assert get(server, tmp_path).read_bytes() == BODY


def test_an_earlier_piece_of_another_file_costs_one_more_download(server: GoServer, tmp_path: Path) -> None:
    for size in (500, len(BODY), len(BODY) + 9):
        (tmp_path / "x.tar.gz.part").write_bytes(bytes(size))
        assert get(server, tmp_path).read_bytes() == BODY


def test_without_a_checksum_only_an_etag_lets_it_go_on(server: GoServer, tmp_path: Path) -> None:
    server.scripts[PATH] = [go.cut(30_000, ETag='W/"weak"')]
    assert get(server, tmp_path, sha256="", size=None).read_bytes() == BODY
    assert ranges(server) == [None, None]
    server.scripts[PATH] = [go.cut(30_000)]
    assert get(server, tmp_path, sha256="", size=None).read_bytes() == BODY
    assert ranges(server)[2:] == [None, "bytes=30000-"]


@pytest.mark.parametrize("behaviour", [go.page, go.disguised_page])
def test_a_web_page_with_status_200(server: GoServer, tmp_path: Path, behaviour: go.Behaviour) -> None:
    server.scripts[PATH] = [behaviour]
    said = refused(
        server, tmp_path, "answers with a web page where the archive x.tar.gz should be", size=None
    )
    assert "log-in page" in said.meaning
    assert list(tmp_path.iterdir()) == []
    assert len(server.hits) == 1


def test_something_else(server: GoServer, tmp_path: Path) -> None:
    server.files[PATH] = b"PK" + BODY[2:]
    refused(server, tmp_path, r"is not the archive x.tar.gz: it begins with b'PK")
    assert list(tmp_path.iterdir()) == []


def test_not_there(server: GoServer, tmp_path: Path) -> None:
    said = refused(
        server, tmp_path, "the archive x.tar.gz is not at .*/dl/none .404", UsageError, path="/dl/none"
    )
    assert said.meaning
    assert len(server.hits) == 1


@pytest.mark.parametrize(("code", "what"), [(401, "refuses to give"), (403, "refuses"), (418, "status 418")])
def test_refusals_are_not_tried_again(server: GoServer, tmp_path: Path, code: int, what: str) -> None:
    server.scripts[PATH] = [go.status(code)]
    refused(server, tmp_path, what)
    assert len(server.hits) == 1


def test_come_again_later(server: GoServer, tmp_path: Path) -> None:
    server.scripts[PATH] = [go.status(429, Retry_After="1")]
    started = time.monotonic()
    patience = Patience(read=0.3, tries=3, pause=30, longest_pause=5)
    assert get(server, tmp_path, patience).read_bytes() == BODY
    assert 1 <= time.monotonic() - started < 4


@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize(
    ("later", "said"),
    [
        ("3600", "it takes more in about 60 minutes"),
        ("99999999999999999999", r"it takes more in about \d+ days"),
        ("Fri, 31 Dec 2100 23:59:59 GMT", r"it takes more in about \d+ days"),
    ],
)
def test_come_again_in_an_hour_is_not_waited_for(
    server: GoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, later: str, said: str
) -> None:
    paused: list[float] = []
    monkeypatch.setattr(sending, "pause", paused.append)
    server.scripts[PATH] = [go.cut(30_000), go.status(code, Retry_After=later)]
    patience = Patience(connect=2, read=0.3, pause=0.01)
    error = refused(server, tmp_path, rf"could not be fetched.* \({code}\)", patience=patience)
    assert re.match(said, error.meaning)
    assert "what has arrived is kept" in error.hint
    assert paused == [0.01]  # after the cut
    assert get(server, tmp_path).read_bytes() == BODY
    assert ranges(server) == [None, "bytes=30000-", "bytes=30000-"]


def test_come_again_later_than_the_whole_time(server: GoServer, tmp_path: Path) -> None:
    server.scripts[PATH] = [go.status(429, Retry_After="50")]
    patience = Patience(read=0.3, total=20, longest_pause=60)
    assert "in about 1 minute," in refused(server, tmp_path, "429", patience=patience).meaning
    assert len(server.hits) == 1


def test_always_busy(server: GoServer, tmp_path: Path) -> None:
    server.scripts[PATH] = [go.status(429)] * 9
    refused(server, tmp_path, "asks to come again later .429")
    assert len(server.hits) == QUICK.tries


def test_five_hundred_twice_then_right(server: GoServer, tmp_path: Path) -> None:
    server.scripts[PATH] = [go.status(500), go.status(502)]
    assert get(server, tmp_path).read_bytes() == BODY


def test_a_stall(server: GoServer, tmp_path: Path) -> None:
    server.scripts[PATH] = [go.stall(2000)] * 2 + [go.stall(0)]
    started = time.monotonic()
    refused(server, tmp_path, "nothing came for 0.3 s")
    assert time.monotonic() - started < 5
    assert get(server, tmp_path).read_bytes() == BODY


def test_a_drip_ends_with_the_whole_time(server: GoServer, tmp_path: Path) -> None:
    server.scripts[PATH] = [go.drip] * 5
    patience = Patience(read=1, total=1, tries=5, pause=0.01)
    started = time.monotonic()
    refused(server, tmp_path, "not done within 1 s", patience=patience)
    assert time.monotonic() - started < 3


def test_redirects(server: GoServer, tmp_path: Path) -> None:
    for number in range(5):
        server.scripts[f"/r{number}"] = [go.status(302, Location=f"/r{number + 1}?secret=1")]
    server.scripts["/r5"] = [go.status(307, Location=server.url + PATH)]
    refused(server, tmp_path, "redirects more than 5 times", path="/r0")
    server.scripts["/r1"] = [go.status(302, Location=server.url + PATH)]
    assert get(server, tmp_path, path="/r1").read_bytes() == BODY


def test_the_body_of_a_redirect_is_not_read(server: GoServer, tmp_path: Path) -> None:
    def behave(handler: go.Handler, _: bytes | None) -> None:
        handler.head(302, Location=PATH)
        while not handler.server.closing.is_set():
            handler.wfile.write(bytes(1 << 16))

    server.scripts["/r"] = [behave]
    assert get(server, tmp_path, path="/r").read_bytes() == BODY


@pytest.mark.parametrize(
    "location",
    [
        "http://example.test/x?token=hidden",
        "http://user:hidden@127.0.0.1/x",
        "http://example.test\\@127.0.0.1/hidden",
        "ftp://example.test/x",
        "file:///etc/passwd",
        "//example.test/x",
        "http://[::1/x",
    ],
)
def test_a_redirect_to_an_unsafe_place(server: GoServer, tmp_path: Path, location: str) -> None:
    server.scripts[PATH] = [go.status(302, Location=location)]
    said = refused(server, tmp_path, r"redirects to .*: refused|is not understood")
    assert "token" not in str(said)
    assert "user" not in str(said)


def test_too_large(server: GoServer, tmp_path: Path) -> None:
    server.scripts[PATH] = [
        go.cut(1000, Content_Length=10**13),
        go.cut(1000, Content_Length=10**13),
        go.endless,
    ]
    refused(server, tmp_path, f"not of the right size: the index says {len(BODY)} bytes")
    refused(server, tmp_path, "at most 5000 are taken", size=None, limit=5000, sha256="")
    refused(server, tmp_path, f"the index says {len(BODY)} bytes")
    assert list(tmp_path.iterdir()) == []
    assert len(server.hits) == 3


def test_nobody_there(server: GoServer, tmp_path: Path) -> None:
    server.stop()
    refused(server, tmp_path, "the connection was refused")


def test_a_name_that_does_not_exist(processes: None, tmp_path: Path) -> None:
    nowhere = Wanted(address="https://no-such-host.invalid/x?key=hidden", what="x", limit=9)
    with pytest.raises(HostError, match=r"from https://no-such-host\.invalid/x: ") as caught:
        download.fetch(nowhere, tmp_path / "x", QUICK)
    assert "hidden" not in str(caught.value)


def test_a_proxy_is_not_named(server: GoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://me:hidden@127.0.0.1:1")
    wants = Wanted(address="https://example.invalid/x", what="x", limit=9)
    with pytest.raises(HostError, match="the proxy cannot be used") as caught:
        download.fetch(wants, tmp_path / "x", QUICK)
    assert "hidden" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)


@pytest.mark.parametrize(("bundle", "expected"), [("", True), ("/our/ca.pem", "/our/ca.pem")])
def test_certificates_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bundle: str, expected: object
) -> None:
    given: list[object] = []

    def send(_: object, request: object, **settings: object) -> None:
        given.append(settings["verify"])
        raise requests.exceptions.SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate")

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    wants = Wanted(address="https://go.dev/x", what="x", limit=9)
    with pytest.raises(HostError, match="has no certificate that this machine trusts"):
        download.fetch(wants, tmp_path / "x", QUICK)
    assert given == [expected]


def test_an_interrupt_ends_it_and_keeps_what_came(server: GoServer, tmp_path: Path) -> None:
    server.scripts[PATH] = [go.cut(30_000), go.status(429, Retry_After="60")]
    patience = Patience(read=5, pause=0.01, longest_pause=60)
    threading.Timer(0.5, proc.interrupt_all).start()
    started = time.monotonic()
    with pytest.raises(InterruptedRunError):
        get(server, tmp_path, patience)
    assert time.monotonic() - started < 3
    assert (tmp_path / "x.tar.gz.part").stat().st_size == 30_000
    proc.reset_interrupt()
    assert get(server, tmp_path).read_bytes() == BODY


def test_a_path_instead_of_a_url(tmp_path: Path) -> None:
    (tmp_path / "mirror").mkdir()
    source, target = tmp_path / "mirror/x", tmp_path / "x"

    def copy(**more: object) -> None:
        given: dict[str, object] = {"sha256": SHA256, "limit": len(BODY), "size": len(BODY)}
        download.fetch(Wanted(address=str(source), what="the archive", **{**given, **more}), target)  # type: ignore[arg-type]

    with pytest.raises(UsageError, match=r"the archive is not at .*no such file"):
        copy()
    source.write_bytes(BODY[:-1] + b"?")
    with pytest.raises(HostError, match="has the sha256"):
        copy()
    with pytest.raises(HostError, match="right size"):
        copy(size=5)
    with pytest.raises(HostError, match="right size"):
        copy(size=None, limit=5)
    source.write_bytes(b"<html>")
    with pytest.raises(HostError, match="web page"):
        copy(size=None)
    assert not target.exists()
    source.write_bytes(BODY)
    copy()
    assert target.read_bytes() == source.read_bytes() == BODY


@pytest.mark.parametrize(
    "address",
    [
        "https://go.dev/dl/?mode=json&include=all",
        "http://127.0.0.1:8080/dl/",
        "http://localhost/x",
        "http://[::1]:1/x",
        "/srv/go",
        "./go",
        "../go",
        "~/go",
        "C:\\go",
    ],
)
def test_addresses_that_are_taken(address: str) -> None:
    assert check_address(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "http://go.dev/dl/",
        "http://localhost.example.com/",
        "http://example.com\\@127.0.0.1/",
        "ftp://go.dev/",
        "file:///etc",
        "https://",
        "https:///x",
        "https://me:hidden@go.dev/",
        "https://hidden@go.dev/",
        "https://[::1/",
        "https://go.dev:99999/",
        "git@hidden:go",
        "ext::sh -c hidden",
        "host:path",
        "-u",
        "--upload-pack=hidden",
        "go",
        "https://go.dev/\n",
        "/srv\x00",
        "https://" + "x" * 2000,
    ],
)
def test_addresses_that_are_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"should|is not") as caught:
        check_address(address)
    assert "hidden" not in str(caught.value)


def test_what_messages_show_of_an_address() -> None:
    assert shown("https://me:pw@go.dev:8443/dl/x?key=1#f") == "https://go.dev:8443/dl/x"
    assert shown("http://[::1]:80/x") == "http://[::1]:80/x"
    assert shown("http://[::1/x") == "an invalid URL"
    assert resolve("./go", Path("/srv")) == str(Path("/srv/go").resolve())
    assert resolve("https://go.dev/", Path("/srv")) == "https://go.dev/"


@pytest.mark.parametrize(("text", "seconds"), [("", None), ("soon", None), ("7", 7.0), ("-1", None)])
def test_retry_after(text: str, seconds: float | None) -> None:
    assert answers.retry_after(text) == seconds


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "about 1 minute"),
        (61, "about 2 minutes"),
        (7200, "about 120 minutes"),
        (7201, "about 3 hours"),
        (172801, "about 3 days"),
    ],
)
def test_when_a_server_takes_more(seconds: float, said: str) -> None:
    assert answers.about(seconds) == said
