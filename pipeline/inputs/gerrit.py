"""A change under review on Gerrit: the patch of one patch set, and what the server says about it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from pipeline.errors import HostError, UsageError
from pipeline.inputs import mails, server
from pipeline.inputs.naming import plain
from pipeline.inputs.server import ELSEWHERE
from pipeline.values import Provenance, Series
from pipeline.web.answers import Patience, Wanted
from pipeline.web.reply import Answer

_CHANGE = re.compile(r"([1-9]\d{0,9})(?:/([1-9]\d{0,4}))?")
# What a browser shows of a change, to be pasted. Between two patch sets (3..5) is no change to take.
_PASTED = re.compile(
    r"https://(?:go-review\.googlesource\.com/(?:c/(?:[\w./%-]{1,200}/\+/)?)?|(?:go\.dev|golang\.org)/cl/)"
    r"([0-9]+(?:/[0-9]+(?=[/?#]|\Z))?)(?:/(?![0-9]+\.\.)[^?#]*)?(?:[?#].*)?"
)
# Gerrit puts it before all JSON, so that no web page can load it as a script.
_GUARD = b")]}'"


class _Revision(Answer):
    number: int | str = Field(alias="_number")


class _Detail(Answer):
    project: str
    status: str
    current_revision: str = Field(pattern=r"^[0-9a-f]{40}$")
    revisions: dict[str, _Revision]


class _Parent(Answer):
    commit: str


class _Commit(Answer):
    commit: str
    parents: list[_Parent] = Field(default=[])


class _Link(Answer):
    commit: _Commit
    number: int | None = Field(default=None, alias="_change_number")
    status: str = ""


class _Related(Answer):
    changes: list[_Link]


class GerritChange:
    """``N``, ``N/PATCHSET`` or the address of one, at the server ``url`` whatever the address names."""

    def __init__(self, change: str, url: str, patience: Patience = server.PATIENCE) -> None:
        self._given, self._url, self._patience = change, url, patience

    def read(self, version: str) -> tuple[Series, Provenance]:
        """See ``Input.read``."""
        pasted = _PASTED.fullmatch(self._given)
        found = _CHANGE.fullmatch(pasted[1] if pasted else self._given)
        if not found:
            raise UsageError(
                f"--gerrit {plain(self._given)!r} is no change",
                hint="give its number, 12345 or 12345/3, or the address that the browser shows",
            )
        change = found[1]
        detail = self._json(change, "detail?o=ALL_REVISIONS", _Detail)
        number, commit = _revision(change, found[2] or "", detail)
        what = f"change {change}, patch set {number}"
        wanted = self._wanted(change, f"revisions/{number}/patch", mails.MAX_BYTES)
        raw = _decoded(server.read(wanted, self._patience), wanted)
        letters = server.letters(raw, what, wanted)
        server.check_last(letters, what, commit)
        related = self._json(change, f"revisions/{number}/related", _Related)
        return mails.series(f"gerrit-{change}-{number}", letters, mails.NOWHERE), Provenance(
            form="gerrit",
            origin=f"{self._url}/c/{plain(detail.project)}/+/{change}/{number}",
            options=(f"--gerrit={change}/{number}",),
            revision=commit,
            sha256=mails.sha256(raw),
            raw=raw,
            notes=(*letters.notes, *_state(change, number, commit, detail), *_below(change, commit, related)),
        )

    def _wanted(self, change: str, rest: str, limit: int, **more: Any) -> Wanted:
        return Wanted(
            address=f"{self._url}/changes/{change}/{rest}",
            what=f"change {change}",
            limit=limit,
            words=server.words(
                "change", "for one that not everybody may see, keep a password for the server in ~/.netrc"
            ),
            **more,
        )

    def _json(self, change: str, rest: str, kind: type[server.M]) -> server.M:
        wanted = self._wanted(change, rest, server.MAX_JSON, starts=_GUARD, accept="application/json")
        raw = server.read(wanted, self._patience)
        return server.model(raw.removeprefix(_GUARD), kind, wanted)


def _revision(change: str, asked: str, detail: _Detail) -> tuple[int, str]:
    """The number and the commit of the patch set that is asked for, '' for the current one."""
    known: Mapping[int, str] = {
        one.number: commit for commit, one in detail.revisions.items() if isinstance(one.number, int)
    }
    for number, commit in known.items():
        if (str(number) == asked) if asked else (commit == detail.current_revision):
            return number, commit
    last = max(known, default=0)
    raise UsageError(
        f"change {change} has no patch set {asked or 'that is current'}", hint=f"its last one is {last}"
    )


def _decoded(raw: bytes, wanted: Wanted) -> bytes:
    try:
        return base64.b64decode(b"".join(raw.split()), validate=True)
    except binascii.Error as error:
        raise HostError(
            f"{wanted.place} gives no patch: it is not base64",
            meaning="something else answers there, or the answer was altered on the way",
            hint=ELSEWHERE,
        ) from error


def _state(change: str, number: int, commit: str, detail: _Detail) -> list[str]:
    """What a reader should know about the change."""
    notes = []
    if detail.status == "MERGED":
        notes.append(f"change {change} is submitted already: a newer base may hold it")
    if detail.status == "ABANDONED":
        notes.append(f"change {change} is abandoned")
    if commit != detail.current_revision:
        last = detail.revisions.get(detail.current_revision)
        newer = f": the current one is {last.number}" if last else ""
        notes.append(f"patch set {number} of change {change} is not the current one{newer}")
    return notes


def _below(change: str, commit: str, related: _Related) -> list[str]:
    """The changes that this one stands on and that are not submitted."""
    known = {link.commit.commit: link for link in related.changes}
    found: list[str] = []
    at = commit
    while at in known:
        link = known.pop(at)  # once: a server may send a circle
        if at != commit:
            if link.status == "MERGED":
                break
            found.append(str(link.number or link.commit.commit[:12]))
        at = next((one.commit for one in link.commit.parents if one.commit in known), "")
    if not found:
        return []
    shown = ", ".join(plain(one, 12) for one in found[:8]) + (", …" if len(found) > 8 else "")
    return [
        f"change {change} stands on {shown}, not submitted yet: only {change} itself is taken, and it may "
        "not apply without them (--from-git takes a whole branch)"
    ]
