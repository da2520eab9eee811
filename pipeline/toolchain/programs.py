"""Test binaries as they are run: what the go command made, linked again with a stamp, and the kits by which
rounds get layouts of their own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import blame
from pipeline.errors import HostError, PatchError
from pipeline.golang import Go
from pipeline.records import Side
from pipeline.store import file_sha256
from pipeline.suites import attendant as attendant_source
from pipeline.suites import environment
from pipeline.toolchain import linking, testbin
from pipeline.toolchain.build import Builder
from pipeline.toolchain.linking import Linker
from pipeline.toolchain.stamp import Stamp
from pipeline.values import GoTree, Kit, Platform, TestBinary, Variant

_PROBE = "gopatch/environment"
_ATTENDANT = "gopatch/attendant"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What one side's test binaries are compiled from, by what, and for which platform (None: this host) in
    which build. ``tools`` is the digest of what compiles them."""

    builder: Builder
    go: Go
    tree: GoTree
    side: Side
    tools: str
    target: Platform | None = None
    variant: Variant = testbin.PLAIN

    @property
    def linker(self) -> Linker:
        """The linker of these tools."""
        return Linker(
            shell=self.builder.shell,
            go=self.go,
            host=self.builder.host,
            target=self.target,
            build=self.variant.environment,
        )


def kit(origin: Origin, binary: TestBinary) -> Kit:
    """What ``binary`` is linked from, proven to give its bits. HostError when it does not."""
    builder, variant, package = origin.builder, origin.variant, binary.package
    flags = (*(testbin.FLAGS if variant.trimmed else ()), *variant.flags)
    words = (*testbin.COMPILE, "-x", f"-p={builder.jobs}", *flags)
    inputs = testbin.key(origin.tree, package, origin.tools, origin.target, variant)
    return _kit(origin, binary, inputs, words, f"./{package}")


def _kit(
    origin: Origin, binary: TestBinary, inputs: Mapping[str, object], words: Sequence[str], what: str | Path
) -> Kit:
    builder, package = origin.builder, binary.package

    def capture(folder: Path) -> Mapping[str, Any]:
        scratch = folder / "again"
        result = builder.shell.run(
            f"kit-{origin.side}-{package.replace('/', '_')}",
            origin.go.command(*words, "-o", scratch, what),
            env=origin.go.build_env(origin.target, extra=origin.variant.environment),
            cwd=origin.tree.root / "src",
            timeout=testbin.COMPILE_TIMEOUT,
        )
        if not result.ok:
            if cause := blame.host_fault(result):
                raise blame.stopped(f"linking {binary.path.name}", cause, result.log)
            raise HostError(
                f"{binary.path.name} was built, and then could not be built again:\n{result.tail}",
                hint=f"the log is {result.log}",
            )
        scratch.unlink()
        return linking.captured(result.stdout, binary.path, origin.linker, folder)

    entry = builder.store.fill("linkkits", {**inputs, "form": 1}, capture)
    return linking.read(entry.meta, entry.path)


def probe(origin: Origin, mark: Stamp) -> TestBinary:
    """The program that says what its environment is, with a stamp: ``suites/environment.go``."""
    return _helper(origin, _PROBE, environment.SOURCE, mark)


def attendant(origin: Origin, mark: Stamp) -> TestBinary:
    """The first process of a container, with a stamp: ``suites/attendant.go``."""
    return _helper(origin, _ATTENDANT, attendant_source.SOURCE, mark)


def _helper(origin: Origin, package: str, source: Path, mark: Stamp) -> TestBinary:
    builder = origin.builder
    name = f"{source.stem}{testbin.executable(origin.target)}"
    words = ("build", *testbin.FLAGS, f"-p={builder.jobs}")
    inputs = {
        **testbin.key(origin.tree, package, origin.tools, origin.target, origin.variant),
        "source": file_sha256(source),
    }

    def build(folder: Path) -> Mapping[str, Any]:
        result = builder.shell.run(
            source.stem,
            origin.go.command(*words, "-o", folder / name, source),
            env=origin.go.build_env(origin.target, extra=origin.variant.environment),
            cwd=origin.tree.root / "src",
            timeout=testbin.COMPILE_TIMEOUT,
        )
        if not result.ok:
            if cause := blame.host_fault(result):
                raise blame.stopped(f"compiling {source.name}", cause, result.log)
            if origin.side == "base":
                raise HostError(
                    f"{source.name} does not compile with the baseline:\n{result.tail}",
                    hint=f"the log is {result.log}",
                )
            raise PatchError(
                f"a small program does not compile with the series applied:\n{result.tail}",
                hint=f"the log is {result.log}",
            )
        return {"sha256": file_sha256(folder / name)}

    entry = builder.store.fill("helpers", inputs, build)
    plain = TestBinary(
        package=package,
        side=origin.side,
        path=entry.path / name,
        sha256=str(entry.meta["sha256"]),
        goroot=origin.tree.root,
    )
    return stamped(origin, plain, _kit(origin, plain, inputs, (*words, "-x"), source), mark)


def stamped(origin: Origin, binary: TestBinary, made_of: Kit, mark: Stamp) -> TestBinary:
    """``binary`` with a stamp."""
    inputs = {"binary": binary.sha256, "stamp": dataclasses.asdict(mark)}

    def build(folder: Path) -> Mapping[str, Any]:
        program = folder / made_of.program
        linking.link(origin.linker, f"stamp-{origin.side}-{made_of.program}", made_of, mark, program)
        return {"sha256": file_sha256(program)}

    entry = origin.builder.store.fill("programs", inputs, build)
    return dataclasses.replace(
        binary,
        path=entry.path / made_of.program,
        sha256=str(entry.meta["sha256"]),
        compiled=binary.sha256,
    )
