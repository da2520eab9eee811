"""``fetch``: a Go tree into the cache, and where it is from, what proves it, and where it is."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import secrets
import sys
from pathlib import Path

from pipeline import proc
from pipeline.commands import entry
from pipeline.config import suggest
from pipeline.console import Console
from pipeline.errors import ExitCode, UsageError
from pipeline.plan import matrix as matrix_room
from pipeline.source import base as source_room
from pipeline.source.base import Source
from pipeline.source.settings import ORDER, Settings
from pipeline.store import Store, default_root
from pipeline.values import GoTree

SOURCES = (*ORDER, "git")


def main(root: Path, *, base: str | None, source: str, as_json: bool) -> ExitCode:
    """Fetch and print. ``source`` is one of SOURCES, or '' for the order of matrix.yml."""
    console = Console(quiet=as_json)

    def action() -> ExitCode:
        matrix = matrix_room.load(root / "matrix.yml")
        if base == "":
            raise UsageError(
                "--base is empty",
                meaning="a variable that is not set, perhaps",
                hint="give it a value, or leave it out for the default of matrix.yml",
            )
        chosen = _choose(base or matrix.base, source, matrix.sources.settings(root, matrix.base), console)
        chosen.check()
        store = Store(default_root(), console.note)
        store.prepare()
        stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%d-%H%M%S")
        logs = store.shared("logs", f"fetch-{stamp}-{secrets.token_hex(2)}")
        with console.stage("fetch"):
            tree, reused = chosen.fetch(store, proc.Shell(logs=logs, observe=lambda *_: None))
        _show(tree, reused, as_json)
        return ExitCode.PASS

    return entry.guarded(console, action)


def _choose(base: str, source: str, settings: Settings, console: Console) -> Source:
    """The source for ``base``; UsageError when the one that the user wants cannot have it."""
    if source and source not in SOURCES:
        raise UsageError(f"no source {source[:100]!r}", meaning=suggest(source, SOURCES))
    version = source_room.release(base)
    if source == "git" and version:
        source_room.choose(base)  # which refuses what is no release
        base = f"git:refs/tags/go{version}"
    elif (source == "git" and source_room.git_ref(base) is None) or (
        source != "git" and source and not version
    ):
        raise UsageError(
            f"--source {source} cannot have --base {base[:100]!r}",
            hint="wheel and archive have releases, git has releases, tip, git:REF and commits; "
            "leave --source out for a path",
        )
    order = tuple(name for name in ORDER if name == source)
    if order:
        settings = dataclasses.replace(settings, order=order)
    return source_room.choose(base, settings, console.note)


def _show(tree: GoTree, reused: bool, as_json: bool) -> None:
    shown = {
        "version": tree.version,
        "digest": tree.digest,
        "origin": tree.origin,
        "proof": tree.proof,
        "path": str(tree.root),
    }
    if as_json:
        more = {"files": len(tree.manifest), "built": tree.built, "reused": reused}
        sys.stdout.write(json.dumps({**shown, **more}, indent=2, ensure_ascii=False) + "\n")
        return
    for name, value in shown.items():
        sys.stdout.write(f"{name:<8}  {value}\n")
    if not tree.built:
        sys.stdout.write("tools     none: what needs them has make.bash build them, once\n")
