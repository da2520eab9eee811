"""For platforms that this host is not: the release's tools proven, a patched toolchain packed with its tests,
and bundles, in which nothing is left to be compiled. In this order: each uses what the one before built.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ExitCode
from pipeline.flow import bundling
from pipeline.flow.bundling import Bundle
from pipeline.flow.sides import Sides
from pipeline.source.wheel import WheelRelease
from pipeline.store import file_sha256
from pipeline.toolchain import build, identity, linking, programs, recipes, stamp, testbin
from pipeline.toolchain.build import Builder
from pipeline.toolchain.linking import Linker
from pipeline.toolchain.programs import Origin
from pipeline.toolchain.stamp import Stamp
from pipeline.values import SIDES, Platform
from tests.integration.fleets import records, run
from tests.integration.harness import RELEASE, light, ring_series
from tests.integration.toolchains import check_verified, pack

pytestmark = pytest.mark.go

PACKAGE = "container/ring"
# One for macOS would take as long again, for its tools alone.
MAGIC = {"windows-amd64": b"MZ"}
LINKER = {"windows-amd64": "pkg/tool/windows_amd64/link.exe"}


@dataclass(frozen=True, kw_only=True)
class Made:
    """What one call of ``./inv bundle`` left, and said of it."""

    folder: Path
    said: Mapping[str, Any]

    def unpacked(self, cell: str, root: Path) -> tuple[Bundle, Sides]:
        """The cell's bundle, and its sides below ``root``, as its machine would have them."""
        given, _ = bundling.load(self.folder / "cells" / cell)
        return given, bundling.unpack(self.folder / "cells" / cell, given, root)


