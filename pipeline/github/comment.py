"""The one comment of a series on a pull request: found by its marker and its author, made or updated."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.github.api import Api, RejectedError
from pipeline.web.reply import Answer

# What GitHub may still take when it takes less than it says: characters.
LIMITS = (65_000, 48_000, 32_000, 16_000, 8_000, 4_000)
# The key of a result whose series is not known; no series can have that name.
UNKNOWN = "(unknown)"
SERIES = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_KEY = re.compile(rf"{SERIES.pattern}|{re.escape(UNKNOWN)}")
_MARKER = re.compile(rf"<!-- gopatch: ({_KEY.pattern}) -->")


class _Author(Answer):
    id: int


class Comment(Answer):
    """A comment as GitHub gives it; ``user`` is None when the account is gone."""

    id: int
    body: str | None = None
    user: _Author | None = None
    html_url: str = ""


@dataclass(frozen=True, kw_only=True)
class Thread:
    """The conversation of a pull request, and who speaks there: ``author`` is the token's own id."""

    api: Api
    repository: str
    number: int
    author: int

    @property
    def path(self) -> str:
        """Where its comments are."""
        return f"/repos/{self.repository}/issues/{self.number}/comments"

    @property
    def what(self) -> str:
        """As messages name it."""
        return f"the comment on {self.repository}#{self.number}"


def marker(key: str) -> str:
    """The first line of the comment: no reader sees it. ValueError for a key that could end it."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} is no key of a comment")
    return f"<!-- gopatch: {key} -->"


def put(thread: Thread, key: str, write: Callable[[int], str]) -> tuple[str, Comment]:
    """Make the comment, or update it. ``write`` gives its text without the marker, at most that long.

    Returns ``created`` or ``updated``, and the comment. Where several have the marker, by a race, the oldest
    stays and the others are removed.
    """
    found = _find(thread, key)
    if found:
        return "updated", _keep_oldest(thread, key, found, write)
    made = _fitting(key, write, lambda body: _create(thread, key, body))
    # Somebody else may have made one meanwhile: both see both now, and both keep the same.
    found = _oldest_first([made, *_find(thread, key)])
    if len(found) == 1:
        return "created", made
    return "updated", _keep_oldest(thread, key, found, write)


def keys(thread: Thread) -> set[str]:
    """The keys of the comments that are there."""
    return {key for key, _ in _mine(thread)}


def drop(thread: Thread, key: str) -> None:
    """Remove what there is of a key."""
    for one in _find(thread, key):
        _remove(thread, one)


def _find(thread: Thread, key: str) -> list[Comment]:
    """The token's own comments of a key, the oldest first."""
    return _oldest_first([one for found, one in _mine(thread) if found == key])


def _mine(thread: Thread) -> list[tuple[str, Comment]]:
    """The token's own comments that begin with a marker, with their keys. Anybody can write a marker; only
    the author tells whose a comment is."""
    found = []
    for page in thread.api.pages(f"{thread.path}?per_page=100", list[Comment], thread.what):
        for one in page:
            marked = _MARKER.fullmatch((one.body or "").split("\n", 1)[0].rstrip("\r"))
            if marked and one.user is not None and one.user.id == thread.author:
                found.append((marked.group(1), one))
    return found


def _oldest_first(comments: list[Comment]) -> list[Comment]:
    return sorted({one.id: one for one in comments}.values(), key=lambda one: one.id)


def _create(thread: Thread, key: str, body: str) -> Comment:
    def action(tries: int) -> Comment:
        # The last try may have made it though its answer was lost.
        for one in _find(thread, key) if tries else ():
            return _update(thread, one, body)
        return thread.api.once("POST", thread.path, Comment, thread.what, {"body": body})

    return thread.api.persist(thread.what, action)


def _update(thread: Thread, comment: Comment, body: str) -> Comment:
    path = f"/repos/{thread.repository}/issues/comments/{comment.id}"
    return thread.api.change("PATCH", path, Comment, thread.what, {"body": body})


def _keep_oldest(thread: Thread, key: str, found: list[Comment], write: Callable[[int], str]) -> Comment:
    kept = _fitting(key, write, lambda body: _update(thread, found[0], body))
    for one in found[1:]:
        _remove(thread, one)
    return kept


def _remove(thread: Thread, comment: Comment) -> None:
    thread.api.remove(f"/repos/{thread.repository}/issues/comments/{comment.id}", thread.what)


def _fitting(key: str, write: Callable[[int], str], send: Callable[[str], Comment]) -> Comment:
    """Send the text, shorter when GitHub says that it is too long."""
    first = f"{marker(key)}\n"
    for limit in LIMITS:
        try:
            return send(first + write(limit - len(first)))
        except RejectedError as error:
            if not error.long or limit == LIMITS[-1]:
                raise
    raise AssertionError("the last limit either returns or raises")
