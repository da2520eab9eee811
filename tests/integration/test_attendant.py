"""What runs the programs of a container does as ``proc`` does: the attendant as a process of this machine."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pipeline import proc
from pipeline.cells.attendant import Attendant
from pipeline.cells.base import About
from pipeline.cells.container import Container
from pipeline.errors import HostError, InterruptedRunError
from tests.integration.attendants import Beside, compile_both

pytestmark = pytest.mark.go


@pytest.fixture(scope="module")
def programs(release: Path, go_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_both(release, go_cache, tmp_path_factory.mktemp("attendant"))


@pytest.fixture
def line(programs: Path) -> Iterator[Beside]:
    beside = Beside(programs / "attendant")
    yield beside
    assert beside.close() in {0, -signal.SIGKILL}, "it ends with its input, if nobody killed it"
    # In a container everything ends with the first process.
    for one in psutil.process_iter(["exe"]):
        if one.info["exe"] == str(programs / "inside"):
            one.kill()


@pytest.fixture
def there(line: Beside, tmp_path: Path, programs: Path) -> Container:
    return Container(
        attendant=Attendant(line=line, name="the attendant"),
        about=About(words="there", identity=(), cpu="", cores=1),
        root=programs.parent,
        logs=tmp_path / "logs",
        observe=lambda _name, _result: None,
    )


def do(there: Container, *words: str, timeout: float = 20, merge: bool = True, **env: str) -> proc.Result:
    return there.run("do", [there.root / "programs/inside", *words], env=env, timeout=timeout, merge=merge)


@pytest.fixture
def here(tmp_path: Path) -> proc.Shell:
    return proc.Shell(logs=tmp_path / "here", observe=lambda _name, _result: None)


@pytest.mark.parametrize("merge", [True, False])
@pytest.mark.parametrize("word", ["say", "exit", "crash"])
def test_as_proc_does(there: Container, here: proc.Shell, programs: Path, word: str, merge: bool) -> None:
    """Output in the order in which it was written, exit statuses and signals."""
    found = do(there, word, merge=merge)
    wanted = here.run("do", [programs / "inside", word], env={}, timeout=20, merge=merge)
    same = (
        ("returncode", "stdout", "timed_out")
        if merge is False
        else ("returncode", "stdout", "tail", "timed_out")
    )
    assert [getattr(found, name) for name in same] == [getattr(wanted, name) for name in same]
    assert (found.log or Path()).read_text().count("\n") == (wanted.log or Path()).read_text().count("\n")


def test_what_a_program_sees(there: Container, tmp_path: Path) -> None:
    result = there.run(
        "do",
        [there.root / "programs/inside", "seen"],
        env={"A": "1", "B": "x=y\nz"},
        timeout=20,
        cwd=tmp_path,
        stdin=b"given" * 50_000,
    )
    seen = json.loads(result.stdout)
    assert sorted(seen["env"]) == ["A=1", "B=x=y\nz", "PATH="]
    assert (seen["dir"], seen["stdin"]) == (str(tmp_path), "given" * 50_000)


def test_held_to_a_processor(there: Container) -> None:
    cpu = min(os.sched_getaffinity(0))
    with there.pinned((cpu,)):
        assert json.loads(do(there, "seen").stdout)["cpus"] == 1
    assert json.loads(do(there, "seen").stdout)["cpus"] == len(os.sched_getaffinity(0))
    with there.pinned((cpu, 1000)), pytest.raises(HostError, match="there is no CPU 1000 to be pinned to"):
        do(there, "seen")
    assert do(there, "seen").ok


def test_times_and_memory(there: Container) -> None:
    result = do(there, "work")
    assert 0.5 <= result.seconds < 10
    assert 0.1 < result.cpu_seconds <= result.seconds * (os.cpu_count() or 1)
    assert 64 << 20 < result.max_rss < 1 << 30


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_program_that_will_not_end(there: Container) -> None:
    started = time.monotonic()
    result = do(there, "stay", timeout=0.5)
    assert (result.timed_out, result.returncode, result.stdout) == (True, -signal.SIGKILL, "here\n")
    assert time.monotonic() - started < 15
    assert do(there, "exit").returncode == 3, "and the next one runs"


@pytest.mark.parametrize("away", [[], ["away"]])
def test_what_it_leaves_behind(there: Container, away: list[str]) -> None:
    """A child in its session ends with it. One that left the session holds the pipe: nobody waits for it."""
    started = time.monotonic()
    result = do(there, "leave", *away)
    pid = int(next(word for word in result.stdout.split() if word.isdigit()))
    assert result.returncode == 0
    assert result.seconds < 5
    assert time.monotonic() - started < 12
    try:
        deadline = time.monotonic() + 5  # a kill is not waited for
        while not away and alive(pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert alive(pid) is bool(away)
        assert do(there, "exit").returncode == 3
    finally:
        if away:
            os.kill(pid, signal.SIGKILL)


def test_a_run_that_is_stopped(there: Container) -> None:
    threading.Timer(0.5, proc.interrupt_all).start()
    try:
        with pytest.raises(InterruptedRunError):
            do(there, "stay", timeout=60)
    finally:
        proc.reset_interrupt()


def test_an_attendant_that_is_killed(there: Container, line: Beside) -> None:
    threading.Timer(0.5, line.process.kill).start()
    with pytest.raises(HostError, match="the attendant is gone"):
        do(there, "stay", timeout=60)
    line.process.wait(10)


def test_its_files(there: Container, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    there.make(folder)
    there.make(folder)
    there.write(folder / "file", "text ä\n")
    assert (folder / "file").read_text() == "text ä\n"
    big = os.urandom(3_000_000)
    (folder / "big").write_bytes(big)
    assert there.read(folder / "big") == big
    with pytest.raises(HostError, match="is a directory"):
        there.read(folder)
    assert there.exists(folder / "big")
    there.remove(tmp_path / "a")
    there.remove(tmp_path / "a")
    assert not folder.exists()
    assert not there.exists(folder)
    assert there.full(there.root) is None
