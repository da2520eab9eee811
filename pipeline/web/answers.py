"""What a server may answer with instead of the file, in words; and what the libraries raise, as errors."""

from __future__ import annotations

import contextlib
import datetime as dt
import email.utils
import math
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from pipeline.errors import HostError, UsageError
from pipeline.web.address import shown

CHECK = "check the network and `sources:` in matrix.yml"
LATER = {408, 425, 429, 500, 502, 503, 504}
MISSING = {404, 410}
_UNITS = ((86400, "day"), (3600, "hour"))
_REFUSED = {401, 403, 407, 451}


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Seconds and tries. ``connect`` and ``read`` bound one wait for the other side, ``total`` the whole;
    the pause after a failed try doubles from ``pause``, and no pause is longer than ``longest_pause``."""

    connect: float = 15.0
    read: float = 30.0
    total: float = 1800.0
    tries: int = 5
    pause: float = 0.5
    longest_pause: float = 60.0


@dataclass(frozen=True, kw_only=True)
class Words:
    """What messages add: why something may be ``missing`` and what to do then, what to do about a
    ``refused`` request, what stands ``instead`` of it where a web page does, what to do when the limit of
    requests is used up (``busy``), and how to go on after giving up (``again``)."""

    missing: str = "it was never published there, or that is not the right address"
    mend: str = "check `sources:` in matrix.yml and the release's number"
    refused: str = f"{CHECK}; credentials belong into ~/.netrc"
    instead: str = "a log-in page of the network, or an address that is no mirror of Go's downloads"
    busy: str = "run again then"
    again: str = f"{CHECK}, then run again: what has arrived is kept, or give --base a local Go tree"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is fetched. ``what`` names it in messages; ``limit`` is the most bytes that are taken, and
    ``size`` how many there must be, where that is known; ``starts`` is what every such file begins with.
    ``accept`` is the media type asked for. ``token`` goes to the host of ``address`` and to no other."""

    address: str
    what: str
    limit: int
    sha256: str = ""
    size: int | None = None
    starts: bytes = b""
    accept: str = ""
    token: str = field(default="", repr=False)
    words: Words = Words()

    @property
    def place(self) -> str:
        """The address as messages show it."""
        return shown(self.address)


class LaterError(Exception):
    """A failure that another try may mend, in words; ``wait`` is what the server asks for, in seconds."""

    def __init__(self, what: str, wait: float | None = None) -> None:
        super().__init__(what)
        self.wait = wait


def missing(wanted: Wanted, how: str) -> NoReturn:
    """Raise that the file is not there."""
    raise UsageError(
        f"{wanted.what} is not at {wanted.place} ({how})",
        meaning=wanted.words.missing,
        hint=wanted.words.mend,
    )


def wrong_size(wanted: Wanted) -> NoReturn:
    """Raise that more or less came than there may be."""
    said = f"the index says {wanted.size}" if wanted.size is not None else f"at most {wanted.limit} are taken"
    raise HostError(
        f"{wanted.what} from {wanted.place} is not of the right size: {said} bytes",
        meaning="the address gives something else, or the mirror is broken",
        hint=f"nothing was kept; {CHECK}",
    )


def check_type(wanted: Wanted, content_type: str) -> None:
    """Refuse what calls itself a web page."""
    if content_type.lower().startswith("text/html"):
        _web_page(wanted)


def check_head(wanted: Wanted, head: bytes) -> None:
    """Refuse what does not begin as the file must."""
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        _web_page(wanted)
    if not head.startswith(wanted.starts):
        raise HostError(
            f"{wanted.place} is not {wanted.what}: it begins with {head[:8]!r}",
            meaning="the address gives something else, or the mirror is broken",
            hint=f"nothing was kept; {CHECK}",
        )


def _web_page(wanted: Wanted) -> NoReturn:
    raise HostError(
        f"{wanted.place} answers with a web page where {wanted.what} should be",
        meaning=wanted.words.instead,
        hint=f"nothing was kept; {CHECK}",
    )


