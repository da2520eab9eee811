"""``merge``: the cells that ran on machines of their own, and the run that they belong to, as one run."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path

from pipeline.commands import entry, patch_validate
from pipeline.console import Console
from pipeline.errors import ExitCode, UsageError
from pipeline.flow import folder, merging
from pipeline.flow.context import only_run


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The command line as given: first of ``inputs`` is the folder that ``bundle`` wrote, the others are
    those of ``cell``, or folders of such folders."""

    root: Path
    inputs: tuple[str, ...] = ()
    out: str = ""
    json: bool = False


def main(options: Options) -> ExitCode:
    """Merge and report; the exit code is the verdict's."""
    console = Console(quiet=options.json)
    return entry.guarded(console, lambda: _run(options, console))


def _run(options: Options, console: Console) -> ExitCode:
    if not options.inputs:
        raise UsageError(
            "nothing to merge",
            hint="./inv merge build/run build/results: what ./inv bundle and ./inv cell wrote",
        )
    run, *cells = options.inputs
    given = merging.read(Path(run))
    folders = _folders(cells, given.waiting)
    out = entry.empty(options.out or "build/report")
    out.mkdir(parents=True, exist_ok=True)
    with only_run(out):
        merged = merging.merge(given, folders, out)
        for cell, reason in merged.refused.items():
            console.note(f"{cell}: {reason}")
        report = folder.write(out, merged.ledger.records)
    patch_validate.show(report, out, options.root, json_=options.json)
    return ExitCode(report.exit_code)


def _folders(given: Sequence[str], known: Collection[str]) -> list[Path]:
    """The cells' folders, each called after its cell. One that is not stands for those in it: a download of
    all artifacts."""
    found: list[Path] = []
    for text in given:
        path = Path(text).absolute()
        if not path.is_dir():
            raise UsageError(f"{text} is no folder", hint="give the folders that ./inv cell wrote")
        if path.name.removeprefix("cell-") in known:
            found.append(path)
        else:
            inside = sorted(one for one in path.iterdir() if one.is_dir() and not one.is_symlink())
            found += inside or [path]
    return found
