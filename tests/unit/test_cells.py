"""Cells elsewhere, without an engine: contexts, what the attendant says, what is packed, who is refused."""

from __future__ import annotations

import gc
import hashlib
import io
import json
import os
import socket
import struct
import tarfile
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from pipeline import proc
from pipeline.cells import archive, contexts, tunnel
from pipeline.cells import container as container_room
from pipeline.cells import engine as engine_room
from pipeline.cells.attendant import Attendant
from pipeline.cells.base import About
from pipeline.cells.container import Container
from pipeline.cells.engine import Hijacked, connect
from pipeline.commands import cell as command
from pipeline.errors import ExitCode, HostError, InterruptedRunError
from pipeline.flow import bundling
from tests.unit import fleet

# Contexts.


def write_context(config: Path, name: str, meta: object) -> Path:
    """A context's file where Docker's command line would have it."""
    key = hashlib.sha256(name.encode()).hexdigest()
    path = config / "contexts" / "meta" / key / "meta.json"
    path.parent.mkdir(parents=True)
    path.write_text(meta if isinstance(meta, str) else json.dumps(meta))
    return config / "contexts" / "tls" / key / "docker"


def meta(name: str, host: str, *, skip: bool = False) -> dict[str, Any]:
    endpoint = {"Host": host, "SkipTLSVerify": skip}
    return {"Name": name, "Metadata": {"Description": "x"}, "Endpoints": {"docker": endpoint}}


def test_a_context_by_name(tmp_path: Path) -> None:
    write_context(tmp_path, "lab", meta("lab", "tcp://lab:2376"))
    found = contexts.find("lab", {"DOCKER_CONFIG": str(tmp_path), "DOCKER_HOST": "tcp://elsewhere"})
    assert (found.host, found.tls, found.verify) == ("tcp://lab:2376", None, True)


@pytest.mark.parametrize(
    ("text", "values", "name"),
    [
        ("", {}, "default"),
        ("[]", {}, "default"),
        ('{"currentContext": 1}', {}, "default"),
        ('{"currentContext": "lab"}', {}, "lab"),
        ('{"currentContext": "lab"}', {"DOCKER_CONTEXT": "far"}, "far"),
        ('{"currentContext": "lab"}', {"DOCKER_CONTEXT": "far", "DOCKER_HOST": "tcp://x"}, "default"),
    ],
)
def test_the_current_context(tmp_path: Path, text: str, values: dict[str, str], name: str) -> None:
    (tmp_path / "config.json").write_text(text)
    assert contexts.current({"DOCKER_CONFIG": str(tmp_path), **values}) == name


@pytest.mark.parametrize("skip", [False, True])
def test_its_certificates(tmp_path: Path, skip: bool) -> None:
    folder = write_context(tmp_path, "lab", meta("lab", "tcp://lab:2376", skip=skip))
    folder.mkdir(parents=True)
    for name in ("ca.pem", "cert.pem"):
        (folder / name).touch()
    values = {"DOCKER_CONFIG": str(tmp_path)}
    assert contexts.find("lab", values).tls is None, "a key is missing"
    (folder / "key.pem").touch()
    found = contexts.find("lab", values)
    assert (found.tls, found.verify) == (folder, not skip)


@pytest.mark.parametrize(
    ("values", "host", "tls"),
    [
        ({}, "", None),
        ({"DOCKER_HOST": "tcp://a:1"}, "tcp://a:1", None),
        ({"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/certs"}, "", Path("/certs")),
    ],
)
def test_the_default_context_is_what_the_variables_say(
    values: dict[str, str], host: str, tls: Path | None
) -> None:
    found = contexts.find("default", values)
    assert (found.host, found.tls) == (host, tls)


def test_a_name_that_there_is_not(tmp_path: Path) -> None:
    write_context(tmp_path, "lab", meta("lab", "tcp://lab:2376"))
    write_context(tmp_path, "broken", "{")
    with pytest.raises(HostError, match="there is no Docker context 'lap'") as caught:
        contexts.find("lap", {"DOCKER_CONFIG": str(tmp_path)})
    assert caught.value.meaning == "did you mean lab?"


