"""What a run needs: Python, git, an index that pip can reach, room on the disk."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from pipeline.cells import contexts
from pipeline.health.base import Finding, Host
from pipeline.source.wheel import PACKAGE, pip_env
from pipeline.store import LAYOUT, default_root

NEEDED_GIB = 4.0


def python(_host: Host) -> list[Finding]:
    """The Python that runs this."""
    version = ".".join(map(str, sys.version_info[:3]))
    return [Finding(check="python", severity="ok", found=f"{version} at {sys.executable}")]


def git(host: Host) -> list[Finding]:
    """git, which applies patches."""
    result = host.ask(["git", "--version"])
    if result is None:
        how = {"Darwin": "xcode-select --install", "Windows": "winget install Git.Git"}
        fix = f"install git ({how.get(host.system, 'Debian: apt-get install git')})"
        return [Finding(check="git", severity="error", found="not on PATH", fix=fix)]
    if not result.ok:  # on a Mac without its tools, git is a stub that fails
        fix = "run git --version and do what it says"
        return [Finding(check="git", severity="error", found="does not run", fix=fix)]
    return [Finding(check="git", severity="ok", found=result.stdout.strip())]


def pip(host: Host) -> list[Finding]:
    """An index that has Go."""
    words = ["pip", "--disable-pip-version-check", "index", "versions", "--retries=1", PACKAGE]
    result = host.ask([sys.executable, "-m", *words], env=pip_env())
    if result is None or not result.ok:
        # A release that is there already, or a tree, or an archive of go.dev, will do as well.
        there = any((default_root() / LAYOUT / "releases").glob("*/tree/VERSION"))
        return [
            Finding(
                check="pip",
                severity="warn" if there else "error",
                found=f"pip cannot reach an index that has {PACKAGE}"
                + (", but the cache has a release" if there else ""),
                fix="check the network and `pip config list`; or let matrix.yml take Go from go.dev "
                "(sources: {order: [archive]}), or give --base a local Go tree",
            )
        ]
    newest = result.stdout.split("\n", 1)[0].strip()
    return [Finding(check="pip", severity="ok", found=f"reaches the index; newest is {newest}")]


def disk(_host: Host) -> list[Finding]:
    """Room for the cache."""
    root = default_root()
    existing = next(path for path in (root, *root.parents) if path.exists())
    if not os.access(existing, os.W_OK):
        fix = "set GOPATCH_CACHE to a folder you can write to"
        return [Finding(check="disk", severity="error", found=f"{existing} cannot be written", fix=fix)]
    return [room(shutil.disk_usage(existing).free / 2**30, root)]


def room(free: float, root: Path) -> Finding:
    """Whether ``free`` GiB suffice."""
    found = f"{free:.1f} GiB free at {root}"
    if free < NEEDED_GIB:
        fix = f"a run needs {NEEDED_GIB:g} GiB: free some, or set GOPATCH_CACHE to another disk"
        return Finding(check="disk", severity="error", found=found, fix=fix)
    return Finding(check="disk", severity="ok", found=found)


def docker(host: Host) -> list[Finding]:
    """A Docker engine: only ``./inv cell --docker`` needs one. A context is named where one is configured."""
    if host.which("docker") is None:
        return [Finding(check="docker", severity="ok", found="not installed, and not needed")]
    result = host.ask(["docker", "version", "--format", "{{.Server.Version}}"], seconds=20)
    if result is None or not result.ok:
        fix = "start it if you want containers (systemctl start docker, or Docker Desktop)"
        return [Finding(check="docker", severity="warn", found="installed, but no engine answers", fix=fix)]
    context = contexts.current(host.variables)
    named = "" if context == contexts.DEFAULT else f" of the context {context}"
    return [Finding(check="docker", severity="ok", found=f"engine {result.stdout.strip()}{named}")]
