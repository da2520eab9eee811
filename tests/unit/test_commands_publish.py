"""publish, from a run's folder that anybody may have written to what stands on GitHub afterwards."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline import proc
from pipeline.commands import publish
from pipeline.errors import ExitCode
from pipeline.flow import folder as folder_room
from pipeline.github import api as api_module
from pipeline.github import judging
from pipeline.ledger import Ledger
from pipeline.records import GateResult, Record, RunEnded
from pipeline.web.answers import Patience
from tests.unit import githubserver as gh
from tests.unit import goserver as go
from tests.unit.githubserver import BOT, REPOSITORY, SHA, TOKEN, GitHubServer
from tests.unit.test_report import CALM, DONE, bench, ended, gate, started

ROOT = Path(__file__).resolve().parents[2]
QUICK = Patience(connect=2, read=1, total=8, tries=3, pause=0.01, longest_pause=1)
RUN_URL = "https://github.test/gophers/patches/actions/runs/1"
MARK = "<!-- gopatch: s -->"


@pytest.fixture
def server(processes: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubServer]:
    with gh.running(monkeypatch) as made:
        monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
        monkeypatch.setattr(api_module.Api.__init__, "__defaults__", (QUICK,))
        yield made


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write(tmp_path / "run")


def write(where: Path, *records: Record, file: str = "") -> Path:
    """A run's folder as a run leaves it: passing, when nothing else is said."""
    ledger = Ledger(where / "ledger.jsonl")
    for record in (started("here"), *(records or (gate(), CALM, ended(), DONE))):
        ledger.append(record)
    (where / "bench").mkdir()
    (where / "bench/here.txt").write_text(file or bench(0.0))
    folder_room.write(where, ledger.records)
    return where


def options(server: GitHubServer | None, where: Path, **more: Any) -> publish.Options:
    return publish.Options(
        **{
            "root": ROOT,
            "run": str(where),
            "repository": REPOSITORY,
            "sha": SHA,
            "pull_request": 7,
            "details_url": RUN_URL,
            "api": server.url if server else "",
            **more,
        }
    )


def put(server: GitHubServer, where: Path, **more: Any) -> ExitCode:
    return publish.main(options(server, where, **more))


def comment(server: GitHubServer) -> str:
    (body,) = [one["body"] for one in server.comments if one["user"] == BOT]
    return str(body)


def conclusions(server: GitHubServer) -> dict[str, str]:
    return {one["name"]: one["conclusion"] for one in server.runs}


FAILING = (gate("fail"), CALM, ended(), DONE)


def test_without_a_run_nothing_is_sent(server: GitHubServer, capsys: pytest.CaptureFixture[str]) -> None:
    options = publish.Options(root=ROOT, run="", repository="o/r", sha="1" * 40)
    assert publish.main(options) is ExitCode.USAGE
    assert "no run to publish" in capsys.readouterr().err


