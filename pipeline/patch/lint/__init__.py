"""What a patch may not contain, and what Go's reviewers ask of its message; checked before anything runs.

A patch is hostile until checked: git itself refuses absolute and ``..`` paths, but would create links
and then write through them, change modes, and take binaries.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.errors import PatchError
from pipeline.patch.lint import characters, mail, message, paths
from pipeline.patch.lint.characters import hidden
from pipeline.patch.lint.findings import Findings
from pipeline.patch.lint.mail import Message
from pipeline.patch.lint.reader import Reader
from pipeline.patch.lint.section import Change
from pipeline.values import CommitRules, Finding, Patch

__all__ = ["Examined", "against", "examine", "hidden", "of", "refuse"]

# Over a hundred times a large change; it bounds what every later stage reads.
MAX_BYTES = 8 << 20
# No terminal or review tool shows more; only generated data is longer.
MAX_LINE = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Examined:
    """One patch, read: the paths it touches, below GOROOT, its message, and everything found, by line.
    ``files`` may be trusted only where no finding is an error."""

    files: tuple[str, ...]
    message: Message
    findings: tuple[Finding, ...]


def examine(name: str, content: bytes, commit_rules: CommitRules = "advice") -> Examined:
    """Read one patch. ``commit_rules`` is what breaking Go's rules for commit messages counts as."""
    found = Findings(name)
    if len(content) > MAX_BYTES:
        found.add("size", 1, f"more than {MAX_BYTES} bytes")
        return Examined(files=(), message=mail.NONE, findings=found.all())
    text = _decoded(content, found)
    lines = text.split("\n")
    _check_lines(text, lines, found)
    reader = Reader(lines, found)
    reader.read()
    _check_changes(reader.changes, found)
    parsed = mail.parse(lines[: reader.first], found)
    files = tuple(dict.fromkeys(change.path for change in reader.changes))
    message.check(parsed, files, commit_rules, found)
    return Examined(files=files, message=parsed, findings=found.all())


def of(patches: Sequence[Patch], commit_rules: CommitRules = "advice") -> tuple[Finding, ...]:
    """What was found in patches when they were read; ``commit_rules`` as for ``examine``."""
    found = [one for patch in patches for one in patch.findings]
    if commit_rules == "advice":
        return tuple(found)
    stricter = (one for patch in patches for one in examine(patch.name, patch.content, "error").findings)
    raised = [one for one in stricter if one.severity == "error" and one not in found]
    weaker = {(one.file, one.line, one.rule, one.message) for one in raised}
    kept = [one for one in found if (one.file, one.line, one.rule, one.message) not in weaker]
    return tuple(sorted([*kept, *raised], key=lambda one: (one.file, one.line)))


def refuse(findings: Iterable[Finding]) -> None:
    """PatchError with every error among the findings; nothing where there is none."""
    errors = [one for one in findings if one.severity == "error"]
    if not errors:
        return
    hint = (
        "a series may change plain text files below src/ and the other folders of Go's source, "
        "and nothing else (renames: git format-patch --no-renames); ./inv patch-lint shows this again"
    )
    if all(message.is_rule(one.rule) for one in errors):
        hint = (
            "this profile holds messages to Go's rules (commit_rules: error in matrix.yml); with "
            "commit_rules: advice they are shown, and refuse nothing; ./inv patch-lint with the same "
            "--profile shows this again"
        )
    raise PatchError("\n".join(map(str, errors)), hint=hint)


def against(base: Iterable[str], patches: Sequence[Patch]) -> tuple[Finding, ...]:
    """What the series would put beside the files of a tree (paths below GOROOT) that not every file system
    can tell apart: names that differ only in case, a file where a folder is. In the order of the patches, of
    which each sees what those before it did."""
    names = paths.Names(base)
    findings: list[Finding] = []
    for patch in patches:
        found = Findings(patch.name)
        reader = Reader(patch.content.decode("utf-8", "replace").split("\n"), Findings(patch.name))
        reader.read()
        for change in reader.changes:
            if change.kind == "delete":
                names.remove(change.path)
        for change in reader.changes:
            if change.kind != "delete" and change.path not in names:
                _add(names, change, found)
        findings += found.all()
    return tuple(findings)


def _decoded(content: bytes, found: Findings) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        found.add("encoding", line, "not UTF-8: binary or otherwise unreadable content")
        return content.decode("utf-8", "replace")


def _check_lines(text: str, lines: Sequence[str], found: Findings) -> None:
    for number, char in characters.hidden_lines(text):
        if char == "\0":
            found.add("binary", number, "a NUL byte (U+0000): binary content")
        else:
            found.add("character", number, f"an invisible or control character (U+{ord(char):04X})")
    if max(map(len, lines)) > MAX_LINE:
        for number, line in enumerate(lines, 1):
            if len(line) > MAX_LINE:
                found.add("size", number, f"a line of {len(line)} characters, more than {MAX_LINE}")


def _check_changes(changes: Sequence[Change], found: Findings) -> None:
    if not changes:
        found.add("no-change", 1, "no file is changed: not a patch; a unified diff of Go's tree is expected")
    names = paths.Names()
    for change in changes:
        if change.path in names:
            found.add("repeated-file", change.line, f"{characters.shown(change.path)} is changed twice")
        else:
            _add(names, change, found)


def _add(names: paths.Names, change: Change, found: Findings) -> None:
    if clash := names.clash(change.path):
        found.add("path-collision", change.line, clash)
    names.add(change.path)
