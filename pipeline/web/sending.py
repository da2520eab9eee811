"""One request over HTTP: redirects one by one, a token for its own host only, a body within limits."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from pipeline import proc
from pipeline.errors import HostError, InterruptedRunError
from pipeline.web import answers
from pipeline.web.address import is_safe, shown
from pipeline.web.answers import CHECK, LaterError, Patience, Wanted

if TYPE_CHECKING:
    import requests  # a fifth of a command's start, of which few ever send anything

CHUNK = 1 << 18
MAX_REDIRECTS = 5


def session(accept: str = "") -> requests.Session:
    """A session that asks for bytes as they are: a size or a range of something compressed on the way means
    nothing."""
    import requests

    made = requests.Session()
    made.headers.update({"User-Agent": "gopatch", "Accept-Encoding": "identity"})
    if accept:
        made.headers["Accept"] = accept
    return made


def send(
    made: requests.Session,
    wanted: Wanted,
    patience: Patience,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    elsewhere: bool = True,
) -> requests.Response:
    """The answer, redirects followed: one by one, because each may lead to where nothing is safe.
    ``elsewhere`` is whether one may lead to another host."""
    import requests

    address = wanted.address
    for _ in range(MAX_REDIRECTS + 1):
        heed_interrupt()
        with answers.in_words(wanted, patience):
            request = made.prepare_request(
                requests.Request(method, address, headers=headers, data=body, auth=_auth(wanted, address))
            )
            found: dict[str, Any] = dict(
                made.merge_environment_settings(request.url or "", {}, True, True, None)
            )
            # By the adapter: a session reads a redirect's body, however long that is.
            response = made.get_adapter(address).send(
                request, timeout=(patience.connect, patience.read), **found
            )
        if not response.is_redirect:
            return response
        response.close()
        address = _follow(wanted, address, response.headers["location"], elsewhere)
    raise HostError(f"{wanted.place} redirects more than {MAX_REDIRECTS} times", hint=CHECK)


def chunks(response: requests.Response, wanted: Wanted, patience: Patience, end: float) -> Iterator[bytes]:
    """The body as it arrives. LaterError when it is not whole at ``end``, by the monotonic clock."""
    while True:
        heed_interrupt()
        if time.monotonic() > end:
            raise LaterError(f"not done within {patience.total:g} s")
        with answers.in_words(wanted, patience):
            # read1 and not read: one byte now and then must not keep it from looking at the clock.
            chunk: bytes = response.raw.read1(CHUNK, decode_content=False)
        if not chunk:
            return
        yield chunk


def pause(seconds: float) -> None:
    """Wait, and notice an interrupt."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        heed_interrupt()
        time.sleep(min(left, 0.2))


def heed_interrupt() -> None:
    """InterruptedRunError once the run is to stop."""
    if proc.interrupted():
        raise InterruptedRunError("interrupted")


def origin(address: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port: what a token belongs to."""
    parts = urlsplit(address)
    return parts.scheme, parts.hostname, parts.port


class _Token:
    """Sends a token. Not as a plain header: requests would put what ~/.netrc holds in its place."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _auth(wanted: Wanted, address: str) -> _Token | None:
    if not wanted.token or origin(address) != origin(wanted.address):
        return None
    return _Token(wanted.token)


def _follow(wanted: Wanted, address: str, location: str, elsewhere: bool) -> str:
    try:
        target = urljoin(address, location)
        parts = urlsplit(target)
        safe = is_safe(parts) and not (address.startswith("https:") and parts.scheme != "https")
        away = origin(target) != origin(wanted.address)
    except ValueError:
        target, safe, away = "http://", False, True
    if not safe:
        raise HostError(
            f"{wanted.place} redirects to {shown(target)}: refused",
            meaning="only https:// is followed: anything else can be read and altered on the way",
            hint=CHECK,
        )
    if away and not elsewhere:
        raise HostError(
            f"{wanted.place} redirects to another host, {shown(target)}: refused",
            meaning="what is sent is for the host that was given, and for no other",
            hint="if the server has moved, give its new address",
        )
    return target
