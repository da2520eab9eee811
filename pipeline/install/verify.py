"""Whether a toolchain works where it lies: asked as its user would, without a GOROOT in the environment.

Linux is what this was run on. The check of the ELF header is left out elsewhere.
"""

from __future__ import annotations

import contextlib
import struct
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import proc
from pipeline.errors import HostError
from pipeline.golang import EXE, Go, spelled
from pipeline.store import Store, remove_tree
from pipeline.toolchain.build import tools_digest
from pipeline.values import Platform

ASK_TIMEOUT = 60.0
BUILD_TIMEOUT = 900.0
_PT_INTERP = 3
_HELLO = """package main

import (
	"fmt"
	"runtime"
)

func main() { fmt.Println("hello from", runtime.Version()) }
"""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a toolchain must turn out to be. ``digest`` is over bin and pkg/tool."""

    version: str
    digest: str
    host: Platform

    @property
    def name(self) -> str:
        """The version as Go spells it."""
        return spelled(self.version)


@contextlib.contextmanager
def scratch(store: Store) -> Iterator[Path]:
    """A folder for the programs and the build cache of one install, in the store: /tmp may be noexec, and a
    warm cache would hide a compiler that does not work. ``clean`` removes what a killed one left."""
    folder = Path(tempfile.mkdtemp(prefix=".tmp-verify-", dir=store.shared("work")))
    try:
        yield folder
    finally:
        with contextlib.suppress(OSError):  # an install that counts is not to fail for it
            remove_tree(folder)


def check(root: Path, expected: Expected, work: Path) -> None:
    """Run every check on the toolchain at ``root``; HostError by the first that fails."""
    go = Go(root=root, cache=work / "gocache", work=work)
    digest(root, expected)
    version(go, expected)
    goroot(go)
    hello(go, expected)


def digest(root: Path, expected: Expected) -> None:
    """The tools are those that were measured."""
    try:
        found = tools_digest(root, expected.host)
    except OSError as error:
        raise HostError(f"the tools in {root} cannot be read: {error.strerror}: {error.filename}") from error
    if found != expected.digest:
        raise HostError(
            f"the tools in {root} have the digest {found[:12]} instead of {expected.digest[:12]}",
            meaning="a file of bin or pkg/tool is not what it was",
        )


def version(go: Go, expected: Expected) -> None:
    """``go version`` runs and names the release."""
    said = ask(go, "version")
    if said != f"go version {expected.name} {expected.host}":
        raise HostError(f"{go.binary} says {said!r}, which is not {expected.name} for {expected.host}")


def goroot(go: Go) -> None:
    """``go env GOROOT`` finds the tree by itself."""
    said = ask(go, "env", "GOROOT")
    if not said or Path(said).resolve() != go.root.resolve():
        raise HostError(f"{go.binary} takes {said or 'nothing'} for its GOROOT instead of {go.root}")


def hello(go: Go, expected: Expected) -> None:
    """A static hello world builds, runs, and names the release that built it."""
    folder = go.work / "hello"
    folder.mkdir(exist_ok=True)
    (folder / "hello.go").write_text(_HELLO, encoding="utf-8")
    binary = folder / f"hello{EXE}"
    _run(go, [go.binary, "build", "-o", binary, "hello.go"], BUILD_TIMEOUT, "hello world does not build")
    said = _run(go, [binary], ASK_TIMEOUT, "hello world does not run")
    if said != f"hello from {expected.name}":
        raise HostError(f"hello world, built by {go.binary}, says {said!r}")
    if expected.host.goos == "linux" and asks_for_loader(binary.read_bytes()):
        raise HostError(
            f"hello world, built by {go.binary} with CGO_ENABLED=0, is not static: it asks for a loader"
        )


def ask(go: Go, *words: str) -> str:
    """What ``go WORDS`` prints; HostError when it does not run."""
    return _run(go, go.command(*words), ASK_TIMEOUT, f"{go.binary} {' '.join(words)} does not run")


def _run(go: Go, argv: Sequence[str | Path], timeout: float, failed: str) -> str:
    env = go.env()
    del env["GOROOT"]  # it must find its own place: a user sets none
    folder = go.work / "hello"
    result = proc.run(argv, env=env, cwd=folder if folder.is_dir() else None, timeout=timeout, merge=False)
    if not result.ok:
        why = f"it did not end within {timeout:g} s" if result.timed_out else f"exit code {result.returncode}"
        raise HostError(f"{failed} with {go.root}: {why}\n{result.tail}".rstrip())
    return result.stdout.strip()


def asks_for_loader(image: bytes) -> bool:
    """Whether an ELF file has a PT_INTERP segment, by its program headers. Pure; HostError for no ELF."""
    try:
        if image[:4] != b"\x7fELF":
            raise HostError("what was built is not an ELF file")
        order = "<" if image[5] == 1 else ">"
        wide = image[4] == 2
        (start,) = struct.unpack_from(order + ("Q" if wide else "I"), image, 32 if wide else 28)
        size, count = struct.unpack_from(f"{order}HH", image, 54 if wide else 42)
        kinds = [struct.unpack_from(f"{order}I", image, start + number * size)[0] for number in range(count)]
    except (struct.error, IndexError) as error:
        raise HostError("what was built is a damaged ELF file") from error
    return _PT_INTERP in kinds
