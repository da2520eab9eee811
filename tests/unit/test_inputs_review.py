"""Gerrit and GitHub, against a server that answers as they do, and as they should not."""

from __future__ import annotations

import base64
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import HostError, PatchError, PipelineError, UsageError
from pipeline.inputs.gerrit import GerritChange
from pipeline.inputs.github import PullRequest
from pipeline.patch import lint
from pipeline.values import Provenance, Series
from pipeline.web.answers import Patience
from tests.unit import goserver as go
from tests.unit.contributor import FILE, Repository
from tests.unit.goserver import GoServer

QUICK = Patience(connect=2, read=0.3, total=8, tries=3, pause=0.01, longest_pause=0.3)
DETAIL = "/changes/12345/detail"
RELATED = "/changes/12345/revisions/3/related"
PATCH = "/changes/12345/revisions/3/patch"
PULL = "/repos/golang/go/pulls/678"
AS_JSON, AS_PATCH = f"{PULL} application/vnd.github+json", f"{PULL} application/vnd.github.patch"
TOKEN = "ghp_aSecretThatNobodyMaySee"
Read = Callable[..., tuple[Series, Provenance]]


@pytest.fixture
def server(processes: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[GoServer]:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name in {"GITHUB_TOKEN", "NETRC"}:
            monkeypatch.delenv(name)
    made = GoServer()
    yield made
    made.stop()


@pytest.fixture
def repository(processes: None, tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "clone")
    made.edit(3, "line three", "runtime: a\n\nThe body.\n")
    made.edit(20, "line twenty", "runtime: b\n")
    return made


def guarded(value: Any) -> bytes:
    return b")]}'\n" + json.dumps(value).encode()


def serve_change(server: GoServer, repository: Repository, **more: Any) -> str:
    """The last commit of the repository as patch set 3 of change 12345; the commit's id."""
    commit, older = repository.git("rev-parse", "HEAD"), "1" * 40
    detail = {
        "id": "go~12345",
        "project": "go",
        "branch": "master",
        "status": "NEW",
        "subject": "runtime: b",
        "current_revision": commit,
        "revisions": {older: {"_number": 2, "ref": "refs/changes/45/12345/2"}, commit: {"_number": 3}},
        **more,
    }
    server.files[DETAIL] = guarded(detail)
    server.files[RELATED] = guarded({"changes": []})
    server.files[PATCH] = base64.b64encode(repository.raw("format-patch", "-1", "--stdout", "--no-signature"))
    return commit


def serve_pull(server: GoServer, repository: Repository, **more: Any) -> str:
    """Both commits of the repository as pull request 678; the last one's id."""
    commit = repository.git("rev-parse", "HEAD")
    pull = {
        "number": 678,
        "state": "open",
        "title": "runtime: a",
        "merged": False,
        "draft": False,
        "commits": 2,
        "head": {"sha": commit, "ref": "topic"},
        "base": {"ref": "master"},
        **more,
    }
    server.files[AS_JSON] = json.dumps(pull).encode()
    server.files[AS_PATCH] = repository.raw("format-patch", "-2", "--stdout")
    return commit


def change(server: GoServer, asked: str = "12345", patience: Patience = QUICK) -> tuple[Series, Provenance]:
    return GerritChange(asked, server.url, patience).read("1.27.3")


def pull(
    server: GoServer, asked: str = "golang/go#678", patience: Patience = QUICK
) -> tuple[Series, Provenance]:
    return PullRequest(asked, server.url, patience).read("1.27.3")


@pytest.mark.parametrize("asked", ["12345", "12345/3"])
def test_a_gerrit_change(server: GoServer, repository: Repository, asked: str) -> None:
    commit = serve_change(server, repository)
    series, origin = change(server, asked)
    assert (series.name, series.subject, series.base) == ("gerrit-12345-3", "runtime: b", "")
    assert [(patch.name, patch.files) for patch in series.patches] == [("0001-runtime-b.patch", (FILE,))]
    assert origin.form == "gerrit"
    assert origin.origin == f"{server.url}/c/go/+/12345/3"
    assert origin.options == ("--gerrit=12345/3",)
    assert origin.revision == commit
    assert origin.raw == series.patches[0].content
    assert origin.notes == ()
    assert server.hits[0][0] == f"{DETAIL}?o=ALL_REVISIONS"


AT_GERRIT = "https://go-review.googlesource.com"


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        (f"{AT_GERRIT}/c/go/+/12345", "12345"),
        (f"{AT_GERRIT}/c/go/+/12345/3", "12345/3"),
        (f"{AT_GERRIT}/c/go/+/12345/3/src/runtime/proc.go#12", "12345/3"),
        (f"{AT_GERRIT}/c/go/+/12345/comment/0a1b/", "12345"),
        (f"{AT_GERRIT}/c/go/+/12345?tab=comments", "12345"),
        (f"{AT_GERRIT}/c/12345/", "12345"),
        (f"{AT_GERRIT}/12345", "12345"),
        ("https://go.dev/cl/12345", "12345"),
        ("https://golang.org/cl/12345/3", "12345/3"),
    ],
)
def test_the_address_of_a_change(server: GoServer, repository: Repository, address: str, asked: str) -> None:
    serve_change(server, repository, status="ABANDONED")
    assert change(server, address) == change(server, asked)


