"""Cells on a Docker host, with a real engine that is started here."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import proc
from pipeline.cells import contexts
from pipeline.cells import engine as room
from pipeline.cells.attendant import Attendant
from pipeline.cells.base import About
from pipeline.cells.container import Container
from pipeline.cells.contexts import Endpoint
from pipeline.errors import ExitCode, HostError
from tests.integration.attendants import compile_both
from tests.integration.dockerd import CONTEXT, Engine
from tests.integration.fleets import CELL, merged, records, run
from tests.integration.forked import Forked
from tests.integration.harness import ROOT, command, environment

pytestmark = [pytest.mark.go, pytest.mark.docker]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    found = Engine()
    yield found
    found.stop()


@pytest.fixture(autouse=True)
def _nothing_stays(engine: Engine) -> Iterator[None]:
    yield
    assert engine.left() == ([], [])


@pytest.fixture(scope="module")
def programs(release: Path, go_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_both(release, go_cache, tmp_path_factory.mktemp("small") / "bundle")


@contextlib.contextmanager
def small(engine: Engine | Endpoint, programs: Path, logs: Path) -> Iterator[Container]:
    """A container that holds an attendant and the program that does what tests ask for."""
    endpoint = contexts.find(CONTEXT, engine.env) if isinstance(engine, Engine) else engine
    root = programs.parent
    with room.connect(endpoint) as found, room.container(found, root, programs / "attendant") as line:
        yield Container(
            attendant=Attendant(line=line, name="the container"),
            about=About(words="there", identity=(), cpu="", cores=1),
            root=root,
            logs=logs,
            observe=lambda _name, _result: None,
        )


def do(there: Container, *words: str, timeout: float = 30, merge: bool = True) -> proc.Result:
    return there.run("do", [there.root / "programs/inside", *words], env={}, timeout=timeout, merge=merge)


def test_a_container_is_a_place_of_its_own(engine: Engine, programs: Path, tmp_path: Path) -> None:
    with small(engine, programs, tmp_path) as there:
        found = json.loads(do(there, "place").stdout)
        (made,) = json.loads(engine.docker("inspect", room.NAME).stdout)
        (image,) = json.loads(engine.docker("inspect", made["Image"]).stdout)
    assert found["pid1"].strip() == str(programs / "attendant")
    assert found["loopback"] == "<nil>"
    assert "network is unreachable" in found["outside"]
    assert found["mount"] == "operation not permitted"
    assert found["tmp"] == "dtrwxrwxrwx"
    assert "localhost" in found["hosts"]
    top = programs.parts[1]
    assert set(found["root"]) <= {".dockerenv", "dev", "etc", "proc", "root", "sys", "tmp", "usr", "var", top}
    # The bits of CAP_NET_ADMIN, CAP_SYS_ADMIN and CAP_SYS_PTRACE; and no way to get more.
    status = dict(line.split(":", 1) for line in found["status"].splitlines())
    assert not int(status["CapBnd"], 16) & (1 << 12 | 1 << 21 | 1 << 19)
    assert (status["NoNewPrivs"].strip(), status["Seccomp"].strip()) == ("1", "2")
    host = made["HostConfig"]
    assert (host["Privileged"], host["CapAdd"], host["Binds"], made["Mounts"]) == (False, None, None, [])
    assert (host["NetworkMode"], host["AutoRemove"], host["LogConfig"]["Type"]) == ("none", True, "none")
    assert host["PidsLimit"] == room.PIDS
    assert 0 < host["Memory"] < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert (made["Config"]["Labels"], image["Config"]["Labels"]) == ({"gopatch": "cell"},) * 2


def test_programs_in_it(engine: Engine, programs: Path, tmp_path: Path) -> None:
    with small(engine, programs, tmp_path) as there:
        lines = [line for i in range(200) for line in (f"out {i}", f"err {i}")]
        assert do(there, "say").stdout.splitlines() == lines, "both streams in the order written"
        assert do(there, "say", merge=False).stdout.splitlines() == lines[::2]
        assert do(there, "exit").returncode == 3
        assert do(there, "crash").returncode == -signal.SIGKILL
        result = do(there, "stay", timeout=0.5)
        assert (result.timed_out, result.returncode) == (True, -signal.SIGKILL)
        assert do(there, "work").max_rss > 64 << 20
        there.make(there.root / "new/folder")
        there.write(there.root / "new/folder/file", "text")
        assert there.read(there.root / "new/folder/file") == b"text"
        assert not (programs.parent / "new").exists(), "not on this machine"
        assert there.read(programs / "inside") == (programs / "inside").read_bytes()
        assert there.full(there.root) is None


def test_the_first_process_waits_for_orphans(engine: Engine, programs: Path, tmp_path: Path) -> None:
    with small(engine, programs, tmp_path) as there:
        orphan = Path("/proc") / do(there, "orphan").stdout.strip()
        assert not there.exists(orphan), "not even as a zombie"
        away = do(there, "leave", "away").stdout.split()
        left = Path("/proc") / next(word for word in away if word.isdigit())
        assert there.exists(left)
        assert do(there, "exit").returncode == 3


def test_one_cell_at_a_time(engine: Engine, programs: Path, tmp_path: Path) -> None:
    with (
        small(engine, programs, tmp_path) as there,
        pytest.raises(HostError, match="another cell runs on the Docker host of the context lab"),
        small(engine, programs, tmp_path),
    ):
        pass  # pragma: no cover
    with small(engine, programs, tmp_path) as there:
        assert do(there, "exit").returncode == 3


def test_what_is_not_ours_stays(
    engine: Engine, programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "empty.tar"
    subprocess.run(["tar", "-cf", archive, "-T", "/dev/null"], check=True)

    def imported(*words: str) -> str:
        return engine.docker("import", *words, str(archive)).stdout.strip()

    theirs, stale = imported("--change", "LABEL other=1"), imported("--change", "LABEL gopatch=cell")
    kept = engine.docker("create", "--name=theirs", theirs, "/x").stdout.strip()
    try:
        with small(engine, programs, tmp_path):
            pass
        assert engine.docker("inspect", stale, check=False).returncode == 0, "it may be waiting"
        monkeypatch.setattr(room, "STALE_SECONDS", 0.0)
        with small(engine, programs, tmp_path):
            pass
        assert engine.docker("inspect", stale, check=False).returncode == 1
        assert engine.docker("inspect", theirs, kept).returncode == 0
    finally:
        engine.docker("rm", kept)
        engine.docker("rmi", theirs)
        engine.docker("rmi", stale, check=False)


def test_somebody_removes_it(engine: Engine, programs: Path, tmp_path: Path) -> None:
    with small(engine, programs, tmp_path) as there:
        threading.Timer(1, lambda: engine.docker("rm", "-f", room.NAME, check=False)).start()
        with pytest.raises(HostError, match="the container is gone"):
            do(there, "stay", timeout=60)


def test_too_much_memory_is_its_own(
    engine: Engine, programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's killer ends the program, and neither the attendant nor anything else of the machine."""
    monkeypatch.setattr(room, "MEMORY_SHARE", (200 << 20) / os.sysconf("SC_PHYS_PAGES") / 4096)
    with small(engine, programs, tmp_path) as there:
        assert do(there, "memory").returncode == -signal.SIGKILL
        assert do(there, "exit").returncode == 3


