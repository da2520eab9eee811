"""``matrix``: what matrix.yml comes to: cells, where each runs, and where every value of it came from."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import secrets
import sys
from pathlib import Path

from pipeline import config, proc
from pipeline.commands import entry, matrix_text
from pipeline.config import Document
from pipeline.console import Console
from pipeline.errors import ExitCode, HostError, UsageError
from pipeline.plan import experiments, explain, fleet, ports
from pipeline.plan import plan as plan_room
from pipeline.plan.cells import Row
from pipeline.plan.plan import Ground, Request
from pipeline.plan.ports import Ports
from pipeline.source import base as source_room
from pipeline.store import Store, default_root
from pipeline.values import Series


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The command line as given; ``listed`` is the default. ``explain`` is the id of a cell."""

    request: Request
    listed: bool = False
    json: bool = False
    explain: str | None = None
    schema: bool = False
    series_schema: bool = False
    github_output: str | None = None


def main(options: Options) -> ExitCode:
    """Check and print; 2 for whatever is wrong with matrix.yml, each with line and column."""
    console = Console()
    return entry.guarded(console, lambda: _run(options, console))


def _run(options: Options, console: Console) -> ExitCode:
    asked = (options.listed, options.explain is not None, options.schema, options.series_schema)
    if sum(asked) > 1:
        raise UsageError("--list, --explain, --schema and --series-schema exclude each other")
    if options.github_output == "":
        raise UsageError(
            "--github-output is empty", meaning="a variable that is not set, perhaps", hint="name a file"
        )
    if options.schema or options.series_schema:
        from pipeline.plan import schema

        sys.stdout.write(schema.text("matrix" if options.schema else "series"))
        return ExitCode.PASS
    return _show(options, console)


def _show(options: Options, console: Console) -> ExitCode:
    request = options.request
    ground = plan_room.ground(request)
    root = _tree(ground, console, fetch=options.github_output is not None)
    listed = (ports.of_tree(root, ground.base) if root else None) or ports.known(ground.base)
    warnings = _check(ground, listed, experiments.of_tree(root) if root else frozenset())
    for warning in warnings:
        console.note(f"warning: {warning}")
    series = plan_room.read(request, ground)[0] if request.names_series else None
    if options.github_output is not None:
        told = fleet.outputs(ground.rows, ground.profile, ground.base)
        fleet.append(Path(options.github_output), told)
    chosen = ground.rows if options.explain is None else (_row(ground, options.explain),)
    if options.json:
        shown = _json(ground, request, chosen, series)
        whole = {**shown, "checked": matrix_text.checked(listed), "warnings": warnings}
        sys.stdout.write(json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
    elif options.explain is not None:
        values = explain.of(ground, request, chosen[0], series)
        sys.stdout.write(matrix_text.explanation(chosen[0], values, _document(ground)) + "\n")
    else:
        sys.stdout.write(matrix_text.table(chosen, ground.profile, listed) + "\n")
    return ExitCode.PASS


def _tree(ground: Ground, console: Console, *, fetch: bool) -> Path | None:
    """The base's tree, for what it says of platforms and experiments, where it is here or may be fetched."""
    source = source_room.choose(ground.base, ground.sources, console.note)
    store = Store(default_root(), console.note)
    root = source.find(store)
    if root is None and fetch and source_room.release(ground.base):
        store.prepare()
        stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%d-%H%M%S")
        logs = store.shared("logs", f"fetch-{stamp}-{secrets.token_hex(2)}")
        try:
            with console.stage("fetch"):
                root = source.fetch(store, proc.Shell(logs=logs, observe=lambda *_: None))[0].root
        except HostError as error:
            console.note(f"warning: Go {ground.base} is not here, and could not be fetched: {error.what}")
    return root


def _check(ground: Ground, listed: Ports, names: frozenset[str]) -> list[str]:
    """UsageError for what cannot be; what is to be said of the rest."""
    document = ground.read.document
    impossible = list(ports.impossible(ground.matrix, listed))
    unknown = list(experiments.unknown(ground.matrix, names)) if names else []
    config.refuse(document, [*(impossible if listed.final else []), *unknown])
    fleet.check(ground.read, ground.rows)
    doubts = [f"{document.line(one)} ({ground.base} may have it)" for one in impossible]
    return [*doubts, *fleet.warnings(ground.read, matrix_text.today())]


def _row(ground: Ground, wanted: str) -> Row:
    for row in ground.rows:
        if row.cell.id == wanted:
            return row
    known = [row.cell.id for row in ground.rows]
    raise UsageError(
        f"no cell {wanted[:100]!r}",
        meaning=config.suggest(wanted, known),
        hint="./inv matrix --list shows them all",
    )


def _document(ground: Ground) -> Document:
    """The file under its plain name: what is shown of a cell is the same wherever the project lies."""
    return dataclasses.replace(ground.read.document, name="matrix.yml")


def _json(
    ground: Ground, request: Request, rows: tuple[Row, ...], series: Series | None
) -> dict[str, object]:
    return {
        "base": ground.base,
        "profile": ground.profile.name,
        "host": str(ground.host),
        "max_jobs": fleet.MAX_JOBS,
        "cells": [
            matrix_text.as_json(
                row, explain.of(ground, request, row, series), ground.profile, _document(ground)
            )
            for row in rows
        ],
        "github": fleet.jobs(rows, ground.profile),
    }