def check_status(wanted: Wanted, code: int, headers: Mapping[str, str], longest_pause: float) -> None:
    """Refuse what is no body of a file: LaterError, with the pause that the server asks for, where another
    try may mend it; who catches it gives up when the pause is longer than ``longest_pause`` seconds, as
    ``check_rate`` does."""
    later = headers.get("Retry-After", "")
    check_rate(wanted, code, headers, longest_pause)
    if code in MISSING:
        missing(wanted, str(code))
    if code in LATER:
        busy = "it asks to come again later" if code == 429 else "the server failed"
        raise LaterError(f"{busy} ({code})", retry_after(later))
    if code in _REFUSED:
        raise HostError(
            f"{wanted.place} refuses to give {wanted.what} ({code})",
            meaning="it wants credentials, or a proxy forbids it",
            hint=wanted.words.refused,
        )
    if code not in {200, 206}:
        raise HostError(f"{wanted.place} gives no {wanted.what} (status {code})", hint=CHECK)


def check_rate(wanted: Wanted, code: int, headers: Mapping[str, str], longest_pause: float) -> None:
    """Refuse 403 and 429 by which GitHub says that the hour's requests are used up, or that they came too
    fast: LaterError for a pause up to ``longest_pause`` seconds, HostError for a longer one."""
    used_up = headers.get("X-RateLimit-Remaining", "").strip() == "0"
    if code not in {403, 429} or not (used_up or (code == 403 and "Retry-After" in headers)):
        return
    wait = retry_after(headers.get("Retry-After", ""))
    reset = headers.get("X-RateLimit-Reset", "").strip()
    if wait is None and reset.isdigit():
        wait = max(int(reset[:12]) - dt.datetime.now(dt.UTC).timestamp(), 0.0)
    if wait is None or wait <= longest_pause:
        raise LaterError(f"it asks to come again later ({code})", wait)
    raise HostError(
        f"{wanted.place} gives no {wanted.what}: its limit of requests is used up ({code})",
        meaning=f"it takes more in {about(wait)}",
        hint=wanted.words.busy,
    )


def retry_after(text: str) -> float | None:
    """Seconds of a Retry-After header, which is a number or a date; None where there is none."""
    if text.strip().isdigit():
        return float(text.strip()[:9])
    try:
        when = email.utils.parsedate_to_datetime(text)
        return max((when - dt.datetime.now(dt.UTC)).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None


def about(seconds: float) -> str:
    """How long it is until a server takes more, in the unit that people would use."""
    size, unit = next((one for one in _UNITS if seconds > 2 * one[0]), (60, "minute"))
    count = math.ceil(seconds / size)
    return f"about {count} {unit}{'s' * (count > 1)}"


@contextlib.contextmanager
def in_words(wanted: Wanted, patience: Patience) -> Iterator[None]:
    """What the libraries raise, as this module's errors. Their own texts quote proxies and addresses."""
    import urllib3
    from requests import exceptions

    try:
        yield
    except (exceptions.SSLError, urllib3.exceptions.SSLError) as error:
        if "CERTIFICATE_VERIFY_FAILED" not in str(error):
            raise LaterError("the encrypted connection failed") from error
        raise HostError(
            f"{wanted.place} has no certificate that this machine trusts",
            meaning="a proxy that inspects traffic, a wrong clock, or not the server it says it is",
            hint="set REQUESTS_CA_BUNDLE to your organisation's certificates, or check `sources:`",
        ) from error
    except (exceptions.ProxyError, urllib3.exceptions.ProxyError) as error:
        raise LaterError("the proxy cannot be used (HTTPS_PROXY)") from error
    except (exceptions.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError) as error:
        raise LaterError(f"no connection within {patience.connect:g} s") from error
    except (exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError) as error:
        raise LaterError(f"nothing came for {patience.read:g} s") from error
    except (exceptions.ConnectionError, exceptions.ChunkedEncodingError) as error:
        raise LaterError(_cause(error)) from error
    except urllib3.exceptions.HTTPError as error:
        raise LaterError("the connection was cut") from error
    except (exceptions.RequestException, ValueError) as error:  # requests parses even what it does not follow
        raise HostError(f"{wanted.place} is not understood: {type(error).__name__}", hint=CHECK) from error


def _cause(error: BaseException) -> str:
    """Why there was no connection, by the innermost cause."""
    import urllib3

    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, (socket.gaierror, urllib3.exceptions.NameResolutionError)):
            return "the name cannot be resolved"
        if isinstance(seen, ConnectionRefusedError):
            return "the connection was refused"
        inner = next((one for one in seen.args if isinstance(one, BaseException)), None)
        seen = seen.__cause__ or inner or getattr(seen, "reason", None)
        if not isinstance(seen, BaseException):
            break
    return "the connection could not be made, or was cut"
