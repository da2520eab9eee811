"""What the machine did is never charged to a patch, and never kept."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import proc
from pipeline.errors import HostError
from pipeline.gates import checks
from pipeline.gates.checks import Outcome, Place, Task
from pipeline.golang import Go
from pipeline.records import Signal
from pipeline.store import Store
from pipeline.toolchain import testbin
from pipeline.toolchain.build import Builder
from pipeline.values import GoTree, Platform

pytestmark = [
    pytest.mark.usefixtures("processes"),
    pytest.mark.skipif(os.name != "posix", reason="the go command is a shell script here"),
]
LINUX = Platform(goos="linux", goarch="amd64")
KILLED = "kill -9 $$"
STORED = ("checks", "fingerprints")
# The first seven are as go 1.27.3 wrote them on a machine with that fault, with shorter paths.
MACHINE = [
    "go: creating work dir: stat /nonexistent: no such file or directory",
    "go: creating work dir: mkdir /proc/go-build4090543056: no such file or directory",
    "failed to initialize build cache at /proc/x: mkdir /proc/x: no such file or directory",
    "errors: /x/pkg/tool/linux_amd64/compile: signal: killed",
    "go: error obtaining buildID for go tool compile: fork/exec /x/compile: permission denied",
    "go: error obtaining buildID for go tool compile: pipe2: too many open files",
    "fatal error: failed to reserve page summary memory\n\nruntime stack:\n\truntime/panic.go:1243 +0x48",
    "errors: fork/exec /x/compile: cannot allocate memory",
    "errors: open $WORK/b001/importcfg: no such file or directory",
    "vet -flags failed: open /dev/null: is a directory",
    "# errors\nmkdir /dev/null/: file exists",
    "go: open /x/go.mod: Permission denied",
    "# p\nlink: mapping output file failed: invalid argument",
    # However much was found before, and however far above the end it is said.
    "# p\np/p.go:3:2: undefined: x\nq: /x/compile: signal: killed",
    "q: /x/compile: signal: killed" + "\n# p\np/p.go:3:2: undefined: x" * 40,
]
PATCH = [
    "p/p.go:3:2: undefined: x",
    'p/p.s:3: unrecognized instruction "FROB"\nasm: assembly of p/p.s failed',
    'p/p.go:2:14: cannot use "signal: killed" (untyped string constant) as int value',
    'vet: p/p.go:2:14: cannot use "no space left on device" (untyped string constant) as int value',
    "# p\np/p.go:4:3: not enough arguments in call to f\n\thave (fork/exec /x: permission denied)",
    "package errors\n\timports fmt from zz.go\n\timports errors from errors.go: import cycle not allowed",
    "# nopkg/x\npackage nopkg/x is not in std (/x/src/nopkg/x)\nFAIL\tnopkg/x [setup failed]\nFAIL",
    "package syscall/js: build constraints exclude all Go files in /x/src/syscall/js",
    "go: errors parsing go.mod:\ngo.mod:14: unknown directive: frob",
    "# p\np.F: relocation target p.g not defined",
    "# p\nlink: duplicated definition of symbol p.F, from p and q",
    "# p\np.F: nosplit stack over 792 byte limit",
    "# p\nlink: p: invalid reference to runtime.x",
    "found packages p (p.go) and q (q.go) in /x/src/p",
    # As go 1.27.3 says it of Android and iOS.
    "# p\nandroid/amd64 requires external (cgo) linking, but cgo is not enabled\nFAIL\tp [setup failed]",
    # A finding is one, whatever the go command could not do besides.
    "# p\np/p.go:3:2: undefined: x\ngo: mkdir /x: permission denied",
]

UNCLEAR = [
    "p: /x/pkg/tool/linux_amd64/compile: signal: segmentation fault",
    "# p\nlink: words that nobody knows",
    "",
]


class Bench:
    """A tree whose go command is a script, with a store and logs beside it."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "store")
        self.store.prepare()
        self.shell = proc.Shell(logs=folder / "logs", observe=lambda *_: None)
        self.tree = GoTree(root=folder / "tree", version="1.27.3", digest="d", manifest={})
        (folder / "tree/src").mkdir(parents=True)
        (folder / "tree/bin").mkdir()
        self.folder = folder

    def go_does(self, script: str) -> None:
        """Have the go command run ``script``."""
        path = self.tree.root / "bin/go"
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)

    def check(self, signal: Signal = "build") -> Outcome:
        """One task, asked as the compile gate asks."""

        def go(root: Path) -> Go:
            return Go(root=root, cache=self.folder, work=self.folder)

        place = Place(
            store=self.store, shell=self.shell, release="r", go=go, home=self.tree.root, tags={}, jobs=1
        )
        task = Task(signal=signal, platform=LINUX, tree=self.tree, packages=("p",), files={})
        return checks.run(place, [task], "patched", lambda _: None)[0]

    def fingerprint(self) -> tuple[str, str]:
        """That of package p's tests."""
        builder = Builder(
            store=self.store, shell=self.shell, base=self.tree, host=LINUX, jobs=1, work=self.folder
        )
        return testbin.fingerprint(builder, self.tree, "base", "p", LINUX)

    def kept(self) -> list[str]:
        """Whatever the store holds of results, whole or half made."""
        return [str(path) for kind in STORED for path in (self.store.area / kind).glob("*")]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A bench of this test's own."""
    return Bench(tmp_path)


