"""The header of one file in a patch: what its lines said, and whether they agree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from pipeline.patch.lint.characters import shown

OLD, NEW = "--- ", "+++ "
CREATED, REMOVED = "new file mode ", "deleted file mode "


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a patch does to one file; ``line`` is where its header begins."""

    path: str
    kind: Literal["edit", "new", "delete"]
    line: int


@dataclass(kw_only=True)
class Section:
    """One file's header as it is read. ``seen``: the kinds of its lines; ``names``: the paths they give;
    ``null`` and ``epoch``: which of the two sides is /dev/null, or has the date that stands for it; ``old``
    and ``new``: the lines that its hunks take and leave."""

    line: int
    git: bool
    seen: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    null: set[str] = field(default_factory=set)
    epoch: set[str] = field(default_factory=set)
    binary: bool = False
    renamed: bool = False
    hunks: int = 0
    old: int = 0
    new: int = 0

    @property
    def created(self) -> bool:
        """Whether git takes the file for a new one. Below ``diff --git`` and without the line of the mode,
        /dev/null is for git a file dev/null of the tree."""
        return CREATED in self.seen if self.git else OLD in self.null

    @property
    def removed(self) -> bool:
        """The same for a file that goes away."""
        return REMOVED in self.seen if self.git else NEW in self.null

    def problems(self) -> Iterator[str]:
        """Where the lines contradict each other or the hunks."""
        named = bool(self.seen & {OLD, NEW})
        if len(self.names) > 1 and not self.renamed:
            yield f"one file's header names several: {' and '.join(map(shown, sorted(self.names)))}"
        if self.null == {OLD, NEW} or (self.created and self.removed):
            yield "a file that is both made and removed"
        elif (named and not self.seen >= {OLD, NEW}) or (self.hunks and not named):
            yield "a header without its pair of --- and +++ lines"
        elif named and (self.created != (OLD in self.null) or self.removed != (NEW in self.null)):
            yield "lines that disagree on whether the file is new, changed or removed"
        elif not (self.hunks or self.created or self.removed or self.renamed or self.binary):
            yield "a header without any change below it"
        if self.created and self.old:
            yield "a new file takes lines from an old one"
        if self.removed and self.new:
            yield "a removed file keeps lines"

    def changes(self) -> Iterator[Change]:
        """What is done to each path that the header names."""
        kind: Literal["edit", "new", "delete"] = "edit"
        if self.created or (OLD in self.epoch and not self.old):
            kind = "new"
        elif self.removed or (NEW in self.epoch and not self.new):
            kind = "delete"
        for path in sorted(self.names):
            yield Change(path=path, kind=kind, line=self.line)
