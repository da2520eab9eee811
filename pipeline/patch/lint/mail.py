"""The commit message above a patch, as ``git format-patch`` writes it: mail fields, a blank line, a body."""

from __future__ import annotations

import binascii
import email.errors
import email.header
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.patch.lint import characters
from pipeline.patch.lint.findings import Findings

_FIELD = re.compile(r"([!-9;-~]+):[ \t]*(.*)")
# Python knows a hundred charsets, of which some run code of their own or change what a text means.
_CHARSETS = {"utf-8", "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1252"}
_READABLE = {"7bit", "8bit", "binary"}
# The longest messages of Go's history have a few hundred lines of benchmarks.
MAX_MESSAGE = 1 << 17
# What Python takes to read a field grows by the square of its length.
MAX_FIELD = 1_000


@dataclass(frozen=True, kw_only=True)
class Message:
    """A commit message: ``subject`` decoded and without its ``[PATCH n/m]``, both with the line (from 1) of
    the patch file that they begin in. All is empty for a bare diff."""

    subject: str
    body: str
    subject_line: int
    body_line: int
    found: bool


NONE = Message(subject="", body="", subject_line=1, body_line=1, found=False)


def parse(lines: Sequence[str], found: Findings) -> Message:
    """The message in what stands above the first header of a patch. Notes what is hidden in it."""
    if (size := sum(map(len, lines)) + len(lines)) > MAX_MESSAGE:
        found.add("size", 1, f"{size} characters above the first change, more than {MAX_MESSAGE}")
        return NONE
    fields, end = _fields(lines)
    if not fields.keys() & {"subject", "from"}:
        return NONE
    encoding = fields.get("content-transfer-encoding", ("8bit", 1))
    if encoding[0].strip().lower() not in _READABLE:
        found.add("mail-encoding", encoding[1], "an encoded mail: git would read its text as it stands here")
    kind = fields.get("content-type", ("text/plain", 1))
    if not kind[0].strip().lower().startswith("text/plain"):
        found.add("mail-encoding", kind[1], "a mail in several parts or not in plain text")
    raw, at = fields.get("subject", ("", 1))
    if len(raw) > MAX_FIELD:
        found.add("size", at, f"a subject of {len(raw)} characters, more than {MAX_FIELD}")
        raw = raw[:MAX_FIELD]
    subject = _decoded(raw)
    if char := characters.hidden(subject.replace("\n", "\v")):
        # Where it stands as it is, the line was refused already.
        found.add("character", at, f"an invisible or control character in the subject (U+{ord(char):04X})")
    body = lines[end:]
    cut = next((n for n, line in enumerate(body) if line.rstrip() == "---"), len(body))
    while cut and not body[cut - 1].strip():
        cut -= 1
    start = next((n for n in range(cut) if body[n].strip()), cut)
    return Message(
        subject=re.sub(r"^\[PATCH[^\]]*\]\s*", "", " ".join(subject.split())),
        body="\n".join(line.removesuffix("\r") for line in body[start:cut]),
        subject_line=at,
        body_line=min(end + start + 1, len(lines)),  # an empty body has no line of its own
        found=True,
    )


def _fields(lines: Sequence[str]) -> tuple[dict[str, tuple[str, int]], int]:
    """The mail's fields by lower-case name, each with its line, and the number of the line after the blank
    one; none where the text does not begin with fields."""
    fields: dict[str, tuple[str, int]] = {}
    name = ""
    # A byte order mark is refused where it stands; what follows it is a message all the same.
    lines = [lines[0].removeprefix("\ufeff"), *lines[1:]] if lines else lines
    # git puts "From <sha> <date>" on the first line, which is no field.
    start = 1 if lines and lines[0].startswith("From ") else 0
    for at in range(start, len(lines)):
        line = lines[at].removesuffix("\r")
        if not line:
            return fields, at + 1
        if line[0] in " \t" and name:
            text, first = fields[name]
            fields[name] = (f"{text} {line.strip()}", first)
        elif parts := _FIELD.fullmatch(line):
            name = parts[1].lower()
            fields.setdefault(name, (parts[2], at + 1))
        else:
            return {}, 0
    return fields, len(lines)


def _decoded(value: str) -> str:
    """A field with its encoded words read, or as it stands where they cannot be."""
    try:
        parts = email.header.decode_header(value)
    except (email.errors.HeaderParseError, binascii.Error, ValueError):
        return value
    words = []
    for part, charset in parts:
        if isinstance(part, str):
            words.append(part)
        elif charset is None:
            words.append(part.decode("raw-unicode-escape", "replace"))
        elif charset.lower() in _CHARSETS:
            words.append(part.decode(charset, "replace"))
        else:
            return value
    return "".join(words)
