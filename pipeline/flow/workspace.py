"""The folder of a verb that is not a run: its ledger, its logs, and what it works with."""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import dataclass
from pathlib import Path

from pipeline.console import Progress
from pipeline.errors import UsageError
from pipeline.flow import environment
from pipeline.flow.baseline import Place
from pipeline.flow.context import LEDGER, shell_for
from pipeline.ledger import Ledger
from pipeline.store import Store, default_root
from pipeline.values import Platform


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """``place`` logs below ``folder`` and records into ``ledger``."""

    folder: Path
    ledger: Ledger
    place: Place


def open_workspace(
    root: Path, verb: str, host: Platform, progress: Progress, *, out: str = "", jobs: int = 0
) -> Workspace:
    """A new folder: ``out``, or one below runs/ that is named after ``verb``. UsageError when ``out`` holds
    something, HostError when the cache cannot be used."""
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%d-%H%M%S")
    folder = Path(out).absolute() if out else root / "runs" / f"{stamp}-{verb}-{secrets.token_hex(2)}"
    if out and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"--out {out} exists and is not an empty folder", hint="choose another folder")
    store = Store(default_root(), progress.note)
    store.prepare()
    ledger = Ledger(folder / LEDGER)
    place = Place(
        store=store,
        shell=shell_for(folder, ledger),
        progress=progress,
        host=host,
        jobs=jobs or environment.cores(),
    )
    return Workspace(folder=folder, ledger=ledger, place=place)
