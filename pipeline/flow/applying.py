"""A series on a base: the account of every hunk, and the patched tree for whoever wants it in a folder."""

from __future__ import annotations

import os
import secrets
from dataclasses import asdict
from pathlib import Path

from pipeline import tree
from pipeline.errors import UsageError
from pipeline.patch import apply
from pipeline.patch.account import Applied
from pipeline.patch.apply import Outcome
from pipeline.records import HunkPlaced, PatchApplied
from pipeline.store import remove_tree
from pipeline.values import GoTree


def record(applied: Applied) -> PatchApplied:
    """The account as a record."""
    return PatchApplied(
        file=applied.patch.name,
        subject=applied.patch.subject,
        sha256=applied.patch.sha256,
        rung=applied.rung,
        hunks=applied.count,
        detail=applied.detail,
        message=applied.patch.message,
        account=[HunkPlaced.model_validate(asdict(hunk)) for hunk in applied.hunks],
        allowed=sorted({rung for hunk in applied.hunks for rung in hunk.needs}) if applied.ok else [],
        skipped=applied.skipped,
    )


def check_out(out: Path) -> None:
    """UsageError unless a tree can be delivered to ``out``: a folder that is not there, or empty."""
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise UsageError(
            f"--out {out} exists and is not an empty folder",
            hint="choose another: the patched tree is never mixed with what is there",
        )


def deliver(base: GoTree, outcome: Outcome, out: Path) -> None:
    """A full tree at ``out``: copies of the baseline's files, with what the series makes of them. It gets its
    name when it is whole; PatchError when the series does not apply."""
    files = outcome.require().files
    check_out(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = out.with_name(f".{out.name}.{os.getpid()}-{secrets.token_hex(2)}")
    try:
        tree.copy(base.root, scratch, base.manifest)
        apply.write(scratch, files)
        if out.exists():
            out.rmdir()
        scratch.rename(out)
    finally:
        if scratch.exists():
            remove_tree(scratch)