@pytest.mark.parametrize(
    "text", ["", "[]", '{"Name": "x"}', '{"Name": "x", "Endpoints": {"docker": {"Host": 1}}}']
)
def test_a_context_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    write_context(tmp_path, "x", text)
    with pytest.raises(HostError, match="is no Docker context"):
        contexts.find("x", {"DOCKER_CONFIG": str(tmp_path)})


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("ssh://lab", ["-L", "/l:/var/run/docker.sock", "--", "lab"]),
        ("ssh://Lab.x/", ["-L", "/l:/var/run/docker.sock", "--", "Lab.x"]),
        ("ssh://me@lab:2222", ["-L", "/l:/var/run/docker.sock", "-l", "me", "-p", "2222", "--", "lab"]),
        ("ssh://[::1]/run/user/1/docker.sock", ["-L", "/l:/run/user/1/docker.sock", "--", "::1"]),
    ],
)
def test_the_command_line_of_ssh(address: str, words: list[str]) -> None:
    found = tunnel.command(address, Path("/l"), "lab")
    assert found[:2] == ["ssh", "-nNT"]
    assert found[found.index("-L") :] == words


@pytest.mark.parametrize(
    "address",
    [
        "ssh://",
        "ssh://-oProxyCommand=x",
        "ssh://-l@lab",
        "ssh://me:secret@lab",
        "ssh://lab:x",
        "ssh://lab?x",
        "ssh://lab/a:b",
        "ssh://lab\n",
        "ssh://la b",
    ],
)
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(HostError, match="the Docker context lab has no address that ssh could reach"):
        tunnel.command(address, Path("/l"), "lab")