@pytest.fixture
def ssh(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The engine's address by ssh, of a server that is started here with keys of its own."""
    folder = tmp_path / "ssh"
    folder.mkdir(mode=0o700)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {folder / 'host'}\nPidFile {folder / 'pid'}\n"
        f"AuthorizedKeysFile {folder / 'user.pub'}\nStrictModes no\nPermitRootLogin yes\nUsePAM no\n"
    )
    known = " ".join((folder / "host.pub").read_text().split()[:2])
    (folder / "known").write_text(f"[127.0.0.1]:{port} {known}\n")
    # What a user would have in ~/.ssh/config.
    (folder / "config").write_text(
        f"Host Lab\n  HostName 127.0.0.1\n  Port {port}\n  User root\n  IdentityFile {folder / 'user'}\n"
        f"  UserKnownHostsFile {folder / 'known'}\n  StrictHostKeyChecking yes\n"
    )
    wrapper = folder / "bin" / "ssh"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder / "config"} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}{os.pathsep}{os.environ['PATH']}")
    Path("/run/sshd").mkdir(exist_ok=True)
    server = subprocess.Popen([shutil.which("sshd") or "sshd", "-D", "-e", "-f", folder / "sshd_config"])
    deadline = time.monotonic() + 20
    while not (folder / "pid").exists():
        assert server.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield f"ssh://Lab{engine.socket}"
    server.terminate()
    server.wait(20)


def test_an_engine_behind_ssh(engine: Engine, ssh: str, programs: Path, tmp_path: Path) -> None:
    engine.docker("context", "create", "far", "--docker", f"host={ssh}")
    endpoint = contexts.find("far", engine.env)
    assert endpoint.host == ssh
    with small(endpoint, programs, tmp_path) as there:
        assert do(there, "say").stdout.count("\n") == 400
        assert there.read(programs / "inside") == (programs / "inside").read_bytes()
        assert do(there, "stay", timeout=0.5).timed_out


# The whole of a cell.


