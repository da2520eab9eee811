"""Tables as JSON, for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from pipeline.benchstat.model import Cell, ColumnSummary, Table, format_delta

SCHEMA_VERSION = 1


def tables_as_data(tables: Sequence[Table]) -> dict[str, Any]:
    """Return tables as plain data: numbers in base units, null for what is not finite."""
    return {"schema_version": SCHEMA_VERSION, "tables": [_table(table) for table in tables]}


def render_json(tables: Sequence[Table]) -> str:
    """Render tables as one JSON document."""
    return json.dumps(tables_as_data(tables), ensure_ascii=True, indent=1, allow_nan=False) + "\n"


def _table(table: Table) -> dict[str, Any]:
    return {
        "unit": table.unit,
        "better": "higher" if table.better > 0 else "lower",
        "config": dict(table.config),
        "columns": [dict(zip(table.column_fields, column, strict=True)) for column in table.columns],
        "rows": [
            {"name": label, "cells": [_cell(cell) for cell in row]}
            for label, row in zip(table.rows, table.cells, strict=True)
        ],
        "geomean": [_summary(summary) for summary in table.summaries],
    }


def _cell(cell: Cell | None) -> dict[str, Any] | None:
    if cell is None:
        return None
    summary = cell.summary
    data: dict[str, Any] = {
        "n": len(cell.values),
        "center": _number(summary.center),
        "ci": [_number(summary.low), _number(summary.high)],
        "confidence": summary.confidence,
        "warnings": [*cell.warnings, *summary.warnings],
    }
    if cell.comparison is not None:
        data["comparison"] = {
            "p": _number(cell.comparison.p),
            "alpha": _number(cell.comparison.alpha),
            "n": [cell.comparison.n1, cell.comparison.n2],
            "significant": cell.comparison.significant,
            "ratio": _number(cell.ratio),
            "delta": format_delta(cell),
            "warnings": list(cell.comparison.warnings),
        }
    return data


def _summary(summary: ColumnSummary) -> dict[str, Any]:
    return {
        "center": _number(summary.center),
        "ratio": _number(summary.ratio),
        "warnings": list(summary.warnings),
    }


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