@pytest.mark.parametrize(
    "rest", ["", "/files", "/commits/0123abc", "/", "#issuecomment-1", "?w=1", "/files#diff-1"]
)
def test_the_address_of_a_pull_request(server: GoServer, repository: Repository, rest: str) -> None:
    serve_pull(server, repository)
    series, origin = pull(server, f"https://github.com/golang/go/pull/678{rest}")
    assert (series, origin) == pull(server)
    assert origin.options == ("--github=golang/go#678",)


def test_patch_sets_of_a_change(server: GoServer, repository: Repository) -> None:
    commit, newer = repository.git("rev-parse", "HEAD"), "2" * 40
    revisions = {commit: {"_number": 3}, newer: {"_number": 4}, "3" * 40: {"_number": "edit"}}
    serve_change(server, repository, current_revision=newer, revisions=revisions, status="ABANDONED")
    _, origin = change(server, "12345/3")
    assert origin.notes == (
        "change 12345 is abandoned",
        "patch set 3 of change 12345 is not the current one: the current one is 4",
    )
    with pytest.raises(UsageError, match="change 12345 has no patch set 9") as caught:
        change(server, "12345/9")
    assert caught.value.hint == "its last one is 4"
    serve_change(server, repository, status="MERGED")
    assert "submitted already" in change(server)[1].notes[0]


def test_a_change_that_stands_on_others(server: GoServer, repository: Repository) -> None:
    commit = serve_change(server, repository)
    chain = ["a" * 40, commit, "b" * 40, "c" * 40, "d" * 40]
    states = ["NEW", "NEW", "NEW", "NEW", "MERGED"]
    server.files[RELATED] = guarded(
        {
            "changes": [
                {
                    "_change_number": 100 + at,
                    "status": state,
                    "commit": {"commit": one, "parents": [{"commit": below}], "subject": "x"},
                }
                for at, (one, below, state) in enumerate(
                    zip(chain, [*chain[1:], commit], states, strict=True)
                )
            ]
        }
    )
    _, origin = change(server)
    assert origin.notes == (
        "change 12345 stands on 102, 103, not submitted yet: only 12345 itself is taken, and it may "
        "not apply without them (--from-git takes a whole branch)",
    )


def test_a_pull_request(server: GoServer, repository: Repository) -> None:
    commit = serve_pull(server, repository)
    series, origin = pull(server)
    assert (series.name, series.subject) == ("github-golang-go-678", "runtime: a")
    assert [patch.subject for patch in series.patches] == ["runtime: a", "runtime: b"]
    assert origin.options == ("--github=golang/go#678",)
    assert origin.revision == commit
    assert origin.origin == f"pull request golang/go#678, {server.url}{PULL}"
    assert origin.raw == server.files[AS_PATCH]
    assert all("Authorization" not in headers for _, headers in server.hits)
    serve_pull(server, repository, state="closed")
    assert pull(server)[1].notes == ("pull request golang/go#678 is closed",)
    serve_pull(server, repository, state="closed", merged=True)
    assert "merged already" in pull(server)[1].notes[0]


def test_a_pull_request_with_merges_is_not_taken_in_part(server: GoServer, repository: Repository) -> None:
    serve_pull(server, repository, commits=3, head={"sha": "f" * 40})  # the merge
    with pytest.raises(UsageError, match="has 3 commits, of which GitHub gives 2 as patches"):
        pull(server)


