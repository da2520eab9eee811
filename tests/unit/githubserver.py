"""A real HTTP server on 127.0.0.1 with GitHub's behaviour where comments and check runs are made, and its
misbehaviour on demand."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.unit.goserver import Behaviour, GoServer, Handler

TOKEN = "ghs_aSecretThatNobodyMaySee"
REPOSITORY = "gophers/patches"
SHA = "0123456789abcdef0123456789abcdef01234567"
# The account and the app of a workflow's own token, and somebody else.
BOT: dict[str, Any] = {"login": "github-actions[bot]", "id": 41898282}
APP = "github-actions"
MALLORY: dict[str, Any] = {"login": "mallory", "id": 666}
CONCLUSIONS = {
    "action_required",
    "cancelled",
    "failure",
    "neutral",
    "success",
    "skipped",
    "timed_out",
}
Reply = tuple[int, Any]


class GitHubHandler(Handler):
    """Answers as the server's script says, and as GitHub when the script says nothing."""

    server: GitHubServer

    def _handle(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append((self.command, self.path, raw))
        self.server.hits.append((self.path, dict(self.headers)))
        path = urlsplit(self.path).path
        for pattern, script in self.server.behaviours.items():
            if script and re.fullmatch(pattern, f"{self.command} {path}"):
                with contextlib.suppress(OSError):
                    script.pop(0)(self, raw)
                return
        self.answer(raw)

    do_GET = do_POST = do_PATCH = do_DELETE = _handle  # noqa: N815  # http.server's own names

    def answer(self, raw: bytes) -> None:
        """What GitHub answers."""
        code, value = self.result(raw)
        body = b"" if value is None else json.dumps(value).encode()
        headers: dict[str, object] = {
            "Content_Length": len(body),
            "Content_Type": "application/json; charset=utf-8",
            "X_RateLimit_Remaining": 4999,
        }
        if isinstance(value, list) or "check_runs" in (value or {}):
            headers |= self.server.link(self.path)
        self.head(code, **headers)
        self.wfile.write(body)

    def result(self, raw: bytes) -> Reply:
        """What GitHub makes of the request; ``self.server`` holds what is changed by it."""
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {"message": "Bad credentials"}
        return self.server.do(self.command, self.path, json.loads(raw) if raw else {})


class GitHubServer(GoServer):
    """``comments`` and ``runs`` are what is there; ``behaviours`` are scripts by a pattern of method and
    path; ``most`` is how many entries a page has, ``longest`` how long a body may be, and ``invalid`` are
    paths of annotations that are not taken."""

    def __init__(self) -> None:
        super().__init__(GitHubHandler)
        self.requests: list[tuple[str, str, bytes]] = []
        self.behaviours: dict[str, list[Behaviour]] = {}
        self.viewer: dict[str, Any] | None = BOT
        self.comments: list[dict[str, Any]] = []
        self.runs: list[dict[str, Any]] = []
        self.pulls: list[dict[str, Any]] = [{"number": 7, "head": {"sha": SHA, "label": "gopher:topic"}}]
        self.most, self.longest, self.count = 100, 65_536, 1000
        self.invalid: set[str] = set()
        self.last_page = 1

    def number(self) -> int:
        """The next id."""
        self.count += 1
        return self.count

    def say(self, body: str, user: dict[str, Any] | None = BOT) -> dict[str, Any]:
        """Add a comment."""
        made = {"id": self.number(), "body": body, "user": user, "html_url": f"{self.url}/c/{self.count}"}
        self.comments.append(made)
        return made

    def sent(self, method: str) -> list[str]:
        """The paths of the requests of one method, queries left out."""
        return [urlsplit(path).path for done, path, _ in self.requests if done == method]

    def link(self, path: str) -> dict[str, object]:
        """The Link header of a page."""
        parts = urlsplit(path)
        page = int(parse_qs(parts.query).get("page", ["1"])[0])
        if page >= self.last_page:
            return {}
        query = re.sub(r"&page=\d+", "", parts.query)
        target = f"{self.url}/repositories/42{parts.path.removeprefix('/repositories/42')}?{query}&page="
        return {"Link": f'<{target}{page + 1}>; rel="next", <{target}{self.last_page}>; rel="last"'}

    def paged(self, path: str, entries: list[Any]) -> list[Any]:
        """The page that a query asks for."""
        query = parse_qs(urlsplit(path).query)
        size = min(int(query.get("per_page", ["30"])[0]), self.most)
        page = int(query.get("page", ["1"])[0])
        self.last_page = max(-(-len(entries) // size), 1)
        return entries[(page - 1) * size : page * size]

    def do(self, method: str, path: str, body: dict[str, Any]) -> Reply:
        """Carry a request out."""
        where = urlsplit(path).path.removeprefix("/repositories/42")
        if (method, where) == ("POST", "/graphql"):
            return 200, self._viewer()
        where = where.removeprefix(f"/repos/{REPOSITORY}")
        routes: dict[str, Callable[..., Reply]] = {
            r"GET /pulls/(\d+)": self._pull,
            r"GET /pulls": self._pulls,
            r"GET /issues/7/comments": lambda *_: (200, self.paged(path, self.comments)),
            r"POST /issues/7/comments": self._comment,
            r"(?:PATCH|DELETE) /issues/comments/(\d+)": self._alter,
            r"GET /commits/(\w+)/check-runs": self._check_runs,
            r"POST /check-runs": self._run,
            r"PATCH /check-runs/(\d+)": self._rerun,
            r"GET /check-runs/(\d+)/annotations": self._annotations,
        }
        for pattern, route in routes.items():
            if found := re.fullmatch(pattern, f"{method} {where}"):
                return route((method, path, body), *found.groups())
        return 404, {"message": "Not Found"}

    def _viewer(self) -> dict[str, Any]:
        if self.viewer is None:
            return {"errors": [{"message": "Resource not accessible"}]}
        return {"data": {"viewer": {"login": self.viewer["login"], "databaseId": self.viewer["id"]}}}

    def _pull(self, _: Any, number: str) -> Reply:
        found = [one for one in self.pulls if one["number"] == int(number)]
        return (200, found[0]) if found else (404, {"message": "Not Found"})

    def _pulls(self, request: Any) -> Reply:
        wanted = parse_qs(urlsplit(request[1]).query)["head"][0]
        return 200, self.paged(request[1], [one for one in self.pulls if one["head"]["label"] == wanted])

    def _comment(self, request: Any) -> Reply:
        body = str(request[2]["body"])
        if len(body) > self.longest:
            return self._too_long()
        return 201, self.say(body, self.viewer)

    def _too_long(self) -> Reply:
        problem = {
            "resource": "IssueComment",
            "code": "unprocessable",
            "field": "data",
            "message": f"Body is too long (maximum is {self.longest} characters)",
        }
        return 422, {"message": "Validation Failed", "errors": [problem]}

    def _alter(self, request: Any, number: str) -> Reply:
        found = [one for one in self.comments if one["id"] == int(number)]
        if not found:
            return 404, {"message": "Not Found"}
        if request[0] == "DELETE":
            self.comments.remove(found[0])
            return 204, None
        if len(request[2]["body"]) > self.longest:
            return self._too_long()
        found[0]["body"] = request[2]["body"]
        return 200, found[0]

    def _check_runs(self, request: Any, sha: str) -> Reply:
        name = parse_qs(urlsplit(request[1]).query)["check_name"][0]
        found = [one for one in self.runs if (one["head_sha"], one["name"]) == (sha, name)]
        newest_first = sorted(found, key=lambda one: -one["id"])
        if "filter=all" not in request[1]:
            newest_first = newest_first[:1]
        return 200, {"total_count": len(found), "check_runs": self.paged(request[1], newest_first)}

    def _run(self, request: Any) -> Reply:
        body = request[2]
        if not self.viewer or not str(self.viewer["login"]).endswith("[bot]"):
            return 403, {"message": "You must authenticate via a GitHub App."}
        made = {"id": self.number(), "app": {"slug": APP}, "annotations": [], "html_url": f"{self.url}/r"}
        refused = self._fill(made, body)
        if refused is None:
            made["head_sha"] = body["head_sha"]
            self.runs.append(made)
        return refused or (201, made)

    def _rerun(self, request: Any, number: str) -> Reply:
        found = [one for one in self.runs if one["id"] == int(number)]
        return self._fill(found[0], request[2]) or (200, found[0])

    def _fill(self, run: dict[str, Any], body: dict[str, Any]) -> Reply | None:
        """Take what a request says of a run, or say why not."""
        output, given = body["output"], body["output"].get("annotations", [])
        if len(given) > 50:
            more = f"No more than 50 items are allowed; {len(given)} were supplied."
            return 422, {"message": f"Invalid request.\n\n{more}", "errors": [more]}
        if max(len(output["summary"]), len(output["text"])) > min(self.longest, 65_535):
            return 422, {"message": f"Only {self.longest} characters are allowed; the maximum is exceeded"}
        if any(one["path"] in self.invalid for one in given):
            return 422, {"message": "Validation Failed", "errors": [{"message": "path is invalid"}]}
        assert body["status"] == "completed"
        assert body["conclusion"] in CONCLUSIONS
        run.update({key: value for key, value in body.items() if key != "output"})
        run["output"] = {key: value for key, value in output.items() if key != "annotations"}
        run["annotations"] += given
        return None

    def _annotations(self, request: Any, number: str) -> Reply:
        (found,) = [one for one in self.runs if one["id"] == int(number)]
        return 200, self.paged(request[1], found["annotations"])


@contextlib.contextmanager
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubServer]:
    """A server, and an environment that says nothing of GitHub, proxies or passwords."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith(("GITHUB_", "GH_")) or name == "NETRC":
            monkeypatch.delenv(name)
    made = GitHubServer()
    try:
        yield made
    finally:
        made.stop()


def lost(handler: Handler, raw: bytes | None) -> None:
    """Carries the request out, and the connection drops before the answer."""
    assert isinstance(handler, GitHubHandler)
    handler.result(raw or b"")
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def cut(handler: Handler, raw: bytes | None) -> None:
    """Carries the request out, and the answer ends in the middle."""
    assert isinstance(handler, GitHubHandler)
    body = json.dumps(handler.result(raw or b"")[1]).encode()
    handler.head(201, Content_Length=len(body), Content_Type="application/json")
    handler.wfile.write(body[: len(body) // 2])
    handler.close_connection = True


def says(code: int, value: Any, **headers: object) -> Behaviour:
    """A JSON answer, and nothing is carried out."""

    def behave(handler: Handler, _: bytes | None) -> None:
        body = json.dumps(value).encode()
        handler.head(code, **{"Content_Length": len(body), "Content_Type": "application/json", **headers})
        handler.wfile.write(body)

    return behave


def first(other: Callable[[], object]) -> Behaviour:
    """As GitHub does, after something else happened."""

    def behave(handler: Handler, raw: bytes | None) -> None:
        assert isinstance(handler, GitHubHandler)
        other()
        handler.answer(raw or b"")

    return behave
