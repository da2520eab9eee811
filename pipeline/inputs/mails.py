"""Patches out of what mail programs and ``git format-patch`` write: one mail, an mbox, or a bare diff.

git's own ``mailsplit`` and ``mailinfo`` take the mails apart, as ``git am`` has them do it: encodings,
folded and encoded headers, attachments and where a message ends are then as every reviewer's git sees them.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import git
from pipeline.errors import HostError, PatchError, PipelineError, UsageError
from pipeline.inputs.naming import file_name, plain
from pipeline.patch.series import examined
from pipeline.store import digest
from pipeline.values import Patch, Series

MAX_BYTES = 32 << 20
MAX_PATCHES = 200
MAX_SUBJECT = 1000
# The root of a series that is in no folder.
NOWHERE = Path()
# ``Index:`` begins a diff of other tools.
_MAIL = re.compile(rb"\s*(From |(?!Index:)[A-Za-z][A-Za-z0-9-]*:[ \t])")
_SHOWN = re.compile(rb"^commit [0-9a-f]{40}", re.MULTILINE)
_COMMIT = re.compile(rb"From ([0-9a-f]{40}) ")
# What a mail's head says when its text does not stand there as it is.
_ENCODED = re.compile(
    rb"^content-transfer-encoding:(?!\s*(?:7bit|8bit|binary)\s*$)|^content-type:(?!\s*text/plain\b)",
    re.IGNORECASE | re.MULTILINE,
)
_PREFIX = re.compile(r"\s*(?:[Rr][Ee]:\s*)*\[([^\]]*PATCH[^\]]*)\]\s*")
_NUMBER = re.compile(r"([0-9]{1,4})/([0-9]{1,4})\s*$")


@dataclass(frozen=True, kw_only=True)
class Letters:
    """The patches in order. ``commits`` are their commits' ids, '' where a mail names none; ``notes`` say
    what was left out or moved."""

    patches: tuple[Patch, ...]
    commits: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Mail:
    """One mail taken apart. ``at`` is its place in the file; ``number`` of ``total`` are those of ``[PATCH
    2/3]``, None where there are none; ``diff`` is all from the end of the message on; ``crlf`` that every
    line ended in CRLF, which was undone."""

    at: int
    commit: str
    subject: str
    message: str
    content: bytes
    diff: bytes
    number: int | None
    total: int | None
    crlf: bool

    @property
    def shown(self) -> str:
        return f"mail {self.at} ({plain(self.subject, 60)})"


def read(raw: bytes, what: str) -> Letters:
    """The patches in ``raw``; ``what`` names it in messages. UsageError for what is no such file, PatchError
    for a patch that is refused."""
    if not raw.strip():
        raise UsageError(f"{what} is empty", hint="it should hold a patch, or mails with one each")
    if len(raw) > MAX_BYTES:
        raise UsageError(f"{what}: larger than {MAX_BYTES} bytes")
    if not is_mail(raw):
        if len(_SHOWN.findall(raw)) > 1:
            raise UsageError(
                f"{what} is what git log or git show prints of several commits, the newest first",
                hint="git format-patch --stdout A..B writes them as a series",
            )
        patch = examined(file_name(1, Path(what).stem), raw, ("", ""))
        return Letters(patches=(patch,), commits=("",), notes=())
    with tempfile.TemporaryDirectory(prefix="gopatch-") as folder:
        mails = [_open(Path(folder), at, one, what) for at, one in _split(Path(folder), raw, what)]
    wanted, notes = _ordered(mails, what)
    if undone := [one.shown for one in wanted if one.crlf]:
        those = f"{what} has" if len(undone) == len(wanted) else f"of {what}, {', '.join(undone)} has"
        notes += (
            f"{those} CRLF at the end of every line, as mail software sends it: taken for the mail's line "
            "ends, not for those of the files",
        )
    return Letters(
        patches=tuple(
            examined(file_name(at, one.subject), one.content, (one.subject, one.message))
            for at, one in enumerate(wanted, 1)
        ),
        commits=tuple(one.commit for one in wanted),
        notes=notes,
    )


def is_mail(raw: bytes) -> bool:
    """Whether ``raw`` begins as a mail or an mbox does; a diff otherwise."""
    return bool(_MAIL.match(raw))


def series(name: str, letters: Letters, root: Path) -> Series:
    """A series of these patches, for any release. It names no tests and no benchmarks: those are chosen."""
    patches = letters.patches
    return Series(
        name=name,
        subject=patches[0].subject or f"{name}: a diff without a commit message",
        issue="",
        base="",
        root=root,
        patches=patches,
        packages=(),
        tests={},
        benchmarks={},
        thresholds={},
        digest=digest([name, [[patch.name, patch.sha256] for patch in patches]]),
    )


def sha256(raw: bytes) -> str:
    """The sha256 (hex) of what came in."""
    return hashlib.sha256(raw).hexdigest()


def _split(folder: Path, raw: bytes, what: str) -> list[tuple[int, bytes]]:
    if len(re.findall(rb"^From ", raw, re.MULTILINE)) > 10 * MAX_PATCHES:
        raise UsageError(f"{what} holds more mails than a series has", hint="give the mails of the series")
    out = folder / "mails"
    out.mkdir()
    # mboxrd: what quoted a line that begins with From is undone. No line of a diff begins with `>`.
    # keep-cr: Go has files whose lines end in CRLF; git would make LF of every one of them.
    words = ["mailsplit", "-b", "-d4", "--keep-cr", "--mboxrd", f"-o{out}"]
    result = git.quiet(words, cwd=folder, stdin=raw)
    if not result.ok:
        raise _failure(result.tail, f"{what} is no mbox that git can split", folder)
    return [(int(path.name), path.read_bytes()) for path in sorted(out.iterdir())]


def _open(folder: Path, at: int, mail: bytes, what: str) -> _Mail:
    text, diff = folder / "message", folder / "diff"
    if crlf := _sent_with_crlf(mail):
        mail = mail.replace(b"\r\n", b"\n")
    result = git.quiet(["mailinfo", "-k", "-u", str(text), str(diff)], cwd=folder, stdin=mail, timeout=60)
    if not result.ok:
        raise _failure(result.tail, f"mail {at} of {what} cannot be read", folder)
    headers = dict(line.split(": ", 1) for line in result.stdout.splitlines() if ": " in line)
    title = headers.get("Subject", "")
    if len(title) > MAX_SUBJECT:
        raise PatchError(f"mail {at} of {what}: a subject of more than {MAX_SUBJECT} characters")
    subject, numbers = _subject(title)
    message, patch = text.read_bytes(), diff.read_bytes()
    # In base64 the line ends of the text are the transport's as well.
    if _ENCODED.search(_head(mail)) and _only_crlf(message + patch):
        crlf, patch = True, patch.replace(b"\r\n", b"\n")
    message = message.replace(b"\r\n", b"\n")
    commit = _COMMIT.match(mail)
    return _Mail(
        at=at,
        commit=commit[1].decode() if commit else "",
        subject=subject,
        message=message.decode("utf-8", "replace").strip("\n"),
        content=mail if _is_plain(mail, patch) else _rebuilt(headers, message, patch),
        diff=patch,
        number=numbers[0] if numbers else None,
        total=numbers[1] if numbers else None,
        crlf=crlf,
    )


def _sent_with_crlf(mail: bytes) -> bool:
    """Whether every line of the mail ends in CRLF, so that this tells nothing of the files that it changes.
    The line that begins a mail in an mbox, and the blank one between two, are the mailbox's own."""
    own = mail.split(b"\n", 1)[-1] if mail.startswith(b"From ") else mail
    return _only_crlf(own.rstrip(b"\n") + b"\n" if own.endswith(b"\n\n") else own)


