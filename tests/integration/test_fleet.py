"""Built here, run elsewhere: a bundle in a place that has no Go and no cache, and what becomes of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from pipeline.errors import ExitCode
from tests.integration.fleets import CELL, merged, records, run
from tests.integration.forked import Forked
from tests.integration.harness import ROOT, command, environment, quick, ring_series

pytestmark = pytest.mark.go


@pytest.fixture(scope="module")
def results(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cell's results, from a copy of its bundle and with an empty cache."""
    there = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(built / "cells" / CELL, there / "bundle")
    out = there / "results" / f"cell-{CELL}"
    done = run(there / "cache", "cell", CELL, f"--bundle={there / 'bundle'}", f"--out={out}")
    assert done.returncode == ExitCode.PASS, done.stderr
    assert f"{CELL}  measured  ran natively on this host" in done.stdout
    return out


def test_the_cell_fetches_and_compiles_nothing(results: Path) -> None:
    ran = [one["argv"] for one in records(results) if one["kind"] == "command"]
    assert ran
    programs = {Path(argv[0]).name for argv in ran}
    assert programs <= {"link", "container_ring.test", "environment"}
    assert not (results / ".bundle").exists(), "what was unpacked is gone"


def test_the_whole_is_one_run(cache: Path, built: Path, results: Path, tmp_path: Path) -> None:
    done = merged(cache, built, results.parent, tmp_path / "report")
    assert done.code in {ExitCode.PASS, ExitCode.INCONCLUSIVE}, done.err
    (cell,) = done.report["cells"]
    assert cell["exercise"] == "measured"
    assert [gate["status"] for gate in cell["gates"] if gate["gate"] == "test"] == ["pass", "pass"]
    assert any(row["unit"] == "sec/op" and row["n"] >= 6 for row in cell["benchmarks"])
    assert [one["role"] for one in done.report["toolchains"]] == ["base", "patched"]
    found = cell["conditions"]
    assert {one["state"] for one in found["programs"]} == {"same"}
    assert all(one["relinked"] for one in found["programs"] if one["package"] == "container/ring")
    assert found["machine"]["os"].startswith("Linux")
    # By debug.ReadBuildInfo, in a process there.
    assert found["seen"]["stamp"]["series"] == done.report["series"]["digest"] == found["series"]
    assert found["seen"]["stamp"]["commit"] == found["commit"]
    assert found["seen"]["goos"] == "linux"
    assert (done.folder / "bench" / f"{CELL}.txt").read_bytes() == (
        results / "bench" / f"{CELL}.txt"
    ).read_bytes()


def test_go_reads_the_stamp_of_a_program(built: Path, release: Path, tmp_path: Path) -> None:
    from pipeline.flow import bundling

    given, _ = bundling.load(built / "cells" / CELL)
    sides = bundling.unpack(built / "cells" / CELL, given, tmp_path / "there")
    for side in ("base", "patched"):
        binary = sides.binaries[side]["container/ring"]
        said = subprocess.run(
            [release / "bin/go", "version", "-m", binary.path], capture_output=True, text=True, check=True
        ).stdout
        mark = sides.stamps[side]
        assert f"\tbuild\tgopatch.series={mark.series}\n" in said
        assert f"\tbuild\tgopatch.tree={mark.tree}\n" in said
        assert "\tpath\tcontainer/ring.test\n" in said


def test_a_cell_that_is_killed_is_missing(cache: Path, built: Path, tmp_path: Path) -> None:
    out = tmp_path / f"cell-{CELL}"
    words = command("cell", CELL, f"--bundle={built / 'cells' / CELL}", f"--out={out}")
    nowhere = Path(os.devnull)
    process = Forked(words, cwd=ROOT, env=environment(cache), out=nowhere, err=nowhere)
    deadline = time.monotonic() + 120
    while not any(one["kind"] == "pair" for one in records(out)):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(30)
    done = merged(cache, built, out, tmp_path / "report")
    assert done.code == ExitCode.INCONCLUSIVE
    (cell,) = done.report["cells"]
    assert (cell["exercise"], cell["benchmarks"]) == ("missing", [])
    assert "it did not come to its end" in cell["reason"]
    assert "**missing**" in done.summary


def test_a_program_that_was_altered_is_not_run(cache: Path, built: Path, tmp_path: Path) -> None:
    from pipeline.flow import bundling

    there = tmp_path / "bundle"
    shutil.copytree(built / "cells" / CELL, there)
    given, _ = bundling.load(there)
    name = next(one for one in given.files if one.startswith("programs/"))
    # A whole and valid bundle, in which one program has the hash of another.
    other = next(one for one in given.files if one.startswith("programs/") and one != name)
    data = json.loads((there / "bundle.json").read_text())
    data["files"][name] = data["files"][other]
    (there / "bundle.json").write_text(json.dumps(data))
    # Its archive holds one file too many then; without it, all hashes are right.
    gone = given.files[name].split(" ")[0]
    _without(there / "files.tar.gz", gone)
    out = tmp_path / f"cell-{CELL}"
    done = run(cache, "cell", CELL, f"--bundle={there}", f"--out={out}")
    assert done.returncode == ExitCode.ENVIRONMENT, done.stderr
    assert "is not the one that was built" in done.stderr
    assert not any(one["kind"] in {"pair", "gate"} for one in records(out))
    report = merged(cache, built, out, tmp_path / "report")
    assert report.code == ExitCode.INCONCLUSIVE
    assert "it was given another bundle than this run made" in report.report["cells"][0]["reason"]


def _without(archive: Path, gone: str) -> None:
    import tarfile

    scratch = archive.with_name("scratch")
    with tarfile.open(archive) as reader, tarfile.open(scratch, "w:gz", compresslevel=1) as writer:
        for member in reader:
            if member.name != gone:
                writer.addfile(member, reader.extractfile(member))
    scratch.replace(archive)


def test_a_patch_that_does_not_compile_makes_no_bundle(cache: Path, release: Path, tmp_path: Path) -> None:
    series = ring_series(tmp_path / "broken", release, body="\treturn n +\n")
    done = run(cache, "bundle", *quick(series), f"--out={tmp_path / 'build'}", f"--cells={CELL}")
    assert done.returncode == ExitCode.PATCH_FAILS, done.stderr
    assert not (tmp_path / "build/cells").exists()
    report = merged(cache, tmp_path / "build", tmp_path, tmp_path / "report")
    assert report.code == ExitCode.PATCH_FAILS
    assert "does not compile" in report.report["headline"]
