"""What an install finds in its way, and that it says no more than is true."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline import proc, tree
from pipeline.commands import toolchain as command
from pipeline.errors import ExitCode, HostError, NothingToDoError, PipelineError
from pipeline.install import beside as room
from pipeline.install import install, journal, listing, recovery, registry, replace, verify
from pipeline.install.install import Request
from tests.unit.goroots import HOST, World, a_world, make_tree

posix = pytest.mark.skipif(not proc.POSIX, reason="POSIX modes and owners")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return a_world(tmp_path, monkeypatch)


def _taken_before(world: World, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Somebody puts a tree at GOROOT right before ``step``."""

    def watch(told: str) -> None:
        if told == step:
            make_tree(world.old, "theirs")

    monkeypatch.setattr(world, "ground", world.watched(watch))


def _stuck(world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[HostError, Path]:
    with monkeypatch.context() as patch:
        _taken_before(world, patch, "put the new one in its place")
        with pytest.raises(HostError, match="the install failed") as raised:
            world.install()
    (backup,) = world.opt.glob("go.gopatch-backup-*")
    assert tree.scan(backup) == world.before
    return raised.value, backup


def test_a_tree_put_there_meanwhile_is_said_and_the_old_one_stays_in_sight(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error, backup = _stuck(world, monkeypatch)
    assert "as it was before" not in str(error) + error.meaning
    assert f"what was there before is {backup}" in error.meaning
    assert str(backup) in error.hint
    monkeypatch.setenv("GOPATCH_TOOLCHAINS", str(world.ground.root))
    for _ in range(2):  # for as long as it is so
        assert command.show(as_json=True) == ExitCode.PASS
        (row,) = json.loads(capsys.readouterr().out)
        assert (row["path"], row["state"], row["backups"]) == (str(world.old), "unfinished", [str(backup)])
        assert command.show(as_json=False) == ExitCode.PASS
        shown = capsys.readouterr()
        assert f"backup: {backup}" in shown.out
        assert f"what was there before is {backup}" in shown.err
    assert journal.read(world.beside).pending


@pytest.mark.parametrize("action", ["rollback", "rollback of that one", "install", "dry run"])
def test_nothing_goes_on_over_a_backup_that_could_be_lost(
    world: World, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    _, backup = _stuck(world, monkeypatch)
    act: dict[str, Callable[[], object]] = {
        "rollback": lambda: install.roll_back("", world.ground),
        "rollback of that one": lambda: install.roll_back(str(world.old), world.ground),
        "install": world.install,
        "dry run": lambda: install.plan(world.request, world.ground),
    }
    with pytest.raises(HostError, match="cannot be undone") as raised:
        act[action]()
    assert str(backup) in raised.value.what
    assert (world.old / "bin/go").read_text() == "theirs"
    assert tree.scan(backup) == world.before


def test_moving_theirs_away_brings_the_old_one_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    _stuck(world, monkeypatch)
    world.old.rename(world.home / "theirs")
    install.mend(world.ground)
    world.assert_as_before()
    assert listing.rows(world.ground.root, HOST) == []


def test_moving_the_backup_elsewhere_ends_it_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    _, backup = _stuck(world, monkeypatch)
    backup.rename(world.home / "kept")
    install.mend(world.ground)
    assert not world.beside.journal.exists()
    with pytest.raises(NothingToDoError):
        install.roll_back("", world.ground)
    assert (world.old / "bin/go").read_text() == "theirs"


def test_a_rollback_loses_sight_of_neither_tree(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    done = world.install()
    patched = tree.scan(world.old)
    with monkeypatch.context() as patch:
        _taken_before(world, patch, "put the old one in its place")
        with pytest.raises(HostError, match="the rollback failed") as raised:
            install.roll_back("", world.ground)
    (aside,) = world.opt.glob("go.gopatch-aside-*")
    assert f"what was there before is {aside}" in raised.value.meaning
    (row,) = listing.rows(world.ground.root, HOST)
    assert (row.state, row.backups) == ("unfinished", (str(aside), str(done.backup)))
    with pytest.raises(HostError, match="cannot be undone"):
        install.roll_back("", world.ground)
    world.old.rename(world.home / "theirs")
    install.mend(world.ground)
    assert tree.scan(world.old) == patched
    install.roll_back("", world.ground)
    world.assert_as_before()


def test_a_new_place_that_somebody_took_is_not_called_as_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = world.home / "side"
    world.request = Request(run=world.run, to=str(target))
    watch = lambda told: target.mkdir() if told == "put the new one in its place" else None  # noqa: E731
    monkeypatch.setattr(world, "ground", world.watched(watch))
    with pytest.raises(HostError, match="something lies there") as raised:
        world.install()
    assert f"{target} was put there by somebody else, nothing of the install is left" in raised.value.meaning
    assert target.is_dir()


@posix
@pytest.mark.parametrize("step", ["verify the copy", "put the new one in its place", replace.LAST])
def test_an_empty_folder_is_there_again(world: World, step: str) -> None:
    target = world.home / "empty"
    target.mkdir()
    target.chmod(0o2751)
    if os.geteuid() == 0:
        os.chown(target, 12345, 12346)
        target.chmod(0o2751)
    before = target.stat()
    world.request = Request(run=world.run, to=str(target))

    def watch(told: str) -> None:
        if told == step:
            raise HostError("injected")

    world.ground = world.watched(watch)
    with pytest.raises(PipelineError, match="injected") as raised:
        world.install()
    assert f"{target} is as it was before" in raised.value.meaning
    found = target.stat()
    assert (found.st_mode, found.st_uid, found.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert list(target.iterdir()) == []
    assert not room.at(target).journal.exists()


# --- a tree that cannot be renamed


def _no_rename(monkeypatch: pytest.MonkeyPatch, old: Path, code: int) -> None:
    real = Path.rename

    def rename(path: Path, target: Path) -> Path:
        if path == old:
            raise OSError(code, os.strerror(code), str(path))
        return real(path, target)

    monkeypatch.setattr(Path, "rename", rename)


@pytest.mark.parametrize(
    ("code", "what", "hint"),
    [
        (errno.EXDEV, "it lies in a lower layer of an overlay file system", "install side by side"),
        (errno.EBUSY, os.strerror(errno.EBUSY), "mend that"),
    ],
)
def test_what_cannot_be_renamed_is_known_before_the_copy(
    world: World, monkeypatch: pytest.MonkeyPatch, code: int, what: str, hint: str
) -> None:
    _no_rename(monkeypatch, world.old, code)
    told: list[str] = []
    world.ground = world.watched(told.append)
    with pytest.raises(HostError, match="can be moved") as raised:
        world.install()
    assert what in raised.value.what
    assert hint in raised.value.hint
    assert told == ["see that the old one can be moved"]
    world.assert_as_before()


def test_a_layer_that_came_meanwhile_is_named_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def watch(told: str) -> None:
        if told == "set the old one aside":
            _no_rename(monkeypatch, world.old, errno.EXDEV)

    world.ground = world.watched(watch)
    with pytest.raises(HostError, match=r"set the old one aside.*overlay") as raised:
        world.install()
    assert "install side by side" in raised.value.hint
    world.assert_as_before()


@pytest.fixture
def overlay(tmp_path: Path, processes: None) -> Iterator[Path]:
    """A mounted overlay, whose lower layer is ``disk/lower``."""
    disk = tmp_path / "disk"
    disk.mkdir()
    # The layer that is written must not lie on an overlay itself, which /tmp of a container does.
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(disk)], check=True)
    for name in ("lower", "upper", "work", "merged"):
        (disk / name).mkdir()
    make_tree(disk / "lower/go", "old")
    layers = f"lowerdir={disk / 'lower'},upperdir={disk / 'upper'},workdir={disk / 'work'},redirect_dir=off"
    try:
        subprocess.run(["mount", "-t", "overlay", "-o", layers, "overlay", str(disk / "merged")], check=True)
        yield disk / "merged"
        subprocess.run(["umount", str(disk / "merged")], check=True)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.rootonly
def test_a_real_overlay(world: World, overlay: Path) -> None:
    """What the image has cannot be swapped, what was put there since can."""
    told: list[str] = []
    world.ground = world.watched(told.append)
    before = tree.scan(overlay / "go")
    world.request = Request(run=world.run, replace=str(overlay / "go"))
    with pytest.raises(HostError, match="lower layer of an overlay file system"):
        world.install()
    assert told == ["see that the old one can be moved"]
    assert tree.scan(overlay / "go") == before
    assert {path.name for path in overlay.iterdir()} == {"go", ".go.gopatch.lock"}
    world.request = Request(run=world.run, replace=str(make_tree(overlay / "own", "own")))
    assert world.install().previous == "1.27.3"
    assert (overlay / "own/bin/go").read_text() == "patched"


# --- what counts is not called a failure


def _unwritable_list(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the last step on the list of toolchains cannot be written."""
    real = room.write_json

    def write_json(path: Path, value: object) -> None:
        if path.name == registry.NAME:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        real(path, value)

    def watch(told: str) -> None:
        if told == replace.LAST:
            monkeypatch.setattr(room, "write_json", write_json)

    world.ground = world.watched(watch)


@pytest.mark.parametrize("kind", ["replace", "side by side"])
def test_an_install_without_the_list_is_an_install(
    world: World, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    world.request = world.request if kind == "replace" else Request(run=world.run)
    with monkeypatch.context() as patch:
        _unwritable_list(world, patch)
        done = world.install()
    assert (done.goroot / "bin/go").read_text() == "patched"
    note = world.said[-1]
    assert "the toolchain is installed, but the list of installed toolchains" in note
    assert "set GOPATCH_TOOLCHAINS" in note
    assert (f"toolchain-rollback --goroot={world.old}" in note) == (kind == "replace")
    (row,) = listing.rows(world.ground.root, HOST)
    assert (row.path, row.state) == (str(done.goroot), "unchanged")


def test_a_rollback_without_the_list_is_a_rollback(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.install()
    with monkeypatch.context() as patch:
        _unwritable_list(world, patch)
        install.roll_back("", world.ground)
    world.assert_as_before()
    assert "the old toolchain is back, but the list" in world.said[-1]
    (row,) = listing.rows(world.ground.root, HOST)
    assert (row.state, row.backups) == ("other", ())


def test_what_cannot_be_removed_afterwards_is_left_to_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def remove_tree(path: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    with monkeypatch.context() as patch:
        patch.setattr(verify, "remove_tree", remove_tree)
        patch.setattr(recovery, "remove_tree", remove_tree)
        world.install()
        assert install.roll_back("", world.ground).version == "1.27.3"
    assert tree.scan(world.old) == world.before
    assert journal.read(world.beside).trash
    assert listing.rows(world.ground.root, HOST) == []
    install.mend(world.ground)
    world.assert_as_before()
    assert listing.rows(world.ground.root, HOST) == []
    assert registry.read(world.ground.root) == ()
