"""The baseline: a Go tree with tools, whoever built them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline import proc
from pipeline.console import Progress
from pipeline.errors import HostError, PatchError, PipelineError, UsageError
from pipeline.golang import EXE
from pipeline.records import SourceFetched
from pipeline.source import base as source_room
from pipeline.source.base import Source
from pipeline.source.local import LocalTree
from pipeline.source.settings import MACHINE, Settings
from pipeline.store import Store
from pipeline.toolchain import bootstrap, full
from pipeline.toolchain.build import Builder
from pipeline.values import GoTree, Platform

ASK_TIMEOUT = 30.0


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where trees are fetched and built. ``jobs`` is how many things are built at once."""

    store: Store
    shell: proc.Shell
    progress: Progress
    host: Platform
    jobs: int

    def builder(self, base: GoTree) -> Builder:
        """A builder whose release is ``base``."""
        work = self.store.shared("work")
        return Builder(
            store=self.store, shell=self.shell, base=base, host=self.host, jobs=self.jobs, work=work
        )


def fetch(place: Place, base: str, sources: Settings) -> GoTree:
    """The tree that ``base`` names, with its tools: a tree that comes without is bootstrapped, once.

    See ``Source.fetch`` for what it raises; HostError, too, when nothing here can build the tree.
    """
    place.progress.step(f"Go {base}")
    tree, _ = source_room.choose(base, sources, place.progress.note).fetch(place.store, place.shell)
    return tree if tree.built else with_tools(place, tree, sources)


def record(tree: GoTree) -> SourceFetched:
    """The tree as a record: what it is, where it is from and what vouches for it."""
    return SourceFetched(
        version=tree.version,
        digest=tree.digest,
        origin=tree.origin,
        proof=tree.proof,
        files=len(tree.manifest),
    )


def with_tools(place: Place, tree: GoTree, sources: Settings) -> GoTree:
    """``tree`` and the tools that make.bash makes of it, by the first bootstrap that is new enough."""
    wanted = bootstrap.minimum(tree)
    refused = []
    for name, source in _bootstraps(place, sources):
        try:
            found, _ = source.fetch(place.store, place.shell)
            if not found.built:
                raise HostError("it has no tools")
            bootstrap.check(found, tree)
        except (HostError, UsageError) as error:
            refused.append(f"{name}: {_first_line(error)}")
            continue
        place.progress.note(
            f"Go {tree.version} comes without tools: make.bash builds them by Go {found.version}, once; it "
            "takes some minutes"
        )
        place.progress.step(f"make.bash of Go {tree.version}")
        try:
            made = full.build(place.builder(found), tree)
        except PatchError as error:  # no patch is applied yet
            raise HostError(error.what, hint=error.hint) from error
        return full.as_tree(made, tree)
    raise HostError(
        f"{tree.origin} has no built tools, and no Go to build them with was found",
        meaning="\n  ".join(refused),
        hint=f"install Go {wanted} or later, or name one in `sources: {{bootstrap: […]}}` of matrix.yml",
    )


def _bootstraps(place: Place, sources: Settings) -> Iterator[tuple[str, Source]]:
    for name in sources.bootstrap:
        if name != MACHINE:
            yield name, source_room.choose(name, sources, place.progress.note)
            continue
        for path in _on_this_machine(place):
            yield f"{name} ({path})", LocalTree(path)


def _on_this_machine(place: Place) -> Iterator[Path]:
    """GOROOT_BOOTSTRAP, as for make.bash, then the Go on PATH."""
    if given := os.environ.get("GOROOT_BOOTSTRAP"):
        yield Path(given)
    if found := shutil.which(f"go{EXE}"):
        # Its own settings and no switching: what it says of itself, and nothing fetched.
        env = proc.base_env({"GOTOOLCHAIN": "local", "GOENV": "off"})
        result = place.shell.run("bootstrap-goroot", [found, "env", "GOROOT"], env=env, timeout=ASK_TIMEOUT)
        if result.ok and result.stdout.strip():
            yield Path(result.stdout.strip())


def _first_line(error: PipelineError) -> str:
    return error.what.split("\n", 1)[0]
