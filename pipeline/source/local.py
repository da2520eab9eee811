"""A Go tree that the user has: a GOROOT, or a clone whose tools are yet to be built."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline import git, tree
from pipeline.errors import HostError, UsageError
from pipeline.golang import EXE, host_platform, read_version
from pipeline.proc import Shell
from pipeline.store import Store
from pipeline.values import GoTree

# Everything a release tree is made of; what else lies in the folder is not Go's.
_PARTS = (
    "VERSION",
    "go.env",
    "LICENSE",
    "PATENTS",
    "api",
    "bin",
    "doc",
    "lib",
    "misc",
    "pkg/include",
    "pkg/tool",
    "src",
    "test",
)


class LocalTree:
    """The tree at ``path``. It is copied into the store: later edits do not reach a run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def check(self) -> None:
        """See ``Source.check``: UsageError for what is no Go tree."""
        self._version(self.path.expanduser().resolve())

    def find(self, store: Store) -> Path | None:
        """See ``Source.find``."""
        return self.path.expanduser().resolve()

    def fetch(self, store: Store, shell: Shell) -> tuple[GoTree, bool]:
        """Copy the tree under its own digest. UsageError when it is not a Go tree."""
        root = self.path.expanduser().resolve()
        version = self._version(root)
        manifest = _scan_parts(root)
        digest = tree.digest(manifest)

        def build(folder: Path) -> Mapping[str, Any]:
            tree.copy(root, folder / "tree", manifest)
            # The tree may have been edited while it was copied: what counts is what arrived.
            if tree.digest(tree.scan(folder / "tree")) != digest:
                raise HostError(f"{root} changed while it was copied", hint="run again")
            tree.save(manifest, folder / "manifest.json")
            return {"version": version, "digest": digest, "files": len(manifest)}

        entry = store.fill("releases", {"local": digest}, build)
        at = git.describe(root)
        return GoTree(
            root=entry.path / "tree",
            version=version,
            digest=digest,
            manifest=manifest,
            origin=f"local tree {root}" + (f" at {at}" if at else ""),
            proof="as found: a local tree has nothing to be checked against",
            built=_has_tools(manifest),
        ), entry.reused

    def _version(self, root: Path) -> str:
        if not (root / "src/runtime").is_dir():
            raise UsageError(f"{root} is not a Go tree: it has no src/runtime")
        version = read_version(root)
        if not version:
            raise UsageError(
                f"{root} has no VERSION file that names a release",
                hint="write one (first line, such as go1.27.3): without it Go refuses to build",
            )
        return version


def _has_tools(manifest: tree.Manifest) -> bool:
    """Whether it carries a go command and a compiler for this host."""
    host = host_platform()
    compiler = f"pkg/tool/{host.goos}_{host.goarch}/compile{EXE}"
    return {f"bin/go{EXE}", compiler} <= manifest.keys()


def _scan_parts(root: Path) -> tree.Manifest:
    manifest: tree.Manifest = {}
    for part in _PARTS:
        path = root / part
        if path.is_file():
            manifest[part] = tree.entry(path)
        elif path.is_dir():
            manifest |= {f"{part}/{name}": value for name, value in tree.scan(path).items()}
    return manifest
