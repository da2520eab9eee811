"""make.bash as this project runs it: a small tree whose script packs what it is told to."""

from __future__ import annotations

import os
import shutil
import sys
from io import StringIO
from pathlib import Path

import pytest

from pipeline import proc, tree
from pipeline.console import Console
from pipeline.errors import HostError, PatchError, PipelineError
from pipeline.flow import baseline
from pipeline.golang import host_platform
from pipeline.source.settings import Settings
from pipeline.store import Store
from pipeline.toolchain import full
from pipeline.toolchain.build import Builder
from pipeline.values import GoTree, Platform

pytestmark = [
    pytest.mark.usefixtures("processes"),
    pytest.mark.skipif(os.name == "nt", reason="make.bat is another script"),
]
HOST = Platform(goos="linux", goarch="amd64")
PACK = """
bootgo=1.24.6
test "$1" = -distpack || exit 9
mkdir -p stage/go/bin stage/go/pkg/tool/linux_amd64 stage/go/src ../pkg/distpack
echo "go by $GOROOT_BOOTSTRAP cgo ${CGO_ENABLED-unset}" >stage/go/bin/go
echo compile >stage/go/pkg/tool/linux_amd64/compile
echo made >stage/go/src/zbootstrap.go
chmod 755 stage/go/bin/go stage/go/pkg/tool/linux_amd64/compile
echo overwritten >runtime/proc.go
"""
TAR = "tar -C stage -czf ../pkg/distpack/go1.27.3.linux-amd64.tar.gz "


class Small:
    """A tree with ``script`` as its make.bash, and a release to bootstrap it with."""

    def __init__(self, tmp_path: Path, script: str) -> None:
        self.root, self.base = tmp_path / "source", tmp_path / "base"
        for root in (self.root, self.base):
            (root / "src/runtime").mkdir(parents=True)
            (root / "src/runtime/proc.go").write_text("package runtime\n")
            (root / "VERSION").write_text("go1.27.3\n")
        (self.base / "bin").mkdir()
        (self.base / "bin/go").write_text("a release")
        (self.root / "bin").mkdir()
        (self.root / "bin/stale").write_text("of another build")
        (self.root / "src/make.bash").write_text(script)
        self.store = Store(tmp_path / "cache")
        self.shell = proc.Shell(logs=tmp_path / "logs", observe=lambda *_: None)

    def builder(self, version: str = "1.27.3", host: Platform = HOST) -> Builder:
        base = GoTree(root=self.base, version=version, digest=f"base{version}", manifest={})
        work = self.store.shared("work")
        return Builder(store=self.store, shell=self.shell, base=base, host=host, jobs=1, work=work)

    def source(self) -> GoTree:
        manifest = tree.scan(self.root)
        return GoTree(
            root=self.root, version="1.27.3", digest=tree.digest(manifest), manifest=manifest, built=False
        )

    def left(self) -> list[str]:
        home = self.store.area / "toolchains"
        return [path.name for path in home.iterdir()] if home.is_dir() else []


def test_what_it_packs_is_the_toolchain_and_is_built_once(tmp_path: Path) -> None:
    small = Small(tmp_path, PACK + TAR + "go")
    source = small.source()
    made = full.build(small.builder(), source)
    assert (made.root / "bin/go").read_text() == f"go by {small.base} cgo unset\n"
    assert os.access(made.root / "bin/go", os.X_OK)
    assert not (made.root / "bin/stale").exists()
    assert (made.proof, made.reused) == ("make.bash -distpack, bootstrapped by Go 1.27.3", False)
    # What it wrote over its sources stayed in a copy.
    assert tree.scan(small.root) == source.manifest
    as_baseline = full.as_tree(made, source)
    assert as_baseline.built
    assert set(as_baseline.manifest) == {"bin/go", "pkg/tool/linux_amd64/compile", "src/zbootstrap.go"}
    (small.root / "src/make.bash").unlink()
    assert full.build(small.builder(), source).reused


def test_the_module_beside_a_zip_is_not_taken_for_it(tmp_path: Path) -> None:
    """What GOTOOLCHAIN downloads is a zip as well, on Windows of nearly the same name."""
    zipped = f"{sys.executable} -m zipfile -c ../pkg/distpack/%sgo1.27.3.windows-amd64.zip stage/%s\n"
    script = PACK + "mkdir stage/golang.org\n" + zipped % ("", "go") + zipped % ("v0.0.1-", "golang.org")
    small = Small(tmp_path, script)
    made = full.build(small.builder(host=Platform(goos="windows", goarch="amd64")), small.source())
    assert (made.root / "src/zbootstrap.go").is_file()


