"""Bundles: everything is there, every byte is checked, and nothing else is taken."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import HostError, UsageError
from pipeline.flow import bundling
from pipeline.values import SIDES
from tests.unit import fleet


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bundle"
    (tmp_path / "made").mkdir()
    sizes = bundling.pack(fleet.contents(tmp_path / "made", fleet.plan(monkeypatch)), folder)
    assert sizes == {name: (folder / name).stat().st_size for name in ("bundle.json", "files.tar.gz")}
    return folder


def test_what_comes_out_is_what_went_in(bundle: Path, tmp_path: Path) -> None:
    given, _ = bundling.load(bundle)
    root = tmp_path / "there"
    sides = bundling.unpack(bundle, given, root)
    assert (given.run_id, given.commit) == (fleet.RUN, "c0ffee")
    for side, text in zip(SIDES, ("old", "new"), strict=True):
        found = sides.trees[side].root
        assert (found / "src/runtime/a.go").read_text() == f"package runtime // {text}"
        assert (found / "bin/go.exe").read_text() == "the other go"
        assert not (found / "bin/go").exists(), "the tools of the machine that built it"
        assert os.access(found / "src/run.bash", os.X_OK)
        assert os.access(found / "bin/go.exe", os.X_OK)
        assert sides.go[side].root == found
    one = sides.binaries["patched"]["runtime"]
    assert one.path.read_text() == "patched program"
    assert os.access(one.path, os.X_OK)
    assert one.cwd == sides.trees["patched"].root / "src/runtime"
    assert sides.batches[0].programs["patched"].path == one.path
    kit = sides.kits["base"]["runtime"]
    assert (kit.folder / kit.main).read_text() == "main"
    assert (sides.own, sides.stamps, sides.cell) == (
        {"runtime": {"TestA": "added"}},
        fleet.STAMPS,
        fleet.HERE,
    )
    assert sides.probe.path.read_text() == "probe"


def test_paths_of_both_sides_are_of_one_length(bundle: Path, tmp_path: Path) -> None:
    given, _ = bundling.load(bundle)
    sides = bundling.unpack(bundle, given, tmp_path / "there")
    lengths = {len(str(path)) for side in SIDES for path in (sides.binaries[side]["runtime"].path,)}
    assert len(lengths) == 1
    assert len({len(str(found.root)) for found in sides.trees.values()}) == 1


def test_the_same_contents_give_the_same_bytes(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "again").mkdir()
    bundling.pack(fleet.contents(tmp_path / "again", fleet.plan(monkeypatch)), tmp_path / "second")
    for name in ("bundle.json", "files.tar.gz"):
        first, second = ((folder / name).read_bytes() for folder in (bundle, tmp_path / "second"))
        assert first == second, name
    assert str(tmp_path) not in (bundle / "bundle.json").read_text(), "no path of the machine that built it"


def test_the_patches_themselves_are_not_in_it(bundle: Path) -> None:
    plan = json.loads((bundle / "bundle.json").read_text())["plan"]
    assert [one["content"] for one in plan["series"]["patches"]] == ["", ""]


def changed(bundle: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = bundle / "bundle.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "trees/0/../../x",
        "/etc/passwd",
        "trees/0//x",
        "trees/0/./x",
        "trees/2/x",
        "other/x",
        "trees/0/a\\b",
        "trees/0/c:x",
        "trees/0/a\nb",
        "trees/0",
        "objects/x",
        "work/x",
    ],
)
def test_a_path_that_no_bundle_has(bundle: Path, name: str) -> None:
    changed(bundle, lambda data: data["files"].update({name: "0" * 64}))
    with pytest.raises(HostError, match="names a file that no bundle holds"):
        bundling.load(bundle)


@pytest.mark.parametrize("value", ["", "x" * 64, "0" * 63, "0" * 64 + " y", "../x", "0" * 64 + "\n"])
def test_a_hash_that_is_none(bundle: Path, value: str) -> None:
    changed(bundle, lambda data: data["files"].update({"trees/0/x": value}))
    with pytest.raises(HostError, match="names a file that no bundle holds"):
        bundling.load(bundle)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda data: data.update(more=1), "more"),
        (lambda data: data.update(form=2), "form"),
        (lambda data: data["sides"]["cell"].update(pin="x"), "sides.cell.pin"),
        (lambda data: data["sides"].pop("probe"), "sides.probe"),
    ],
)
def test_a_manifest_of_another_form(bundle: Path, change: Callable[[Any], object], place: str) -> None:
    changed(bundle, change)
    with pytest.raises(HostError, match=f"is no bundle: {place}"):
        bundling.load(bundle)


def test_no_bundle_at_all(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no bundle"):
        bundling.load(tmp_path)
    (tmp_path / "bundle.json").write_text("{")
    with pytest.raises(HostError, match="is no bundle"):
        bundling.load(tmp_path)


def members(bundle: Path) -> dict[str, bytes]:
    with tarfile.open(bundle / "files.tar.gz") as reader:
        found = {one.name: reader.extractfile(one) for one in reader}
        return {name: stream.read() for name, stream in found.items() if stream}


def write(bundle: Path, files: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    with tarfile.open(bundle / "files.tar.gz", "w:gz") as writer:
        for member, data in files:
            member.size = len(data) if member.isreg() else 0
            writer.addfile(member, io.BytesIO(data))


def plain(bundle: Path) -> list[tuple[tarfile.TarInfo, bytes]]:
    return [(tarfile.TarInfo(name), data) for name, data in members(bundle).items()]


def link(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return member


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found: [(found[0][0], b"altered"), *found[1:]], "was altered"),
        (lambda found: found[1:], "lacks 1 files"),
        (lambda found: [*found, (tarfile.TarInfo("0" * 64), b"")], "holds what it should not"),
        (
            lambda found: [*found, (tarfile.TarInfo(found[0][0].name), found[0][1])],
            "holds what it should not",
        ),
        (lambda found: [(tarfile.TarInfo("../../x"), b"x"), *found], "holds what it should not"),
        (lambda found: [(link(found[0][0].name), b""), *found[1:]], "holds what it should not"),
    ],
)
def test_an_archive_that_is_not_what_was_packed(
    bundle: Path, tmp_path: Path, change: Callable[[Any], Any], message: str
) -> None:
    given, _ = bundling.load(bundle)
    write(bundle, change(plain(bundle)))
    with pytest.raises(HostError, match=message):
        bundling.unpack(bundle, given, tmp_path / "there")
    assert {path.name for path in tmp_path.iterdir()} == {"made", "bundle", "there"}


def test_an_archive_cut_short_and_one_that_is_none(bundle: Path, tmp_path: Path) -> None:
    given, _ = bundling.load(bundle)
    archive = bundle / "files.tar.gz"
    data = archive.read_bytes()
    for number, bad in enumerate((data[: len(data) // 2], b"no archive", b"")):
        archive.write_bytes(bad)
        with pytest.raises(HostError, match=r"files\.tar\.gz (cannot be read|lacks)"):
            bundling.unpack(bundle, given, tmp_path / f"there{number}")
    archive.unlink()
    with pytest.raises(HostError, match="is not there"):
        bundling.unpack(bundle, given, tmp_path / "last")


def test_a_bomb_is_not_unpacked(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, _ = bundling.load(bundle)
    monkeypatch.setattr(bundling, "MAX_UNPACKED", 20)
    with pytest.raises(HostError, match="holds what it should not"):
        bundling.unpack(bundle, given, tmp_path / "there")