@pytest.mark.parametrize(
    "asked",
    [
        *(
            "",
            "0",
            "-1",
            "12345/",
            "12345/0",
            "12345/3/1",
            "../accounts/self",
            "12345?o=X",
            "１２",
            "I0123abc",
        ),
        f"{AT_GERRIT}/c/go/+/12345/2..3",
        f"{AT_GERRIT}/c/go/+/12345/2..3/src/x.go",
        f"{AT_GERRIT}/c/go/+/0",
        f"{AT_GERRIT}/q/12345",
        f"{AT_GERRIT}.example.test/c/go/+/12345",
        "http://go.dev/cl/12345",
    ],
)
def test_what_is_no_change_is_not_asked_for(server: GoServer, asked: str) -> None:
    with pytest.raises(UsageError, match="is no change"):
        change(server, asked)
    assert server.hits == []


@pytest.mark.parametrize(
    "asked",
    [
        "golang/go",
        "678",
        "golang/go#",
        "golang/go#0",
        "golang/..#1",
        "../x#1",
        "a/b/c#1",
        "a/b#1?x",
        "a/b#1/../2",
        "https://github.com/golang/go/issues/5",
        "https://github.com/golang/go/pull/0",
        "https://github.com/golang/go/pull/5x",
        "https://github.com/../go/pull/5",
        "https://github.com/golang/../pull/5",
        "https://github.com.example.test/golang/go/pull/5",
    ],
)
def test_what_is_no_pull_request_is_not_asked_for(server: GoServer, asked: str) -> None:
    with pytest.raises(UsageError, match="is no pull request"):
        pull(server, asked)
    assert server.hits == []


FORMS = pytest.mark.parametrize(
    ("read", "serve", "paths"),
    [(change, serve_change, (DETAIL, PATCH, RELATED)), (pull, serve_pull, (PULL,))],
    ids=["gerrit", "github"],
)
Serve = Callable[..., str]


def fails(read: Read, server: GoServer, kind: type[PipelineError], what: str) -> PipelineError:
    with pytest.raises(kind, match=what) as caught:
        read(server)
    assert caught.value.hint
    return caught.value


@FORMS
def test_not_there(
    server: GoServer, repository: Repository, read: Read, serve: Serve, paths: tuple[str, ...]
) -> None:
    error = fails(read, server, UsageError, r"(change 12345|pull request golang/go#678) is not at .* \(404\)")
    assert "there is no such" in error.meaning
    assert len(server.hits) == 1


@FORMS
def test_what_passes_is_tried_again(
    server: GoServer, repository: Repository, read: Read, serve: Serve, paths: tuple[str, ...]
) -> None:
    serve(server, repository)
    for path in paths:
        server.scripts[path] = [go.status(503), go.cut(10)]
    first = read(server)
    assert not any(server.scripts[path] for path in paths), "every fault was met"
    for path in paths:
        server.scripts[path] = [go.status(429, Retry_After="0"), go.stall(5)]
    assert read(server) == first
    assert not any(server.scripts[path] for path in paths), "every fault was met"


@FORMS
@pytest.mark.parametrize(
    ("behaviour", "kind", "what"),
    [
        (go.status(500), HostError, "could not be fetched.*the server failed"),
        (go.cut(10), HostError, "could not be fetched.*cut"),
        (go.stall(5), HostError, "could not be fetched.*nothing came for"),
        (go.status(401), HostError, "refuses to give"),
        (go.status(403), HostError, "refuses to give"),
        (go.status(418), HostError, "status 418"),
        (go.page, HostError, "answers with a web page"),
        (go.disguised_page, HostError, "answers with a web page"),
        (go.endless, HostError, "not of the right size"),
        (go.status(302, Location="http://example.test/x"), HostError, "redirects to .*: refused"),
        (go.status(302, Location="/changes/loop"), HostError, "redirects more than 5 times"),
    ],
)
def test_servers_that_fail(
    server: GoServer,
    repository: Repository,
    read: Read,
    serve: Serve,
    paths: tuple[str, ...],
    behaviour: go.Behaviour,
    kind: type[PipelineError],
    what: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    serve(server, repository)
    monkeypatch.setattr("pipeline.inputs.server.MAX_JSON", 1 << 20)
    for path in paths[:2]:
        server.scripts["/changes/loop"] = [go.status(302, Location="/changes/loop")] * 9
        server.scripts[path] = [behaviour] * 4
        error = fails(read, server, kind, what)
        server.scripts[path] = []
        assert "--base" not in str(error)


@FORMS
def test_nobody_listens(
    server: GoServer, repository: Repository, read: Read, serve: Serve, paths: tuple[str, ...]
) -> None:
    server.stop()
    error = fails(read, server, HostError, "the connection was refused")
    assert "--series its file" in error.hint


@FORMS
@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"{}", b"[" * 100_000, b'{"status": 1e999}', b"\xff\xfe"]
)
def test_answers_that_are_not_the_apis(
    server: GoServer, repository: Repository, read: Read, serve: Serve, paths: tuple[str, ...], body: bytes
) -> None:
    serve(server, repository)
    for path in (DETAIL, RELATED):
        good = server.files.get(path, b"")
        server.files[path] = b")]}'\n" + body
        server.files[AS_JSON] = body
        fails(read, server, HostError, "does not answer as its API should|is not change|could not be")
        server.files[path] = good
        if read is pull:
            break


