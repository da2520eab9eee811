"""Go's rules for commit messages: what the contribution guide and the wiki's CommitMessage page ask for, and
what golang/build's gerritbot objects to (cmd/gerritbot/internal/rules), for the main repository."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pipeline.patch.lint.characters import shown
from pipeline.patch.lint.findings import Findings
from pipeline.patch.lint.mail import Message
from pipeline.values import CommitRules

# The wiki says about 76 for both; the bot objects to the body's lines from 79 on.
MAX_SUBJECT = 76
MAX_BODY_LINE = 78
MIN_BODY = 24  # as the bot has it: shorter is nothing but an issue's number
# How the names of the rules begin.
_NAMES = ("subject-", "body-", "issue-", "signed-off-by", "change-id", "template", "markdown", "no-message")
# Upstream is not strict about these, or only asks: advice whatever the profile says.
_ASKED = {"no-message", "subject-length", "issue-missing"}

# Where nobody expects a description, by the words of the subject. The bot has a similar list.
_TRIVIAL = re.compile(
    r"typo|spell|gramma|comment|readme|document|\bdocs?\b|example|(fix|correct|broken|wrong).*(link|url)",
    re.IGNORECASE,
)
_PACKAGE = re.compile(r"[a-z][^ ,:]+")
# Prefixes that name no folder of the tree.
_ELSEWHERE = {"all", "build", "README", "DEBUG", "spec"}
_SENTENCE = re.compile(r"""[\w"'`)][.:?!)](\s|$)""")
_REFERENCE = re.compile(r"(Fixes|Updates|For) (?!golang/go#)([\w.-]+/[\w.-]+)?#[0-9]+\.?")
_OWN_ISSUE = re.compile(r"#[0-9]{4}")
_LIKE_A_REFERENCE = re.compile(
    r"(fix(e[sd])?|updates?d?|for|close[sd]?|resolve[sd]?):?\s+\S*#[0-9]+[.,]?", re.IGNORECASE
)
_FOOTER = re.compile(r"[A-Z][A-Za-z]*(-[A-Za-z]+)+: \S.*|\(cherry picked from commit [0-9a-f]+\)")
_CHANGE_ID = re.compile(r"Change-Id: I[0-9a-f]{40}")
# What may be long: indented text, addresses, rules of a table, box characters, benchstat's numbers; and paths
# and columns, which are several of a kind in one line.
_WIDE = re.compile(r"^\s|https?://|www\.|\.(com|org|dev)\b|----|____|[\u2500-\u257f]| ± |\t")
_WIDE_PARTS = ((re.compile(r"[/\\]"), 5), (re.compile(r"\S {2,}(?=\S)"), 2))
_CODE = re.compile(r"[={}()\[\]]|regex|string")


def is_rule(name: str) -> bool:
    """Whether a finding's rule is one of these."""
    return name.startswith(_NAMES)


def check(message: Message, files: Sequence[str], severity: CommitRules, found: Findings) -> None:
    """Note what upstream would object to. ``files`` are the paths that the patch changes."""
    if not message.found:
        found.add("no-message", 1, "no commit message: a bare diff", "advice")
        return
    trivial = bool(_TRIVIAL.search(message.subject))
    said = [
        *((rule, message.subject_line, text) for rule, text in _subject(message.subject, files)),
        *((rule, message.body_line + at, text) for rule, at, text in _body(message, trivial=trivial)),
    ]
    for rule, line, text in said:
        found.add(rule, line, text, "advice" if rule in _ASKED else severity)


def _subject(subject: str, files: Sequence[str]) -> Iterator[tuple[str, str]]:
    start, colon, rest = subject.partition(":")
    # cmd/{compile,link} stands for two packages.
    braces = re.sub(
        r"\{([^{}]*)\}", lambda group: f"{{{group[1].replace(', ', ';').replace(',', ';')}}}", start
    )
    packages = re.split(r", ?", braces)
    named = bool(colon) and (
        start in _ELSEWHERE or all(_PACKAGE.fullmatch(one) or one in _ELSEWHERE for one in packages)
    )
    if not named:
        yield (
            "subject-package",
            (
                "the subject should begin with the package it is about and a colon, such as net/http: or "
                f"runtime, net: (it is {shown(subject)!r})"
            ),
        )
    elif not re.match(r" [^ ]", rest):
        yield "subject-colon", "the subject should have one blank after the package's colon"
    elif files and (strange := [one for one in packages if not _plausible(one, files)]):
        names = ", ".join(map(shown, strange))
        yield "subject-files", f"the subject names {names}, where the patch changes nothing"
    if colon and not re.match(r" *[a-z]+\b", rest):
        yield "subject-verb", "the subject should go on with a verb in lower case after the colon"
    if subject.endswith("."):
        yield "subject-period", "the subject should not end in a period"
    if len(subject) > MAX_SUBJECT:
        yield "subject-length", f"a subject of {len(subject)} characters; about {MAX_SUBJECT} is the custom"


