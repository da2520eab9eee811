"""Which pull request a result belongs to: asked of GitHub, never of the result."""

from __future__ import annotations

from urllib.parse import quote

from pipeline.github.api import Api
from pipeline.web.reply import Answer


class _Head(Answer):
    sha: str


class Pull(Answer):
    """A pull request, and the commit that it stands at."""

    number: int
    head: _Head


def get(api: Api, repository: str, number: int) -> Pull:
    """The pull request; UsageError when there is none."""
    return api.get(f"/repos/{repository}/pulls/{number}", Pull, f"pull request {repository}#{number}")


def of_head(api: Api, repository: str, head: str, sha: str) -> list[Pull]:
    """The open pull requests of the branch ``head`` (OWNER:BRANCH) that stand at the commit.

    The event that follows a run on a fork's pull request does not name that; it does name the fork's owner,
    its branch and the commit.
    """
    path = f"/repos/{repository}/pulls?state=open&per_page=100&head={quote(head, safe='')}"
    pages = api.pages(path, list[Pull], f"the pull requests of {repository}")
    return [one for page in pages for one in page if one.head.sha == sha]