def test_without_the_guard_it_is_not_gerrit(server: GoServer, repository: Repository) -> None:
    serve_change(server, repository)
    server.files[DETAIL] = server.files[DETAIL].removeprefix(b")]}'\n")
    fails(change, server, HostError, "is not change 12345: it begins with")


@pytest.mark.parametrize("body", [b"!!!", b"QUJD" * 3 + b"=A", base64.b64encode(b"a diff? no")])
def test_a_patch_that_is_none(server: GoServer, repository: Repository, body: bytes) -> None:
    serve_change(server, repository)
    server.files[PATCH] = body
    fails(change, server, HostError, "gives no patch")


@FORMS
def test_a_change_that_moves_on_while_it_is_read(
    server: GoServer, repository: Repository, read: Read, serve: Serve, paths: tuple[str, ...]
) -> None:
    serve(server, repository)
    old = server.files[DETAIL if read is change else AS_JSON]
    repository.git("commit", "--quiet", "--amend", "-m", "runtime: amended")
    serve(server, repository)
    server.files[DETAIL if read is change else AS_JSON] = old
    fails(read, server, HostError, "changed while it was read")


@FORMS
def test_what_lint_refuses(
    server: GoServer, repository: Repository, read: Read, serve: Serve, paths: tuple[str, ...]
) -> None:
    repository.commit({".github/workflows/x.yml": "x\n"}, "all: x\n")
    serve(server, repository)
    with pytest.raises(PatchError, match="a path outside Go's source"):
        lint.refuse(lint.of(read(server)[0].patches))


def test_the_token_goes_to_its_host_only(
    server: GoServer, repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    serve_pull(server, repository)
    pull(server)
    assert {headers["Authorization"] for _, headers in server.hits} == {f"Bearer {TOKEN}"}
    other = GoServer()
    try:
        other.files["/moved"] = server.files[AS_JSON]
        server.scripts[PULL] = [go.status(307, Location=f"{other.url}/moved")]
        pull(server)
        assert len(other.hits) == 1
        assert TOKEN not in str(other.hits)
    finally:
        other.stop()


@pytest.mark.parametrize("code", [401, 403, 404])
def test_the_token_is_never_shown(
    server: GoServer, code: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    server.scripts[PULL] = [go.status(code)]
    assert "set GITHUB_TOKEN" in fails(pull, server, PipelineError, str(code)).hint
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    server.scripts[PULL] = [go.status(code)]
    error = fails(pull, server, PipelineError, str(code))
    assert "GITHUB_TOKEN is not accepted" in error.hint
    monkeypatch.setenv("GITHUB_TOKEN", f"{TOKEN}\nX-Other: y")
    odd = fails(pull, server, UsageError, "holds what no token can")
    for text in (str(error), repr(error), str(odd), repr(odd.__cause__), *capfd.readouterr()):
        assert TOKEN not in text


def test_a_limit_of_requests(
    server: GoServer, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_pull(server, repository)
    later = str(int(time.time()) + 1800)
    server.scripts[PULL] = [go.status(403, X_RateLimit_Remaining="0", X_RateLimit_Reset=later)]
    error = fails(pull, server, HostError, r"its limit of requests is used up \(403\)")
    assert re.search(r"in about (29|30|31) minutes", error.meaning)
    assert "a token in GITHUB_TOKEN" in error.hint
    assert len(server.hits) == 1
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    server.scripts[PULL] = [go.status(429, X_RateLimit_Remaining="0", X_RateLimit_Reset=later)]
    assert "TOKEN" not in fails(pull, server, HostError, "limit of requests is used up").hint
    soon = str(int(time.time()))
    server.scripts[PULL] = [
        go.status(429, X_RateLimit_Remaining="0", X_RateLimit_Reset=soon),
        go.status(403, Retry_After="0"),
    ]
    pull(server)