def test_a_cell_in_a_container(engine: Engine, cache: Path, built: Path, tmp_path: Path) -> None:
    there = tmp_path / "elsewhere"
    shutil.copytree(built / "cells" / CELL, there / "bundle")
    out = there / f"cell-{CELL}"
    done = run(
        there / "cache",
        *("cell", CELL, f"--bundle={there / 'bundle'}", f"--out={out}", f"--docker={CONTEXT}"),
        env=engine.env | {"TMPDIR": str(tmp_path)},
    )
    assert done.returncode == ExitCode.PASS, done.stderr
    host = engine.docker("info", "--format={{.Name}}").stdout.strip()
    assert f"{CELL}  measured  ran natively in a container on the Docker host {host}" in done.stdout
    ran = [one for one in records(out) if one["kind"] == "command"]
    assert {Path(one["argv"][0]).name for one in ran} <= {"link", "container_ring.test", "environment"}
    assert not [one for one in ran if one["name"] == "uname"]
    assert all(one["max_rss"] > 1 << 20 for one in ran if Path(one["argv"][0]).name == "link")
    whole = merged(cache, built, out, tmp_path / "report")
    code, (cell,) = whole.code, whole.report["cells"]
    assert code in {ExitCode.PASS, ExitCode.INCONCLUSIVE}
    assert (cell["exercise"], {gate["status"] for gate in cell["gates"] if gate["gate"] == "test"}) == (
        "measured",
        {"pass"},
    )
    assert any(row["unit"] == "sec/op" and row["n"] >= 6 for row in cell["benchmarks"])
    found = cell["conditions"]
    assert {one["state"] for one in found["programs"]} == {"same"}
    assert {one["package"] for one in found["programs"] if one["relinked"]} == {"container/ring"}
    # As a program there saw it: nothing of this machine.
    seen = found["seen"]["variables"]
    root = out / ".bundle"
    assert seen["PATH"] == str(root / "trees/1/bin")
    assert seen["HOME"] == str(root / "work")
    assert "TMPDIR" not in seen
    assert not any("DOCKER" in name for name in seen)
    machine = found["machine"]
    assert machine["docker"].startswith("a container of Docker ")
    assert machine["docker"].endswith("context lab")
    assert str(engine.socket) not in json.dumps(machine)
    summary = (tmp_path / "report/summary.md").read_text()
    assert "were not observed while it measured" in summary
    assert f"in a container on the Docker host {host}" in summary


class Going:
    """A cell that is being measured in a container."""

    def __init__(self, engine: Engine, built: Path, folder: Path) -> None:
        self.out = folder / f"cell-{CELL}"
        words = ("cell", CELL, f"--bundle={built / 'cells' / CELL}", f"--out={self.out}")
        self.said = folder / "said"
        self.process = Forked(
            command(*words, f"--docker={CONTEXT}"),
            cwd=ROOT,
            env={**environment(folder / "cache"), **engine.env},
            out=Path(os.devnull),
            err=self.said,
        )
        deadline = time.monotonic() + 300
        while not any(one["kind"] == "pair" for one in records(self.out)):
            assert self.process.poll() is None, self.said.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def end(self) -> tuple[int, str]:
        return self.process.wait(timeout=180), self.said.read_text()


def test_ctrl_c(engine: Engine, built: Path, tmp_path: Path, cache: Path) -> None:
    going = Going(engine, built, tmp_path)
    going.process.send_signal(signal.SIGINT)
    code, said = going.end()
    assert (code, "interrupted" in said, "Traceback" in said) == (ExitCode.INTERRUPTED, True, False)
    assert engine.left() == ([], [])
    (cell,) = merged(cache, built, going.out, tmp_path / "report").report["cells"]
    assert cell["exercise"] == "missing"


def test_a_cell_that_is_killed(engine: Engine, built: Path, tmp_path: Path) -> None:
    """Nobody is left to remove anything: the container ends with its input. The image waits for the next."""
    going = Going(engine, built, tmp_path)
    going.process.kill()
    going.end()
    deadline = time.monotonic() + 120
    while engine.left()[0]:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    (image,) = engine.left()[1]
    engine.docker("rmi", image)


def test_an_engine_that_dies(built: Path, tmp_path: Path, cache: Path) -> None:
    own = Engine()
    try:
        going = Going(own, built, tmp_path)
        own.kill()
        code, said = going.end()
    finally:
        own.stop()
    assert code == ExitCode.ENVIRONMENT
    assert "is gone" in said
    assert "Traceback" not in said
    assert records(going.out)[-1]["failure_code"] == ExitCode.ENVIRONMENT
    done = merged(cache, built, going.out, tmp_path / "report")
    code, (cell,) = done.code, done.report["cells"]
    assert code == ExitCode.INCONCLUSIVE
    assert (cell["exercise"], cell["benchmarks"]) == ("missing", [])
    assert "is gone" in cell["reason"]
