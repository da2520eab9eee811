"""Writing a run's folder from its ledger and benchmark files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.records import Record
from pipeline.report import html, junit, markdown, metrics, model, tables
from pipeline.report.model import RunReport
from pipeline.upstream import message


def begin(folder: Path, records: Sequence[Record]) -> None:
    """Write what a run that dies leaves: a report and a summary that say that it did not finish."""
    _first(folder, records)


def write(folder: Path, records: Sequence[Record]) -> RunReport:
    """Write every report of the run and return it as a value."""
    report, bench, texts = _first(folder, records)
    _replace(folder / "report.html", html.render(report, texts, logs(folder)).encode())
    _replace(folder / "gates/junit.xml", junit.render(report))
    _replace(folder / "pr/commit-message.txt", message.commit_message(report).encode())
    _replace(folder / "pr/description.md", message.description(report).encode())
    _replace(folder / "metrics.prom", metrics.render(report))
    for cell, text in bench.items():
        for side, part in tables.by_side(text).items():
            _replace(folder / "bench" / cell / f"{side}.txt", part.encode())
    return report


def _first(folder: Path, records: Sequence[Record]) -> tuple[RunReport, Mapping[str, str], Mapping[str, str]]:
    """The report, every cell's benchmark file, and its table; written are the report and its summary."""
    bench = {path.stem: path.read_text(encoding="utf-8") for path in sorted((folder / "bench").glob("*.txt"))}
    report = model.build(records, bench)
    texts = {cell: tables.benchstat_text(text) for cell, text in bench.items() if text}
    _replace(
        folder / "report.json",
        json.dumps(model.as_json(report), indent=2, ensure_ascii=False).encode() + b"\n",
    )
    _replace(folder / "summary.md", markdown.render(report, texts).encode())
    return report, bench, texts


def logs(folder: Path) -> list[str]:
    """The logs' paths below the run's folder."""
    return sorted(path.relative_to(folder).as_posix() for path in (folder / "logs").glob("*.log"))


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.tmp")
    scratch.write_bytes(data)
    scratch.replace(path)
