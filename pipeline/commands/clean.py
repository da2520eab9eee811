"""``clean``: empties the cache, and the runs when asked; never a folder that is not ours."""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline import store
from pipeline.commands import entry
from pipeline.console import Console
from pipeline.errors import ExitCode
from pipeline.flow.context import LATEST, LEDGER

UNUSED_DAYS = 30.0


def main(root: Path, *, everything: bool, runs: bool) -> ExitCode:
    """Remove and say what was removed; 3 when there was nothing."""
    console = Console()

    def action() -> ExitCode:
        cache = store.default_root()
        victims, size = store.clean(cache, older_than_days=None if everything else UNUSED_DAYS)
        entries = "1 entry" if len(victims) == 1 else f"{len(victims)} entries"
        sys.stdout.write(f"cache {cache}: removed {entries}, {size / 2**20:.0f} MiB\n")
        gone = _clean_runs(root / "runs") if runs else []
        if runs:
            sys.stdout.write(f"runs: removed {len(gone)}\n")
        if not victims and not gone:
            if not everything:
                sys.stdout.write(
                    f"nothing was unused for {UNUSED_DAYS:g} days; --all removes the whole cache\n"
                )
            return ExitCode.NOTHING_TO_DO
        return ExitCode.PASS

    return entry.guarded(console, action)


def _clean_runs(runs: Path) -> list[Path]:
    """Remove the folders that hold a ledger; anything else in runs/ is somebody's and stays."""
    if not runs.is_dir() or runs.is_symlink():
        return []
    found = [path for path in runs.iterdir() if not path.is_symlink() and (path / LEDGER).is_file()]
    for path in found:
        store.remove_tree(path)
    if found:
        (runs / LATEST).unlink(missing_ok=True)
    return found
