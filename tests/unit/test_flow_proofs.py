"""Only what is proven is kept, and what is kept is not proven again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline import proc
from pipeline.flow import proofs
from pipeline.records import Record
from pipeline.store import Store
from pipeline.toolchain import build, cross, recipes
from pipeline.toolchain.build import Builder
from pipeline.values import GoTree, Platform

HOST = Platform(goos="linux", goarch="amd64")


class Bench:
    """A release of two tools, and a compiler that makes what it is told to."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.folder = tmp_path / "release", tmp_path / "run"
        for name, text in {"bin/go": "go", "pkg/tool/linux_amd64/vet": "vet"}.items():
            (self.root / name).parent.mkdir(parents=True)
            (self.root / name).write_text(text)
        self.tree = GoTree(root=self.root, version="1.27.3", digest="d", manifest={})
        self.store = Store(tmp_path / "cache")
        self.builder = Builder(
            store=self.store,
            shell=proc.Shell(logs=tmp_path / "logs", observe=lambda *_: None),
            base=self.tree,
            host=HOST,
            jobs=1,
            work=tmp_path,
        )
        self.made = {"bin/go": "go", "pkg/tool/linux_amd64/vet": "vet"}
        self.compiled = 0
        self.records: list[Record] = []
        monkeypatch.setattr(recipes, "read", lambda *_: recipes.Recipe(flags="", modules="", commands=()))
        monkeypatch.setattr(build, "compile_tools", self.compile)

    def compile(self, _builder: Any, _go: Any, _how: Any, out: Path, *_: Any) -> dict[str, Path]:
        self.compiled += 1
        out.mkdir(parents=True)
        for number, text in enumerate(self.made.values()):
            (out / str(number)).write_text(text)
        return {name: out / str(number) for number, name in enumerate(self.made)}

    def rebuild(self) -> Any:
        return proofs.rebuild(
            proofs.Bench(builder=self.builder, folder=self.folder, record=self.records.append),
            self.tree,
            HOST,
        )


def test_a_proof_is_kept_and_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path, monkeypatch)
    assert not proofs.known(bench.store, bench.tree, HOST)
    first, second = bench.rebuild(), bench.rebuild()
    assert (first.reused, second.reused) == (False, True)
    assert first == second.model_copy(update={"reused": False})
    assert first.proven
    assert set(first.files.values()) == {"same"}
    assert bench.compiled == 1
    assert proofs.known(bench.store, bench.tree, HOST)
    assert bench.records == [first, second]
    assert not list(bench.folder.glob("rebuilt-*"))


def test_tools_that_are_proven_serve_for_bundles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path, monkeypatch)
    bench.rebuild()
    kept = cross.release(bench.builder, HOST)
    assert {name: path.read_text() for name, path in kept.items()} == bench.made
    assert bench.compiled == 1, "they were not compiled again"


def test_tools_that_are_not_proven_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path, monkeypatch)
    bench.made = {"bin/go": "another go"}
    bench.rebuild()
    cross.release(bench.builder, HOST)
    assert bench.compiled == 2


@pytest.mark.parametrize(
    "made", [{"bin/go": "go"}, {"bin/go": "go", "pkg/tool/linux_amd64/vet": "other"}, {}]
)
def test_what_differs_is_said_and_proves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: dict[str, str]
) -> None:
    bench = Bench(tmp_path, monkeypatch)
    bench.made = made
    found = bench.rebuild()
    assert not found.proven
    assert found.files["pkg/tool/linux_amd64/vet"] in {"differs", "missing"}
    assert not proofs.known(bench.store, bench.tree, HOST)
    assert (bench.folder / "rebuilt-linux-amd64").is_dir(), "what was built is there to be looked at"