def test_ssh_that_does_not_get_there(
    processes: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ssh").write_text("#!/bin/sh\necho 'Permission denied (publickey).' >&2\nexit 255\n")
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    endpoint = contexts.Endpoint(context="lab", host="ssh://lab")
    with (
        pytest.raises(HostError, match=r"does not reach .* context lab: Permission denied"),
        connect(endpoint),
    ):
        pass


# The attendant's words.

DONE = {
    "error": "",
    "missing": False,
    "status": -9,
    "seconds": 1.5,
    "cpu": 0.25,
    "rss": 4096,
    "timed_out": False,
    "free": 0,
}


def frame(kind: str, data: bytes) -> bytes:
    return struct.pack(">cI", kind.encode(), len(data)) + data


def end(**changes: object) -> bytes:
    return frame(".", json.dumps({**DONE, **changes}).encode())


class Scripted:
    """A line that says what it was given, a portion a time. None is that nothing comes."""

    def __init__(self, portions: Sequence[bytes | None], words: str = "") -> None:
        self.portions = list(portions)
        self.sent: list[dict[str, Any]] = []
        self.words = words

    def send(self, data: bytes) -> None:
        assert int.from_bytes(data[:4], "big") == len(data) - 4
        self.sent.append(json.loads(data[4:]))

    def receive(self, seconds: float) -> bytes:
        if not self.portions:
            return b""
        found = self.portions.pop(0)
        if found is None:
            raise TimeoutError
        return found

    def last_words(self) -> str:
        return self.words


def attendant(*portions: bytes | None, words: str = "") -> Attendant:
    return Attendant(line=Scripted(portions, words), name="the container on lab")


def test_frames_come_in_any_portions() -> None:
    said = frame("o", b"one") + frame("e", b"two") + frame("o", b"") + end()
    for size in (1, 2, 7, len(said)):
        found: list[tuple[str, bytes]] = []
        one = attendant(*(said[at : at + size] for at in range(0, len(said), size)))
        answer = one.ask({"op": "x"}, seconds=5, each=lambda kind, data, to=found: to.append((kind, data)))  # type: ignore[misc]
        assert found == [("o", b"one"), ("e", b"two"), ("o", b"")]
        assert (answer.status, answer.seconds, answer.cpu, answer.rss) == (-9, 1.5, 0.25, 4096)


@pytest.mark.parametrize(
    "said",
    [
        frame("x", b""),
        b".\xff\xff\xff\xff",
        frame(".", b"{}"),
        frame(".", b"no json"),
        end(status="1"),
    ],
)
def test_what_is_no_answer(said: bytes) -> None:
    with pytest.raises(HostError, match="the container on lab answers with what is no answer"):
        attendant(said).ask({"op": "x"}, seconds=5)


def test_a_line_that_ends_says_why_and_stays_ended() -> None:
    one = attendant(end()[:-1], words="panic: out of memory")
    for _ in range(2):
        with pytest.raises(HostError, match="the container on lab is gone: panic: out of memory"):
            one.ask({"op": "x"}, seconds=5)
    assert isinstance(one.line, Scripted)
    assert len(one.line.sent) == 1


def test_nothing_comes_in_time() -> None:
    with pytest.raises(HostError, match="no longer answers"):
        attendant(None, None, None, end()).ask({"op": "x"}, seconds=-1)


def test_an_interrupted_request_is_the_last_one() -> None:
    """What cleans up after Ctrl-C must not turn it into another error, or read the rest of an answer."""

    def stop(_kind: str, _data: bytes) -> None:
        raise KeyboardInterrupt

    one = attendant(frame("o", b"x"), end())
    with pytest.raises(KeyboardInterrupt):
        one.ask({"op": "x"}, seconds=5, each=stop)
    with pytest.raises(InterruptedRunError):
        one.ask({"op": "x"}, seconds=5)


def test_a_run_that_is_being_stopped(processes: None) -> None:
    proc.interrupt_all()
    with pytest.raises(InterruptedRunError):
        attendant(None, end()).ask({"op": "x"}, seconds=5)


# The container as a shell.


def container(tmp_path: Path, *portions: bytes | None) -> tuple[Container, Scripted, list[proc.Result]]:
    line, seen = Scripted(portions), list[proc.Result]()
    found = Container(
        attendant=Attendant(line=line, name="the container on lab"),
        about=About(words="there", identity=("docker",), cpu="", cores=2),
        root=Path("/out/.bundle"),
        logs=tmp_path / "logs",
        observe=lambda _name, result: seen.append(result),
    )
    return found, line, seen


def test_a_program_there_leaves_a_log_and_a_record_here(tmp_path: Path) -> None:
    there, line, seen = container(tmp_path, frame("o", b"out\n"), frame("e", b"err\n"), end(timed_out=True))
    env = {
        "PATH": os.pathsep.join(["/out/.bundle/trees/0/bin", "/usr/bin", "/out/.bundle/../x"]),
        "TMPDIR": "/var/folders/x",
        "GOGC": "50",
    }
    with there.pinned((1,)):
        result = there.run("name", [Path("/p"), "-x"], env=env, timeout=3, merge=False, stdin=b"\x00in")
    assert (result.stdout, result.returncode, result.timed_out) == ("out\n", -9, True)
    assert result.tail == "out\nerr"
    assert (tmp_path / "logs/name.log").read_text() == "$ /p -x\nout\nerr\n"
    assert seen == [result]
    (asked,) = line.sent
    assert asked["env"] == ["PATH=/out/.bundle/trees/0/bin:/out/.bundle/../x", "GOGC=50"]
    assert (asked["cpus"], asked["dir"], asked["stdin"]) == ([1], "/out/.bundle", "AGlu")


def test_a_program_that_cannot_be_started_there(tmp_path: Path) -> None:
    there, _, seen = container(tmp_path, end(error="start /p: no such file or directory", missing=True))
    with pytest.raises(HostError, match="cannot start /p in the container on lab: start /p: no such file"):
        there.run("name", ["/p"], env={}, timeout=3)
    assert not seen


def test_files_there(tmp_path: Path) -> None:
    there, line, _ = container(
        tmp_path,
        frame("o", b"a") + frame("o", b"b") + end(),
        end(error="open /x: no such file", missing=True),
        end(error="stat /x: no such file", missing=True),
        end(),
        end(free=1 << 30),
        end(free=1 << 20),
        end(error="mkdir /x: read-only file system"),
    )
    assert there.read(Path("/a")) == b"ab"
    with pytest.raises(FileNotFoundError):
        there.read(Path("/x"))
    assert not there.exists(Path("/x"))
    assert there.exists(Path("/a"))
    # Not below what was unpacked: a round's programs. Logs are here.
    inside = Path("/out/.layouts/0/0")
    there.logs.mkdir()
    assert there.full(inside, there.logs) is None
    assert there.full(inside, there.logs) == inside
    with pytest.raises(HostError, match="read-only file system"):
        there.make(Path("/x"))
    assert [one["op"] for one in line.sent] == ["read", "read", "stat", "stat", "room", "room", "make"]


def test_a_file_there_without_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_room, "MAX_FILE", 10)
    there, _, _ = container(tmp_path, frame("o", b"x" * 10) + end(), frame("o", b"x" * 6) * 2 + end())
    assert len(there.read(Path("/a"))) == 10
    with pytest.raises(HostError, match="is larger than 10 bytes"):
        there.read(Path("/a"))


