"""The check run: what is green, one for a commit and name, and annotations neither doubled nor lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.errors import HostError
from pipeline.github import check
from pipeline.github.api import Api, RejectedError
from pipeline.github.check import Check, Place
from pipeline.github.remarks import Annotation
from pipeline.report import blocks, cutting
from pipeline.web.answers import Patience
from tests.unit import githubserver as gh
from tests.unit import goserver as go
from tests.unit.githubserver import BOT, MALLORY, REPOSITORY, SHA, TOKEN, GitHubServer

QUICK = Patience(connect=2, read=1, total=8, tries=4, pause=0.01, longest_pause=2)
POST, PATCH = "POST /repos/.*/check-runs", r"PATCH /repos/.*/check-runs/\d+"


@pytest.fixture
def server(processes: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubServer]:
    with gh.running(monkeypatch) as made:
        yield made


@pytest.fixture
def place(server: GitHubServer) -> Iterator[Place]:
    api = Api(server.url, TOKEN, lambda _: None, QUICK)
    yield Place(api=api, repository=REPOSITORY, sha=SHA, login=BOT["login"])
    api.close()


def remarks(count: int, first: int = 1) -> tuple[Annotation, ...]:
    return tuple(
        Annotation(
            path="patches/s/0001-x.patch",
            start_line=number,
            end_line=number,
            annotation_level="failure",
            title="types: does not pass",
            message=f"undefined: x{number}",
        )
        for number in range(first, first + count)
    )


def made(verdict: str = "fail", text: str = "text\n", **more: Any) -> Check:
    return Check(
        **{
            "key": "s",
            "verdict": verdict,
            "title": f"{verdict}: in words",
            "summary": lambda limit: cutting.fit(f"## {verdict}\n", limit, "the run"),
            "text": lambda limit: cutting.fit(text, limit, "the run"),
            **more,
        }
    )


@pytest.mark.parametrize(
    ("verdict", "conclusion"),
    [
        ("pass", "success"),
        ("fail", "failure"),
        ("unreadable", "failure"),
        ("interrupted", "cancelled"),
        ("inconclusive", "action_required"),
        ("nothing", "action_required"),
        ("error", "action_required"),
        ("incomplete", "action_required"),
        ("a word of tomorrow", "action_required"),
    ],
)
def test_only_a_pass_is_green(server: GitHubServer, place: Place, verdict: str, conclusion: str) -> None:
    """GitHub lets success, neutral and skipped satisfy a required check."""
    check.put(place, made(verdict, details_url="https://example.test/run/1"))
    (run,) = server.runs
    assert run["conclusion"] == conclusion
    assert (conclusion in {"success", "neutral", "skipped"}) == (verdict == "pass")
    assert (run["name"], run["head_sha"], run["details_url"]) == (
        "gopatch / s",
        SHA,
        "https://example.test/run/1",
    )
    assert run["output"] == {"title": f"{verdict}: in words", "summary": f"## {verdict}\n", "text": "text\n"}


def test_three_runs_leave_one_check(server: GitHubServer, place: Place) -> None:
    words = [check.put(place, made(verdict))[0] for verdict in ("fail", "inconclusive", "pass")]
    assert words == ["created", "updated", "updated"]
    assert [run["conclusion"] for run in server.runs] == ["success"]


def test_every_commit_has_its_own(server: GitHubServer, place: Place) -> None:
    check.put(place, made())
    other = Place(api=place.api, repository=REPOSITORY, sha="f" * 40, login=place.login)
    assert check.put(other, made("pass"))[0] == "created"
    assert [run["conclusion"] for run in server.runs] == ["failure", "success"]


@pytest.mark.parametrize(
    "changed",
    [
        {"external_id": "6f1c8b42-5d1c"},
        {"external_id": None},
        {"app": {"slug": "another-app"}},
        {"app": None},
    ],
)
def test_a_job_of_the_same_name_is_left_alone(
    server: GitHubServer, place: Place, changed: dict[str, Any]
) -> None:
    check.put(place, made("fail"))
    server.runs[0].update(changed)
    assert check.put(place, made("pass"))[0] == "created"
    assert [run["conclusion"] for run in server.runs] == ["failure", "success"]
    # And it hides nothing: the next one finds what this one made.
    server.most = 1
    server.runs.append({**server.runs[0], "id": server.number()})
    assert check.put(place, made("fail"))[0] == "updated"
    assert [run["conclusion"] for run in server.runs] == ["failure", "failure", "failure"]


def test_annotations_go_in_batches(server: GitHubServer, place: Place) -> None:
    check.put(place, made(annotations=remarks(120)))
    (run,) = server.runs
    assert [one["start_line"] for one in run["annotations"]] == list(range(1, 121))
    assert (len(server.sent("POST")), len(server.sent("PATCH"))) == (1, 2)


def test_the_same_annotations_are_not_added_again(server: GitHubServer, place: Place) -> None:
    server.most = 30
    check.put(place, made(annotations=remarks(60)))
    server.requests.clear()
    assert check.put(place, made(annotations=remarks(70)))[0] == "updated"
    (run,) = server.runs
    assert [one["start_line"] for one in run["annotations"]] == list(range(1, 71))
    assert len(server.sent("PATCH")) == 1


def test_annotations_that_no_longer_hold_go_with_their_run(server: GitHubServer, place: Place) -> None:
    """GitHub takes none away, and shows the newest run of a name."""
    check.put(place, made("fail", annotations=remarks(3)))
    assert check.put(place, made("pass", annotations=remarks(2)))[0] == "created"
    assert [len(run["annotations"]) for run in server.runs] == [3, 2]
    assert check.put(place, made("pass", annotations=remarks(2)))[0] == "updated"
    assert len(server.runs) == 2


@pytest.mark.parametrize("how", [gh.lost, gh.cut, go.status(502)], ids=["connection", "answer", "not done"])
@pytest.mark.parametrize("before", [0, 3], ids=["first", "after one that no longer holds"])
def test_a_check_whose_answer_was_lost_is_not_made_twice(
    server: GitHubServer, place: Place, how: Any, before: int
) -> None:
    if before:
        check.put(place, made("pass", annotations=remarks(before, first=900)))
    server.behaviours[POST] = [how]
    check.put(place, made(annotations=remarks(60)))
    assert len(server.runs) == 1 + bool(before)
    assert [one["start_line"] for one in server.runs[-1]["annotations"]] == list(range(1, 61))


def test_a_batch_whose_answer_was_lost_is_not_added_twice(server: GitHubServer, place: Place) -> None:
    server.behaviours[PATCH] = [gh.lost, go.status(502)]
    check.put(place, made(annotations=remarks(120)))
    (run,) = server.runs
    assert sorted(one["start_line"] for one in run["annotations"]) == list(range(1, 121))


@pytest.mark.parametrize("update", [False, True])
@pytest.mark.parametrize("bad", [10, 70])
def test_annotations_that_github_does_not_take_cost_no_verdict(
    server: GitHubServer, place: Place, bad: int, update: bool
) -> None:
    if update:
        check.put(place, made("pass"))
    server.invalid = {"src/x.go"}
    odd = remarks(1)[0].model_copy(update={"path": "src/x.go"})
    check.put(place, made("fail", annotations=(*remarks(bad), odd)))
    (run,) = server.runs
    assert run["conclusion"] == "failure"
    assert len(run["annotations"]) == (0 if bad == 10 else 50)


def test_a_text_that_is_too_long_is_cut_until_it_is_taken(server: GitHubServer, place: Place) -> None:
    server.longest = 20_000
    rows = "".join(f"| row {number} |\n" for number in range(20_000))
    check.put(place, made(text=f"### Benchmarks\n\n| name |\n|---|\n{rows}", annotations=remarks(60)))
    (run,) = server.runs
    assert blocks.units(run["output"]["text"]) <= 16_000
    assert "All of it is in the run" in run["output"]["text"]
    assert len(run["annotations"]) == 60


def test_what_is_never_taken_ends_with_a_message(server: GitHubServer, place: Place) -> None:
    server.behaviours[POST] = [gh.says(422, {"message": "Validation Failed"})] * 3
    with pytest.raises(
        RejectedError, match="the check gopatch / s is not taken by GitHub: Validation Failed"
    ):
        check.put(place, made(annotations=remarks(1)))
    assert len(server.sent("POST")) == 2


def test_a_personal_token_cannot_make_checks(server: GitHubServer, place: Place) -> None:
    server.viewer = MALLORY
    with pytest.raises(HostError, match="You must authenticate via a GitHub App") as caught:
        check.put(place, made())
    assert "only a GitHub App's token" in caught.value.hint
