"""The folder of a verb that is not a run: its ledger, its logs, and what it works with."""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import dataclass
from pathlib import Path

from pipeline.console import Progress
from pipeline.errors import HostError, UsageError
from pipeline.flow import environment
from pipeline.flow.baseline import Place
from pipeline.flow.context import LEDGER, Context, shell_for
from pipeline.ledger import Ledger
from pipeline.plan.plan import Plan
from pipeline.store import Store, default_root
from pipeline.values import Platform


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """``place`` logs below ``folder`` and records into ``ledger``."""

    folder: Path
    ledger: Ledger
    place: Place

    def context(self, plan: Plan) -> Context:
        """What the stages of a run work with, for a verb that goes through some of them."""
        return Context(
            plan=plan,
            folder=self.folder,
            run_id=self.folder.name,
            ledger=self.ledger,
            store=self.place.store,
            shell=self.place.shell,
            progress=self.place.progress,
            jobs=self.place.jobs,
        )


def open_workspace(
    root: Path, verb: str, host: Platform, progress: Progress, *, out: str | None = None, jobs: int = 0
) -> Workspace:
    """A new folder: ``out`` (None where the command has no such option), or one below runs/ that is named
    after ``verb``. UsageError when ``out`` holds something, HostError when it or the cache cannot be used."""
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%d-%H%M%S")
    folder = Path(out).absolute() if out else root / "runs" / f"{stamp}-{verb}-{secrets.token_hex(4)}"
    if out and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"--out {out} exists and is not an empty folder", hint="choose another folder")
    try:
        folder.mkdir(parents=True, exist_ok=bool(out))
    except OSError as error:
        raise HostError(
            f"the folder {folder} cannot be made: {error.strerror}",
            hint=" or ".join(
                [
                    *([] if out else ["run it in a checkout that you can write to"]),
                    *([] if out is None else ["choose another place with --out"]),
                ]
            ),
        ) from error
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