def test_three_runs_leave_one_comment_and_one_check(
    server: GitHubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    passing = write(tmp_path / "1")
    failing = write(tmp_path / "2", *FAILING)
    open_ = write(tmp_path / "3", gate(), CALM, ended(), DONE, file=bench(0.0, noise=0.5))
    for where, word, conclusion in [
        (passing, "pass", "success"),
        (failing, "fail", "failure"),
        (open_, "inconclusive", "action_required"),
    ]:
        assert put(server, where) is ExitCode.PASS
        first, title, *_ = comment(server).split("\n")
        assert first == MARK
        assert title.endswith(f"s on Go 1.27.3: {word}")
        assert conclusions(server) == {"gopatch / s": conclusion}
    assert f"Said of commit {SHA} by [this run]({RUN_URL})." in comment(server)
    output = server.runs[0]["output"]
    assert "How far each platform was exercised" in output["summary"]
    assert output["text"].startswith("### Patches")
    assert "### Benchmarks on here" in output["text"]
    assert output["title"].startswith("inconclusive: The data cannot say")
    shown = capsys.readouterr()
    assert re.findall(r"the comment on gophers/patches#7: (\w+)", shown.err) == [
        "created",
        "updated",
        "updated",
    ]
    assert TOKEN not in shown.err + shown.out


def test_the_reports_of_the_folder_are_not_believed(server: GitHubServer, tmp_path: Path) -> None:
    """A ledger says fail, and everything beside it says pass, for another pull request."""
    where = write(tmp_path / "run", *FAILING)
    (where / "summary.md").write_text("<!-- gopatch: s -->\n## ✅ all is well @golang/team")
    lie = {"verdict": "pass", "exit_code": 0, "pull_request": 8, "head_sha": "f" * 40}
    (where / "report.json").write_text(json.dumps(lie))
    for name in ("pull_request", "NUMBER", "event.json"):
        (where / name).write_text("8")
    assert put(server, where) is ExitCode.PASS
    assert conclusions(server) == {"gopatch / s": "failure"}
    assert "all is well" not in comment(server)
    assert {one["head_sha"] for one in server.runs} == {SHA}
    assert not any("/issues/8" in path for _, path, _ in server.requests)


# Which pull request.


@pytest.mark.parametrize("head", [{"sha": "e" * 40, "label": "gopher:topic"}])
def test_an_older_commit_gets_its_check_and_no_comment(
    server: GitHubServer, run: Path, head: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Two pushes, and the first one's run ends last."""
    server.say(f"{MARK}\nof the newer commit")
    server.pulls[0]["head"] = head
    assert put(server, run) is ExitCode.PASS
    assert comment(server) == f"{MARK}\nof the newer commit"
    assert conclusions(server) == {"gopatch / s": "success"}
    assert "it has moved on, or --sha is that of GitHub's test merge" in " ".join(
        capsys.readouterr().err.split()
    )


def test_a_fork_is_found_by_its_branch(server: GitHubServer, run: Path) -> None:
    assert put(server, run, pull_request=0, head="gopher:topic") is ExitCode.PASS
    assert comment(server).startswith(f"{MARK}\n## ✅")


@pytest.mark.parametrize("head", ["gopher:gone", "mallory:topic", ""])
def test_without_a_pull_request_there_is_only_the_check(
    server: GitHubServer, run: Path, head: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert put(server, run, pull_request=0, head=head) is ExitCode.PASS
    assert server.comments == []
    assert conclusions(server) == {"gopatch / s": "success"}
    assert "no comment: " in capsys.readouterr().err


# What is no result.


def as_link(where: Path) -> None:
    secret = where.parent / "secret"
    (where / "ledger.jsonl").rename(secret)
    (where / "ledger.jsonl").symlink_to(secret)


def linked_bench(where: Path) -> None:
    (where / "bench").rename(where.parent / "elsewhere")
    (where / "bench").symlink_to(where.parent / "elsewhere")


def as_fifo(where: Path) -> None:
    (where / "ledger.jsonl").unlink()
    os.mkfifo(where / "ledger.jsonl")


def as_folder(where: Path) -> None:
    (where / "ledger.jsonl").unlink()
    (where / "ledger.jsonl").mkdir()


def garbled(where: Path) -> None:
    (where / "bench/here.txt").write_bytes(b"\xff" * 10)


def huge(where: Path) -> None:
    with (where / "ledger.jsonl").open("ab") as stream:
        stream.truncate(33 << 20)


def lines(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Path], None]:
    def alter(where: Path) -> None:
        path = where / "ledger.jsonl"
        path.write_bytes(b"\n".join([*change(path.read_bytes().split(b"\n")[:-1]), b""]))

    return alter


def planned(**more: Any) -> Callable[[Path], None]:
    def change(found: list[bytes]) -> list[bytes]:
        first = json.loads(found[0])
        first["plan"].update(more)
        return [json.dumps(first).encode(), *found[1:]]

    return lines(change)


def added(record: dict[str, Any] | bytes) -> Callable[[Path], None]:
    raw = record if isinstance(record, bytes) else json.dumps(record).encode()
    return lines(lambda found: [*found, raw])


UNREADABLE: dict[str, tuple[Callable[[Path], None], str]] = {
    "no ledger": (lambda where: (where / "ledger.jsonl").unlink(), "there is no ledger"),
    "an empty ledger": (lines(lambda _: []), "does not say what was run"),
    "no start": (lines(lambda found: found[1:]), "does not say what was run"),
    "a link": (as_link, "ledger.jsonl is not a plain file"),
    "a link to a folder": (linked_bench, "bench/here.txt is not a plain file"),
    "a folder": (as_folder, "ledger.jsonl is not a plain file"),
    "too large": (huge, "more than the 33554432 that are taken"),
    "not JSON": (added(b"<html>"), "ledger.jsonl:6: not a ledger record"),
    "not UTF-8": (added(b"\xff\xfe"), "ledger.jsonl:6: not a ledger record"),
    "nested": (added(b"[" * 100_000), "ledger.jsonl:6: not a ledger record"),
    "a number of a million digits": (
        added(b'{"kind":"end","seconds":' + b"9" * 1_000_000 + b"}"),
        "ledger.jsonl:6: not a ledger record",
    ),
    "no record": (added({"kind": "surprise"}), "ledger.jsonl:6: not a ledger record"),
    "a key too many": (added({"kind": "resumed", "x": 1}), "ledger.jsonl:6: not a ledger record"),
    "a code that is none": (
        added({"kind": "end", "seconds": 1, "failure_code": 9999}),
        "records bring their reader down (ValueError)",
    ),
    "a time without end": (
        added(b'{"kind":"end","seconds":1e999}'),
        "bring their reader down (OverflowError)",
    ),
    "a surrogate": (planned(subject="\ud800", series="\ud800"), "the plan is not one: plan.series"),
    "a name that is a path": (planned(series="../../x"), "the plan is not one: plan.series"),
    "a name with a mark": (planned(series="s --><!-- gopatch: other"), "the plan is not one: plan.series"),
    "a cell that is a path": (
        planned(cells=[{"id": "../../../etc/passwd", "goos": "linux", "goarch": "amd64"}]),
        "the plan is not one: plan.cells[0].id",
    ),
    "cells without end": (
        planned(cells=[{"id": f"c{n}", "goos": "linux", "goarch": "amd64"} for n in range(600)]),
        "the plan is not one: plan.cells",
    ),
    "no cells": (planned(cells=None), "the plan is not one: plan.cells"),
    "a threshold of another kind": (
        planned(threshold={"effect": 0.03, "margin": 0.05, "x": 1}),
        "the plan is not one: plan.threshold.x",
    ),
    "bench that is no text": (
        garbled,
        "bench/here.txt is not UTF-8 at byte 0",
    ),
}
if hasattr(os, "mkfifo"):
    UNREADABLE["a pipe"] = (as_fifo, "ledger.jsonl is not a plain file")


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_said_and_is_not_green(
    server: GitHubServer, run: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    alter, what = UNREADABLE[name]
    alter(run)
    assert put(server, run, series="s") is ExitCode.USAGE
    assert conclusions(server) == {"gopatch / s": "failure"}
    assert server.runs[0]["output"]["title"] == "the result cannot be read"
    body = comment(server)
    assert body.startswith(f"{MARK}\n## ⚠️ The result cannot be read\n\n**")
    assert "Nothing is known about the change" in body
    said = " ".join(capsys.readouterr().err.split())
    assert what in said
    assert what in body.replace("\\", "").replace("&#8203;", "")
    assert str(run) not in body


def test_after_what_cannot_be_read_a_result_takes_its_place(server: GitHubServer, run: Path) -> None:
    good = (run / "ledger.jsonl").read_bytes()
    (run / "ledger.jsonl").write_bytes(b"x\n")
    put(server, run, series="s")
    (run / "ledger.jsonl").write_bytes(good)
    assert put(server, run, series="s") is ExitCode.PASS
    assert comment(server).startswith(f"{MARK}\n## ✅")
    assert conclusions(server) == {"gopatch / s": "success"}


def test_a_result_of_another_series_is_refused(server: GitHubServer, run: Path) -> None:
    assert put(server, run, series="other") is ExitCode.USAGE
    assert conclusions(server) == {"gopatch / other": "failure"}
    assert "the run is of the series s, not of other" in comment(server)


def test_of_an_unknown_series_it_is_said_under_a_name_of_its_own(
    server: GitHubServer, tmp_path: Path
) -> None:
    assert put(server, tmp_path / "nowhere") is ExitCode.USAGE
    assert conclusions(server) == {"gopatch / (unknown)": "failure"}
    assert comment(server).startswith("<!-- gopatch: (unknown) -->\n")


def test_of_the_one_series_that_was_told_of_before_it_is_said_there(server: GitHubServer, run: Path) -> None:
    """Else the comment of an older commit would go on saying that all is well."""
    server.say("<!-- gopatch: other -->\nby somebody else", gh.MALLORY)
    put(server, run)
    (run / "ledger.jsonl").unlink()
    assert put(server, run) is ExitCode.USAGE
    assert comment(server).startswith(f"{MARK}\n## ⚠️ The result cannot be read")
    assert conclusions(server) == {"gopatch / s": "failure"}


def test_of_one_of_two_series_it_is_said_apart(server: GitHubServer, run: Path) -> None:
    for key in ("s", "t"):
        server.say(f"<!-- gopatch: {key} -->\n## ✅")
    (run / "ledger.jsonl").unlink()
    assert put(server, run) is ExitCode.USAGE
    assert len(server.comments) == 3
    assert conclusions(server) == {"gopatch / (unknown)": "failure"}


def test_a_result_takes_the_place_of_none(server: GitHubServer, run: Path, tmp_path: Path) -> None:
    assert put(server, tmp_path / "nowhere") is ExitCode.USAGE
    assert comment(server).startswith("<!-- gopatch: (unknown) -->")
    assert put(server, run) is ExitCode.PASS
    assert comment(server).startswith(f"{MARK}\n## ✅")


def test_reading_has_a_time_limit(server: GitHubServer, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging.judge, "__defaults__", (0.01,))
    assert put(server, run) is ExitCode.ENVIRONMENT
    assert "reading the run took longer than 0\\.01 s".replace("\\", "") in comment(server)


def test_what_reads_the_folder_has_no_token(
    run: Path, processes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    seen: list[dict[str, str]] = []
    real = proc.run

    def spy(*args: Any, **kwargs: Any) -> proc.Result:
        seen.append(dict(kwargs["env"]))
        return real(*args, **kwargs)

    monkeypatch.setattr(proc, "run", spy)
    assert judging.judge(run).verdict == "pass"
    (env,) = seen
    assert TOKEN not in "".join(env.values())
    assert not any(name.startswith("GITHUB") for name in env)


def test_what_stands_in_the_folder_is_not_run(
    run: Path, processes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python imports from where it stands, unless it is told not to."""
    for name in ("json.py", "pydantic.py", "pipeline/__init__.py", "sitecustomize.py"):
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).write_text("raise SystemExit('owned')")
    monkeypatch.chdir(run)
    assert judging.judge(Path()).verdict == "pass"


# What is said is not markup.

HOSTILE = (
    "</details> | @golang/team fixes #12 GH-13 golang/go#14 https://evil.test/x www.evil.test "
    "![i](https://evil.test/i.png) [x](//evil.test) <img src=x onerror=alert(1)> <!-- gopatch: other --> `c`"
)


# Names, issues, addresses, tags that are not the summary's own, links and images.
MARKUP = (
    r"@\w",
    r"#\d(?!\d*;)",
    r"GH-\d",
    r"://",
    r"www\.",
    r"(?<!\\)<(?!/?(details|summary)>)",
    r"(?<!\\)\]\(",
)


def test_nothing_of_the_records_is_markup(server: GitHubServer, tmp_path: Path) -> None:
    failing: GateResult = gate("fail", subject=HOSTILE, detail=HOSTILE, transition=HOSTILE, note=HOSTILE)
    ends = RunEnded(seconds=1, failure=f"{HOSTILE}\n```\n{HOSTILE}\n{MARK}", failure_code=1)
    for number, records in enumerate(((failing, ended(), DONE), (failing, ended(), ends))):
        where = write(tmp_path / str(number), *records)
        assert put(server, where) is ExitCode.PASS
        output = server.runs[-1]["output"]
        texts = [comment(server).removeprefix(f"{MARK}\n"), output["summary"], output["text"]]
        for text in texts:
            outside = re.sub(r"(?ms)^```.*?^```$", "", text).replace(f"]({RUN_URL})", "")
            for what in MARKUP:
                assert not re.search(what, outside), what
        assert "https:&#8203;//evil" in texts[0]


# The command line.


def test_a_dry_run_needs_no_token_and_asks_nobody(
    server: GitHubServer, run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_TOKEN")
    assert put(server, run, dry_run=True) is ExitCode.PASS
    assert server.requests == []
    out = capsys.readouterr().out
    check, comments = out.split("POST /repos/gophers/patches/issues/7/comments\n\n")
    line, _, body = check.partition("\n\n")
    assert line == "POST /repos/gophers/patches/check-runs"
    sent = json.loads(body)
    assert (sent["head_sha"], sent["conclusion"], sent["name"]) == (SHA, "success", "gopatch / s")
    assert comments.startswith(f"{MARK}\n## ✅")
    # What is sent is what was shown.
    monkeypatch.setenv("GH_TOKEN", TOKEN)
    assert put(server, run) is ExitCode.PASS
    assert comment(server) == comments.rstrip("\n") + "\n"


def test_a_dry_run_of_what_cannot_be_read(
    server: GitHubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert put(server, tmp_path, dry_run=True, check=False) is ExitCode.USAGE
    out = capsys.readouterr().out
    assert out.startswith("POST /repos/gophers/patches/issues/7/comments\n\n<!-- gopatch: (unknown) -->\n")
    assert "check-runs" not in out


def test_there_is_no_token(server: GitHubServer, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_TOKEN")
    assert put(server, run) is ExitCode.ENVIRONMENT
    assert server.requests == []


@pytest.mark.parametrize(
    "more",
    [
        {"repository": "patches"},
        {"repository": "gophers/.."},
        {"repository": "gophers/patches/../../x"},
        {"repository": "gophers/patches?x=1"},
        {"sha": ""},
        {"sha": "main"},
        {"sha": SHA[:12]},
        {"sha": SHA + "\n"},
        {"pull_request": -1},
        {"head": "topic"},
        {"head": "gopher:to pic"},
        {"head": "gopher:topic"},  # beside a pull request
        {"series": "S"},
        {"series": "a -->"},
        {"details_url": "javascript:alert(1)"},
        {"details_url": "http://github.test/1"},
        {"details_url": "https://github.test/1) [x](y"},
        {"api": "http://api.github.test"},
        {"api": "/tmp"},
        {"api": "https://user:secret@api.github.test"},
    ],
)
def test_what_no_event_of_github_says_is_refused(
    server: GitHubServer, run: Path, more: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert put(server, run, **more) is ExitCode.USAGE
    assert server.requests == []
    assert "secret" not in capsys.readouterr().err


def test_the_runner_says_where_the_api_is(
    server: GitHubServer, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_API_URL", server.url)
    assert put(server, run, api="") is ExitCode.PASS
    assert comment(server).startswith(MARK)


def test_a_check_that_fails_keeps_no_comment_back(
    server: GitHubServer, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refuse = gh.says(403, {"message": "Resource not accessible by integration"})
    server.behaviours["POST /repos/.*/check-runs"] = [refuse]
    assert put(server, run) is ExitCode.ENVIRONMENT
    assert comment(server).startswith(MARK)
    assert "checks: write" in " ".join(capsys.readouterr().err.split())


def test_a_comment_that_fails_keeps_no_check_back(server: GitHubServer, run: Path) -> None:
    server.behaviours["POST /repos/.*/comments"] = [go.status(500)] * 9
    assert put(server, run) is ExitCode.ENVIRONMENT
    assert conclusions(server) == {"gopatch / s": "success"}


def test_a_personal_token_leaves_the_check_out(server: GitHubServer, run: Path) -> None:
    server.viewer = gh.MALLORY
    assert put(server, run, check=False) is ExitCode.PASS
    assert server.runs == []
    assert [one["user"] for one in server.comments] == [gh.MALLORY]


def test_a_message_that_holds_what_a_terminal_obeys(
    server: GitHubServer, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planned(series="\x1b]0;owned\x07")(run)
    server.behaviours["POST /graphql"] = [gh.says(200, {"errors": [{"message": "\x1b[31mno"}]})]
    put(server, run)
    assert "\x1b" not in "".join(capsys.readouterr())


def test_the_task(server: GitHubServer, run: Path, inv: list[str], project_env: dict[str, str]) -> None:
    words = [f"--repository={REPOSITORY}", f"--sha={SHA}", "--pull-request=7", f"--api={server.url}"]
    env = {**project_env, "GITHUB_TOKEN": TOKEN}
    result = proc.run([*inv, "publish", run, *words], env=env, cwd=ROOT, timeout=60)
    assert result.returncode == 0, result.stdout
    assert "the check gopatch / s: created as success" in result.stdout
    assert comment(server).startswith(MARK)
    result = proc.run([*inv, "publish", *words], env=env, cwd=ROOT, timeout=60)
    assert result.returncode == ExitCode.USAGE
