"""Test binaries of both sides, compiled once and kept by hash.

``-trimpath`` keeps the folder out of the bits, so that equal sources give equal binaries wherever they
were built; the binaries are run with GOROOT set, which they would otherwise not find.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import blame, proc
from pipeline.errors import HostError, PatchError
from pipeline.golang import EXE, Go
from pipeline.patch.reach import changed_packages, is_test_file
from pipeline.records import Side
from pipeline.store import file_sha256
from pipeline.toolchain import trees
from pipeline.toolchain.build import Builder
from pipeline.values import GoTree, Platform, TestBinary, Variant

COMPILE_TIMEOUT = 1800.0
# Vet has a signal of its own in the compile gate; here it would take some seconds and change no bit.
COMPILE = ("test", "-c", "-vet=off")
FLAGS = ("-trimpath",)
PLAIN = Variant()
_ERROR = re.compile(r"^(?:\./)?([\w./-]+\.go):(\d+):(?:\d+:)? (.*)$", re.MULTILINE)

_EXCLUDED = "build constraints exclude all Go files in "
_NO_PACKAGE = "the baseline has no such package"


class TestBuildError(Exception):
    """A test binary did not compile. ``result`` is the compiler's run."""

    def __init__(self, package: str, result: proc.Result) -> None:
        super().__init__(package)
        self.package = package
        self.result = result

    @property
    def untested(self) -> bool:
        """Whether there was nothing to compile: the package has no tests for the platform."""
        return self.result.ok or self.excluded

    @property
    def excluded(self) -> bool:
        """Whether the package has no Go file at all for the platform."""
        said = self.result.stdout
        head = re.compile(rf"^package (?:std/)?{re.escape(self.package)}: {_EXCLUDED}", re.MULTILINE)
        return "[build failed]" not in said and head.search(said) is not None


class _UnclearError(Exception):
    """A failure without a word about code, which may be this machine's: its reason is not kept."""


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """A test file of the series left out of the baseline, with the compiler's reason."""

    file: str
    reason: str


def compile_one(
    builder: Builder,
    go: Go,
    tree: GoTree,
    side: Side,
    package: str,
    tools: str,
    target: Platform | None = None,
    variant: Variant = PLAIN,
) -> TestBinary:
    """``go test -c`` of one package, for this host or ``target``, or in a ``variant`` for this host.
    TestBuildError when it does not compile; HostError when the machine stopped it."""
    flat = package.replace("/", "_")
    name = f"{flat}.test{executable(target)}"
    log = f"testbin-{side}-{flat}" + (f"-{target.goos}-{target.goarch}" if target else "")
    flags = (*(FLAGS if variant.trimmed else ()), *variant.flags)

    def build(folder: Path) -> Mapping[str, Any]:
        result = builder.shell.run(
            f"{log}-{variant.name}" if variant.name else log,
            go.command(*COMPILE, f"-p={builder.jobs}", *flags, "-o", folder / name, f"./{package}"),
            env=go.build_env(target, extra=variant.environment),
            cwd=tree.root / "src",
            timeout=COMPILE_TIMEOUT,
        )
        if cause := blame.host_fault(result):
            raise blame.stopped(f"compiling {package}'s tests", cause, result.log)
        if not result.ok or not (folder / name).is_file():
            raise TestBuildError(package, result)
        return {"sha256": file_sha256(folder / name)}

    entry = builder.store.fill("testbins", key(tree, package, tools, target, variant), build)
    return TestBinary(
        package=package,
        side=side,
        path=entry.path / name,
        sha256=str(entry.meta["sha256"]),
        goroot=tree.root,
        variant=variant.name,
    )


def key(
    tree: GoTree, package: str, tools: str, target: Platform | None, variant: Variant
) -> dict[str, object]:
    """All that decides what ``compile_one`` makes."""
    flags = (*(FLAGS if variant.trimmed else ()), *variant.flags)
    inputs: dict[str, object] = {"tree": tree.digest, "package": package, "tools": tools, "flags": flags}
    if target:
        inputs["target"] = str(target)
    if variant.environment or variant.identity:
        inputs |= {"environment": dict(variant.environment), "identity": variant.identity}
    return inputs


def executable(target: Platform | None) -> str:
    """The ending of a program's name on ``target``, or on this host."""
    return EXE if target is None else ".exe" if target.goos == "windows" else ""


def fingerprint(
    builder: Builder, tree: GoTree, side: Side, package: str, target: Platform
) -> tuple[str, str]:
    """The sha256 of a package's test binary for any platform, or '' and the reason why there is none. Both
    are kept, the binary is not, nor a reason that is not about code."""

    def build(folder: Path) -> Mapping[str, Any]:
        path = folder / "test"
        go = builder.go(tree.root, builder.base.digest)
        result = builder.shell.run(
            f"testbin-{side}-{package.replace('/', '_')}-{target.goos}-{target.goarch}",
            go.command(*COMPILE, f"-p={builder.jobs}", *FLAGS, "-o", path, package),
            env=go.build_env(target),
            cwd=tree.root / "src",
            timeout=COMPILE_TIMEOUT,
        )
        if cause := blame.host_fault(result):
            raise blame.stopped(f"compiling {package}'s tests for {target}", cause, result.log)
        if not result.ok:
            reason = next(iter(result.tail.strip().splitlines()), "it failed")
            if blame.unclear(result):
                raise _UnclearError(reason)
            return {"sha256": "", "reason": reason}
        if not path.is_file():
            return {"sha256": "", "reason": "it has no tests there"}
        sha256 = file_sha256(path)
        path.unlink()
        return {"sha256": sha256, "reason": ""}

    inputs = {
        "charged": blame.CHARGED,
        "tree": tree.digest,
        "package": package,
        "tools": builder.base.digest,
        "flags": FLAGS,
        "platform": str(target),
    }
    try:
        meta = builder.store.fill("fingerprints", inputs, build).meta
    except _UnclearError as error:
        return "", str(error)
    return str(meta["sha256"]), str(meta["reason"])


