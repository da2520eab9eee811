"""``publish``: a run's result as one comment on a pull request and one check on its commit."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from pipeline.commands import entry
from pipeline.console import Console
from pipeline.errors import ExitCode, HostError, InterruptedRunError, PipelineError, UsageError
from pipeline.github import check, comment, judging, pulls, wording
from pipeline.github.api import Api
from pipeline.github.check import Check
from pipeline.github.comment import UNKNOWN
from pipeline.github.wording import Notice
from pipeline.inputs.naming import plain
from pipeline.plan import matrix
from pipeline.web.address import check_address, is_local
from pipeline.web.token import from_environment

T = TypeVar("T")
TOKENS = ("GITHUB_TOKEN", "GH_TOKEN")
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,38}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")
_HEAD = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9_-]{0,38})?:[^\s:?*\[\\^~]{1,250}")
_SHA = re.compile(r"[0-9a-f]{40}")
_URL = re.compile(r"[\w.:/?&=%+~@,;-]{1,500}")


@dataclass(frozen=True, kw_only=True)
class Options:
    """The command line as given. ``pull_request`` is 0 and ``head`` '' where there is none; ``series`` is ''
    where the run's own word for it is taken."""

    root: Path
    run: str
    repository: str
    sha: str
    pull_request: int = 0
    head: str = ""
    series: str = ""
    details_url: str = ""
    api: str = ""
    check: bool = True
    dry_run: bool = False


def main(options: Options) -> ExitCode:
    """Publish and say what was made; the exit code is 0 whatever the verdict is."""
    console = Console()
    return entry.guarded(console, lambda: _run(options, console))


def _run(options: Options, console: Console) -> ExitCode:
    _check(options)
    token = from_environment(*TOKENS)
    if not token and not options.dry_run:
        raise HostError(
            f"there is no token: neither {' nor '.join(TOKENS)} is set",
            hint="in a workflow, give this step GITHUB_TOKEN: ${{ github.token }}; --dry-run needs none",
        )
    base = _base(options)
    notice, unread = _notice(options)
    if unread is not None:
        console.error(unread)
    if options.dry_run:
        _show(notice, options)
        done = ExitCode.PASS
    else:
        with contextlib.closing(Api(base, token, console.note)) as api:
            done = _publish(api, notice, options, console)
    return done if unread is None else unread.exit_code


def _check(options: Options) -> None:
    """UsageError for what no event of GitHub says."""
    if not options.run:
        raise UsageError("no run to publish", hint="./inv publish RUN: the folder that ./inv merge wrote")
    wanted = (
        ("--repository", options.repository, _REPOSITORY, "OWNER/REPO"),
        ("--sha", options.sha, _SHA, "the 40 digits of the pull request's last commit"),
        ("--head", options.head, _HEAD, "OWNER:BRANCH"),
        ("--series", options.series, comment.SERIES, "a series' name"),
        ("--details-url", options.details_url, _URL, "an https:// URL"),
    )
    for option, given, pattern, form in wanted:
        optional = option not in {"--repository", "--sha"}
        if not (given == "" and optional) and not pattern.fullmatch(given):
            raise UsageError(f"{option} {plain(given)!r} should be {form}")
    if options.details_url:
        _check_url("--details-url", options.details_url)
    if options.pull_request < 0:
        raise UsageError(f"--pull-request {options.pull_request} should be a number from 1")
    if options.pull_request and options.head:
        raise UsageError("--pull-request and --head exclude each other", hint="give the one that is known")


def _check_url(option: str, address: str) -> str:
    try:
        if is_local(check_address(address)):
            raise ValueError("should be an https:// URL")
    except ValueError as error:
        raise UsageError(f"{option} {error}") from error  # it may hold a password: never quoted
    return address


def _base(options: Options) -> str:
    """The API's address: as given, as GitHub's runner says, or as matrix.yml does."""
    if options.api:
        return _check_url("--api", options.api)
    if given := os.environ.get("GITHUB_API_URL", "").strip():
        return _check_url("GITHUB_API_URL", given)
    return matrix.load(options.root / "matrix.yml").sources.github.url


def _notice(options: Options) -> tuple[Notice, PipelineError | None]:
    """What to tell; and when that is only that the result cannot be read, why."""
    try:
        found = judging.judge(Path(options.run))
        if options.series and found.series != options.series:
            raise UsageError(
                f"the run is of the series {found.series}, not of {options.series}",
                meaning="it was altered, or it is another workflow's",
            )
    except InterruptedRunError:
        raise
    except PipelineError as error:
        key = options.series or UNKNOWN
        return wording.unreadable(error, key, options.sha, options.details_url), error
    return wording.of(found, options.sha, options.details_url), None


