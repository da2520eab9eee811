"""GitHub's API, against a server that answers as GitHub does, and as it should not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pipeline.errors import HostError, UsageError
from pipeline.github import api as api_module
from pipeline.github import comment, pulls
from pipeline.github.api import Api, RejectedError
from pipeline.github.comment import Thread
from pipeline.report import blocks, cutting
from pipeline.web import sending
from pipeline.web.answers import Patience
from tests.unit import githubserver as gh
from tests.unit import goserver as go
from tests.unit.githubserver import BOT, MALLORY, REPOSITORY, SHA, TOKEN, GitHubServer

QUICK = Patience(connect=2, read=1, total=8, tries=4, pause=0.01, longest_pause=2)
LIST, POST, PATCH = (
    "GET /repos/.*/issues/7/comments",
    "POST /repos/.*/issues/7/comments",
    "PATCH /repos/.*/issues/comments/.*",
)
MARK = "<!-- gopatch: s -->"


@pytest.fixture
def server(processes: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubServer]:
    with gh.running(monkeypatch) as made:
        yield made


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def api(server: GitHubServer, notes: list[str]) -> Iterator[Api]:
    made = Api(server.url, TOKEN, notes.append, QUICK)
    yield made
    made.close()


def thread(api: Api) -> Thread:
    return Thread(api=api, repository=REPOSITORY, number=7, author=BOT["id"])


def say(api: Api, text: str, key: str = "s") -> str:
    """Publish a text; whether the comment was created or updated."""
    done, _ = comment.put(thread(api), key, lambda limit: cutting.fit(text, limit, "the run"))
    return done


def bodies(server: GitHubServer, user: dict[str, Any] = BOT) -> list[str]:
    return [one["body"] for one in server.comments if one["user"] == user]


# One comment.


def test_three_runs_leave_one_comment(server: GitHubServer, api: Api) -> None:
    server.say("Looks good to me", MALLORY)
    assert [say(api, text) for text in ("first", "second", "third")] == ["created", "updated", "updated"]
    assert bodies(server) == [f"{MARK}\nthird"]
    assert len(server.sent("POST")) == 1
    assert bodies(server, MALLORY) == ["Looks good to me"]


def test_every_series_has_a_comment_of_its_own(server: GitHubServer, api: Api) -> None:
    for key in ("s", "s2", "s"):
        say(api, f"of {key}", key)
    assert bodies(server) == [f"{MARK}\nof s", "<!-- gopatch: s2 -->\nof s2"]


def test_the_comment_is_found_on_the_third_page(server: GitHubServer, api: Api) -> None:
    server.most = 2
    for number in range(4):
        server.say(f"comment {number}", MALLORY)
    old = server.say(f"{MARK}\r\nold")
    server.say("after it", MALLORY)
    server.say("and more", MALLORY)
    assert say(api, "new") == "updated"
    assert old["body"] == f"{MARK}\nnew"
    assert len(server.comments) == 7
    pages = [path for method, path, _ in server.requests if method == "GET"]
    assert [path.rpartition("page=")[2] for path in pages] == ["100", "2", "3", "4"]


@pytest.mark.parametrize(
    ("body", "user"),
    [
        (f"{MARK}\nmine now", MALLORY),
        (f"{MARK}\nof a deleted account", None),
        (f"Somebody wrote:\n{MARK}\n", BOT),
        (f" {MARK}\nnot at the beginning", BOT),
        ("<!-- gopatch: s2 -->\nanother series", BOT),
        (f"{MARK[:-4]} x -->\nanother mark", BOT),
    ],
)
def test_what_only_looks_like_the_comment_is_left_alone(
    server: GitHubServer, api: Api, body: str, user: dict[str, Any] | None
) -> None:
    other = server.say(body, user)
    assert say(api, "new") == "created"
    assert other["body"] == body
    assert len(server.comments) == 2


def test_of_several_the_oldest_stays(server: GitHubServer, api: Api) -> None:
    oldest = server.say(f"{MARK}\none")
    server.say("between", MALLORY)
    for text in ("two", "three"):
        server.say(f"{MARK}\n{text}")
    assert say(api, "new") == "updated"
    assert [one["id"] for one in server.comments if one["user"] == BOT] == [oldest["id"]]
    assert bodies(server) == [f"{MARK}\nnew"]


def test_two_that_publish_at_once_leave_one_comment(server: GitHubServer, api: Api) -> None:
    """The other one's comment appears between this one's look and its own."""
    server.behaviours[POST] = [gh.first(lambda: server.say(f"{MARK}\nthe other"))]
    assert say(api, "mine") == "updated"
    assert bodies(server) == [f"{MARK}\nmine"]


def test_a_duplicate_that_went_away_meanwhile_is_no_failure(server: GitHubServer, api: Api) -> None:
    for text in ("one", "two"):
        server.say(f"{MARK}\n{text}")
    gone = gh.first(server.comments.pop)
    server.behaviours["DELETE /repos/.*"] = [gone]
    assert say(api, "new") == "updated"
    assert len(server.comments) == 1


# What goes wrong on the way.


@pytest.mark.parametrize("how", [gh.lost, gh.cut], ids=["connection", "answer"])
def test_a_comment_whose_answer_was_lost_is_not_made_twice(server: GitHubServer, api: Api, how: Any) -> None:
    server.behaviours[POST] = [how]
    say(api, "text")
    assert bodies(server) == [f"{MARK}\ntext"]
    assert len(server.sent("POST")) == 1


def test_a_comment_that_was_never_made_is_made(server: GitHubServer, api: Api) -> None:
    server.behaviours[POST] = [go.status(502), go.status(503, Retry_After=0)]
    assert say(api, "text") == "created"
    assert bodies(server) == [f"{MARK}\ntext"]
    assert len(server.sent("POST")) == 3


@pytest.mark.parametrize("pattern", [LIST, PATCH])
def test_what_fails_for_a_while_is_tried_again(server: GitHubServer, api: Api, pattern: str) -> None:
    server.say(f"{MARK}\nold")
    server.behaviours[pattern] = [go.status(500), gh.lost, go.status(504)]
    assert say(api, "new") == "updated"
    assert bodies(server) == [f"{MARK}\nnew"]


def test_what_fails_for_good_ends_with_one_message(server: GitHubServer, api: Api) -> None:
    server.behaviours[LIST] = [go.status(500)] * 10
    with pytest.raises(
        HostError, match=r"the comment on gophers/patches#7: the server failed \(500\)"
    ) as caught:
        say(api, "text")
    assert caught.value.meaning == "given up after 4 tries"
    assert len(server.requests) == QUICK.tries


def test_nobody_listens(server: GitHubServer, notes: list[str]) -> None:
    gone = Api("http://127.0.0.1:1", TOKEN, notes.append, QUICK)
    with pytest.raises(HostError, match="who the token acts for: the connection was refused"):
        gone.viewer()


LIMITED = {"message": "API rate limit exceeded for installation ID 1."}
SECONDARY = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}


@pytest.mark.parametrize(
    "behaviour",
    [
        lambda: gh.says(403, LIMITED, X_RateLimit_Remaining=0, X_RateLimit_Reset=int(time.time()) + 1),
        lambda: gh.says(429, LIMITED, X_RateLimit_Remaining=0, X_RateLimit_Reset=int(time.time()) - 5),
        lambda: gh.says(403, SECONDARY, Retry_After=1),
        lambda: gh.says(429, SECONDARY, Retry_After=1),
        lambda: gh.says(403, SECONDARY, X_RateLimit_Remaining=4000),
    ],
    ids=["primary", "primary, reset in the past", "secondary", "429", "secondary without a time"],
)
def test_a_limit_is_waited_for(
    server: GitHubServer, api: Api, behaviour: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_module, "_SECONDARY", 0.5)
    server.behaviours[POST] = [behaviour()]
    started = time.monotonic()
    assert say(api, "text") == "created"
    assert bodies(server) == [f"{MARK}\ntext"]
    assert time.monotonic() - started < QUICK.total


def test_a_long_wait_is_not_silent(
    server: GitHubServer, api: Api, notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "pause", lambda _: None)
    patient = Patience(connect=2, read=1, total=900, tries=3, pause=0.01, longest_pause=900)
    slow = Api(server.url, TOKEN, notes.append, patient)
    server.behaviours[LIST] = [gh.says(403, SECONDARY, Retry_After=90)]
    say(slow, "text")
    assert notes == ["the comment on gophers/patches#7: it asks to come again later (403); waiting 90 s"]


@pytest.mark.parametrize(
    "headers",
    [
        lambda: {"X_RateLimit_Remaining": 0, "X_RateLimit_Reset": int(time.time()) + 2990},
        lambda: {"Retry_After": 2990},
    ],
)
def test_a_limit_that_lasts_longer_than_the_budget_is_said(
    server: GitHubServer, api: Api, headers: Callable[[], dict[str, object]]
) -> None:
    server.behaviours[LIST] = [gh.says(403, LIMITED, **headers())]
    started = time.monotonic()
    with pytest.raises(HostError, match="limit of requests is used up") as caught:
        say(api, "text")
    assert caught.value.meaning == "it takes more in about 50 minutes"
    assert time.monotonic() - started < QUICK.total
    assert len(server.requests) == 1


def test_a_server_that_is_down_for_an_hour_is_not_waited_for(server: GitHubServer, api: Api) -> None:
    server.behaviours[LIST] = [go.status(503, Retry_After=5400)]
    with pytest.raises(HostError, match=r"the server failed \(503\)") as caught:
        say(api, "text")
    assert caught.value.meaning == "given up after 1 try; it takes more in about 90 minutes"
    assert len(server.requests) == 1


def test_the_budget_is_one_for_all_requests(server: GitHubServer, notes: list[str]) -> None:
    brief = Patience(connect=2, read=1, total=3.5, tries=9, pause=0.01, longest_pause=4)
    short = Api(server.url, TOKEN, notes.append, brief)
    server.behaviours[LIST] = [gh.says(403, SECONDARY, Retry_After=2)] * 5
    with pytest.raises(HostError) as caught:
        say(short, "text")
    assert caught.value.meaning == "given up after 2 tries; it takes more in about 1 minute"


def test_what_the_token_may_not_do_is_not_tried_again(server: GitHubServer, api: Api) -> None:
    server.behaviours[POST] = [gh.says(403, {"message": "Resource not accessible by integration\x1b[31m"})]
    with pytest.raises(
        HostError, match=r"GitHub refuses \(403\): Resource not accessible by integration"
    ) as caught:
        say(api, "text")
    assert "pull-requests: write" in caught.value.hint
    assert "\x1b" not in str(caught.value)
    assert len(server.sent("POST")) == 1


def test_a_wrong_token(server: GitHubServer, notes: list[str]) -> None:
    with pytest.raises(HostError, match="does not accept the token") as caught:
        say(Api(server.url, "ghs_wrong", notes.append, QUICK), "text")
    assert "ghs_wrong" not in f"{caught.value}{caught.value.__cause__}"


def test_there_is_no_such_pull_request(server: GitHubServer, api: Api) -> None:
    with pytest.raises(UsageError, match="pull request gophers/patches#8 is not at") as caught:
        pulls.get(api, REPOSITORY, 8)
    assert "--pull-request" in caught.value.hint


# A body that GitHub does not take.


LONG = (
    "## ❌ s: fail\n\n**The patch fails.**\n\n"
    "### How far\n\n| cell | how |\n|---|---|\n| here | **measured** |\n\n"
    "### Benchmarks\n\n| name | verdict |\n|---|---|\n"
    + "".join(f"| runtime.X{n} | {'worse' if n == 17 else 'no change beyond ±1 %'} |\n" for n in range(4000))
)


@pytest.mark.parametrize("longest", [65_536, 30_000, 5_000])
@pytest.mark.parametrize("before", [False, True], ids=["new", "update"])
def test_a_body_that_is_too_long_is_cut_until_it_is_taken(
    server: GitHubServer, api: Api, longest: int, before: bool
) -> None:
    server.longest = longest
    if before:
        server.say(f"{MARK}\nold")
    say(api, LONG)
    (body,) = bodies(server)
    assert blocks.units(body) <= longest
    assert body.startswith(f"{MARK}\n## ❌ s: fail\n\n**The patch fails.**\n")
    assert "| here | **measured** |" in body
    assert "| runtime.X17 | worse |" in body
    shown = body.count("| runtime.X")
    assert f"*and {4000 - shown} more rows*" in body
    assert body.endswith(f"Left out: {4000 - shown} rows. All of it is in the run.*\n")
    assert len(server.sent("PATCH" if before else "POST")) == {65_536: 1, 30_000: 4, 5_000: 6}[longest]


def test_a_body_that_is_never_taken(server: GitHubServer, api: Api) -> None:
    server.longest = 10
    with pytest.raises(RejectedError, match=r"is not taken by GitHub: .*Body is too long"):
        say(api, LONG)
    assert server.comments == []


def test_another_422_is_not_taken_for_length(server: GitHubServer, api: Api) -> None:
    server.behaviours[POST] = [gh.says(422, {"message": "Validation Failed", "errors": ["is spam"]})]
    with pytest.raises(RejectedError, match=r"Validation Failed; is spam \(422\)"):
        say(api, LONG)
    assert len(server.sent("POST")) == 1


# Answers that are none.


@pytest.mark.parametrize("code", [200, 201])
def test_a_web_page_is_no_answer(server: GitHubServer, api: Api, code: int) -> None:
    server.behaviours[LIST] = [go.page if code == 200 else gh.says(200, {"id": 1})]
    with pytest.raises(HostError, match=r"answers with a web page|does not answer as its API should"):
        say(api, "text")
    assert server.sent("POST") == []


@pytest.mark.parametrize(
    "value",
    [
        {},
        None,
        "text",
        [1],
        [{}],
        [{"id": "1"}],
        [{"id": True}],
        [{"id": 1, "user": "me"}],
        [{"id": 1, "body": ["x"], "user": {"id": 1}}],
        [{"id": 1, "user": {"id": None}}],
    ],
)
def test_an_answer_of_the_wrong_shape_is_refused(server: GitHubServer, api: Api, value: Any) -> None:
    server.behaviours[LIST] = [gh.says(200, value)]
    with pytest.raises(HostError, match="does not answer as its API should"):
        say(api, "text")
    assert server.sent("POST") == []


def test_an_answer_that_is_nested_without_end(server: GitHubServer, api: Api) -> None:
    def deep(handler: go.Handler, _: bytes | None) -> None:
        handler.head(200, Content_Type="application/json")
        handler.wfile.write(b"[" * 1_000_000)

    server.behaviours[LIST] = [deep]
    with pytest.raises(HostError, match="does not answer as its API should"):
        say(api, "text")


def test_an_answer_without_end(server: GitHubServer, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_module, "MAX_ANSWER", 1 << 20)
    server.behaviours[LIST] = [go.endless]
    with pytest.raises(HostError, match="at most 1048576 are taken"):
        say(api, "text")


def test_graphql_may_refuse(server: GitHubServer, api: Api) -> None:
    server.viewer = None
    with pytest.raises(
        HostError, match="who the token acts for: GitHub does not say: Resource not accessible"
    ):
        api.viewer()


@pytest.mark.parametrize("base", ["", "/api/v3"])
def test_graphql_stands_beside_rest(server: GitHubServer, notes: list[str], base: str) -> None:
    server.behaviours["POST /api/graphql"] = [
        gh.says(200, {"data": {"viewer": {"login": BOT["login"], "databaseId": BOT["id"]}}})
    ]
    assert Api(server.url + base, TOKEN, notes.append, QUICK).viewer() == (BOT["login"], BOT["id"])
    assert server.sent("POST") == [f"{base.removesuffix('/v3')}/graphql"]


# The token goes to one host.


def test_no_redirect_leads_to_another_host(server: GitHubServer, api: Api) -> None:
    other = GitHubServer()
    try:
        server.behaviours[LIST] = [go.status(307, Location=f"{other.url}/repos/x")]
        with pytest.raises(HostError, match="redirects to another host"):
            say(api, "text")
        assert other.hits == []
    finally:
        other.stop()


def test_no_next_page_is_on_another_host(server: GitHubServer, api: Api) -> None:
    other = GitHubServer()
    try:
        server.behaviours[LIST] = [gh.says(200, [], Link=f'<{other.url}/x?page=2>; rel="next"')]
        with pytest.raises(HostError, match="the next page is said to be on another host"):
            say(api, "text")
        assert other.hits == []
    finally:
        other.stop()


@pytest.mark.parametrize("method", [LIST, POST])
def test_a_redirect_of_the_same_host_is_followed(server: GitHubServer, api: Api, method: str) -> None:
    moved = f"{server.url}/repositories/42/issues/7/comments"
    server.behaviours[method] = [go.status(307, Location=moved)]
    assert say(api, "text") == "created"
    assert bodies(server) == [f"{MARK}\ntext"]


def test_pages_without_end_are_refused(server: GitHubServer, api: Api) -> None:
    again = f'<{server.url}/repos/{REPOSITORY}/issues/7/comments?page=2>; rel="next"'
    server.behaviours[LIST] = [gh.says(200, [], Link=again)] * 200
    with pytest.raises(HostError, match="more than 100 pages"):
        say(api, "text")


@pytest.mark.parametrize("key", ["", "A", "a b", "a-->", "../x", "a\nb", "x" * 65, "-a"])
def test_a_key_that_could_end_its_marker_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="is no key"):
        comment.marker(key)


# Which pull request.


def test_a_branch_is_asked_for_its_pull_requests(server: GitHubServer, api: Api) -> None:
    server.most = 2
    server.pulls = [
        {"number": number, "head": {"sha": sha, "label": label}}
        for number, sha, label in [
            (1, SHA, "gopher:other"),
            (2, "f" * 40, "gopher:topic"),
            (3, "e" * 40, "gopher:topic"),
            (4, SHA, "gopher:topic"),
            (5, SHA, "mallory:topic"),
        ]
    ]
    assert [one.number for one in pulls.of_head(api, REPOSITORY, "gopher:topic", SHA)] == [4]
    assert pulls.of_head(api, REPOSITORY, "gopher:a&state=all", SHA) == []
