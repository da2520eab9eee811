"""Applying a series to a clone of the baseline, with an account of how each patch applied.

Only ``exact`` and ``offset`` are clean. Nothing is applied in part: a patch that does not apply ends
the run before the tree gets a name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import git, proc, tree
from pipeline.errors import HostError, PatchError
from pipeline.values import Patch

_OFFSET = re.compile(r"^Hunk #(\d+) succeeded at (\d+) \(offset (-?\d+) lines?\)", re.MULTILINE)
_FAILED = re.compile(r"^error: patch failed: (.+):(\d+)$", re.MULTILINE)
_MISSING = re.compile(r"^error: (.+): No such file or directory$", re.MULTILINE)
_EXISTS = re.compile(r"^error: (.+): already exists in (?:working directory|index)$", re.MULTILINE)
_HUNK = re.compile(rb"^@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Applied:
    """How one patch applied: ``rung`` is exact or offset; ``detail`` says which hunks moved."""

    patch: Patch
    rung: str
    hunks: int
    detail: str


def apply_series(shell: proc.Shell, root: Path, patches: Sequence[Patch]) -> list[Applied]:
    """Apply the patches to the tree at ``root``, in order. PatchError says which does not apply, where,
    and why. Files that a patch touches get bytes of their own first: the tree may share them."""
    done: list[Applied] = []
    for index, patch in enumerate(patches, 1):
        tree.detach(root, patch.files)
        result = git.run(
            shell, f"apply-{index:04d}", ["apply", "-p1", "--verbose", "-"], cwd=root, stdin=patch.content
        )
        if not result.ok:
            raise _failure(shell, root, patch, index, result)
        offsets = [f"hunk {n} at line {at} (offset {by})" for n, at, by in _OFFSET.findall(result.stdout)]
        rung = "offset" if offsets else "exact"
        hunks = len(_HUNK.findall(patch.content))
        done.append(Applied(patch=patch, rung=rung, hunks=hunks, detail="; ".join(offsets)))
    return done


def _failure(
    shell: proc.Shell, root: Path, patch: Patch, index: int, result: proc.Result
) -> PatchError | HostError:
    # git echoes the patch's own lines, so its words cannot tell the machine's fault from the patch's.
    if full := proc.full_disk(root):
        return HostError(
            f"applying {patch.name} was stopped by this machine: no space left at {full}",
            hint="free some space, or point GOPATCH_CACHE to another disk",
        )
    output = result.stdout
    reverse = git.run(
        shell,
        f"apply-{index:04d}-reverse",
        ["apply", "-p1", "--check", "--reverse", "-"],
        cwd=root,
        stdin=patch.content,
    )
    if reverse.ok:
        return PatchError(
            f"{patch.name} is already applied: the tree holds its result",
            meaning="the release may contain the change, or the series lists it twice",
            hint="take the patch out of series.yml",
        )
    places = [f"{path}: no such file in this release" for path in _MISSING.findall(output)]
    places += [f"{path}: exists already" for path in _EXISTS.findall(output)]
    places += [_hunk_at(patch, path, int(line)) for path, line in _FAILED.findall(output)]
    if not places:  # a corrupt patch, say: git's own words are the best there are
        places = [line.removeprefix("error: ") for line in output.splitlines() if line.startswith("error:")]
    return PatchError(
        f"{patch.name} does not apply (patch {index} of the series):\n  " + "\n  ".join(places),
        meaning="the code it changes differs in this release, or an earlier patch is missing",
        hint=f"rebase the patch on this release; git's output is in {result.log}",
    )


def _hunk_at(patch: Patch, path: str, line: int) -> str:
    """``path:line: conflict in hunk K of that file``, with the hunk's header."""
    text = patch.content.decode("utf-8")
    current, number = "", 0
    for row in text.splitlines():
        if row.startswith("--- "):
            current, number = row.removeprefix("--- ").split("\t")[0].removeprefix("a/"), 0
        elif row.startswith("@@ ") and current == path:
            number += 1
            if row.startswith((f"@@ -{line},", f"@@ -{line} ")):
                return f"{path}:{line}: hunk {number} conflicts: {row[:100]}"
    return f"{path}:{line}: a hunk conflicts"
