"""A real toolchain in a temporary GOROOT: installed, rolled back, and a failure at each step of both."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pipeline import tree
from pipeline.errors import ExitCode, HostError
from pipeline.golang import host_platform
from pipeline.install import beside, install, preflight, rollback
from pipeline.install.install import Ground, Request
from pipeline.install.replace import LAST
from pipeline.toolchain.build import tools_digest
from tests.integration import forked
from tests.integration.harness import RELEASE, ROOT, command, environment
from tests.integration.killed_install import ground as made_ground

pytestmark = pytest.mark.go

HOST = host_platform()
HOST_TOOLS = f"pkg/tool/{HOST.goos}_{HOST.goarch}"
TOOL = f"{HOST_TOOLS}/fix"
# What go runs while an install looks: it ends when it is told to.
HOLD = """package main

import (
	"fmt"
	"io"
	"os"
)

func main() {
	fmt.Println("started")
	io.Copy(os.Stdout, os.Stdin)
}
"""
# Said after every thousand files, with how many there are in all.
HALF = "copy the toolchain: 1000 of "
STEPS = (
    "see that the old one can be moved",
    "copy the toolchain",
    HALF,
    "read the copy back",
    "verify the copy",
    "have it on disk",
    "see that nothing runs from the old one",
    "set the old one aside",
    "put the new one in its place",
    "verify it in its place",
    LAST,
)
BACK = (
    "see that nothing runs from it",
    "set it aside",
    "put the old one in its place",
    "verify the old one",
    LAST,
)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A GOROOT with the release, a run's folder, and where the rest is."""

    goroot: Path
    run: Path
    store: Path
    root: Path
    work: Path
    before: tree.Manifest

    def ground(self, at: str = "", error: type[BaseException] = HostError) -> Ground:
        """One that raises ``error`` at a step."""

        def watch(step: str) -> None:
            if step == at or (at == HALF and step.startswith(HALF)):
                raise error("injected")

        return made_ground(self.store, self.root, self.work, watch)

    def killed(self, action: str, at: str) -> int:
        """Do it in a process that kills itself at a step."""
        line = self.line("SIGKILL", action, at)
        return forked.run(line, cwd=ROOT, env=os.environ, timeout=300).returncode

    def line(self, signal_name: str, action: str, at: str) -> list[str]:
        """The command line of a process that does it, and sends itself a signal at a step."""
        places = (self.run, self.goroot, self.store, self.root, self.work)
        words = (signal_name, action, at, *map(str, places))
        return [sys.executable, "-m", "tests.integration.killed_install", *words]

    def inv(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command as its user has it, with this list of toolchains."""
        env = environment(self.store, GOPATCH_TOOLCHAINS=str(self.root))
        return forked.run(command(*words), cwd=ROOT, env=env, timeout=300)

    @property
    def request(self) -> Request:
        """Swap it in."""
        return Request(run=self.run, replace=str(self.goroot))

    def assert_old_works(self) -> None:
        """Every file is the old one's, it runs, and nothing else is left."""
        assert tree.scan(self.goroot) == self.before
        assert says(self.goroot) == f"go version go{RELEASE} {HOST}"
        left = {path.name for path in self.goroot.parent.iterdir()}
        assert left <= {self.goroot.name, beside.at(self.goroot).lock.name}


def says(goroot: Path) -> str:
    """``go version``, as its user has it."""
    done = subprocess.run([goroot / "bin/go", "version"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


# What hello world is compiled from, and what compiles it.
PACKAGES = {
    *("cmp", "errors", "fmt", "internal", "io", "iter", "math", "os", "path", "reflect", "runtime", "slices"),
    *("strconv", "sync", "syscall", "time", "unicode", "unsafe", "vendor"),
}
TOOLS = {"asm", "compile", "fix", "link"}


def copy_release(release: Path, target: Path) -> None:
    """As much of the release as builds hello world: what remains works, and is a sixth of the files to copy
    and to read back, some hundred times."""

    def left_out(folder: str, names: list[str]) -> set[str]:
        kept = {"src": PACKAGES, HOST_TOOLS: TOOLS}.get(str(Path(folder).relative_to(release)))
        only = {name for name in names if kept and name not in kept and "." not in name}
        return only | {name for name in names if name == "testdata" or name.endswith("_test.go")}

    shutil.copytree(release, target, ignore=left_out)


@pytest.fixture(scope="module")
def patched_run(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose patched toolchain is the release with another tool and another source."""
    home = tmp_path_factory.mktemp("patched")
    patched = home / "toolchain"
    copy_release(release, patched)
    with (patched / TOOL).open("ab") as stream:
        stream.write(b"patched")
    with (patched / "src/runtime/proc.go").open("a") as stream:
        stream.write("\n// patched\n")
    row = {"role": "patched", "version": RELEASE, "path": str(patched), "recipe": "staged"}
    report = {
        "run_id": "one",
        "verdict": "pass",
        "series": {"name": "my-series"},
        "toolchains": [row | {"digest": tools_digest(patched, HOST)}],
    }
    (home / "report.json").write_text(json.dumps(report))
    return home


@pytest.fixture(scope="module")
def place(patched_run: Path, release: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    home = tmp_path_factory.mktemp("place")
    copy_release(release, home / "opt/go")
    for name in ("work", "store"):
        (home / name).mkdir()
    return Place(
        goroot=home / "opt/go",
        run=patched_run,
        store=home / "store",
        root=home / "data",
        work=home / "work",
        before=tree.scan(home / "opt/go"),
    )


def test_the_steps_are_these(place: Place) -> None:
    """What follows fails at each of them, and would say nothing of one that is new."""
    steps = install.plan(place.request, place.ground()).steps
    assert [*steps, LAST] == [step for step in STEPS if step != HALF]
    assert not place.root.exists()
    place.assert_old_works()


@pytest.mark.parametrize("step", STEPS)
def test_an_exception_at_a_step_is_undone_at_once(place: Place, step: str) -> None:
    with pytest.raises(HostError, match="injected") as raised:
        install.install(place.request, place.ground(step))
    assert "is as it was before" in raised.value.meaning
    place.assert_old_works()


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_a_step_is_undone_by_the_next_command(place: Place, step: str) -> None:
    assert place.killed("install", step) == -signal.SIGKILL
    if place.goroot.exists():
        assert says(place.goroot) == f"go version go{RELEASE} {HOST}"
    else:  # between the two renames
        assert step == "put the new one in its place"
    done = place.inv("toolchain-list")
    assert done.returncode == ExitCode.PASS, done.stderr
    assert "undid an install that was cut short" in done.stderr
    assert done.stdout == "no toolchain is installed\n"
    place.assert_old_works()


def test_an_install_goes_on_after_a_kill(place: Place) -> None:
    assert place.killed("install", "put the new one in its place") == -signal.SIGKILL
    assert not place.goroot.exists()
    install.install(place.request, place.ground())
    assert (place.goroot / TOOL).read_bytes().endswith(b"patched")
    install.roll_back("", place.ground())
    place.assert_old_works()


@pytest.fixture
def stopped(place: Place) -> Iterator[subprocess.Popen[bytes]]:
    """An install that has stopped right before the swap."""
    line = place.line("SIGSTOP", "install", "set the old one aside")
    with subprocess.Popen(line, cwd=ROOT) as first:
        try:
            _, status = os.waitpid(first.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status)
            yield first
        finally:
            if first.poll() is None:
                first.kill()


def test_two_installs_at_once(place: Place, stopped: subprocess.Popen[bytes]) -> None:
    """Two processes: the second is refused and changes nothing, the first comes to its end."""
    second = place.inv("toolchain-install", f"--run={place.run}", f"--replace={place.goroot}")
    assert second.returncode == ExitCode.ENVIRONMENT, second.stderr
    assert f"another install or rollback works on {place.goroot} at this moment" in second.stderr
    back = place.inv("toolchain-rollback", f"--goroot={place.goroot}")
    assert back.returncode == ExitCode.ENVIRONMENT, back.stderr
    listed = place.inv("toolchain-list", "--json")
    (row,) = json.loads(listed.stdout)
    assert (row["path"], row["state"]) == (str(place.goroot), "unfinished")
    assert tree.scan(place.goroot) == place.before
    stopped.send_signal(signal.SIGCONT)
    assert stopped.wait(timeout=300) == 0
    assert (place.goroot / TOOL).read_bytes().endswith(b"patched")
    (row,) = json.loads(place.inv("toolchain-list", "--json").stdout)
    assert row["state"] == "unchanged"
    (backup,) = map(Path, row["backups"])
    assert tree.scan(backup) == place.before
    again = place.inv("toolchain-install", f"--run={place.run}", f"--replace={place.goroot}")
    assert again.returncode == ExitCode.NOTHING_TO_DO, again.stderr
    install.roll_back("", place.ground())
    place.assert_old_works()


def test_a_second_install_goes_on_where_the_first_was_killed(
    place: Place, stopped: subprocess.Popen[bytes]
) -> None:
    """The system frees the lock of a process that died."""
    stopped.kill()
    assert stopped.wait(timeout=60) == -signal.SIGKILL
    second = place.inv("toolchain-install", f"--run={place.run}", f"--replace={place.goroot}")
    assert second.returncode == ExitCode.PASS, second.stderr
    assert "undid an install that was cut short" in second.stderr
    install.roll_back("", place.ground())
    place.assert_old_works()


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_go_that_runs(place: Place, tmp_path: Path, when: str) -> None:
    """The real go of the tree that is to be replaced, busy with a program that waits for us."""
    (tmp_path / "hold.go").write_text(HOLD)
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    env["GOCACHE"] = str(place.work / "gocache")
    running: list[subprocess.Popen[str]] = []

    def start() -> None:
        process = subprocess.Popen(
            [place.goroot / "bin/go", "run", "hold.go"],
            cwd=tmp_path,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"

    def watch(step: str) -> None:
        if step == "see that nothing runs from the old one" and when == "meanwhile":
            start()

    if when == "before":
        start()
    try:
        with pytest.raises(HostError, match="is in use: go ") as raised:
            install.install(place.request, replace(place.ground(), watch=watch))
        (process,) = running
        assert f"go (process {process.pid}) runs from it" in raised.value.what
        assert ("as it was before" in raised.value.meaning) == (when == "meanwhile")
        place.assert_old_works()
        assert process.communicate("go on\n", timeout=60)[0] == "go on\n"
        assert process.returncode == 0
    finally:
        for process in running:
            process.kill()
    install.install(place.request, place.ground())  # nothing runs from it any more
    install.roll_back("", place.ground())
    place.assert_old_works()


@pytest.mark.parametrize("step", BACK)
def test_a_failure_at_a_step_of_a_rollback(place: Place, step: str) -> None:
    """The patched toolchain stays whole; going back works after it."""
    install.install(place.request, place.ground())
    patched = tree.scan(place.goroot)
    with pytest.raises(HostError, match="injected"):
        install.roll_back("", place.ground(step))
    assert tree.scan(place.goroot) == patched
    assert place.killed("rollback", step) == -signal.SIGKILL
    install.mend(place.ground())
    assert tree.scan(place.goroot) == patched
    assert says(place.goroot) == f"go version go{RELEASE} {HOST}"
    install.roll_back("", place.ground())
    place.assert_old_works()


def test_the_steps_of_a_rollback_are_these(place: Place) -> None:
    install.install(place.request, place.ground())
    back = rollback.prepare(beside.at(place.goroot), place.work, print)
    assert [step.name for step in rollback.steps(back)] == list(BACK[:-1])
    install.roll_back("", place.ground())
    place.assert_old_works()


def test_the_commands(place: Place, tmp_path: Path) -> None:
    """All three as a user types them, side by side and in place."""
    env = environment(tmp_path / "store", GOPATCH_TOOLCHAINS=str(tmp_path / "data"))

    def inv(*words: str, code: ExitCode = ExitCode.PASS) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command(*words), cwd=ROOT, env=env, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == code, done.stderr + done.stdout
        return done

    run = f"--run={place.run}"
    planned = inv("toolchain-install", run, "--dry-run")
    assert "2. copy the toolchain" in planned.stdout
    assert not (tmp_path / "data").exists()
    side = tmp_path / "data" / f"{RELEASE}-my-series"
    assert f"export PATH={side}/bin:$PATH" in inv("toolchain-install", run).stdout
    assert "installed already" in inv("toolchain-install", run, code=ExitCode.NOTHING_TO_DO).stderr
    told = json.loads(inv("toolchain-install", run, f"--replace={place.goroot}", "--json").stdout)
    assert told["goroot"] == str(place.goroot)
    rows = json.loads(inv("toolchain-list", "--json").stdout)
    assert [(row["path"], row["state"]) for row in rows] == [
        (str(side), "unchanged"),
        (str(place.goroot), "unchanged"),
    ]
    assert rows[1]["backups"] == [told["backup"]]
    assert "rolled back" in inv("toolchain-rollback").stdout
    inv("toolchain-rollback", code=ExitCode.NOTHING_TO_DO)
    inv("toolchain-rollback", f"--goroot={side}", code=ExitCode.NOTHING_TO_DO)
    place.assert_old_works()


def test_a_compiler_that_does_not_work_never_gets_there(
    place: Place, patched_run: Path, tmp_path: Path
) -> None:
    """The run says that this is the toolchain, and it is; only running it tells."""
    broken = tmp_path / "toolchain"
    shutil.copytree(patched_run / "toolchain", broken)
    compiler = broken / HOST_TOOLS / "compile"
    compiler.write_text("#!/bin/sh\nexit 1\n")
    report = json.loads((patched_run / "report.json").read_text())
    report["toolchains"][0] |= {"path": str(broken), "digest": tools_digest(broken, HOST)}
    (tmp_path / "report.json").write_text(json.dumps(report))
    with pytest.raises(HostError, match="hello world does not build"):
        install.install(Request(run=tmp_path, replace=str(place.goroot)), place.ground())
    place.assert_old_works()


@pytest.fixture
def small_disk(place: Place, tmp_path: Path, release: Path) -> Iterator[Path]:
    """A real disk with a GOROOT and room for most of another."""
    folder = tmp_path / "small"
    folder.mkdir()
    size = sum(path.stat().st_size for path in place.goroot.rglob("*") if path.is_file())
    options = f"size={size * 18 // 10}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    copy_release(release, folder / "go")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.rootonly
def test_a_full_disk(place: Place, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = Request(run=place.run, replace=str(small_disk / "go"))
    before = tree.scan(small_disk / "go")
    with pytest.raises(HostError, match="no space for the new tree"):
        install.install(request, place.ground())
    assert [path.name for path in small_disk.iterdir()] == ["go"]
    # Somebody else fills it after that was asked: the copy itself meets the end of the disk.
    monkeypatch.setattr(preflight, "refuse_space", lambda *_: None)
    with pytest.raises(HostError, match="No space left on device") as raised:
        install.install(request, place.ground())
    assert "is as it was before" in raised.value.meaning
    assert tree.scan(small_disk / "go") == before
    assert says(small_disk / "go") == f"go version go{RELEASE} {HOST}"
    assert {path.name for path in small_disk.iterdir()} == {"go", ".go.gopatch.lock"}


@pytest.mark.rootonly
def test_a_disk_without_room_for_the_journal(place: Place, small_disk: Path) -> None:
    """Nothing at all can be written: nothing is begun."""
    before = tree.scan(small_disk / "go")
    free = os.statvfs(small_disk)
    with (small_disk / "filler").open("wb") as stream:
        stream.write(bytes(free.f_bavail * free.f_frsize))
    env = environment(place.store, GOPATCH_TOOLCHAINS=str(place.root))
    line = command("toolchain-install", f"--run={place.run}", f"--replace={small_disk / 'go'}")
    done = subprocess.run(line, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.ENVIRONMENT, done.stderr
    assert "no space" in done.stderr
    assert tree.scan(small_disk / "go") == before


@pytest.mark.rootonly
def test_a_mount_point(place: Place, small_disk: Path, tmp_path: Path) -> None:
    target = tmp_path / "volume"
    target.mkdir()
    subprocess.run(["mount", "--bind", str(small_disk / "go"), str(target)], check=True)
    try:
        with pytest.raises(HostError, match="is a mount point"):
            install.install(Request(run=place.run, replace=str(target)), place.ground())
    finally:
        subprocess.run(["umount", str(target)], check=True)


@pytest.mark.rootonly
def test_a_read_only_goroot(place: Place, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(HostError, match="cannot be written by this user"):
        install.install(Request(run=place.run, replace=str(small_disk / "go")), place.ground())
