"""``report.html`` in a real browser: it shows what it should, runs nothing and loads nothing."""

from __future__ import annotations

import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.records import BenchmarkLost, CellEnded, RunEnded, RunStarted
from pipeline.report import html, model

pytestmark = pytest.mark.browser

HOSTILE = '<img src="http://127.0.0.1:{port}/x.png" onerror="document.title=\'owned\'">'


class _Recorder(http.server.BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[http.server.HTTPServer]:
    """Counts what a page tries to load."""
    _Recorder.asked = []
    with http.server.HTTPServer(("127.0.0.1", 0), _Recorder) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def _page(port: int) -> str:
    text = HOSTILE.format(port=port)
    start = RunStarted(
        run_id="r",
        plan_digest="0",
        command="./inv",
        environment={"cpu": text},
        plan={
            "series": text,
            "subject": text,
            "issue": "",
            "series_digest": "0",
            "base": "1.27.3",
            "benchmarks": {},
            "profile": {
                "name": "quick",
                "confirm_rounds": 8,
                "rounds": 8,
                "max_rounds": 8,
                "benchtime": "1x",
            },
            "threshold": {"effect": 0.03, "margin": 0.05},
            "unit_thresholds": {},
            "cells": [{"id": "here", "goos": "linux", "goarch": "amd64", "native": True}],
        },
    )
    lost = BenchmarkLost(
        cell="here", package="p", benchmark=f"Benchmark{text}", side="base", state="missing", reason=text
    )
    ended = CellEnded(cell="here", goos="linux", goarch="amd64", exercise="measured", reason=text)
    report = model.build([start, lost, ended, RunEnded(seconds=1.0, failure=text, failure_code=1)], {})
    return html.render(report, {"here": text}, [text])


def test_hostile_text_is_shown_and_not_run(server: http.server.HTTPServer, tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert chromium, "no Chromium on PATH"
    page = tmp_path / "report.html"
    page.write_text(_page(server.server_port), encoding="utf-8")
    shown = subprocess.run(
        [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--window-size=1280,1600",
            f"--screenshot={tmp_path / 'page.png'}",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    assert "<img" not in shown
    assert "&lt;img src=" in shown
    assert "<title>owned" not in shown
    assert _Recorder.asked == []
    assert (tmp_path / "page.png").stat().st_size > 5000