@dataclass
class _Tries:
    """Steps of which each is taken also when another fails; ``code`` is that of the last failure."""

    console: Console
    code: ExitCode = ExitCode.PASS

    def run(self, step: Callable[[], T]) -> T | None:
        try:
            return step()
        except InterruptedRunError:
            raise
        except PipelineError as error:
            self.console.error(error)
            self.code = error.exit_code
            return None


def _publish(api: Api, notice: Notice, options: Options, console: Console) -> ExitCode:
    login, author = api.viewer()
    tries = _Tries(console)
    threads = [
        comment.Thread(api=api, repository=options.repository, number=number, author=author)
        for number in tries.run(partial(_numbers, api, options, console)) or ()
    ]
    if notice.key == UNKNOWN:
        notice = tries.run(partial(_named, notice, threads)) or notice
    if options.check:
        place = check.Place(api=api, repository=options.repository, sha=options.sha, login=login)
        tries.run(partial(_check_run, place, notice, console))
    for thread in threads:
        tries.run(partial(_comment, thread, notice, console))
    return tries.code


def _named(notice: Notice, threads: Sequence[comment.Thread]) -> Notice:
    """The notice under the name of the one series that was told of before: it takes the place of what is no
    longer true, and of the check that somebody may require."""
    known = {key for thread in threads for key in comment.keys(thread)} - {UNKNOWN}
    return dataclasses.replace(notice, key=known.pop()) if len(known) == 1 else notice


def _check_run(place: check.Place, notice: Notice, console: Console) -> None:
    made = notice.check()
    done, run = check.put(place, made)
    console.note(f"{made.what}: {done} as {made.conclusion}  {plain(run.html_url or '', 200)}")


def _comment(thread: comment.Thread, notice: Notice, console: Console) -> None:
    done, made = comment.put(thread, notice.key, notice.comment)
    console.note(f"{thread.what}: {done}  {plain(made.html_url, 200)}")
    if notice.key != UNKNOWN:
        comment.drop(thread, UNKNOWN)


def _numbers(api: Api, options: Options, console: Console) -> list[int]:
    """The pull requests to comment on: only where the commit is still the last, so that an older run that
    ends later does not replace what is newer."""
    if options.head:
        found = pulls.of_head(api, options.repository, options.head, options.sha)
        if not found:
            console.note(
                f"no comment: no open pull request of {plain(options.head)} stands at {options.sha[:12]}"
            )
        return [one.number for one in found]
    if not options.pull_request:
        console.note("no comment: neither --pull-request nor --head is given")
        return []
    pull = pulls.get(api, options.repository, options.pull_request)
    if pull.head.sha != options.sha:
        console.note(
            f"no comment: pull request {options.pull_request} stands at {plain(pull.head.sha[:12])}, "
            f"not at {options.sha[:12]}: it has moved on, or --sha is that of GitHub's test merge "
            "(give github.event.pull_request.head.sha)"
        )
        return []
    return [pull.number]


def _show(notice: Notice, options: Options) -> None:
    """What would be sent. Which of it would update what is there, only GitHub knows."""
    parts = []
    repository = f"/repos/{options.repository}"
    if options.check:
        parts += _shown_check(notice.check(), f"{repository}/check-runs", options.sha)
    if options.pull_request or options.head:
        number = str(options.pull_request or "NUMBER")
        first = comment.marker(notice.key)
        text = f"{first}\n{notice.comment(comment.LIMITS[0] - len(first) - 1)}"
        parts.append(f"POST {repository}/issues/{number}/comments\n\n{text}")
    sys.stdout.write("\n".join(parts) + "\n")


def _shown_check(made: Check, path: str, sha: str) -> list[str]:
    """The requests of a check run: more annotations than one request takes go with updates."""
    parts = []
    for start in range(0, max(len(made.annotations), 1), check.BATCH):
        body = made.body(check.LIMITS[0], made.annotations[start : start + check.BATCH])
        if not start:
            body["head_sha"] = sha
        line = f"PATCH {path}/ID" if start else f"POST {path}"
        parts.append(f"{line}\n\n{json.dumps(body, indent=2, ensure_ascii=False)}\n")
    return parts
