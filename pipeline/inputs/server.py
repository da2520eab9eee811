"""What Gerrit and GitHub have in common: answers of a review server, fetched and checked."""

from __future__ import annotations

from typing import TypeVar

from pipeline.errors import HostError
from pipeline.inputs import mails
from pipeline.web import download, reply
from pipeline.web.address import shown
from pipeline.web.answers import Patience, Wanted, Words
from pipeline.web.reply import Answer

MAX_JSON = 8 << 20
PATIENCE = Patience(total=180.0, tries=4)
ELSEWHERE = "download the patch with a browser, and give --series its file"
M = TypeVar("M", bound=Answer)


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
    return reply.parse(raw, kind, wanted, f"check `sources:` in matrix.yml; or {ELSEWHERE}")


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
