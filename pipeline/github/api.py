"""GitHub's API: JSON out, checked JSON in; what is busy is waited for, within a budget.

The token goes to the API's own host and to no other, and into no message. A request whose answer was lost may
have been carried out: what must not happen twice is for the caller of ``persist`` to look for before it asks
again.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urljoin

import requests
from pydantic import Field, ValidationError
from requests.utils import parse_header_links

from pipeline.errors import HostError
from pipeline.inputs.naming import plain
from pipeline.web import answers, reply, sending
from pipeline.web.answers import LaterError, Patience, Wanted, Words
from pipeline.web.reply import Answer

PATIENCE = Patience(connect=15, read=60, total=1200, tries=6, pause=1, longest_pause=900)
MAX_PAGES = 100
# A page of a hundred comments, each as long as GitHub takes them, with every character escaped.
MAX_ANSWER = 64 << 20
# What GitHub's documentation asks for after a secondary limit that names no time.
_SECONDARY = 60.0
_HINT = "check --api, and what its address answers"
_VERSION = "2022-11-28"
T = TypeVar("T")


class RejectedError(HostError):
    """GitHub understands the request and does not take what it holds (422); ``long``: it is too much."""

    def __init__(self, what: str, said: str) -> None:
        super().__init__(
            f"{what} is not taken by GitHub: {said or 'it does not say why'} (422)",
            hint="this is between gopatch and GitHub: please report it",
        )
        self.long = bool(re.search(r"too (long|large|big)|maximum|exceeds", said, re.IGNORECASE))


class _Problem(Answer):
    message: str = ""


class _Problems(Answer):
    message: str = ""
    errors: list[_Problem | str] = Field(default=[])


class _Viewer(Answer):
    login: str
    id: int = Field(alias="databaseId")


class _Data(Answer):
    viewer: _Viewer


class _Seen(Answer):
    data: _Data | None = None
    errors: list[_Problem] = Field(default=[])


class Api:
    """The API below ``base``, for one command: the time that ``patience`` allows is for all requests
    together. ``note`` hears of long pauses."""

    def __init__(
        self, base: str, token: str, note: Callable[[str], None], patience: Patience = PATIENCE
    ) -> None:
        self._base, self._token, self._note, self._patience = base.rstrip("/"), token, note, patience
        self._end = time.monotonic() + patience.total
        self._session = sending.session("application/vnd.github+json")
        self._session.headers["X-GitHub-Api-Version"] = _VERSION

    def close(self) -> None:
        """Let go of the connections."""
        self._session.close()

    def persist(self, what: str, action: Callable[[int], T]) -> T:
        """What ``action`` gives, tried again after a LaterError; it is told how many tries were before.
        HostError when the budget is used up."""
        for tries in range(self._patience.tries):
            try:
                return action(tries)
            except LaterError as error:
                self._wait(what, error, tries + 1)
        raise AssertionError("the last try either returns or raises")

    def _wait(self, what: str, error: LaterError, tries: int) -> None:
        seconds = max(error.wait or 0.0, min(self._patience.pause * 2 ** (tries - 1), 60.0))
        left = self._end - time.monotonic()
        if tries >= self._patience.tries or seconds > min(left, self._patience.longest_pause):
            later = f"; it takes more in {answers.about(seconds)}" if error.wait else ""
            raise HostError(
                f"{what}: {error}",
                meaning=f"given up after {tries} {'try' if tries == 1 else 'tries'}{later}",
                hint="run again then: what was published already is found and updated",
            ) from error
        if seconds > 10:
            self._note(f"{what}: {error}; waiting {seconds:.0f} s")
        sending.pause(seconds)

    def get(self, path: str, kind: type[T], what: str) -> T:
        """What is at a path."""
        return self.persist(what, lambda _: self.once("GET", path, kind, what))

    def pages(self, path: str, kind: type[T], what: str) -> list[T]:
        """The pages of a list, in order; a link to another host, or more than MAX_PAGES, is refused."""
        found: list[T] = []
        address = self._base + path
        while address:
            if len(found) == MAX_PAGES:
                raise HostError(f"{what}: GitHub lists more than {MAX_PAGES} pages", hint=_HINT)
            headers, raw = self._page(address, what)
            found.append(reply.parse(raw, kind, self._wanted(address, what), _HINT))
            address = self._next(address, headers.get("Link", ""), what)
        return found

    def _page(self, address: str, what: str) -> tuple[Mapping[str, str], bytes]:
        return self.persist(what, lambda _: self._exchange("GET", address, what))

    def _next(self, address: str, link: str, what: str) -> str:
        try:
            links = parse_header_links(link)
            target = next((urljoin(address, one["url"]) for one in links if one.get("rel") == "next"), "")
            same = not target or sending.origin(target) == sending.origin(self._base)
        except (ValueError, KeyError):
            target, same = "", False
        if not same:
            raise HostError(
                f"{what}: the next page is said to be on another host: refused",
                meaning="what is sent is for the API, and for no other host",
                hint=_HINT,
            )
        return target

    def once(self, method: str, path: str, kind: type[T], what: str, body: Any = None) -> T:
        """One request. LaterError when it failed, or may have been carried out though its answer is lost;
        RejectedError for what GitHub does not take."""
        address = self._base + path
        _, raw = self._exchange(method, address, what, body)
        return reply.parse(raw, kind, self._wanted(address, what), _HINT)

    def change(self, method: str, path: str, kind: type[T], what: str, body: Any = None) -> T:
        """``once``, again and again: for what may happen twice."""
        return self.persist(what, lambda _: self.once(method, path, kind, what, body))

    def remove(self, path: str, what: str) -> None:
        """DELETE; what is gone already is well."""

        def action(_: int) -> None:
            self._exchange("DELETE", self._base + path, what, gone=True)

        self.persist(what, action)

    def viewer(self) -> tuple[str, int]:
        """The login and the id that the token acts as. Only GraphQL tells it to a job's own token."""
        what = "who the token acts for"
        # GitHub Enterprise has REST in /api/v3 and GraphQL beside it.
        address = re.sub(r"/v3$", "", self._base) + "/graphql"
        body = {"query": "query { viewer { login databaseId } }"}
        _, raw = self.persist(what, lambda _: self._exchange("POST", address, what, body))
        seen = reply.parse(raw, _Seen, self._wanted(address, what), _HINT)
        if seen.data is None:
            said = plain("; ".join(one.message for one in seen.errors), 200)
            raise HostError(f"{what}: GitHub does not say: {said}", hint="check the token")
        return seen.data.viewer.login, seen.data.viewer.id

    def _wanted(self, address: str, what: str) -> Wanted:
        return Wanted(
            address=address,
            what=what,
            limit=MAX_ANSWER,
            token=self._token,
            words=Words(
                missing="there is no such repository, pull request or commit, or the token may not see it",
                mend="check --repository, --pull-request and --sha, and what the token may do",
                instead="a log-in page of the network, or an address that is no API",
                busy="run again then: what was published already is found and updated",
            ),
        )

    def _exchange(
        self, method: str, address: str, what: str, body: Any = None, *, gone: bool = False
    ) -> tuple[Mapping[str, str], bytes]:
        wanted = self._wanted(address, what)
        data = None if body is None else json.dumps(body).encode()
        headers = {} if data is None else {"Content-Type": "application/json"}
        with sending.send(
            self._session, wanted, self._patience, method=method, headers=headers, body=data, elsewhere=False
        ) as response:
            raw = self._body(response, wanted)
            code = response.status_code
            if 200 <= code < 300:
                answers.check_type(wanted, response.headers.get("Content-Type", ""))
            elif not (gone and code in answers.MISSING):
                self._refuse(wanted, code, response.headers, raw)
            return response.headers, raw

    def _body(self, response: requests.Response, wanted: Wanted) -> bytes:
        raw = bytearray()
        for chunk in sending.chunks(response, wanted, self._patience, self._end):
            raw += chunk
            if len(raw) > wanted.limit:
                answers.wrong_size(wanted)
        return bytes(raw)

    def _refuse(self, wanted: Wanted, code: int, headers: Mapping[str, str], raw: bytes) -> None:
        said = _said(raw)
        answers.check_rate(wanted, code, headers, self._patience.longest_pause)
        if code in {403, 429} and re.search(r"rate limit|abuse", said, re.IGNORECASE):
            raise LaterError(f"it was asked too much at once ({code})", _SECONDARY)
        if code == 422:
            raise RejectedError(wanted.what, said)
        if code in answers.MISSING:
            answers.missing(wanted, str(code))
        if code in answers.LATER:
            raise LaterError(
                f"the server failed ({code})", answers.retry_after(headers.get("Retry-After", ""))
            )
        raise _refused(wanted, code, said)


def _refused(wanted: Wanted, code: int, said: str) -> HostError:
    if code == 401:
        return HostError(
            f"{wanted.what}: GitHub does not accept the token (401)",
            hint="in a workflow, give this step GITHUB_TOKEN: ${{ github.token }}",
        )
    return HostError(
        f"{wanted.what}: GitHub refuses ({code}){f': {said}' if said else ''}",
        meaning="the token may not do that",
        hint="the job needs permissions pull-requests: write for the comment and checks: write for the "
        "check, which only a GitHub App's token such as the job's own can have; see docs/publishing.md",
    )


def _said(raw: bytes) -> str:
    """What an error's body says, as messages may quote it."""
    try:
        found = _Problems.model_validate_json(raw)
    except (ValidationError, RecursionError):
        return ""
    more = [one if isinstance(one, str) else one.message for one in found.errors]
    return plain("; ".join(part for part in (found.message, *more) if part), 200)
