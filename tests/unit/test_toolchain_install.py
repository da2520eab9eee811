"""Installing a toolchain: every refusal, and a tiny tree that survives a failure at every point.

The trees here hold a few files and their go is never started; tests/integration does it with real ones.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import json
import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest

from pipeline import proc, store, tree
from pipeline.commands import toolchain as command
from pipeline.console import Console
from pipeline.errors import (
    ExitCode,
    HostError,
    InterruptedRunError,
    NothingToDoError,
    PipelineError,
    UsageError,
)
from pipeline.golang import EXE
from pipeline.install import beside as room
from pipeline.install import (
    candidate,
    copying,
    install,
    journal,
    listing,
    owners,
    preflight,
    recovery,
    registry,
    replace,
    verify,
)
from pipeline.install.install import Ground, Request
from pipeline.install.journal import Pending
from pipeline.install.recovery import There
from tests.unit.goroots import HOST, World, a_world, make_tree

posix = pytest.mark.skipif(not proc.POSIX, reason="POSIX modes and links")


class Killed(BaseException):
    """Stands for SIGKILL: nothing is undone by the process that it hits."""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return a_world(tmp_path, monkeypatch)


# --- what a finished install and a finished rollback leave


def test_replaces_and_rolls_back(world: World) -> None:
    done = world.install()
    assert (world.old / "bin/go").read_text() == "patched"
    assert done.backup is not None
    assert tree.scan(done.backup) == world.before
    (row,) = listing.rows(world.ground.root, HOST)
    assert (row.state, row.backups, row.series) == ("unchanged", (str(done.backup),), "my-series")
    back = install.roll_back("", world.ground)
    assert (back.version, back.kept, back.left) == ("1.27.3", None, None)
    world.assert_as_before()
    assert listing.rows(world.ground.root, HOST) == []


def test_replaced_twice_rolls_back_one_by_one(world: World) -> None:
    first = world.install()
    (world.patched / "src/runtime/proc.go").write_text("package runtime // again\n")
    second = world.install()
    (row,) = listing.rows(world.ground.root, HOST)
    assert row.backups == (str(second.backup), str(first.backup))
    assert install.roll_back(str(world.old), world.ground).left == first.backup
    (row,) = listing.rows(world.ground.root, HOST)
    assert row.state == "unchanged"
    install.roll_back(str(world.old), world.ground)
    world.assert_as_before()


def test_side_by_side(world: World) -> None:
    world.request = Request(run=world.run)
    done = world.install()
    assert done.goroot == world.ground.root / "1.27.3-my-series"
    assert done.backup is None
    assert not room.at(done.goroot).journal.exists()
    world.assert_as_before()
    with pytest.raises(NothingToDoError, match="installed already"):
        world.install()
    with pytest.raises(NothingToDoError, match="no install replaced"):
        install.roll_back(str(done.goroot), world.ground)
    (world.patched / "src/runtime/proc.go").write_text("package runtime // again\n")
    with pytest.raises(UsageError, match="holds another toolchain") as refused:
        world.install()
    assert f"--replace={done.goroot}" in refused.value.hint


def test_into_an_empty_folder(world: World) -> None:
    target = world.home / "empty"
    target.mkdir()
    world.request = Request(run=world.run, to=str(target))
    assert world.install().goroot == target
    assert (target / "bin/go").read_text() == "patched"


@posix
def test_a_copy_shares_nothing_with_the_store(world: World) -> None:
    (world.patched / "bin/go").chmod(0o700)  # a store that was filled under umask 077
    (world.patched / "src/runtime/proc.go").chmod(0o600)
    (world.old / "src/runtime").chmod(0o775)
    (world.old / "src/runtime/proc.go").chmod(0o664)
    world.install()
    assert (world.old / "bin/go").stat().st_nlink == 1
    modes = [world.old / name for name in ("bin/go", "src/runtime/proc.go", "src/runtime", "gopatch.json")]
    assert [path.stat().st_mode & 0o777 for path in modes] == [0o755, 0o664, 0o775, 0o644]
    (world.old / "bin/go").write_text("edited")
    assert (world.patched / "bin/go").read_text() == "patched"


@posix
@pytest.mark.skipif(proc.POSIX and os.geteuid() != 0, reason="gives files to another user")
def test_the_owner_stays(world: World) -> None:
    for path in (world.old, *world.old.rglob("*")):
        os.chown(path, 12345, 12346)
    world.install()
    for path in (world.old, *world.old.rglob("*")):
        assert (path.stat().st_uid, path.stat().st_gid) == (12345, 12346), path


def test_what_was_changed_since_is_kept(world: World) -> None:
    world.install()
    (world.old / "src/runtime/mine.go").write_text("package runtime\n")
    (row,) = listing.rows(world.ground.root, HOST)
    assert row.state == "files"
    back = install.roll_back("", world.ground)
    assert back.kept is not None
    assert (back.kept / "src/runtime/mine.go").exists()
    assert tree.scan(world.old) == world.before


def test_rolls_back_where_the_tree_was_removed(world: World) -> None:
    world.install()
    shutil.rmtree(world.old)
    (row,) = listing.rows(world.ground.root, HOST)
    assert row.state == "gone"
    install.roll_back("", world.ground)
    world.assert_as_before()


def test_no_two_installs_at_a_place_have_one_name(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of one second, and the same random number: an undo would take the first one's trees for its own."""

    class Stopped(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Self:
            return cls(2026, 1, 2, tzinfo=tz)

    numbers = itertools.cycle(["aa"])
    monkeypatch.setattr(dt, "datetime", Stopped)
    monkeypatch.setattr(secrets, "token_hex", lambda _: next(numbers))
    world.install()
    first = tree.scan(world.old)
    (world.patched / "src/runtime/proc.go").write_text("package runtime // again\n")
    numbers = itertools.cycle(["aa", "bb", "cc"])
    world.install()
    assert [one.identity.stamp[-2:] for one in journal.read(world.beside).done] == ["aa", "bb"]
    install.roll_back(str(world.old), world.ground)
    assert tree.scan(world.old) == first


def test_a_dry_run_changes_nothing(world: World) -> None:
    done = install.plan(world.request, world.ground)
    assert done.steps[:2] == ("see that the old one can be moved", "copy the toolchain")
    assert done.previous == "1.27.3"
    assert [path.name for path in world.opt.iterdir()] == ["go"]
    assert not world.ground.root.exists()


@pytest.mark.parametrize("ask", [install.plan, install.install])
def test_what_only_the_old_tree_has_is_named(
    world: World, ask: Callable[[Request, Ground], install.Installed]
) -> None:
    """Of programs only those that are not Go's own: releases differ in which of these they ship."""
    tools = f"pkg/tool/{HOST.goos}_{HOST.goarch}"
    mine = [f"bin/gopls{EXE}", "bin/plan9_arm/mine", "notes.txt", f"{tools}/mytool{EXE}"]
    gos = [f"{tools}/pprof{EXE}", f"{tools}/objdump{EXE}", f"pkg/tool/plan9_arm/compile{EXE}"]
    for name in ("pprof", "objdump", "compile"):
        (world.old / "src/cmd" / name).mkdir(parents=True)
    for name in [*mine, *gos, "src/runtime/mine.go"]:
        (world.old / name).parent.mkdir(exist_ok=True)
        (world.old / name).write_text("x")
    assert ask(world.request, world.ground).left_out == tuple(sorted(mine))


def test_the_list_forgets_what_vanished_and_bears_a_damaged_file(world: World) -> None:
    world.request = Request(run=world.run)
    done = world.install()
    shutil.rmtree(done.goroot)
    assert [row.state for row in listing.rows(world.ground.root, HOST)] == ["gone"]
    assert listing.rows(world.ground.root, HOST) == []
    (world.ground.root / registry.NAME).write_text("{")
    assert listing.rows(world.ground.root, HOST) == []
    world.install()
    tool = next((done.goroot / "pkg/tool").rglob(f"compile{EXE}"))
    tool.write_text("another")
    assert [row.state for row in listing.rows(world.ground.root, HOST)] == ["tools"]


# --- failures and kills at every point


class Faults:
    """Counts what an install does that leaves a trace, and raises at one point of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]) -> None:
        self.error = error
        self.at = -1
        self.count = 0
        self.on = True
        for module, name in ((room, "rename"), (room, "write_json"), (journal, "write")):
            monkeypatch.setattr(module, name, self._around(getattr(module, name)))
        monkeypatch.setattr(os, "fsync", self._around(os.fsync))
        monkeypatch.setattr(recovery, "remove_tree", self._around(store.remove_tree))

    def _around(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.hit()
            result = real(*args, **kwargs)
            self.hit()
            return result

        return call

    def hit(self, _: str = "") -> None:
        if not self.on:
            return
        self.count += 1
        if self.count - 1 == self.at:
            raise self.error("injected")


def _attempt(faults: Faults, at: int, action: Callable[[], object]) -> bool:
    """Run with a fault at point ``at``; whether the action came to its end."""
    faults.at, faults.count, faults.on = at, 0, True
    try:
        action()
    except (PipelineError, faults.error):
        return False
    finally:
        faults.on = False
    return True


@pytest.mark.parametrize("kind", ["replace", "side by side"])
def test_a_kill_anywhere_in_an_install(world: World, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """After each the old tree is whole, in its place or in the backup, and one more command puts it back."""
    faults = Faults(monkeypatch, Killed)
    monkeypatch.setattr(replace, "_undone", lambda _beside, _action, _step, error: error)
    ground = dataclasses.replace(world.ground, watch=faults.hit)
    request = world.request if kind == "replace" else Request(run=world.run)
    target = room.at(world.old if kind == "replace" else world.ground.root / "1.27.3-my-series")
    killed = 0
    for at in range(200):
        finished = _attempt(faults, at, lambda: install.install(request, ground))
        if not finished:
            killed += 1
            wholes = [path for path in world.opt.iterdir() if path.is_dir() and _is(path, world.before)]
            assert wholes, f"at point {at} no old tree was left"
        install.mend(world.ground)
        if journal.read(target).done:
            install.roll_back(str(world.old), world.ground)
        world.assert_as_before()
        if kind != "replace":
            names = [path.name for path in world.ground.root.glob("*")]
            assert {name for name in names if "gopatch" in name} <= {target.lock.name}
            shutil.rmtree(target.goroot, ignore_errors=True)
        if finished:
            break
    else:
        raise AssertionError("never came to an end")
    assert killed > 30


def _is(path: Path, manifest: tree.Manifest) -> bool:
    return tree.scan(path) == manifest


@pytest.mark.parametrize("error", [HostError, OSError, KeyboardInterrupt, ZeroDivisionError])
def test_a_failure_anywhere_in_an_install(
    world: World, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    """The install undoes itself: there is nothing for a second command to do."""
    failed = 0
    for name in [*install.plan(world.request, world.ground).steps, replace.LAST]:

        def watch(told: str, name: str = name) -> None:
            if told == name:
                raise error("injected")

        ground = dataclasses.replace(world.ground, watch=watch)
        with pytest.raises((PipelineError, error)) as raised:
            install.install(world.request, ground)
        failed += 1
        world.assert_as_before()
        text = str(raised.value) + " ".join(getattr(raised.value, "__notes__", []))
        assert "is as it was before" in text
        if error is KeyboardInterrupt:
            assert isinstance(raised.value, InterruptedRunError)
        elif error is not ZeroDivisionError:
            assert isinstance(raised.value, HostError)
            assert name in raised.value.what
    assert failed == 10


def test_a_kill_anywhere_in_a_second_install(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the first one installed is the old tree now: it is one of ours, and yet not to be removed."""
    world.install()
    first = tree.scan(world.old)
    (world.patched / "src/runtime/proc.go").write_text("package runtime // again\n")
    faults = Faults(monkeypatch, Killed)
    monkeypatch.setattr(replace, "_undone", lambda _beside, _action, _step, error: error)
    ground = dataclasses.replace(world.ground, watch=faults.hit)
    for at in range(200):
        finished = _attempt(faults, at, lambda: install.install(world.request, ground))
        install.mend(world.ground)
        if len(journal.read(world.beside).done) == 2:
            install.roll_back(str(world.old), world.ground)
        assert tree.scan(world.old) == first, f"at point {at}"
        if finished:
            break
    else:
        raise AssertionError("never came to an end")
    install.roll_back(str(world.old), world.ground)
    world.assert_as_before()


def test_a_kill_anywhere_in_an_install_into_an_empty_folder(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more command leaves the folder as it was, or the whole toolchain in it."""
    faults = Faults(monkeypatch, Killed)
    monkeypatch.setattr(replace, "_undone", lambda _beside, _action, _step, error: error)
    ground = dataclasses.replace(world.ground, watch=faults.hit)
    target = world.opt / "empty"
    target.mkdir(mode=0o750)
    request = Request(run=world.run, to=str(target))
    for at in range(100):
        finished = _attempt(faults, at, lambda: install.install(request, ground))
        again = _attempt(faults, 1, lambda: install.mend(world.ground))  # killed as well, at its first step
        install.mend(world.ground)
        left = {path.name for path in world.opt.iterdir() if not path.name.endswith(".lock")}
        assert left == {"go", "empty"}, f"at point {at}"
        if finished or any(target.iterdir()):
            assert again
            identity = journal.identity_of(target)
            assert identity
            assert copying.unchanged(target, identity)
            break
        assert target.stat().st_mode & 0o777 == 0o750
    assert at > 20


def test_a_kill_while_undoing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Undoing is itself killed at every point, again and again, and still ends."""
    faults = Faults(monkeypatch, Killed)
    for at in range(30):
        faults.on = False
        with monkeypatch.context() as patch:
            patch.setattr(replace, "_undone", lambda _beside, _action, _step, error: error)
            patch.setattr(verify, "check", _fail_in(world.old))
            with pytest.raises(Killed):
                install.install(world.request, world.ground)
        finished = _attempt(faults, at, lambda: recovery.recover(world.beside))
        recovery.recover(world.beside)
        world.assert_as_before()
        if finished:
            break
    else:
        raise AssertionError("never came to an end")


def _fail_in(place: Path) -> Callable[..., None]:
    def check(root: Path, *_: object) -> None:
        if root == place:
            raise Killed

    return check


@pytest.mark.parametrize("removed", [False, True])
def test_a_kill_anywhere_in_a_rollback(world: World, monkeypatch: pytest.MonkeyPatch, removed: bool) -> None:
    """``removed``: the user has removed the patched tree by hand before."""
    faults = Faults(monkeypatch, Killed)
    monkeypatch.setattr(replace, "_undone", lambda _beside, _action, _step, error: error)
    ground = dataclasses.replace(world.ground, watch=faults.hit)
    for at in range(100):
        faults.on = False
        if not journal.read(world.beside).done:
            world.install()
        if removed:
            shutil.rmtree(world.old)
        finished = _attempt(faults, at, lambda: install.roll_back(str(world.old), ground))
        install.mend(world.ground)
        if done := journal.read(world.beside).done:
            assert removed != copying.unchanged(world.old, done[-1].identity)
            install.roll_back(str(world.old), world.ground)
        world.assert_as_before()
        if finished:
            break
    else:
        raise AssertionError("never came to an end")
    assert at > (10 if removed else 15)


def test_a_failed_check_in_place_brings_the_old_one_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hello(go: Any, _: object) -> None:
        if go.root == world.old:
            raise HostError("hello world does not run", hint="the hint")

    monkeypatch.setattr(verify, "hello", hello)
    with pytest.raises(HostError, match="verify it in its place") as raised:
        world.install()
    assert "is as it was before" in raised.value.meaning
    assert raised.value.hint == "the hint"
    world.assert_as_before()


def test_an_interrupt_after_the_last_write_does_not_claim_to_have_undone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = replace._commit

    def commit(*args: Any) -> None:
        real(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(replace, "_commit", commit)
    with pytest.raises(KeyboardInterrupt):
        world.install()
    assert (world.old / "bin/go").read_text() == "patched"
    monkeypatch.undo()
    (row,) = listing.rows(world.ground.root, HOST)
    assert row.state == "unchanged"


def test_a_second_interrupt_while_undoing_says_what_to_do(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(replace, "_put", interrupt)
        patch.setattr(recovery, "undo", interrupt)
        with pytest.raises(InterruptedRunError, match="could not be undone") as raised:
            world.install()
    assert "toolchain-list" in raised.value.hint
    assert not world.old.exists()
    install.mend(world.ground)
    world.assert_as_before()


def test_a_damaged_backup_is_not_rolled_back_to(world: World) -> None:
    done = world.install()
    assert done.backup is not None
    (done.backup / "bin/go").write_text("damaged")
    with pytest.raises(HostError, match="backup is not what it was"):
        install.roll_back("", world.ground)
    assert (world.old / "bin/go").read_text() == "patched"
    assert done.backup.is_dir()
    (row,) = listing.rows(world.ground.root, HOST)
    assert row.state == "unchanged"


def test_what_somebody_put_there_meanwhile_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(replace, "_undone", lambda _beside, _action, _step, error: error)
        patch.setattr(replace, "_put", lambda _: (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            world.install()
    assert not world.old.exists()
    make_tree(world.old, "theirs")
    install.mend(world.ground)
    assert (world.old / "bin/go").read_text() == "theirs"
    (backup,) = world.opt.glob("go.gopatch-backup-*")
    assert tree.scan(backup) == world.before
    assert str(backup) in world.said[-1]


def test_a_rename_never_goes_onto_something(tmp_path: Path) -> None:
    """POSIX would quietly replace an empty folder."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with pytest.raises(HostError, match="something lies there"):
        room.rename(tmp_path / "a", tmp_path / "b")


# --- undoing, as a decision


@pytest.mark.parametrize(
    ("there", "acts"),
    [
        (There(goroot="other"), ()),
        (There(goroot="nothing"), ()),
        (There(goroot="other", new=True), (("new", None),)),
        (There(goroot="nothing", new=True, backup=True), (("backup", "goroot"), ("new", None))),
        (There(goroot="ours", backup=True), (("goroot", "new"), ("backup", "goroot"), ("new", None))),
        (There(goroot="ours"), (("goroot", "new"), ("new", None))),
        (There(goroot="other", new=True, backup=True), (("new", None),)),
    ],
)
def test_undoing_an_install(there: There, acts: tuple[object, ...]) -> None:
    assert recovery.undo(Pending(action="install", stamp="s", step="x"), there) == acts


@pytest.mark.parametrize(
    ("there", "acts"),
    [
        (There(goroot="other", backup=True), ()),
        (There(goroot="nothing", backup=True, aside=True), (("aside", "goroot"),)),
        (There(goroot="other", aside=True), (("goroot", "backup"), ("aside", "goroot"))),
        (There(goroot="other", backup=True, aside=True), ()),
        (There(goroot="other"), ()),
    ],
)
def test_undoing_a_rollback(there: There, acts: tuple[object, ...]) -> None:
    assert recovery.undo(Pending(action="rollback", stamp="s", step="x"), there) == acts


@pytest.mark.parametrize("name", ["../../etc", "/etc", "go", "a\\b.gopatch-new-1"])
def test_a_journal_cannot_name_what_is_not_ours(world: World, name: str) -> None:
    world.beside.journal.write_text(json.dumps({"format": 1, "trash": [name]}))
    with pytest.raises(HostError, match="not a journal"):
        install.roll_back(str(world.old), world.ground)
    assert world.beside.journal.exists()


# --- refusals


def test_a_store_entry_that_was_changed(world: World) -> None:
    (world.patched / "bin/go").write_text("trojan")
    with pytest.raises(HostError, match=r"not the one that run one-1234 measured: bin or pkg/tool"):
        world.install()
    world.assert_as_before()


def test_what_to_remove_is_only_ever_an_entry_of_the_store(world: World) -> None:
    (world.patched / "bin/go").write_text("trojan")
    with pytest.raises(HostError) as raised:
        world.install()
    assert "remove" not in raised.value.hint
    (world.patched.parent / "entry.json").write_text("{}")
    with pytest.raises(HostError) as raised:
        world.install()
    assert f"remove {world.patched.parent}" in raised.value.hint


@pytest.mark.parametrize(("recipe", "noted"), [("staged", False), ("overlay", True)])
@pytest.mark.parametrize("dry_run", [False, True])
def test_tools_that_cannot_say_what_they_are_on_are_named(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    recipe: str,
    noted: bool,
    dry_run: bool,
) -> None:
    world.report(recipe=recipe)
    monkeypatch.setattr(command, "_guarded", lambda act, **_: act(world.ground, Console(quiet=True)))
    options = command.Options(root=world.home, run=str(world.run), dry_run=dry_run)
    assert command.install(options) is ExitCode.PASS
    assert ("go version does not name the series" in capsys.readouterr().out) is noted


def test_an_empty_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``--replace=$GOROOT`` without a GOROOT must not install elsewhere."""
    (tmp_path / "runs/latest").mkdir(parents=True)
    for word, options in {
        "run": command.Options(root=tmp_path, run=""),
        "to": command.Options(root=tmp_path, to=""),
        "replace": command.Options(root=tmp_path, replace=""),
    }.items():
        assert command.install(options) == ExitCode.USAGE
        assert f"--{word} is empty" in capsys.readouterr().err
    assert command.rollback("") == ExitCode.USAGE


def _kept_tree(world: World) -> Path:
    """The store has the list of the patched tree; its folder."""
    manifest = tree.scan(world.patched)
    kept = world.home / "store/v1/trees/other"
    kept.mkdir(parents=True)
    tree.save(manifest, kept / "manifest.json")
    entry = {"kind": "toolchains", "inputs": {"tree": tree.digest(manifest)}}
    (world.patched.parent / "entry.json").write_text(json.dumps(entry))
    return kept


def test_a_changed_source_in_the_store(world: World) -> None:
    """The tools' digest does not see the library; the patched tree's file list in the store does."""
    kept = _kept_tree(world)
    for text in ("{", "[]", "7", "null"):  # what is damaged beside it, some of it found before it
        for number in range(20):
            (kept.parent / str(number)).mkdir(exist_ok=True)
            (kept.parent / str(number) / "manifest.json").write_text(text)
        install.plan(world.request, world.ground)
    assert world.said == []
    (world.patched / "src/runtime/proc.go").write_text("package runtime // changed\n")
    with pytest.raises(HostError, match=r"src/runtime/proc\.go changed since"):
        world.install()


def test_sources_that_cannot_be_compared_are_said(world: World) -> None:
    shutil.rmtree(_kept_tree(world))
    install.plan(world.request, world.ground)
    (note,) = world.said
    assert f"only the tools in {world.patched} were compared" in note
    world.install()
    assert note in world.said[1:]


def test_a_copy_that_went_wrong(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.copyfile

    def copyfile(source: Path, target: Path) -> None:
        real(source, target)
        if target.name == "proc.go":
            target.write_text("damaged")

    monkeypatch.setattr(shutil, "copyfile", copyfile)
    with pytest.raises(HostError, match="is not what was copied"):
        world.install()
    world.assert_as_before()


def test_a_copy_that_shares_files(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "copyfile", os.link)
    with pytest.raises(HostError, match="by a hard link"):
        world.install()
    world.assert_as_before()


def test_runs_that_have_nothing_to_install(world: World) -> None:
    with pytest.raises(UsageError, match="holds no run"):
        candidate.from_run(world.home)
    (world.run / "report.json").write_text('{"toolchains": [{"role": "base"}]}')
    with pytest.raises(NothingToDoError, match="built no patched toolchain"):
        world.install()
    (world.run / "report.json").write_text("[]")
    with pytest.raises(NothingToDoError):
        world.install()
    (world.run / "report.json").write_text("{")
    with pytest.raises(HostError, match="cannot be read"):
        world.install()
    world.report(path=str(world.home / "gone"))
    with pytest.raises(HostError, match="no longer at"):
        world.install()
    foreign = make_tree(world.home / "foreign", "patched")
    next((foreign / "pkg/tool").iterdir()).rename(foreign / "pkg/tool/plan9_arm")
    world.report(path=str(foreign))
    with pytest.raises(HostError, match="has no tools for"):
        world.install()


def _refused(world: World, replaced: Path) -> PipelineError:
    world.request = Request(run=world.run, replace=str(replaced))
    with pytest.raises(PipelineError) as raised:
        world.install()
    assert raised.value.hint
    assert not [path for path in replaced.parent.iterdir() if "gopatch" in path.name]
    return raised.value


def test_no_go_tree(world: World) -> None:
    error = _refused(world, world.home / "nowhere")
    assert error.exit_code == ExitCode.USAGE
    assert "there is no" in error.what
    (world.home / "some").mkdir()
    error = _refused(world, world.home / "some")
    assert error.exit_code == ExitCode.USAGE
    assert "is not a Go tree: it has no src/runtime, VERSION, bin/go" in error.what


def test_another_platform(world: World) -> None:
    tools = world.old / "pkg/tool"
    next(tools.iterdir()).rename(tools / "plan9_arm")
    error = _refused(world, world.old)
    assert error.exit_code == ExitCode.USAGE
    assert f"holds tools for plan9/arm, the new toolchain is for {HOST}" in error.what


@posix
def test_a_link(world: World) -> None:
    link = world.home / "golink"
    link.symlink_to(world.old)
    error = _refused(world, link)
    assert error.exit_code == ExitCode.USAGE
    assert error.what == f"{link} is a link to {world.old}"
    assert f"--replace={world.old}" in error.hint


def test_the_store(world: World) -> None:
    error = _refused(world, world.patched)
    assert error.exit_code == ExitCode.USAGE
    assert "own store" in error.what
    world.request = Request(run=world.run, to=str(world.home / "store/v1/mine"))
    with pytest.raises(UsageError, match="own store"):
        world.install()
    with pytest.raises(UsageError, match="own store"):
        preflight.refuse_store(Path("/opt/go"), Path("/opt/go/cache"))


def test_a_folder_that_is_not_empty(world: World) -> None:
    world.request = Request(run=world.run, to=str(world.opt))
    with pytest.raises(UsageError, match="is not an empty folder"):
        world.install()
    world.request = Request(run=world.run, to="x", replace="y")
    with pytest.raises(UsageError, match="do not go together"):
        world.install()
    with pytest.raises(UsageError, match="root of a file system"):
        room.at("/")


def test_in_use(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    user = preflight.User(pid=4711, name="gopls", executable=str(world.old / "bin/go"))
    monkeypatch.setattr(preflight, "users", lambda _: (user,))
    error = _refused(world, world.old)
    assert error.exit_code == ExitCode.ENVIRONMENT
    assert error.what == f"{world.old} is in use: gopls (process 4711) runs from it"


def test_a_program_that_starts_while_copying(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Path] = []

    def users(root: Path) -> tuple[preflight.User, ...]:
        calls.append(root)
        late = len(calls) > 2
        return (preflight.User(pid=1, name="go", executable=f"{root}/bin/go"),) if late else ()

    monkeypatch.setattr(preflight, "users", users)
    with pytest.raises(HostError, match="is in use"):
        world.install()
    world.assert_as_before()


def test_the_processes_of_a_tree_are_seen(tmp_path: Path, processes: None) -> None:
    import subprocess
    import sys

    sleeper = tmp_path / "bin/sleeper"
    sleeper.parent.mkdir()
    shutil.copy(shutil.which("sleep") or sys.executable, sleeper)
    with subprocess.Popen([sleeper, "60"]) as process:
        try:
            (found,) = preflight.users(tmp_path)
            assert (found.pid, found.executable) == (process.pid, str(sleeper))
        finally:
            process.kill()


def test_not_writable(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write everywhere, so the system's answer is a stand-in here."""
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != world.opt and real(path, mode))
    error = _refused(world, world.old)
    assert error.exit_code == ExitCode.ENVIRONMENT
    assert error.what == f"{world.opt} cannot be written by this user"


def test_of_another_user(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "_foreign", lambda _: "alice")
    error = _refused(world, world.old)
    assert error.exit_code == ExitCode.ENVIRONMENT
    assert "belongs to the user alice" in error.what


def test_no_space(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    none = preflight.Space(needed=300 * 2**20, free=100 * 2**20, files=1, inodes=None)
    monkeypatch.setattr(preflight, "space", lambda *_: none)
    error = _refused(world, world.old)
    assert error.exit_code == ExitCode.ENVIRONMENT
    assert "needs 300 MiB, 100 MiB are free" in error.what
    full = preflight.Space(needed=1, free=2, files=9, inodes=3)
    with pytest.raises(HostError, match="takes 3 more"):
        preflight.refuse_space(world.old, full)


def test_space_is_counted_in_blocks() -> None:
    assert preflight.need([1, 4096, 4097]) == (4 * 4096 + preflight.SPARE, 3)


def test_two_at_once(world: World) -> None:
    with room.hold(world.beside), pytest.raises(HostError, match="at this moment"):
        world.install()
    world.install()
    with room.hold(world.beside), pytest.raises(HostError, match="at this moment"):
        install.roll_back("", world.ground)


def test_nothing_to_roll_back(world: World) -> None:
    for goroot in ("", str(world.old)):
        with pytest.raises(NothingToDoError):
            install.roll_back(goroot, world.ground)
    done = world.install()
    assert done.backup is not None
    done.backup.rename(world.home / "moved")
    with pytest.raises(NothingToDoError, match="is gone"):
        install.roll_back("", world.ground)
    assert (world.old / "bin/go").read_text() == "patched"


def test_which_one_to_roll_back(world: World) -> None:
    world.install()
    second = make_tree(world.home / "second/go", "second")
    world.request = Request(run=world.run, replace=str(second))
    world.install()
    with pytest.raises(UsageError, match="2 trees were replaced"):
        install.roll_back("", world.ground)


def test_an_old_toolchain_that_does_not_work(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(*_: object) -> str:
        raise HostError("does not run")

    monkeypatch.setattr(verify, "ask", ask)
    assert "does not work as it is" in _refused(world, world.old).what


# --- owners


def test_a_package(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = owners.Owner(manager="dpkg", package="golang-1.22-go")
    monkeypatch.setattr(owners, "find", lambda _: owner)
    error = _refused(world, world.old)
    assert error.exit_code == ExitCode.USAGE
    assert error.what == f"{world.old} belongs to the package golang-1.22-go of dpkg"
    assert "first on PATH" in error.hint


@pytest.mark.parametrize(
    ("read", "text", "package"),
    [
        (owners.from_dpkg, "golang-1.22-go: /usr/lib/go-1.22/bin/go\n", "golang-1.22-go"),
        (owners.from_dpkg, "diversion by x from: /a\na, b: /a\n", "a, b"),
        (owners.from_dpkg, "", ""),
        (owners.from_rpm, "golang-bin-1.22.5-1.fc40.x86_64\n", "golang-bin-1.22.5-1.fc40.x86_64"),
        (owners.from_rpm, "file /x is not owned by any package\n", ""),
        (owners.from_pacman, "/usr/lib/go/bin/go is owned by go 2:1.22.5-1\n", "go 2:1.22.5-1"),
        (owners.from_pacman, "error: No package owns /x\n", ""),
    ],
)
def test_what_a_manager_answers(read: Callable[[str], str], text: str, package: str) -> None:
    assert read(text) == package


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("/nix/store/abcdefghijklmnopqrstuvwxyz012345-go-1.22.5/share/go", "the package go-1.22.5 of Nix"),
        ("/gnu/store/abc-go-1.22/lib/go", "the package abc-go-1.22 of Guix"),
        ("/snap/go/10660", "the package go of snap"),
        ("/var/lib/snapd/snap/go/10660", "the package go of snap"),
        ("/opt/homebrew/Cellar/go/1.22.5/libexec", "the package go of Homebrew"),
        ("/opt/local/lib/go", "MacPorts"),
        ("/usr/lib/go-1.22", "this system's packages"),
        ("/usr/lib/golang", "this system's packages"),
        ("/home/a/go/pkg/mod/golang.org/toolchain@v0.0.1-go1.24.1.linux-amd64", "Go's module cache"),
        ("/usr/local/go", None),
        ("/opt/go", None),
        ("/usr/lib/gopher", None),
        ("/home/a/sdk/go1.22.5", None),
    ],
)
def test_what_a_path_gives_away(path: str, owner: str | None) -> None:
    found = owners.by_path(Path(path))
    assert str(found).startswith(owner) if owner else found is None


@pytest.mark.skipif(not shutil.which("dpkg"), reason="asks the real dpkg")
def test_dpkg_is_asked(processes: None, tmp_path: Path) -> None:
    (dpkg, *_) = owners.MANAGERS
    assert owners.ask(dpkg, [str(tmp_path / "a[b]*"), "/usr/bin/dpkg"]) == "dpkg"
    assert owners.ask(dpkg, [str(tmp_path / "nobody's"), "/usr/bin/dpk*"]) == ""


def test_a_manager_that_is_not_there_owns_nothing(processes: None) -> None:
    manager = owners.Manager(name="no", program="no-such-manager", words=(), package=owners.from_rpm)
    assert owners.ask(manager, ["/x"]) == ""


# --- small ones


@pytest.mark.parametrize(
    ("version", "series", "name"),
    [
        ("1.27.3", "my-series", "1.27.3-my-series"),
        ("1.27.3-my-series.1a2b3c4d", "my-series", "1.27.3-my-series.1a2b3c4d"),
        ("devel go1.28-0123 Thu Jan 1", "x", "devel-go1.28-0123-Thu-Jan-1-x"),
        ("../1", "../../etc", "-1-..-..-etc"),
        ("..", "", "-"),
    ],
)
def test_a_folder_name_for_any_report(version: str, series: str, name: str) -> None:
    found = candidate.Candidate(
        root=Path("/r"), version=version, series=series, digest="", recipe="", run="", verdict=""
    )
    assert found.name == name
    assert Path(name).name == name


def test_how_go_spells_a_version() -> None:
    spelled = [
        verify.Expected(version=version, digest="", host=HOST).name
        for version in ("1.27.3-my-series.1a2b3c4d", "devel go1.28-0123 Thu Jan 1")
    ]
    assert spelled == ["go1.27.3-my-series.1a2b3c4d", "devel go1.28-0123 Thu Jan 1"]


def test_what_is_no_elf() -> None:
    for image in (b"MZ", b"\x7fELF", b"\x7fELF\x02\x01" + bytes(30)):
        with pytest.raises(HostError, match="ELF"):
            verify.asks_for_loader(image)


@pytest.mark.skipif(not Path("/bin/sh").exists() or HOST.goos != "linux", reason="reads a Linux program")
def test_a_program_with_a_loader() -> None:
    assert verify.asks_for_loader(Path("/bin/sh").resolve().read_bytes())