def _only_crlf(text: bytes) -> bool:
    return 0 < text.count(b"\n") == text.count(b"\r\n")


def _head(mail: bytes) -> bytes:
    return mail.split(b"\n\n", 1)[0]


def _subject(raw: str) -> tuple[str, tuple[int, int] | None]:
    """The subject without what ``git format-patch`` puts before it, and the numbers in that. A tag of the
    subject's own, such as ``[release-branch.go1.27]``, stays."""
    numbers = None
    while found := _PREFIX.match(raw):
        if number := _NUMBER.search(found[1]):
            numbers = int(number[1]), int(number[2])
        raw = raw[found.end() :]
    return raw.strip(), numbers


def _is_plain(mail: bytes, patch: bytes) -> bool:
    """Whether git would find the patch in the mail as it is: nothing of it was encoded, and only the patch
    has lines that end in CRLF."""
    try:
        mail.decode("utf-8")
    except UnicodeDecodeError:
        return False
    at = mail.find(patch)
    return at >= 0 and b"\r" not in mail[:at] and not _ENCODED.search(_head(mail))


def _rebuilt(headers: Mapping[str, str], message: bytes, patch: bytes) -> bytes:
    """The mail with its encodings undone."""
    lines = [
        f"From: {headers.get('Author', '')} <{headers.get('Email', '')}>",
        f"Date: {headers.get('Date', '')}",
        f"Subject: {headers.get('Subject', '')}",
    ]
    return "\n".join(lines).encode() + b"\n\n" + message + patch