def says(text: str) -> str:
    """A script that writes ``text`` and fails."""
    return f"printf '%s\\n' {shlex.quote(text)} >&2; exit 1"


ASKED = [Bench.check, Bench.fingerprint]


@pytest.mark.parametrize("ask", ASKED)
@pytest.mark.parametrize("script", [KILLED, f"echo p/p.go:3:2: no; {KILLED}", *map(says, MACHINE)])
def test_what_the_machine_did_is_an_error_of_it_and_is_not_kept(
    bench: Bench, ask: Callable[[Bench], object], script: str
) -> None:
    bench.go_does(script)
    with pytest.raises(HostError, match="was stopped by this machine: ") as caught:
        ask(bench)
    assert bench.kept() == []
    assert "nothing about the patch" in caught.value.meaning
    log = Path(caught.value.hint.rpartition("the log is ")[2])
    assert log.is_file()
    # The machine is well again: it is asked again, and that is kept.
    bench.go_does("exit 0")
    ask(bench)
    assert len(bench.kept()) == 1


def test_the_cause_is_named(bench: Bench) -> None:
    bench.go_does(KILLED)
    with pytest.raises(HostError, match=r"linux/amd64 \(vet\) was stopped by this machine: .* SIGKILL"):
        bench.check("vet")
    bench.go_does(says(MACHINE[0]))
    with pytest.raises(HostError, match="creating work dir: stat /nonexistent"):
        bench.check("tests")


@pytest.mark.parametrize("text", PATCH)
def test_what_the_patch_did_is_charged_to_it_and_kept(bench: Bench, text: str) -> None:
    bench.go_does(says(text))
    first = bench.check()
    assert not first.ok
    assert first.output.endswith(text)
    sha256, reason = bench.fingerprint()
    assert (sha256, reason) == ("", text.splitlines()[0])
    assert len(bench.kept()) == 2
    assert bench.check().reused


@pytest.mark.parametrize("text", UNCLEAR)
def test_a_failure_without_a_word_about_code_is_not_kept(bench: Bench, text: str) -> None:
    bench.go_does(says(text))
    found = bench.check()
    assert (found.ok, found.unclear, found.output.endswith(text)) == (False, True, True)
    assert bench.fingerprint()[0] == ""
    assert bench.kept() == []
    bench.go_does("exit 0")
    assert bench.check().ok


def test_a_go_command_that_passes_may_say_anything(bench: Bench) -> None:
    bench.go_does("echo q: signal: killed")
    assert bench.check().ok


@pytest.mark.parametrize(("ask", "kind"), list(zip(ASKED, STORED, strict=True)))
def test_what_was_kept_before_the_machine_was_told_apart_is_not_believed(
    bench: Bench, ask: Callable[[Bench], object], kind: str
) -> None:
    bench.go_does(says(PATCH[0]))
    ask(bench)
    (entry,) = (bench.store.area / kind).iterdir()
    inputs = json.loads((entry / "entry.json").read_text())["inputs"]
    assert inputs.pop("charged")
    assert not bench.store.known(kind, inputs)