def test_it_runs_as_a_user_would_run_it_but_for_what_a_folder_would_leave_in_it(tmp_path: Path) -> None:
    small = Small(tmp_path, PACK + "env >stage/go/src/env\n" + TAR + "go")
    made = full.build(small.builder(), small.source())
    seen = dict(line.split("=", 1) for line in (made.root / "src/env").read_text().splitlines())
    assert seen["GO_BUILDER_NAME"], "without it a development tree is not built with -trimpath"
    assert not seen.keys() & {"GOGC", "GOMEMLIMIT", "CGO_ENABLED", "GOROOT"}


@pytest.mark.parametrize(
    ("script", "error", "words"),
    [
        ("bootgo=1.24.6\necho 'x.go:1: no'; exit 1\n", PatchError, "does not build:\nx.go:1: no"),
        (PACK, HostError, "left no archive"),
        (
            PACK + "mkdir stage/other; echo x >stage/other/x\n" + TAR + "go other",
            PatchError,
            "outside the tree",
        ),
        (
            PACK + "echo x >evil\n" + TAR + "--transform=s,^evil,go/../../evil, -P go ../evil",
            PatchError,
            "outside",
        ),
    ],
    ids=["fails", "packs nothing", "packs elsewhere", "packs above"],
)
def test_a_build_that_goes_wrong_leaves_nothing(
    tmp_path: Path, script: str, error: type[PipelineError], words: str
) -> None:
    small = Small(tmp_path, script)
    with pytest.raises(error, match=words):
        full.build(small.builder(), small.source())
    assert small.left() == []


def test_links_are_not_unpacked(tmp_path: Path) -> None:
    small = Small(tmp_path, PACK + "ln -s /etc/passwd stage/go/src/link\n" + TAR + "go")
    made = full.build(small.builder(), small.source())
    assert not (made.root / "src/link").is_symlink()


def test_a_bootstrap_that_is_too_old_runs_nothing(tmp_path: Path) -> None:
    small = Small(tmp_path, "bootgo=1.24.6\ntouch /tmp/never\n")
    with pytest.raises(HostError, match=r"Go 1\.21\.13 is too old"):
        full.build(small.builder("1.21.13"), small.source())
    assert not list(small.shell.logs.glob("*make*"))


def place(small: Small, said: StringIO) -> baseline.Place:
    return baseline.Place(store=small.store, shell=small.shell, progress=Console(said), host=HOST, jobs=1)


def local(path: Path, version: str, *, tools: bool = True) -> Path:
    (path / "src/runtime").mkdir(parents=True)
    (path / "src/runtime/proc.go").write_text("package runtime\n")
    (path / "VERSION").write_text(f"go{version}\n")
    if tools:
        compilers = path / "pkg/tool" / str(host_platform()).replace("/", "_")
        for folder, name in ((path / "bin", "go"), (compilers, "compile")):
            folder.mkdir(parents=True)
            (folder / name).write_text("#!/bin/sh\n")
    return path


def test_the_first_bootstrap_that_will_do_builds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = Small(tmp_path, PACK + TAR + "go")
    shutil.rmtree(small.root / "bin")
    old = local(tmp_path / "old", "1.21.13")
    bare = local(tmp_path / "bare", "1.27.0", tools=False)
    machine = local(tmp_path / "machine", "1.26.1")
    monkeypatch.setenv("GOROOT_BOOTSTRAP", str(machine))
    said = StringIO()
    found = baseline.fetch(
        place(small, said), str(small.root), Settings(bootstrap=(str(old), str(bare), "machine"))
    )
    assert found.built
    assert "bootstrapped by Go 1.26.1" in found.proof
    assert "make.bash builds them by Go 1.26.1" in said.getvalue()


def test_where_none_will_do_each_is_named_with_its_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Small(tmp_path, PACK)
    shutil.rmtree(small.root / "bin")
    old = local(tmp_path / "old", "1.21.13")
    monkeypatch.delenv("GOROOT_BOOTSTRAP", raising=False)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(HostError, match="no Go to build them with") as caught:
        baseline.fetch(place(small, StringIO()), str(small.root), Settings(bootstrap=(str(old), "machine")))
    assert "1.21.13 is too old to build" in caught.value.meaning
    assert "install Go 1.24.6 or later" in caught.value.hint