def _ordered(mails: Sequence[_Mail], what: str) -> tuple[list[_Mail], tuple[str, ...]]:
    """The mails that hold patches, in the order of their numbers."""
    covers = [one for one in mails if one.number == 0]
    wanted = [one for one in mails if one.number != 0]
    notes = [f"{one.shown} is a cover letter: left out" for one in covers]
    if not wanted:
        raise UsageError(f"{what} holds no patch", meaning="; ".join(notes))
    if len(wanted) > MAX_PATCHES:
        raise UsageError(f"{what} holds {len(wanted)} patches; {MAX_PATCHES} is the most of a series")
    for one in wanted:
        if not one.diff.strip():
            raise UsageError(
                f"{one.shown} of {what} holds no patch",
                meaning="an answer to one, perhaps, or a commit that changes nothing",
                hint="take it out",
            )
    if len(wanted) == 1 and not covers:
        (only,) = wanted
        if (only.total or 1) > 1:
            notes.append(f"{what} is patch {only.number} of {only.total}: the others are not in it")
        return wanted, tuple(notes)
    if all(one.number is None for one in wanted):
        return wanted, tuple(notes)
    _check_numbers(wanted, what)
    ordered = sorted(wanted, key=lambda one: one.number or 0)
    if ordered != wanted:
        notes.append(f"the mails of {what} were put into the order of their [PATCH n/m]")
    return ordered, tuple(notes)


def _check_numbers(mails: Sequence[_Mail], what: str) -> None:
    unnumbered = [one.shown for one in mails if one.number is None]
    totals = sorted({one.total for one in mails if one.total is not None})
    numbers = [one.number for one in mails if one.number is not None]
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    gaps = sorted(set(range(1, totals[-1] + 1)) - set(numbers))
    mistakes = [f"some have a number, these have none: {', '.join(unnumbered)}"] if unnumbered else []
    if len(totals) > 1:
        mistakes.append(f"they are of series of {' and of '.join(map(str, totals))}")
    mistakes += [f"there are several of {number}/{totals[-1]}" for number in twice]
    if gaps and len(totals) == 1:
        shown = ", ".join(f"{number}/{totals[0]}" for number in gaps[:10])
        mistakes.append(f"missing: {shown}{', …' if len(gaps) > 10 else ''}")
    if mistakes:
        raise UsageError(
            f"the mails of {what} are not one whole series: {'; '.join(mistakes)}",
            meaning="[PATCH n/m] of their subjects says so; two versions of a series in one file, perhaps",
            hint="keep the mails of one version, all of them",
        )


def _failure(said: str, what: str, folder: Path) -> PipelineError:
    lines = [line for line in said.splitlines() if line.startswith(("fatal:", "error:", "warning:"))]
    if any("No space left" in line for line in lines):
        return HostError(f"{what}: no space left for temporary files", hint=f"free some at {folder.parent}")
    return PatchError(what, meaning=f"git says: {plain(lines[-1], 200)}" if lines else "")
