"""Markers, and a guard: a unit test that reaches the network or starts a process by accident fails."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import proc

ROOT = Path(__file__).resolve().parents[1]
NEEDS = {
    "go": "needs a Go release through pip and minutes of compiling; ./inv test --all runs it",
    "browser": "needs Chromium; ./inv test --all runs it",
    "docker": "needs root, dockerd and sshd (docker.io, openssh-server); ./inv test --all runs it",
    "simulation": "takes a minute of simulating; ./inv test --all runs it",
    "fuzz": "tries thousands of generated inputs; ./inv test --all runs it",
    "npm": "installs a linter from the npm registry, once; ./inv test --all runs it",
    "rootonly": "needs root, for a small tmpfs or to become another user; ./inv test --all runs it as root",
}


# They compile for long. What they share with others (Go's library for this host and for Windows) is compiled
# once when those come later, and twice when they begin together.
FIRST = ("test_default_run.py", "test_toolchain_verify.py")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--everything``: no marker is left out, and a skip is a failure."""
    parser.addoption("--everything", action="store_true", help="run every marker; a skip is a failure")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put ``FIRST`` first. Leave out what needs more than Python and git, with the reason."""
    items.sort(key=lambda item: item.path.name not in FIRST)
    if config.getoption("--everything"):
        return
    for item in items:
        for marker, why in NEEDS.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=why))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Where everything must run, a skip is a failure."""
    report = yield
    if item.config.getoption("--everything") and report.skipped and not hasattr(report, "wasxfail"):  # type: ignore[attr-defined]
        report.outcome = "failed"  # type: ignore[attr-defined]
        report.longrepr = f"skipped where everything must run: {report.longrepr}"  # type: ignore[attr-defined]
    return report


@pytest.fixture(autouse=True)
def _guard(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Unit tests get a cache of their own, no network, and no processes unless they ask for them."""
    if not Path(str(request.node.path)).is_relative_to(ROOT / "tests" / "unit"):
        return
    monkeypatch.setenv("GOPATCH_CACHE", str(tmp_path / "cache"))
    if "processes" in request.fixturenames:
        return

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError(f"a unit test started a process or a connection: {args[:1]}")

    monkeypatch.setattr(subprocess.Popen, "__init__", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c_reaches_what_is_started() -> None:
    """A shell's background jobs ignore SIGINT, and so would all that these tests start and interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def processes() -> Iterator[None]:
    """Ask for this to start real programs in a unit test."""
    yield
    proc.reset_interrupt()


@pytest.fixture
def inv() -> list[str]:
    """The command line of the tasks, in this environment."""
    assert shutil.which("git"), "git is required"
    return [sys.executable, "-m", "pipeline.commands"]


@pytest.fixture
def project_env(tmp_path: Path) -> dict[str, str]:
    """An environment for running the project's own commands with a cache of their own."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "GOPATCH_CACHE": str(tmp_path / "cache")}