# Docker's own frames.


def multiplexed(stream: int, data: bytes) -> bytes:
    return struct.pack(">BxxxI", stream, len(data)) + data


def test_docker_s_frames_are_taken_apart(processes: None) -> None:
    here, there = socket.socketpair()
    line = Hijacked(here)
    said = (
        multiplexed(1, b"one")
        + multiplexed(2, b"panic: x\x1b[2J\nmore")
        + multiplexed(1, b"")
        + multiplexed(1, b"two")
    )
    there.sendall(said[:5])
    with pytest.raises(TimeoutError):
        line.receive(0.05)
    there.sendall(said[5:])
    assert (line.receive(1), line.receive(1)) == (b"one", b"two")
    line.send(b"asked")
    assert there.recv(10) == b"asked"
    there.close()
    assert line.receive(1) == b""
    assert line.last_words() == "panic: x[2J"
    line.close()


# What is packed.


def test_a_tree_comes_out_as_it_went_in(tmp_path: Path) -> None:
    root = tmp_path / "out" / ".bundle"
    long = "/".join(["a" * 60] * 3)
    files = {"x/run": b"#!", "x/data": bytes(1000), "empty": b"", f"{long}/name": b"y" * 512}
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    (root / "x/run").chmod(0o755)
    (root / "z").mkdir()
    os.link(root / "x/data", root / "z/twin")
    with tarfile.open(fileobj=io.BytesIO(b"".join(archive.tree(root)))) as reader:
        members = {one.name: one for one in reader.getmembers()}
        below = root.as_posix().lstrip("/")
        for name, data in files.items():
            stream = reader.extractfile(members[f"{below}/{name}"])
            assert stream is not None
            assert stream.read() == data
    assert members[f"{below}/z/twin"].islnk()
    assert members[f"{below}/z/twin"].linkname == f"{below}/x/data"
    assert members[f"{below}/x/run"].mode == 0o755
    assert members[f"{below}/empty"].mode == 0o644
    assert {one.uid for one in members.values()} == {0}
    assert all(
        members[str(one)].isdir()
        for one in (tmp_path / "out").relative_to("/").parents
        if one.name not in {"", "tmp"}
    )
    assert "tmp" not in members, "it would lose its sticky bit"


def test_the_system_has_what_tests_expect() -> None:
    with tarfile.open(fileobj=io.BytesIO(archive.system())) as reader:
        members = {one.name: one for one in reader.getmembers()}
        passwd = reader.extractfile("etc/passwd")
        assert passwd is not None
        assert passwd.read().startswith(b"root:x:0:0:")
    assert members["tmp"].mode == 0o1777
    assert all(one.isdir() or one.name.startswith("etc/") for one in members.values()), "and no programs"


# The engine.