@pytest.fixture(scope="module")
def series(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ring_series(tmp_path_factory.mktemp("cross") / "ring", release)


def test_the_official_tools_are_built_here_bit_for_bit(cache: Path) -> None:
    check_verified(cache, f"--base={RELEASE}", "--goos=windows", "--goarch=amd64", likeness="same")


def test_a_tool_for_macos_is_the_official_one_but_for_its_signature(builder: Builder, tmp_path: Path) -> None:
    """Apple's signature cannot be made again; everything before it can. A small tool stands for all."""
    target = Platform(goos="darwin", goarch="arm64")
    official, _ = WheelRelease(RELEASE, target).fetch(builder.store, builder.shell)
    go = builder.go(builder.base.root, builder.base.digest)
    how = recipes.read(builder.shell, go, go.root, builder.host)
    one = replace(how, commands=("preprofile",))
    built = build.compile_tools(builder, go, one, tmp_path / "out", target, "preprofile")
    (found,) = identity.compare(built, {name: official.root / name for name in built})
    assert (found.name, found.likeness) == ("pkg/tool/darwin_arm64/preprofile", "unsigned")


def test_a_program_for_macos_is_linked_again_from_its_kit(builder: Builder) -> None:
    base = builder.base
    target = Platform(goos="darwin", goarch="arm64")
    go = builder.go(base.root, base.digest)
    binary = testbin.compile_one(builder, go, base, "base", PACKAGE, base.digest, target)
    origin = Origin(builder=builder, go=go, tree=base, side="base", tools=base.digest, target=target)
    # That the kit gives the go command's bits is proven where it is made.
    kit = programs.kit(origin, binary)
    mark = Stamp(commit="", series="5" * 64, tree="7" * 64)
    data = programs.stamped(origin, binary, kit, mark).path.read_bytes()
    assert data.startswith(b"\xcf\xfa\xed\xfe")
    assert stamp.find(data) == mark


def test_packed_for_windows_it_holds_windows_tools(cache: Path, series: Path, tmp_path: Path) -> None:
    code, found, err = pack(
        cache, f"--series={series}", "--goos=windows", "--goarch=amd64", "--tests", f"--out={tmp_path}"
    )
    assert code == ExitCode.PASS, err
    with zipfile.ZipFile(found["path"]) as archive:
        names = set(archive.namelist())
        assert archive.read("go/bin/go.exe")[:2] == b"MZ"
        assert archive.read("go/VERSION").decode().startswith(f"go{found['version']}\n")
        assert b"\t// ring\n" in archive.read("go/src/container/ring/ring.go")
    with zipfile.ZipFile(found["tests"]["path"]) as archive:
        binaries = [name for name in archive.namelist() if name.endswith("container_ring.test.exe")]
        assert [name.split("/")[1] for name in binaries] == ["base", "patched"]
        assert {archive.read(name)[:2] for name in binaries} == {b"MZ"}
    assert "go/pkg/tool/windows_amd64/compile.exe" in names
    assert not [name for name in names if name.startswith("go/pkg/tool/linux")]


@pytest.fixture(scope="module")
def made(cache: Path, series: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("elsewhere")
    words = [f"--series={series}", "--profile=quick", f"--cells={','.join(MAGIC)}", "--json"]
    done = run(cache, "bundle", *words, f"--out={folder / 'build'}", root=light("random"))
    assert done.returncode == ExitCode.PASS, done.stderr
    return Made(folder=folder / "build", said=json.loads(done.stdout))


def test_the_plan_says_what_there_is_and_how_large(made: Made) -> None:
    sizes = {one["cell"]: one["files"] for one in made.said["cells"]}
    assert sizes.keys() == MAGIC.keys()
    for cell, files in sizes.items():
        folder = made.folder / "cells" / cell
        assert files == {path.name: path.stat().st_size for path in folder.iterdir()}
    noted = {one["cell"]: one["files"] for one in records(made.folder / "run") if one["kind"] == "bundled"}
    assert noted == sizes


@pytest.mark.parametrize("cell", list(MAGIC))
def test_all_of_it_is_of_that_platform(made: Made, cell: str, tmp_path: Path) -> None:
    given, sides = made.unpacked(cell, tmp_path)
    assert str(given.plan.cells[0].platform) == cell.replace("-", "/")
    programs = list(sides.programs())
    assert {one.side for one in programs if one.package == PACKAGE} == set(SIDES)
    for one in programs:
        data = one.path.read_bytes()
        assert data.startswith(MAGIC[cell]), one.path
        assert stamp.find(data) == sides.stamps[one.side]
    for side in SIDES:
        assert (sides.trees[side].root / LINKER[cell]).read_bytes().startswith(MAGIC[cell])
        # No tool of the machine that made it, which could be taken for one of theirs.
        assert not list(sides.trees[side].root.glob("pkg/tool/linux_*"))
    both = [sides.trees[side].root / "src/container/ring/ring.go" for side in SIDES]
    assert ["// ring\n" in path.read_text() for path in both] == [False, True]


@pytest.mark.parametrize("cell", list(MAGIC))
def test_its_rounds_can_be_linked_from_it(made: Made, cell: str, tmp_path: Path, builder: Builder) -> None:
    given, sides = made.unpacked(cell, tmp_path / "there")
    goos, goarch = cell.split("-")
    for side in SIDES:
        linker = Linker(
            shell=builder.shell,
            # The linker of this host, and nothing else that is not in the bundle.
            go=builder.go(builder.base.root, builder.base.digest),
            host=builder.host,
            target=Platform(goos=goos, goarch=goarch),
            build=given.plan.cells[0].build,
        )
        kit = sides.kits[side][PACKAGE]
        program = tmp_path / side / kit.program
        program.parent.mkdir()
        linking.link(linker, f"again-{side}", kit, sides.stamps[side], program)
        assert file_sha256(program) == sides.binaries[side][PACKAGE].sha256


def test_this_host_does_not_pass_for_it(made: Made, cache: Path, tmp_path: Path) -> None:
    out = tmp_path / "cell-windows-amd64"
    bundle = made.folder / "cells/windows-amd64"
    done = run(cache, "cell", "windows-amd64", f"--bundle={bundle}", f"--out={out}")
    assert done.returncode == ExitCode.ENVIRONMENT, done.stderr
    assert "run it on a machine of that platform" in done.stderr
    report = run(cache, "merge", str(made.folder / "run"), str(out), f"--out={tmp_path / 'report'}")
    assert report.returncode == ExitCode.INCONCLUSIVE, report.stderr
    cells = {one["id"]: one for one in json.loads((tmp_path / "report/report.json").read_text())["cells"]}
    assert {cells[cell]["exercise"] for cell in MAGIC} == {"missing"}
