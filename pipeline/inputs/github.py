"""A pull request on GitHub: its commits as an mbox, and what the API says about it."""

from __future__ import annotations

import re

from pydantic import Field

from pipeline.errors import UsageError
from pipeline.inputs import mails, server
from pipeline.inputs.naming import plain, safe
from pipeline.values import Provenance, Series
from pipeline.web.answers import Patience, Wanted
from pipeline.web.reply import Answer
from pipeline.web.token import from_environment

TOKEN = "GITHUB_TOKEN"  # noqa: S105  # the variable's name
_REQUEST = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]{0,38})/(?!\.{1,2}#)([A-Za-z0-9._-]{1,100})#([1-9]\d{0,8})")

# What a browser shows of a pull request, whichever of its tabs is open.
_PASTED = re.compile(r"https://(?:www\.)?github\.com/([^/#]+/[^/#]+)/pull/([0-9]+)(?:[/?#].*)?")


class _Head(Answer):
    sha: str = Field(pattern=r"^[0-9a-f]{40}$")


class _Pull(Answer):
    number: int
    state: str
    merged: bool = False
    draft: bool = False
    commits: int
    html_url: str = ""
    head: _Head


class PullRequest:
    """``OWNER/REPO#N``, or its address, at the API ``url`` whatever the address names."""

    def __init__(self, request: str, url: str, patience: Patience = server.PATIENCE) -> None:
        self._given, self._url, self._patience = request, url, patience

    def read(self, version: str) -> tuple[Series, Provenance]:
        """See ``Input.read``."""
        given = _PASTED.sub(r"\1#\2", self._given) if _PASTED.fullmatch(self._given) else self._given
        found = _REQUEST.fullmatch(given)
        if not found:
            raise UsageError(
                f"--github {plain(self._given)!r} is no pull request",
                hint="give it as golang/go#12345, or the address that the browser shows",
            )
        owner, repository, number = found.groups()
        what = f"pull request {given}"
        address = f"{self._url}/repos/{owner}/{repository}/pulls/{number}"
        about = _wanted(address, what, "application/vnd.github+json", server.MAX_JSON)
        pull = server.model(server.read(about, self._patience), _Pull, about)
        wanted = _wanted(address, what, "application/vnd.github.patch", mails.MAX_BYTES)
        raw = server.read(wanted, self._patience)
        letters = server.letters(raw, what, wanted)
        _check_whole(letters, pull, what)
        server.check_last(letters, what, pull.head.sha)
        return mails.series(
            safe(f"github-{owner}-{repository}-{number}", "github"), letters, mails.NOWHERE
        ), Provenance(
            form="github",
            origin=f"{what}, {wanted.place}",
            options=(f"--github={given}",),
            revision=pull.head.sha,
            sha256=mails.sha256(raw),
            raw=raw,
            notes=(*letters.notes, *_state(pull, what)),
        )


def _wanted(address: str, what: str, accept: str, limit: int) -> Wanted:
    token = from_environment(TOKEN)
    refused = (
        f"{TOKEN} is not accepted, or may not read this: make a new token"
        if token
        else f"if it is not public, set {TOKEN} to a token that may read it"
    )
    busy = "run again then" + ("" if token else f"; with a token in {TOKEN}, more requests are allowed")
    return Wanted(
        address=address,
        what=what,
        limit=limit,
        accept=accept,
        token=token,
        words=server.words("pull request", refused, busy),
    )


def _check_whole(letters: mails.Letters, pull: _Pull, what: str) -> None:
    """UsageError when the mbox lacks commits: GitHub leaves merges out, and all beyond a limit."""
    if len(letters.patches) == pull.commits:
        return
    raise UsageError(
        f"{what} has {pull.commits} commits, of which GitHub gives {len(letters.patches)} as patches",
        meaning="it holds merges, and what they resolved would be lost",
        hint="rebase it; or take it as one change: download its .diff, and give --series that file",
    )


def _state(pull: _Pull, what: str) -> list[str]:
    if pull.merged:
        return [f"{what} is merged already: a newer base may hold it"]
    return [f"{what} is closed"] if pull.state == "closed" else []
