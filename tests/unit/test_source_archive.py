"""The Go team's archives: the index is the proof, and nothing hostile in an archive reaches the store."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import stat
import tarfile
import threading
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from pipeline import proc, tree
from pipeline.errors import HostError, InterruptedRunError, PipelineError, UsageError
from pipeline.golang import EXE
from pipeline.source import archive as room
from pipeline.source import extract as extract_room
from pipeline.source.archive import ArchiveRelease
from pipeline.source.settings import Settings
from pipeline.store import Store, file_sha256
from pipeline.values import Platform
from pipeline.web.answers import Patience
from tests.unit import goserver as go
from tests.unit.goserver import FILES, NAME, GoServer, plain, special, tar, zipped

QUICK = Patience(connect=2, read=0.3, total=8, tries=2, pause=0.01, longest_pause=0.3)
pytestmark = pytest.mark.skipif(EXE != "", reason="the served archive is Linux's")


@pytest.fixture
def server(processes: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[GoServer]:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(room, "host_platform", lambda: Platform(goos="linux", goarch="amd64"))
    made = GoServer()
    made.publish(tar())
    yield made
    made.stop()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "a cache")
    made.prepare()
    return made


@pytest.fixture
def shell(tmp_path: Path) -> proc.Shell:
    return proc.Shell(logs=tmp_path / "logs", observe=lambda *_: None)


def release(server: GoServer, version: str = go.VERSION, mirrors: Sequence[str] = ()) -> ArchiveRelease:
    settings = Settings(
        index=f"{server.url}/dl/?mode=json&include=all", mirrors=tuple(mirrors) or (f"{server.url}/dl/",)
    )
    return ArchiveRelease(version, settings, QUICK)


def kept(store: Store) -> list[str]:
    """What is in the store under a name that something might trust."""
    files = (path for path in store.area.rglob("*") if path.is_file())
    return [path.name for path in files if path.parent.name != "locks" and not path.name.endswith(".etag")]


def refused(
    source: ArchiveRelease, store: Store, shell: proc.Shell, what: str, kind: type[PipelineError] = HostError
) -> PipelineError:
    with pytest.raises(kind, match=what) as caught:
        source.fetch(store, shell)
    assert [name for name in kept(store) if not name.endswith(".part")] == []
    assert caught.value.hint
    return caught.value


def test_fetches_once_and_says_what_proves_it(server: GoServer, store: Store, shell: proc.Shell) -> None:
    assert release(server).find(store) is None
    found, reused = release(server).fetch(store, shell)
    assert release(server).find(store) == found.root
    assert not reused
    assert found.version == go.VERSION
    assert found.built
    names = sorted(name.removeprefix("go/") for name in FILES)
    assert sorted(found.manifest) == names
    assert found.manifest == tree.scan(found.root)
    assert found.digest == tree.digest(found.manifest)
    assert tree.load(found.root.parent / "manifest.json") == found.manifest
    runnable = [name for name in names if os.access(found.root / name, os.X_OK)]
    assert runnable == sorted(name.removeprefix("go/") for name in go.RUNNABLE)
    sha256 = hashlib.sha256(tar()).hexdigest()
    assert found.origin == f"{NAME} (sha256 {sha256}) from {server.url}/dl/{NAME}"
    assert found.proof == (
        f"the release as published: the archive's sha256 is that of the index {server.url}/dl/"
    )
    hits = len(server.hits)
    again, reused = release(server).fetch(store, shell)
    assert reused
    assert again == found
    assert len(server.hits) == hits
    assert sorted(kept(store)) == sorted(
        ["entry.json", "manifest.json", *(name.rpartition("/")[2] for name in names)]
    )


def test_an_unknown_release_gets_the_nearest(server: GoServer, store: Store, shell: proc.Shell) -> None:
    said = refused(
        release(server, "1.26.9"), store, shell, r"Go 1\.26\.9 is not among the releases of", UsageError
    )
    assert said.meaning.startswith("nearest: 1.26.6, 1.26.5, 1.27.0")


def test_a_release_without_an_archive_for_this_host(
    server: GoServer, store: Store, shell: proc.Shell
) -> None:
    refused(release(server, "1.27.0"), store, shell, "without an archive for linux/amd64", UsageError)
    server.publish(tar(), kind="installer")
    refused(release(server), store, shell, "without an archive for linux/amd64", UsageError)


@pytest.mark.parametrize(
    "filename",
    [
        "../../etc/x",
        "/etc/x",
        f"x/{NAME}",
        f"..\\{NAME}",
        f"{NAME}?x",
        f"{NAME}\n",
        "go1.26.5.linux-amd64.tar.gz",
        "",
        None,
        7,
    ],
)
def test_a_hostile_file_name_in_the_index(
    server: GoServer, store: Store, shell: proc.Shell, filename: object
) -> None:
    server.publish(tar(), filename=filename)
    refused(release(server), store, shell, f"where {NAME} is expected")
    assert len(server.hits) == 1


@pytest.mark.parametrize(
    "entry",
    [
        {"sha256": ""},
        {"sha256": "z" * 64},
        {"sha256": None},
        {"size": 0},
        {"size": -1},
        {"size": 1 << 40},
        {"size": "x"},
    ],
)
def test_an_index_that_proves_nothing(
    server: GoServer, store: Store, shell: proc.Shell, entry: dict[str, object]
) -> None:
    server.publish(tar(), **entry)  # type: ignore[arg-type]
    refused(release(server), store, shell, "is expected|is not the index")
    assert len(server.hits) == 1


@pytest.mark.parametrize("text", ["", "{}", "[1]", "[{}]", '[{"version": 1}]', "[" * 100_000, "\xff", "null"])
def test_what_is_no_index(server: GoServer, store: Store, shell: proc.Shell, text: str) -> None:
    server.files["/dl/"] = text.encode("latin-1")
    refused(release(server), store, shell, "is not the index of Go's releases")


def test_what_goes_wrong_on_the_way(server: GoServer, store: Store, shell: proc.Shell) -> None:
    path = f"/dl/{NAME}"
    for script, what in (
        ([go.page], "answers with a web page"),
        ([go.status(404)], "is not at"),
        ([go.cut(50), go.cut(50)], "cut"),
        ([go.stall(50), go.stall(50)], "nothing came for"),
        ([go.cut(50, Content_Length=1 << 50)], "not of the right size"),
        ([go.status(302, Location="http://example.test/x")], "redirects to http://example.test/x: refused"),
    ):
        server.scripts[path] = list(script)
        refused(release(server), store, shell, what, UsageError if "not at" in what else HostError)
    server.scripts["/dl/"] = [go.page]
    refused(release(server), store, shell, "web page where the index of Go's releases should be")
    server.files[path] = tar({**FILES, "go/bin/go": b"#!/bin/ls\n"}).ljust(len(server.files[path]), b"\0")
    server.publish(tar(), sha256=hashlib.sha256(b"another").hexdigest())
    refused(release(server), store, shell, "has the sha256")
    assert kept(store) == []


def test_the_next_mirror(server: GoServer, store: Store, shell: proc.Shell, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / NAME).write_bytes(tar()[:-1] + b"?")
    mirrors = [f"{server.url}/none", str(bad), f"{server.url}/dl/"]
    said = refused(release(server, mirrors=mirrors[:2]), store, shell, "from any of 2 mirrors")
    assert "(404)" in said.meaning
    assert "has the sha256" in said.meaning
    found, _ = release(server, mirrors=mirrors).fetch(store, shell)
    assert f"from {server.url}/dl/{NAME}" in found.origin
    assert f"not from {server.url}/none: " in found.origin
    assert f"not from {bad}: " in found.origin


def test_a_mirror_and_an_index_that_are_folders(
    server: GoServer, store: Store, shell: proc.Shell, tmp_path: Path
) -> None:
    (tmp_path / "index.json").write_bytes(server.files["/dl/"])
    (tmp_path / NAME).write_bytes(server.files[f"/dl/{NAME}"])
    settings = Settings(index=str(tmp_path / "index.json"), mirrors=(str(tmp_path),))
    assert ArchiveRelease(go.VERSION, settings).fetch(store, shell)[0].version == go.VERSION
    assert server.hits == []


def test_an_interrupt_keeps_what_came(server: GoServer, store: Store, shell: proc.Shell) -> None:
    server.scripts[f"/dl/{NAME}"] = [go.cut(200), go.status(429, Retry_After="60")]
    threading.Timer(0.3, proc.interrupt_all).start()
    source = release(server)
    source.patience = Patience(pause=0.01, longest_pause=60)
    with pytest.raises(InterruptedRunError):
        source.fetch(store, shell)
    assert [name.endswith(f"{NAME}.part") for name in kept(store)] == [True]
    proc.reset_interrupt()
    assert not release(server).fetch(store, shell)[1]
    assert server.hits[-1][1]["Range"] == "bytes=200-"


def test_an_interrupt_while_unpacking_costs_no_second_download(
    server: GoServer, store: Store, shell: proc.Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> tree.Manifest:
        raise KeyboardInterrupt

    mirrors = (f"{server.url}/none", f"{server.url}/dl")
    with monkeypatch.context() as patch:
        patch.setattr(extract_room, "extract", interrupt)
        with pytest.raises(KeyboardInterrupt):
            release(server, mirrors=mirrors).fetch(store, shell)
    assert list((store.area / "releases").iterdir()) == []
    found, _ = release(server, mirrors=mirrors).fetch(store, shell)
    assert [path for path, _ in server.hits].count(f"/dl/{NAME}") == 1
    assert found.origin.endswith(f" from {server.url}/dl/{NAME}")  # the first mirror never gave it
    assert list((store.area / "partial").iterdir()) == []


def test_a_mirror_that_is_busy_for_an_hour(server: GoServer, store: Store, shell: proc.Shell) -> None:
    server.scripts[f"/busy/{NAME}"] = [go.status(429, Retry_After=3600)]
    found, _ = release(server, mirrors=(f"{server.url}/busy", f"{server.url}/dl")).fetch(store, shell)
    assert f"from {server.url}/dl/{NAME}; not from {server.url}/busy: " in found.origin
    assert [path for path, _ in server.hits].count(f"/busy/{NAME}") == 1


HOSTILE = [
    ([plain("../x", b"evil")], "a hostile path"),
    ([plain("go/../../x", b"evil")], "a hostile path"),
    ([plain("go/./x", b"evil")], "a hostile path"),
    ([plain("go//x", b"evil")], "a hostile path"),
    ([plain("/etc/x", b"evil")], "a hostile path"),
    ([plain("go/C:x", b"evil")], "a hostile path"),
    ([plain("go\\x", b"evil")], "a hostile path"),
    ([plain("go/a\nb", b"evil")], "a hostile path"),
    ([plain("go/a\u202eb", b"evil")], "a hostile path"),
    ([plain("go/a\udcffb", b"evil")], "a hostile path"),
    ([plain("go/" + "x" * 500, b"evil")], "a hostile path"),
    ([special("go/x", tarfile.SYMTYPE, "/etc/passwd")], "a symbolic link: 'go/x'"),
    ([special("go/src", tarfile.SYMTYPE, "../..")], "a symbolic link"),
    ([special("go/x", tarfile.LNKTYPE, "go/VERSION")], "a hard link"),
    ([special("go/x", tarfile.CHRTYPE)], "a device"),
    ([special("go/x", tarfile.BLKTYPE)], "a device"),
    ([special("go/x", tarfile.FIFOTYPE)], "a named pipe"),
    ([special("go/x", b"Z")], "a special file"),
    ([plain("evil/x", b"evil")], "something outside its folder go"),
    ([plain("x", b"evil")], "something outside its folder go"),
    ([special("evil", tarfile.DIRTYPE)], "something outside its folder go"),
    ([plain("go", b"evil")], "something outside its folder go"),
    ([plain("go/version", b"evil")], "names that differ only in case: 'go/VERSION', 'go/version'"),
    ([plain("go/SRC/x", b"evil")], "names that differ only in case: 'go/src', 'go/SRC'"),
    ([plain("go/\u00e9", b"1"), plain("go/e\u0301", b"2")], "names that differ only in case"),
    ([plain("go/VERSION", b"go1.26.6\n")], "a file twice"),
    ([plain("go/VERSION/x", b"evil")], "one that is a folder as well"),
    ([plain("go/src", b"evil")], "one that is a folder as well"),
    ([special("go/VERSION", tarfile.DIRTYPE)], "one that is a folder as well"),
]


@pytest.mark.parametrize(("extra", "what"), HOSTILE)
def test_a_hostile_tar(
    server: GoServer,
    store: Store,
    shell: proc.Shell,
    tmp_path: Path,
    extra: list[tuple[tarfile.TarInfo, bytes]],
    what: str,
) -> None:
    server.publish(tar(extra=extra))
    said = refused(release(server), store, shell, f"{NAME} holds .*{what}")
    assert said.meaning
    assert kept(store) == []
    assert not (tmp_path / "x").exists()


def windows(server: GoServer, monkeypatch: pytest.MonkeyPatch, archive: bytes) -> None:
    monkeypatch.setattr(room, "host_platform", lambda: Platform(goos="windows", goarch="amd64"))
    server.publish(archive, f"go{go.VERSION}.windows-amd64.zip")


@pytest.mark.parametrize(
    ("name", "mode", "what"),
    [
        ("../x", 0, "a hostile path"),
        ("go/../../x", 0, "a hostile path"),
        ("/etc/x", 0, "a hostile path"),
        ("go\\..\\..\\x", 0, "a hostile path"),
        ("C:/x", 0, "a hostile path"),
        ("go/x", stat.S_IFLNK | 0o777, "a symbolic link"),
        ("go/x", stat.S_IFCHR, "a special file"),
        ("evil/x", 0, "something outside its folder go"),
        ("evil/", 0, "something outside its folder go"),
        ("go/Version", 0, "names that differ only in case"),
        ("go/src", 0, "one that is a folder as well"),
    ],
)
def test_a_hostile_zip(
    server: GoServer,
    store: Store,
    shell: proc.Shell,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    mode: int,
    what: str,
) -> None:
    windows(server, monkeypatch, zipped({**FILES, name: b"evil"}, {name: mode}))
    refused(release(server), store, shell, f"zip holds .*{what}")
    assert kept(store) == []


def test_a_good_zip(
    server: GoServer, store: Store, shell: proc.Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows(server, monkeypatch, zipped({"go/": b"", "go/src/": b"", **FILES}))
    found, _ = release(server).fetch(store, shell)
    assert sorted(found.manifest) == sorted(name.removeprefix("go/") for name in FILES)
    assert (found.root / "src/runtime/proc.go").read_bytes() == FILES["go/src/runtime/proc.go"]


def pax_bomb() -> bytes:
    """A header that says of itself that it has 4 GB, which a plain reader would take into memory."""
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 4 << 30
    return gzip.compress(info.tobuf() + bytes(40 << 20))


def sparse() -> bytes:
    """A file whose size is a claim of its header."""
    info = tarfile.TarInfo("go/x")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 29)}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        body = b"1\n0\n0\n".ljust(512, b"\0")
        info.size = len(body)
        archive.addfile(info, io.BytesIO(body))
    return gzip.compress(out.getvalue())


def huge_file() -> bytes:
    info = tarfile.TarInfo("go/x")
    info.size = 600 << 20
    return gzip.compress(info.tobuf() + bytes(40 << 20))


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (pax_bomb, "a bomb"),
        (huge_file, "more files or bytes than a Go release"),
        (sparse, "a special file"),
        (lambda: gzip.compress(gzip.decompress(tar()) + bytes(60 << 20)), "a bomb"),
    ],
)
def test_a_bomb(
    server: GoServer, store: Store, shell: proc.Shell, make: Callable[[], bytes], what: str
) -> None:
    server.publish(make())
    tracemalloc.start()
    try:
        refused(release(server), store, shell, what)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert kept(store) == []


def test_too_many_files_and_bytes(
    server: GoServer, store: Store, shell: proc.Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("MAX_FILES", "MAX_UNPACKED"):
        with monkeypatch.context() as patch:
            patch.setattr(extract_room, limit, 3)
            refused(release(server), store, shell, "more files or bytes than a Go release")
    assert kept(store) == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data[:-4] + b"\0\0\0\0",
        lambda data: data[:20],
        lambda data: data[:10] + bytes(2000),
        lambda _: gzip.compress(b"x" * 5000),
        lambda data: gzip.compress(gzip.decompress(data)[: 512 * 3 + 100]),
    ],
)
def test_a_damaged_archive_that_the_index_lists(
    server: GoServer, store: Store, shell: proc.Shell, damage: Callable[[bytes], bytes]
) -> None:
    server.publish(damage(tar()))
    refused(release(server), store, shell, f"{NAME} (is damaged|holds no Go release)")
    assert kept(store) == []


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ({**FILES, "go/VERSION": b"go1.26.5\n"}, r"holds Go 1\.26\.5, not 1\.26\.6"),
        ({**FILES, "go/VERSION": b"\xff"}, "holds Go without a version"),
        ({k: v for k, v in FILES.items() if k != "go/bin/go"}, "holds no Go release"),
        ({k: v for k, v in FILES.items() if "runtime" not in k}, "holds no Go release"),
        ({}, "holds no Go release"),
    ],
)
def test_what_is_no_release(
    server: GoServer, store: Store, shell: proc.Shell, files: dict[str, bytes], what: str
) -> None:
    server.publish(tar(files))
    refused(release(server), store, shell, what)
    assert kept(store) == []


def test_the_manifest_is_the_wheels(
    server: GoServer, store: Store, shell: proc.Shell, tmp_path: Path
) -> None:
    """File by file, for what both have; test/ is only in the archive."""
    from pipeline.source.unpack import unpack
    from tests.unit.test_source_wheel import make

    files = {name: data for name, data in FILES.items() if "/test/" not in name and "make.bash" not in name}
    path = make(tmp_path / "wheel", files)
    unpack(path, file_sha256(path), tmp_path / "wheel")
    wheel = tree.load(tmp_path / "wheel/manifest.json")
    found, _ = release(server).fetch(store, shell)
    assert {name: found.manifest[name] for name in wheel} == wheel
    assert json.dumps(sorted(set(found.manifest) - set(wheel))) == '["src/make.bash", "test/helloworld.go"]'
