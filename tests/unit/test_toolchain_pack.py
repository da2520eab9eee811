"""Archives in the form of the official ones: the same tree gives the same bytes."""

from __future__ import annotations

import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from pipeline import tree
from pipeline.commands import toolchain_pack
from pipeline.errors import HostError
from pipeline.flow.packing import Packed
from pipeline.toolchain import pack
from pipeline.values import GoTree, Platform

LINUX, WINDOWS = Platform(goos="linux", goarch="amd64"), Platform(goos="windows", goarch="amd64")


@pytest.fixture
def named(tmp_path: Path) -> GoTree:
    root = tmp_path / "tree"
    files = {
        "VERSION": "go1.27.3-s.1a2b3c4d\ntime 2026-10-19T22:20:36Z\n",
        "bin/go": "host",
        "pkg/tool/linux_amd64/vet": "host",
        "src/a.go": "package a\n",
        "src/make.bash": "#!/bin/sh\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for name in ("bin/go", "pkg/tool/linux_amd64/vet", "src/make.bash"):
        (root / name).chmod(0o755)
    manifest = tree.scan(root)
    return GoTree(root=root, version="1.27.3-s.1a2b3c4d", digest="d", manifest=manifest)


def built(tmp_path: Path, target: Platform) -> dict[str, Path]:
    exe = ".exe" if target == WINDOWS else ""
    path = tmp_path / f"made{exe}"
    path.write_text("for the target")
    return {f"bin/go{exe}": path, f"pkg/tool/{target.goos}_amd64/vet{exe}": path}


def test_the_name_is_the_official_form_with_the_series() -> None:
    version = "1.27.3-kqueue-retry-backoff.1a2b3c4d"
    darwin = Platform(goos="darwin", goarch="arm64")
    assert pack.archive_name(version, darwin) == "go1.27.3-kqueue-retry-backoff.darwin-arm64.tar.gz"
    assert pack.archive_name(version, WINDOWS) == "go1.27.3-kqueue-retry-backoff.windows-amd64.zip"
    assert pack.tests_name(version, darwin) == "go1.27.3-kqueue-retry-backoff-tests.darwin-arm64.tar.gz"


@pytest.mark.parametrize(
    "version",
    ["1.28-devel_0123456789-s.1a2b3c4d 2026-11-25", "devel go1.28-devel_0123456789-s.1a2b3c4d Thu Jan 1"],
)
def test_a_development_versions_date_is_not_in_the_name(version: str) -> None:
    assert pack.archive_name(version, LINUX) == "go1.28-devel_0123456789-s.linux-amd64.tar.gz"
    assert pack.stem(version) == "go1.28-devel_0123456789-s.1a2b3c4d"


def test_the_hosts_tools_give_way_to_the_targets(named: GoTree, tmp_path: Path) -> None:
    found = {one.name: one for one in pack.members(named, LINUX, built(tmp_path, WINDOWS))}
    assert list(found) == [
        "go/LICENSE",
        "go/VERSION",
        "go/bin/go.exe",
        "go/pkg/tool/windows_amd64/vet.exe",
        "go/src/a.go",
        "go/src/make.bash",
    ]
    assert [one.name for one in found.values() if one.executable] == [
        "go/bin/go.exe",
        "go/pkg/tool/windows_amd64/vet.exe",
        "go/src/make.bash",
    ]


def test_a_tar_of_the_same_tree_has_the_same_bytes(named: GoTree, tmp_path: Path) -> None:
    archives = [tmp_path / name for name in ("one.tar.gz", "two.tar.gz")]
    for archive in archives:
        files = pack.members(named, LINUX, built(tmp_path, LINUX))
        pack.write(archive, files, pack.released(named.root))
        os.utime(named.root / "src/a.go", (1, 1))
    assert archives[0].read_bytes() == archives[1].read_bytes()
    with tarfile.open(archives[0]) as found:
        infos = {info.name: info for info in found.getmembers()}
        source = found.extractfile("go/bin/go")
        assert source is not None
        assert source.read() == b"for the target"
        license_ = found.extractfile("go/LICENSE")
        assert license_ is not None
        assert license_.read().startswith(b"Copyright 2009 The Go Authors.")
    folders = [name for name, info in infos.items() if info.isdir()]
    assert folders == ["go", "go/bin", "go/pkg", "go/pkg/tool", "go/pkg/tool/linux_amd64", "go/src"]
    assert {infos[name].mode for name in folders} == {0o755}
    assert all(name.startswith("go") for name in infos)
    assert {(info.uid, info.gid, info.uname, info.gname) for info in infos.values()} == {(0, 0, "", "")}
    assert {int(info.mtime) for info in infos.values()} == {1792448436}
    assert (infos["go/src/a.go"].mode, infos["go/bin/go"].mode) == (0o644, 0o755)


def test_a_zip_of_the_same_tree_has_the_same_bytes(named: GoTree, tmp_path: Path) -> None:
    archives = [tmp_path / name for name in ("one.zip", "two.zip")]
    for archive in archives:
        pack.write(archive, pack.members(named, LINUX, built(tmp_path, WINDOWS)), pack.released(named.root))
    assert archives[0].read_bytes() == archives[1].read_bytes()
    with zipfile.ZipFile(archives[0]) as found:
        assert found.testzip() is None
        assert found.read("go/bin/go.exe") == b"for the target"
        assert found.getinfo("go/src/a.go").date_time == (2026, 10, 19, 22, 20, 36)
        assert found.getinfo("go/bin/go.exe").external_attr >> 16 == 0o100755


def test_a_tree_without_a_time_gets_the_earliest_that_a_zip_can_tell(tmp_path: Path) -> None:
    (tmp_path / "VERSION").write_text("devel go1.28\n")
    assert pack.released(tmp_path).year == 1980


def test_a_trees_own_license_stays(named: GoTree, tmp_path: Path) -> None:
    (named.root / "LICENSE").write_text("another")
    tree_ = GoTree(root=named.root, version=named.version, digest="d", manifest=tree.scan(named.root))
    found = {one.name: one.path for one in pack.members(tree_, LINUX, built(tmp_path, LINUX))}
    assert found["go/LICENSE"].read_text() == "another"


@pytest.mark.parametrize("place", ["a file", "a folder by the archive's name"])
def test_an_archive_that_finds_no_place_any_more(tmp_path: Path, place: str) -> None:
    """``--out`` was looked at before the build, and somebody was there since."""
    made = tmp_path / "store/go.tar.gz"
    made.parent.mkdir()
    made.write_text("archive")
    out = tmp_path / "out"
    if place == "a file":
        out.write_text("")
    else:
        (out / made.name).mkdir(parents=True)
    found = Packed(path=made, version="1.27.3", sha256="", size=7, proof="", reused=False)
    with pytest.raises(HostError, match="cannot be written") as raised:
        toolchain_pack._deliver(found, out)
    assert str(made) in raised.value.meaning
    assert "--out" in raised.value.hint
    assert out.is_file() or [path.name for path in out.iterdir()] == [made.name]
