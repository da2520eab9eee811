"""Test binaries of both sides for any platform, built on this machine and packed: where they are run nothing
needs to be compiled."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import NothingToDoError
from pipeline.flow.packing import Packed
from pipeline.golang import patched_version
from pipeline.patch.reach import changed_packages
from pipeline.records import Side
from pipeline.store import file_sha256
from pipeline.toolchain import build, compiled, pack, programs, trees
from pipeline.toolchain.build import Builder
from pipeline.toolchain.compiled import Compiled
from pipeline.toolchain.pack import Member
from pipeline.toolchain.stamp import Stamp
from pipeline.toolchain.testbin import Dropped
from pipeline.toolchain.trees import PatchedTree
from pipeline.values import SIDES, Binaries, GoTree, Platform, Series, TestBinary

MANIFEST, NOTES = "manifest.json", "README.txt"
_NOTES = """\
Test binaries of {series} on Go {base} for {target}, compiled with CGO_ENABLED=0 and -trimpath.

base/      the baseline's code with the series' own test files laid over it
patched/   the code with the series applied
Each says of itself which series and tree it is from: go version -m shows it.
{manifest} says which packages, tests and benchmarks, and the sha256 of each file.

Some tests read files of their package or call the go command. Unpack the toolchain of the same series and
platform (toolchain-pack) beside this folder, and run each binary in its package's folder there:

    export GOROOT=$PWD/go
    cd go/src/{package}
    {up}/base/{binary} -test.v -test.run '{tests}'
    {up}/patched/{binary} -test.v -test.run '{tests}'
    {up}/patched/{binary} -test.run '^$' -test.bench '{benchmarks}'
"""


def packed_tests(
    builder: Builder, patched: PatchedTree, series: Series, target: Platform, commit: str
) -> Packed:
    """The archive; from the store when it is there. ``commit`` is this project's own, for the stamps.
    PatchError when a side does not compile, NothingToDoError when there is no test to pack."""
    packages = sorted({*series.tests, *series.benchmarks}) or _tested(patched)
    if not packages:
        raise NothingToDoError(f"series {series.name} changes no package that has tests")
    version = patched_version(builder.base.version, series.name, patched.tree.digest)
    made = _sides(builder, patched, series, packages, target)
    if not made.binaries["patched"]:
        raise NothingToDoError(f"{', '.join(packages)}: no tests for {target}")
    binaries = _stamped(made, made.stamps(commit, series.digest))
    about = _about(builder, series, target, binaries, made.dropped)
    name = pack.tests_name(version, target)
    stem = f"{pack.stem(version)}-tests"

    def fill(folder: Path) -> Mapping[str, Any]:
        (folder / MANIFEST).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        notes = _notes(series, builder.base, target, binaries["patched"], stem)
        (folder / NOTES).write_text(notes, encoding="utf-8")
        files = [
            Member(name=f"{stem}/{one}", path=folder / one, executable=False) for one in (MANIFEST, NOTES)
        ]
        files.append(pack.license_of(stem))
        files += [
            Member(name=f"{stem}/{side}/{one.path.name}", path=one.path, executable=True)
            for side in SIDES
            for one in binaries[side].values()
        ]
        archive = folder / name
        pack.write(archive, sorted(files, key=lambda file: file.name), pack.released(builder.base.root))
        return {"sha256": file_sha256(archive), "size": archive.stat().st_size}

    entry = builder.store.fill("archives", {"tests": about, "name": name, "form": pack.FORM}, fill)
    return Packed(
        path=entry.path / name,
        version=version,
        sha256=str(entry.meta["sha256"]),
        size=int(entry.meta["size"]),
        proof=_proof(packages, target, binaries),
        reused=entry.reused,
    )


def _tested(patched: PatchedTree) -> list[str]:
    found = changed_packages(patched.changed)
    return [one for one in found if any((patched.tree.root / "src" / one).glob("*_test.go"))]


def _sides(
    builder: Builder, patched: PatchedTree, series: Series, packages: Sequence[str], target: Platform
) -> Compiled:
    own = None
    if build.touches_tools(builder, patched.changed):
        named = trees.named(builder.store, patched.tree, series.name)
        own = build.build(builder, named, "staged", own_tools=True)
    # As for this host, so that the host's own are not built twice.
    other = None if target == builder.host else target
    return compiled.both(builder, patched, packages, own_tools=own, target=other)


def _stamped(made: Compiled, stamps: Mapping[Side, Stamp]) -> dict[Side, dict[str, TestBinary]]:
    return {
        side: {
            package: programs.stamped(origin, one, programs.kit(origin, one), stamps[side])
            for package, one in made.binaries[side].items()
        }
        for side, origin in made.origins.items()
    }


def _proof(packages: Sequence[str], target: Platform, binaries: Binaries) -> str:
    """Which binaries are in the archive, and why some are not."""
    new = binaries["patched"]
    skipped = [one for one in packages if one not in new]
    alone = [one for one in new if one not in binaries["base"]]
    said = [f"test binaries of {', '.join(new)}, baseline and patched"]
    said += [f"patched alone for {', '.join(alone)}: the baseline has no tests of it"] if alone else []
    said += [f"left out, without tests for {target}: {', '.join(skipped)}"] if skipped else []
    return "; ".join(said)


def _about(
    builder: Builder, series: Series, target: Platform, binaries: Binaries, dropped: Sequence[Dropped]
) -> dict[str, Any]:
    """What is in the archive, for whoever runs it."""
    old = binaries["base"]
    return {
        "schema_version": 1,
        "series": series.name,
        "series_digest": series.digest,
        "base": builder.base.version,
        "base_digest": builder.base.digest,
        "goos": target.goos,
        "goarch": target.goarch,
        "packages": {
            package: {
                "binary": one.path.name,
                "base": old[package].sha256 if package in old else "",
                "patched": one.sha256,
                "tests": list(series.tests.get(package, ())),
                "benchmarks": list(series.benchmarks.get(package, ())),
            }
            for package, one in binaries["patched"].items()
        },
        "left_out_of_base": {one.file: one.reason for one in dropped},
    }


def _notes(series: Series, base: GoTree, target: Platform, new: Mapping[str, TestBinary], stem: str) -> str:
    # The first with tests and benchmarks to show: without a list, a pattern is all that there is.
    package = max(new, key=lambda one: (one in series.tests, one in series.benchmarks))
    return _NOTES.format(
        series=series.name,
        base=base.version,
        target=target,
        manifest=MANIFEST,
        package=package,
        up="/".join([".."] * (package.count("/") + 3)) + f"/{stem}",
        binary=new[package].path.name,
        tests=_pattern(series.tests.get(package, ())),
        benchmarks=_pattern(series.benchmarks.get(package, ())),
    )


def _pattern(names: Sequence[str]) -> str:
    return f"^({'|'.join(names)})$" if names else "."
