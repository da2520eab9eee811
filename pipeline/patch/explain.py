"""An account of a patch in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from pipeline.errors import PatchError
from pipeline.patch.account import ALLOWABLE, CLEAN, Applied, HunkAccount

_SHOWN = 5
_ROWS = 14


def detail(hunks: Sequence[HunkAccount]) -> str:
    """What is not exact, in one line: the hunks while they are few, else how many of which rung."""
    moved = [hunk for hunk in hunks if hunk.rung != "exact"]
    if len(moved) > 3:
        counts = Counter(hunk.rung for hunk in moved)
        return f"of {len(hunks)} hunks " + ", ".join(f"{n} {rung}" for rung, n in counts.items())
    return "; ".join(f"{hunk.file} {_which(hunk)}: {hunk.rung}, {_where(hunk)}" for hunk in moved)


def _which(hunk: HunkAccount) -> str:
    return f"hunk {hunk.number}" if hunk.number else hunk.title


def _where(hunk: HunkAccount) -> str:
    return f"line {hunk.line}" + (f", {hunk.note}" if hunk.note else "")


def failure(applied: Applied, index: int) -> PatchError:
    """Why the patch does not apply, and what to do. ``index`` counts from 1 in the series."""
    name = applied.patch.name
    if {hunk.rung for hunk in applied.hunks} == {"already-applied"}:
        return PatchError(
            f"{name} is already applied: the tree holds its result",
            meaning="the release may contain the change, or the series lists it twice"
            if "same change" not in applied.detail
            else applied.detail.rpartition("; ")[2],
            hint="take the patch out of series.yml, or skip it: --allow already-applied",
        )
    bad = [hunk for hunk in applied.hunks if hunk.rung not in CLEAN]
    places = "\n".join(_shown(bad))
    loose = needed(bad)
    if loose:
        return PatchError(
            f"{name} does not apply cleanly (patch {index} of the series):\n{places}",
            meaning="only exact and offset are clean: what changed around it may have changed what it does",
            hint=f"rebase the patch on this release; or look at these places and --allow {','.join(loose)}",
        )
    return PatchError(
        f"{name} does not apply (patch {index} of the series):\n{places}",
        meaning="the code it changes differs in this release, or an earlier patch is missing",
        hint="rebase the patch on this release",
    )


def needed(hunks: Iterable[HunkAccount]) -> list[str]:
    """What would have to be allowed for hunks that are not clean; empty when that does not help."""
    rungs = {rung for hunk in hunks for rung in hunk.needs}
    helps = rungs <= set(ALLOWABLE) - {"already-applied"}
    return [rung for rung in ALLOWABLE if rung in rungs] if helps else []


def _shown(bad: Sequence[HunkAccount]) -> list[str]:
    lines: list[str] = []
    for hunk in bad[:_SHOWN]:
        lines += [f"  {line}" for line in place(hunk)]
    if len(bad) > _SHOWN:
        lines.append(f"  and {len(bad) - _SHOWN} more: ./inv patch-apply shows them all")
    return lines


def place(hunk: HunkAccount) -> list[str]:
    """A hunk's file and line, what became of it, and for a conflict both sides' lines."""
    said = {"conflict": "conflicts", "already-applied": "is there already"}.get(hunk.rung, hunk.rung)
    if hunk.rung in {"missing-file", "file-exists"}:
        return [f"{hunk.file}: {hunk.note}"]
    lines = [f"{at(hunk)}: {_which(hunk)} {said}: {hunk.title[:100]}"]
    if hunk.note:
        lines.append(f"  {hunk.note}")
    return [*lines, *(f"    {row}" for row in beside(hunk))]


def at(hunk: HunkAccount) -> str:
    """``file:line``, or the file alone where there is no line to name."""
    return f"{hunk.file}:{hunk.line}" if hunk.number and hunk.rung != "missing-file" else hunk.file


def beside(hunk: HunkAccount) -> list[str]:
    """A conflict's lines on both sides, with a word on which is which; cut when they are many."""
    if not hunk.beside:
        return []
    rest = len(hunk.beside) - _ROWS
    more = [f"… and {rest} more lines"] if rest > 0 else []
    return ["- the patch expects, + the file has:", *hunk.beside[:_ROWS], *more]