def _plausible(package: str, files: Sequence[str]) -> bool:
    """Whether one of the files belongs to what the subject names: its folder, one above it, or, as in
    ``go/types, types2``, the end of its folder's name."""
    if package in _ELSEWHERE:
        return True
    if group := re.search(r"\{([^{}]*)\}", package):
        before, after = package[: group.start()], package[group.end() :]
        return any(_plausible(f"{before}{one}{after}", files) for one in group[1].split(";"))
    for path in files:
        folder = path.removeprefix("src/").rpartition("/")[0]
        if f"{folder}/".startswith(f"{package}/") or f"/{folder}/".endswith(f"/{package}/"):
            return True
    return False


def _body(message: Message, *, trivial: bool) -> Iterator[tuple[str, int, str]]:
    """Rule, line within the body (from 0), and text."""
    lines = message.body.split("\n")
    end = len(lines)
    while end and (not lines[end - 1].strip() or _FOOTER.fullmatch(lines[end - 1])):
        end -= 1
    prose = "\n".join(lines[:end])
    if not trivial:
        if len(prose) < MIN_BODY:
            said = (
                f"has {len(prose)} characters below its subject" if prose else "is a subject and nothing else"
            )
            yield (
                "body-missing",
                0,
                f"the message {said}; Go's bot asks for a description (it counts from {MIN_BODY}): "
                "what changes and why",
            )
        elif not _SENTENCE.search(prose):
            yield "body-sentences", 0, "the message should be in whole sentences, with their punctuation"
    longest = max(
        ((len(line), at) for at, line in enumerate(lines[:end]) if not _is_wide(line)), default=(0, 0)
    )
    if longest[0] > MAX_BODY_LINE:
        yield "body-wrap", longest[1], f"a line of {longest[0]} characters; text is wrapped at about 76"
    yield from _markdown(message.subject, lines[:end])
    for at, line in enumerate(lines):
        if re.match(r"signed-off-by: ", line, re.IGNORECASE):
            yield "signed-off-by", at, "Go does not use Signed-off-by: contributors sign an agreement instead"
        if "Delete these instructions once you have read and applied them" in line:
            yield "template", at, "the instructions of the pull request's form are still here"
    yield from _issues(lines[:end], trivial=trivial)
    yield from _change_id(lines, end)


def _is_wide(line: str) -> bool:
    return bool(_WIDE.search(line)) or any(len(part.findall(line)) >= most for part, most in _WIDE_PARTS)


def _markdown(subject: str, lines: Sequence[str]) -> Iterator[tuple[str, int, str]]:
    """As the bot does: fences, backquotes outside of what may be Go code, and links."""
    if any("markdown" in line.lower() for line in (subject, *lines)):
        return
    fences = [at for at, line in enumerate(lines) if line.startswith("```")]
    quoted = [
        at
        for at, line in enumerate(lines)
        if not re.search("regex|string", subject) and re.search("`.+`", line) and not _CODE.search(line)
    ]
    links = [at for at, line in enumerate(lines) if re.search(r"\[[^\[\]]+\]\(https?://", line)]
    found = sorted([*(fences if len(fences) > 1 else []), *quoted, *links])
    if found:
        yield "markdown", found[0], "the message should be plain text; this looks like Markdown"


def _issues(lines: Sequence[str], *, trivial: bool) -> Iterator[tuple[str, int, str]]:
    good = [at for at, line in enumerate(lines) if _REFERENCE.fullmatch(line)]
    bad = [
        at for at, line in enumerate(lines) if _LIKE_A_REFERENCE.fullmatch(line.strip()) and at not in good
    ]
    for at in bad:
        yield (
            "issue-form",
            at,
            f"an issue is referred to as Fixes #N, Updates #N or For #N, not {shown(lines[at])}",
        )
    if good and good[-1] != len(lines) - 1:
        yield "issue-last", good[-1], "issues are referred to at the end of the message, above Change-Id"
    if not (good or bad or trivial):
        if any(map(_OWN_ISSUE.search, lines)):
            yield "issue-last", len(lines) - 1, "the message should end with Fixes #N, Updates #N or For #N"
        else:
            yield "issue-missing", max(len(lines) - 1, 0), "no issue is referred to (Fixes #N, Updates #N)"


def _change_id(lines: Sequence[str], end: int) -> Iterator[tuple[str, int, str]]:
    places = [at for at, line in enumerate(lines) if re.match(r"\s*change-id\b", line, re.IGNORECASE)]
    for number, at in enumerate(places):
        if not _CHANGE_ID.fullmatch(lines[at]):
            yield "change-id", at, "a Change-Id is the letter I and 40 hexadecimal digits"
        elif number:
            yield "change-id", at, "a second Change-Id"
        elif at < end:
            yield "change-id", at, "the Change-Id belongs into the last paragraph, below the issues"