class FakeEngine(BaseHTTPRequestHandler):
    """As much of an engine as is asked before anything is made."""

    info: dict[str, Any]
    asked: list[str]

    def do_GET(self) -> None:
        """Its version and what it says of its machine."""
        self.asked.append(self.path)
        found = {"/version": {"ApiVersion": "1.41"}, "/v1.41/info": self.info}.get(self.path)
        data = json.dumps(found or {"message": "no such page"}).encode()
        self.send_response(200 if found is not None else 500)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def fake(processes: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[FakeEngine]]:
    handler = type("Handler", (FakeEngine,), {"info": {}, "asked": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_port}")
    yield handler
    server.shutdown()
    server.server_close()


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bundle"
    bundling.pack(fleet.contents(tmp_path, fleet.plan(monkeypatch)), folder)
    return folder


def run(bundle: Path, context: str = "default") -> tuple[int, list[dict[str, Any]]]:
    out = bundle.parent / "results"
    code = command.main(
        command.Options(root=fleet.ROOT, cell="linux-amd64", bundle=str(bundle), out=str(out), docker=context)
    )
    return code, [json.loads(line) for line in (out / "ledger.jsonl").read_text().splitlines()]


ARM = {
    "OSType": "linux",
    "Architecture": "aarch64",
    "NCPU": 4,
    "KernelVersion": "6.1",
    "Name": "lab\x1b[31m",
    "ServerVersion": "28.0",
}


def test_the_host_s_machine_must_be_the_cell_s(
    fake: type[FakeEngine], bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.info = ARM
    code, records = run(bundle)
    assert code == ExitCode.ENVIRONMENT
    said = capsys.readouterr().err
    assert "linux-amd64 is linux/amd64, and the Docker host of the context default is linux/arm64" in said
    assert records[0]["kind"] == "cell-started"
    found = records[0]["environment"]
    assert found["docker"] == "a container of Docker 28.0, context default"
    assert (found["name"], found["machine"], found["cores"]) == ("lab[31m", "aarch64", "4")
    assert "cpu" not in found, "this machine's is not its"
    assert not any("127.0.0.1" in value for value in found.values())
    assert (records[-1]["kind"], records[-1]["failure_code"]) == ("cell-reported", 4)
    assert fake.asked[-1] == "/v1.41/info", "nothing was made"


@pytest.mark.parametrize("changes", [{"Architecture": "riscv128"}, {"OSType": "windows"}, {"OSType": None}])
def test_a_host_that_go_does_not_know_or_that_is_no_linux(
    fake: type[FakeEngine], bundle: Path, changes: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    fake.info = {**ARM, **changes}
    assert run(bundle)[0] == ExitCode.ENVIRONMENT
    said = capsys.readouterr().err
    assert "no Go name is known for" in said or "is windows/arm64" in said


def test_an_engine_that_fails(
    fake: type[FakeEngine], bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.info = None  # type: ignore[assignment]
    assert run(bundle)[0] == ExitCode.ENVIRONMENT
    said = capsys.readouterr().err
    assert "the engine of the Docker context default cannot be reached: no such page" in said


# docker-py leaves a socket behind that did not connect.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("host", ["tcp://127.0.0.1:1", "unix:///no/such/docker.sock", "nonsense://x"])
def test_no_engine(
    processes: None,
    bundle: Path,
    host: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    code, records = run(bundle)
    assert code == ExitCode.ENVIRONMENT
    said = capsys.readouterr().err
    assert "the engine of the Docker context default cannot be reached" in said
    assert "Traceback" not in said
    assert [one["kind"] for one in records] == ["cell-started", "cell-reported"]
    gc.collect()


def test_no_such_context(
    processes: None,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "none"))
    assert run(bundle, "lab")[0] == ExitCode.ENVIRONMENT
    assert "there is no Docker context 'lab'" in capsys.readouterr().err


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engine_room.__dict__, "docker", None)
    monkeypatch.setitem(__import__("sys").modules, "docker", None)
    with (
        pytest.raises(HostError, match="the Python package docker cannot be imported"),
        connect(contexts.find("default", {})),
    ):
        pass


def test_a_bundle_without_an_attendant(
    fake: type[FakeEngine], bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.info = {**ARM, "Architecture": "x86_64"}
    assert run(bundle)[0] == ExitCode.ENVIRONMENT
    assert "has nothing that runs it in a container" in capsys.readouterr().err
    assert not (bundle.parent / "results" / ".bundle").exists()
