"""Hosts in trouble: no network, no space, nothing writable, odd paths, another user."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import ExitCode
from tests.integration.harness import (
    ROOT,
    Started,
    command,
    environment,
    linked,
    project,
    quick,
    rewrite,
    ring_series,
    validate,
    warmed,
)

pytestmark = pytest.mark.go


def _no_network(cache: Path) -> dict[str, str]:
    env = {name: value for name, value in environment(cache).items() if not name.startswith("PIP_")}
    # Nothing listens on the discard port.
    nowhere = "http://127.0.0.1:9"
    return {
        **env,
        "PIP_INDEX_URL": f"{nowhere}/simple",
        "PIP_CONFIG_FILE": os.devnull,
        "HTTPS_PROXY": nowhere,  # nor go.dev, where a release is looked for next
    }


def test_no_network(tmp_path: Path) -> None:
    used = tmp_path / "cache"
    done = validate(used, tmp_path / "out", env=_no_network(used))
    assert done.code == ExitCode.ENVIRONMENT, done.err
    assert "the package index cannot be reached" in done.err
    assert done.report["verdict"] == "error"
    assert not list((used / "v1/downloads").glob("[!.]*"))


def test_no_network_is_no_trouble_once_the_release_is_there(
    cache: Path, release: Path, tmp_path: Path
) -> None:
    series = ring_series(tmp_path / "offline", release, benchmarks={})
    assert validate(cache, tmp_path / "out", *quick(series), env=_no_network(cache)).code == ExitCode.PASS


def test_an_unknown_release_suggests_near_ones(tmp_path: Path) -> None:
    done = validate(tmp_path / "cache", tmp_path / "out", "--base=1.27.99")
    # Where go.dev cannot be asked, it may have it all the same.
    asked = "could not be fetched from https://" not in done.err
    assert done.code == (ExitCode.USAGE if asked else ExitCode.ENVIRONMENT), done.err
    assert "1.27.3" in done.err


def test_a_local_tree_as_base(cache: Path, release: Path, tmp_path: Path) -> None:
    local = tmp_path / "my go"
    linked(release, local)
    ring = local / "src/container/ring/ring.go"
    rewrite(ring, ring.read_text() + "\n// a change of my own\n")
    series = ring_series(tmp_path / "local", local, benchmarks={}, tests={})
    done = validate(cache, tmp_path / "out", *quick(series), f"--base={local}")
    assert done.code == ExitCode.PASS, done.err
    assert done.report["base"]["origin"].startswith(f"local tree {local}")
    assert ring.read_text().count("// local") == 0


def test_a_base_that_changed_is_not_resumed(cache: Path, release: Path, tmp_path: Path) -> None:
    local = linked(release, tmp_path / "go")
    series = ring_series(tmp_path / "moving", local)
    run = Started(cache, tmp_path / "out", *quick(series), f"--base={local}")
    run.wait_for("benchmarks …")
    assert run.stop(signal.SIGINT) == ExitCode.INTERRUPTED
    rewrite(local / "src/fmt/doc.go", "package fmt\n")
    done = validate(cache, tmp_path / "out", "--resume", *quick(series), f"--base={local}")
    assert done.code == ExitCode.USAGE, done.err
    assert "changed since the run was started" in done.err


def test_paths_with_spaces_and_other_letters(cache: Path, release: Path, tmp_path: Path) -> None:
    home = tmp_path / "Größe – 経路"
    home.mkdir()
    series = ring_series(home / "plain", release)
    used = warmed(cache, home / "cache dir")
    done = validate(used, home / "the run", *quick(series))
    assert done.code in {ExitCode.PASS, ExitCode.INCONCLUSIVE}, done.err
    assert done.report["cells"][0]["exercise"] == "measured"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real full disk: a tmpfs that holds the wheel but not the tree."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=150m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.rootonly
def test_a_full_disk_while_unpacking(small_disk: Path, tmp_path: Path) -> None:
    used = small_disk / "cache"
    done = validate(used, tmp_path / "out")
    assert done.code == ExitCode.ENVIRONMENT, done.err
    assert "No space left on device" in done.err
    assert "GOPATCH_CACHE" in done.err
    assert list((used / "v1/releases").iterdir()) == []
    assert done.report["verdict"] == "error"


@pytest.mark.rootonly
def test_a_full_disk_while_compiling_does_not_blame_the_patch(
    cache: Path, release: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "half"
    folder.mkdir()
    # Enough for the release and its clones (hard links), not for what is compiled from them.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=332m", "tmpfs", str(folder)], check=True)
    try:
        series = ring_series(tmp_path / "unlucky", release)
        # Nothing but compiling: the program that checks types would be compiled first.
        depth = {"types": "none", "build": "cells", "tests": "none"}
        root = project(tmp_path / "project", compile=depth)
        done = validate(folder / "cache", tmp_path / "out", *quick(series), root=root)
        assert done.code == ExitCode.ENVIRONMENT, done.err + done.out
        assert "no space left on device" in done.err.lower()
        assert done.report["verdict"] == "error"
        assert "reach" in done.report["timings"]
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def read_only_checkout(tmp_path: Path) -> Iterator[Path]:
    """The project bound read-only, as on a shared file system."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    subprocess.run(["mount", "--bind", str(ROOT), str(folder)], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.rootonly
def test_a_read_only_checkout(read_only_checkout: Path, cache: Path, release: Path, tmp_path: Path) -> None:
    series = ring_series(tmp_path / "readonly", release, benchmarks={})
    env = environment(cache) | {"PYTHONPATH": str(read_only_checkout)}
    refused = subprocess.run(
        command("patch-validate", *quick(series)),
        cwd=read_only_checkout,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == ExitCode.ENVIRONMENT, refused.stderr
    assert "Read-only file system" in refused.stderr
    assert "--out" in refused.stderr
    done = subprocess.run(
        command("patch-validate", *quick(series), f"--out={tmp_path / 'out'}"),
        cwd=read_only_checkout,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {ExitCode.PASS, ExitCode.INCONCLUSIVE}, done.stderr


@pytest.mark.rootonly
def test_not_as_root(cache: Path, release: Path, tmp_path: Path) -> None:
    series = ring_series(tmp_path / "user", release)
    # A user namespace without a mapping: not root, no capabilities, the same files.
    done = validate(cache, tmp_path / "out", *quick(series), prefix=["unshare", "--user"])
    assert done.code in {ExitCode.PASS, ExitCode.INCONCLUSIVE}, done.err
    assert done.report["environment"]["user"] == "not root"
