"""What Gerrit and GitHub have in common: answers of a review server, fetched and checked."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.errors import HostError
from pipeline.inputs import mails
from pipeline.web import download
from pipeline.web.address import shown
from pipeline.web.answers import Patience, Wanted, Words

MAX_JSON = 8 << 20
PATIENCE = Patience(total=180.0, tries=4)
ELSEWHERE = "download the patch with a browser, and give --series its file"
M = TypeVar("M", bound="Answer")


class Answer(BaseModel):
    """A part of a server's answer; what is not asked for may be there."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


def words(what: str, refused: str, busy: str = "run again then") -> Words:
    """What messages add when ``what`` cannot be had; ``refused`` is what to do when the server wants to know
    who asks, and ``busy`` when it was asked too much."""
    return Words(
        missing=f"there is no such {what}, or only some may see it",
        mend=f"check the number and `sources:` in matrix.yml; {refused}",
        refused=refused,
        busy=busy,
        instead="a log-in page of the server or of the network",
        again=f"check the network and `sources:` in matrix.yml, then run again; or {ELSEWHERE}",
    )


def model(raw: bytes, kind: type[M], wanted: Wanted) -> M:
    """A JSON answer as ``kind``; HostError for what is none."""
    try:
        return kind.model_validate_json(raw)
    except (ValidationError, RecursionError) as error:
        where = ""
        if isinstance(error, ValidationError):
            where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise HostError(
            f"{shown(wanted.address)} does not answer as its API should"
            + (f": {where[:80]}" if where else ""),
            meaning="something else answers there, or its API changed",
            hint=f"check `sources:` in matrix.yml; or {ELSEWHERE}",
        ) from error


def read(wanted: Wanted, patience: Patience) -> bytes:
    """What is at the address."""
    return download.read(wanted, patience)


def letters(raw: bytes, what: str, wanted: Wanted) -> mails.Letters:
    """The patches of a change. HostError for what is no mail."""
    if not mails.is_mail(raw):
        raise HostError(
            f"{shown(wanted.address)} gives no patch of {what}",
            meaning="it answers with something else than a mail from git format-patch",
            hint=ELSEWHERE,
        )
    return mails.read(raw, what)


def check_last(found: mails.Letters, what: str, expected: str) -> None:
    """HostError when the last commit is not ``expected``: the change moved on between two requests."""
    last = found.commits[-1]
    if last != expected:
        raise HostError(
            f"{what} changed while it was read: it ends with {last[:12] or 'no commit'}, "
            f"not with {expected[:12]}",
            hint="run again",
        )