def has_layouts(tree: GoTree) -> bool:
    """Whether this tree's linker can lay functions out by a seed (Go 1.23 and later)."""
    try:
        source = (tree.root / "src/cmd/link/internal/ld/main.go").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return '"randlayout"' in source


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The baseline's test binaries, the tree they were built from, and the test files left out. A package
    that has none there is not in ``binaries``: all its tests are new."""

    tree: GoTree
    binaries: Mapping[str, TestBinary]
    dropped: tuple[Dropped, ...]


def compile_baseline(
    builder: Builder,
    patched: GoTree,
    changed: Sequence[str],
    packages: Sequence[str],
    target: Platform | None = None,
    variant: Variant = PLAIN,
) -> Baseline:
    """The baseline's code with as many of the series' test files as compile there.

    A file that the compiler rejects is left out, and what it holds is ``new``: it cannot be compared.
    """
    tests = {name: patched.manifest.get(name, "removed") for name in changed if is_test_file(name)}
    # What was found out once is kept: finding it takes a failing build for each round of files.
    inputs: dict[str, Any] = {"base": builder.base.digest, "tests": tests, "packages": list(packages)}
    inputs["charged"] = blame.CHARGED
    inputs |= {"target": str(target)} if target else {}
    inputs |= {"environment": dict(variant.environment)} if variant.environment else {}
    compile_ = functools.partial(_compile_overlaid, builder, patched, changed, target=target, variant=variant)

    def resolve(_: Path) -> Mapping[str, Any]:
        return {"dropped": _resolve(builder, patched, changed, packages, compile_)}

    entry = builder.store.fill("overlays", inputs, resolve)
    dropped: dict[str, str] = dict(entry.meta["dropped"])
    laid, binaries = compile_(packages, dropped)
    files = tuple(Dropped(file=name, reason=why) for name, why in sorted(dropped.items()))
    return Baseline(tree=laid, binaries=binaries, dropped=files)


def _compile_overlaid(
    builder: Builder,
    patched: GoTree,
    changed: Sequence[str],
    packages: Sequence[str],
    dropped: Mapping[str, str],
    *,
    target: Platform | None,
    variant: Variant,
) -> tuple[GoTree, dict[str, TestBinary]]:
    laid = trees.overlaid(builder.store, builder.base, patched, changed, sorted(dropped))
    go = builder.go(laid.root, builder.base.digest)
    tools = builder.base.digest
    binaries: dict[str, TestBinary] = {}
    for package in packages:
        if not any(map(is_test_file, _go_files(laid, package))):
            continue
        try:
            binaries[package] = compile_one(builder, go, laid, "base", package, tools, target, variant)
        except TestBuildError as error:
            if not error.untested:
                raise
    return laid, binaries


def _go_files(tree: GoTree, package: str) -> list[str]:
    """The Go files of a package's folder, whatever platform they are for."""
    folder = f"src/{package}"
    return [name for name in tree.manifest if name.endswith(".go") and name.rpartition("/")[0] == folder]


def _resolve(
    builder: Builder,
    patched: GoTree,
    changed: Sequence[str],
    packages: Sequence[str],
    compile_: Callable[[Sequence[str], Mapping[str, str]], object],
) -> dict[str, str]:
    """The test files that must be left out, by the compiler's word, with its reason."""
    affected = [package for package in packages if package in changed_packages(filter(is_test_file, changed))]
    dropped = {
        name: _NO_PACKAGE
        for package in affected
        # Of a package that is nothing but tests, they can be compiled without it.
        if not _go_files(builder.base, package) and not all(map(is_test_file, _go_files(patched, package)))
        for name in _go_files(patched, package)
        if is_test_file(name)
    }
    while True:
        try:
            compile_(affected, dropped)
            return dropped
        except TestBuildError as error:
            found = _culprits(error, changed, dropped)
            if not found:
                raise HostError(
                    f"the baseline's own tests of {error.package} do not compile:\n{error.result.tail}",
                    hint=f"the log is {error.result.log}",
                ) from error
            dropped |= found


def _culprits(error: TestBuildError, changed: Sequence[str], dropped: Mapping[str, str]) -> dict[str, str]:
    """The series' test files that the compiler names; else all of that package's that are left."""
    left = [name for name in changed if is_test_file(name) and name not in dropped]
    reasons: dict[str, str] = {}
    for path, line, message in _ERROR.findall(error.result.stdout):
        name = f"src/{path}"
        if name in left:
            reasons.setdefault(name, f"line {line}: {message}")
    if reasons:
        return reasons
    return {
        name: "does not compile on the baseline"
        for name in left
        if changed_packages([name]) == [error.package]
    }


def compile_patched(
    builder: Builder,
    go: Go,
    patched: GoTree,
    tools: str,
    packages: Sequence[str],
    target: Platform | None = None,
    variant: Variant = PLAIN,
) -> dict[str, TestBinary]:
    """The patched side's test binaries; none for a package whose tests or code are all for other platforms.
    PatchError with the compiler's lines when one does not compile."""
    binaries = {}
    for package in packages:
        try:
            binaries[package] = compile_one(builder, go, patched, "patched", package, tools, target, variant)
        except TestBuildError as error:
            if error.excluded or (error.untested and any(map(is_test_file, _go_files(patched, package)))):
                continue
            raise PatchError(
                f"the tests of {package} do not compile with the series applied:\n{error.result.tail}",
                hint=f"the log is {error.result.log}",
            ) from error
    return binaries
