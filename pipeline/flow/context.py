"""A run's folder and everything its stages share: ledger, store, shell, progress."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock

from pipeline import proc
from pipeline.cells.base import Shell, Where
from pipeline.cells.here import HERE
from pipeline.console import Progress
from pipeline.errors import HostError, NothingToDoError, UsageError
from pipeline.flow.baseline import Place
from pipeline.ledger import Ledger
from pipeline.plan.plan import Plan
from pipeline.records import CommandRan, Record, RunEnded, RunStarted, StageEnded
from pipeline.store import Store
from pipeline.values import Cell

LEDGER = "ledger.jsonl"
LATEST = "latest"
LOCK = ".lock"
LOGS = "logs"


@dataclass(frozen=True, kw_only=True)
class Context:
    """What every stage of one run works with. ``commit`` is this project's own, '' where it is not known.
    ``shell`` works on this machine; ``there`` runs the programs of cells on the machine ``where``, by
    ``elsewhere`` where that is another."""

    plan: Plan
    folder: Path
    run_id: str
    ledger: Ledger
    store: Store
    shell: proc.Shell
    progress: Progress
    jobs: int
    commit: str = ""
    elsewhere: Shell | None = None
    where: Where = HERE

    @property
    def there(self) -> Shell:
        """What runs the programs of cells."""
        return self.elsewhere or self.shell

    @property
    def place(self) -> Place:
        """What fetching and building needs of all this."""
        return Place(
            store=self.store,
            shell=self.shell,
            progress=self.progress,
            host=self.plan.host,
            jobs=self.jobs,
        )

    def bench_file(self, cell: str) -> Path:
        """The cell's benchfmt file."""
        return self.folder / "bench" / f"{cell}.txt"

    def stage_of(self, cell: Cell, name: str) -> str:
        """The name of a stage of one cell: with its id where several cells run here."""
        alone = sum(one.native for one in self.plan.cells) <= 1
        return name if alone else f"{name} {cell.id}"

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Run a stage: progress with an estimate from earlier runs, and a record when it is done."""
        started = time.monotonic()
        with self.progress.stage(name, _estimates(self.store).get(self._estimate_key(name), 0.0)):
            yield
        seconds = round(time.monotonic() - started, 3)
        self.ledger.append(StageEnded(stage=name, seconds=seconds))
        _remember(self.store, self._estimate_key(name), seconds)

    def _estimate_key(self, stage: str) -> str:
        return f"{self.plan.profile.name}/{stage}"

    def finished(self, stage: str) -> bool:
        """Whether an earlier start of this run completed the stage."""
        return any(isinstance(r, StageEnded) and r.stage == stage for r in self.ledger.records)


def _estimates(store: Store) -> dict[str, float]:
    try:
        data = json.loads((store.area / "estimates.json").read_text(encoding="utf-8"))
        return {str(key): float(value) for key, value in data.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}  # only estimates: a damaged file costs nothing


def _remember(store: Store, key: str, seconds: float) -> None:
    path = store.area / "estimates.json"
    scratch = path.with_name(f"{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        scratch.write_text(json.dumps({**_estimates(store), key: seconds}), encoding="utf-8")
        scratch.replace(path)


@contextlib.contextmanager
def only_run(folder: Path) -> Iterator[None]:
    """Hold the run's folder: two processes that append to one ledger would destroy each other's samples.
    HostError when another process has it. The system frees it when its holder dies."""
    lock = filelock.FileLock(folder / LOCK)
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout as error:
        raise HostError(
            f"the run in {folder} is still going in another process",
            hint="wait for it or stop it; then add --resume",
        ) from error
    try:
        yield
    finally:
        lock.release()


def open_folder(root: Path, out: str, plan: Plan, *, resume: bool) -> tuple[Path, bool]:
    """The run's folder, and whether it goes on an earlier start.

    Without ``resume`` the folder is new or empty. With it, it is ``out`` or the latest run.
    """
    runs = root / "runs"
    if resume:
        folder = Path(out).absolute() if out else latest(runs)
        if not (folder / LEDGER).is_file():
            raise NothingToDoError(f"{folder} holds no run to go on with (no {LEDGER})")
        return folder, True
    if out:
        folder = Path(out).absolute()
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(
                f"--out {out} exists and is not an empty folder",
                hint="choose another folder, or go on with that run: add --resume",
            )
    else:
        stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%d-%H%M%S")
        folder = runs / f"{stamp}-{plan.series.name}-{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True, exist_ok=bool(out))
        if not out:
            _point_latest(runs, folder)
    except OSError as error:
        raise HostError(
            f"the run's folder {folder} cannot be made: {error.strerror}",
            hint="choose a place you can write to with --out",
        ) from error
    return folder, False


def _point_latest(runs: Path, folder: Path) -> None:
    scratch = runs / f".{LATEST}-{os.getpid()}"
    if os.name == "posix":
        scratch.symlink_to(folder.name)
    else:  # links need a privilege on Windows: a file that names the folder does as well
        scratch.write_text(folder.name, encoding="utf-8")
    scratch.replace(runs / LATEST)


def latest(runs: Path) -> Path:
    """The newest run's folder; NothingToDoError when there is none."""
    pointer = runs / LATEST
    if pointer.is_dir():
        return pointer.resolve()
    if pointer.is_file():
        return runs / pointer.read_text(encoding="utf-8").strip()
    raise NothingToDoError(f"there is no run in {runs}", hint="start one: ./inv patch-validate")


def check_resumable(folder: Path, plan: Plan) -> None:
    """UsageError when the run was started under another plan, NothingToDoError when it is finished.
    Asked under ``only_run``: reading a ledger cuts off a half-written line."""
    records: list[Record] = Ledger(folder / LEDGER).records
    started = next((r for r in records if isinstance(r, RunStarted)), None)
    if started is None:
        raise NothingToDoError(f"the run in {folder} ended before it began", hint="start a new one")
    if started.plan_digest != plan.digest:
        raise UsageError(
            f"the run in {folder} was started under another plan",
            meaning="series, matrix.yml or options changed since: the numbers would not belong together",
            hint="start a new run without --resume, or give the options of the first start",
        )
    ends = [r for r in records if isinstance(r, RunEnded)]
    if ends and not ends[-1].failure_code:
        raise NothingToDoError(f"the run in {folder} is finished", hint="start a new one without --resume")


def observer(folder: Path, ledger: Ledger) -> Callable[[str, proc.Result], None]:
    """What leaves a record of each program that ended."""

    def observe(name: str, result: proc.Result) -> None:
        ledger.append(
            CommandRan(
                name=name,
                argv=list(result.argv),
                returncode=result.returncode,
                seconds=round(result.seconds, 3),
                cpu_seconds=round(result.cpu_seconds, 3),
                max_rss=result.max_rss,
                timed_out=result.timed_out,
                log=str(result.log.relative_to(folder)) if result.log else "",
            )
        )

    return observe


def shell_for(folder: Path, ledger: Ledger) -> proc.Shell:
    """A shell whose programs log below the run's folder and leave a record each."""
    return proc.Shell(logs=folder / LOGS, observe=observer(folder, ledger))
