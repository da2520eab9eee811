"""The protocol of a source, and the choice of one for what the user gave as ``--base``."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from pipeline.errors import HostError, PipelineError, UsageError
from pipeline.proc import Shell
from pipeline.source import releases, wheel
from pipeline.source.archive import ArchiveRelease
from pipeline.source.gitrepo import TIP, GitTree
from pipeline.source.local import LocalTree
from pipeline.source.settings import Settings
from pipeline.source.wheel import WheelRelease
from pipeline.store import Store
from pipeline.values import GoTree

_RELEASE = re.compile(r"(?:go)?(\d+\.\d+(?:\.\d+){0,2}(?:rc\d+|beta\d+)?)")
_GIT = "git:"
_COMMIT = re.compile(r"[0-9a-f]{40}")


class Source(Protocol):
    """Something that can deliver a Go tree."""

    def check(self) -> None:
        """Refuse, before anything is done, what can be seen to be no Go tree."""
        ...

    def find(self, store: Store) -> Path | None:
        """The tree's folder where it can be had without asking anybody."""
        ...

    def fetch(self, store: Store, shell: Shell) -> tuple[GoTree, bool]:
        """The tree, and whether the store already had it."""
        ...


class FirstOf:
    """The first of several sources that delivers; ``note`` is told which, when one before it could not."""

    def __init__(self, version: str, sources: Mapping[str, Source], note: Callable[[str], None]) -> None:
        self.version, self.sources, self._note = version, sources, note

    def check(self) -> None:
        """See ``Source.check``."""
        for source in self.sources.values():
            source.check()

    def find(self, store: Store) -> Path | None:
        """See ``Source.find``."""
        found = (source.find(store) for source in self.sources.values())
        return next((root for root in found if root), None)

    def fetch(self, store: Store, shell: Shell) -> tuple[GoTree, bool]:
        """See ``Source.fetch``. UsageError when every source says that there is no such release, HostError
        when one could not be asked: it may have it. Both with what each said."""
        failed: dict[str, PipelineError] = {}
        for name, source in self.sources.items():
            try:
                tree, reused = source.fetch(store, shell)
            except (HostError, UsageError) as error:
                failed[name] = error
                continue
            if failed:
                why = "; ".join(f"{other} could not: {_first_line(e)}" for other, e in failed.items())
                self._note(f"Go {self.version} is from source {name}; {why}")
                tree = dataclasses.replace(tree, origin=f"{tree.origin}; {why}")
            return tree, reused
        raise self._failure(failed)

    def _failure(self, failed: Mapping[str, PipelineError]) -> PipelineError:
        if len(failed) == 1:
            return next(iter(failed.values()))
        unasked: list[PipelineError] = [e for e in failed.values() if isinstance(e, HostError)]
        kind = HostError if unasked else UsageError
        first = (unasked or list(failed.values()))[0]
        return kind(
            f"Go {self.version} could not be fetched from any source",
            meaning="\n  ".join(
                f"{name}: {error.what}" + (f"; {error.meaning}" if error.meaning else "")
                for name, error in failed.items()
            ),
            hint=first.hint,
        )


def choose(
    base: str, settings: Settings | None = None, note: Callable[[str], None] = lambda _: None
) -> Source:
    """``tip``, ``git:REF`` and a commit's 40 digits come from git; anything else with a path separator, or
    an existing folder, is a tree; a release number is fetched from the first source that can. UsageError
    for 1.27 alone: it is a minor release of Go, whose first release is 1.27.0."""
    settings = settings or Settings()
    if (ref := git_ref(base)) is not None:
        return GitTree(ref, settings)
    if is_path(base):
        return LocalTree(Path(base))
    if version := release(base):
        releases.check(version, wheel.known())
        sources: dict[str, Source] = {}
        for name in settings.order:
            sources[name] = WheelRelease(version) if name == "wheel" else ArchiveRelease(version, settings)
        return next(iter(sources.values())) if len(sources) == 1 else FirstOf(version, sources, note)
    raise UsageError(
        f"--base {base[:100]!r} is neither a Go release nor a folder",
        hint="give a release such as 1.27.3, tip, git:BRANCH, git:TAG, a commit's 40 digits, "
        "or the path of a Go tree such as ./go",
    )


def release(base: str) -> str:
    """The release number that ``base`` is, without ``go``; '' for anything else."""
    found = _RELEASE.fullmatch(base)
    return found.group(1) if found and not is_path(base) else ""


def git_ref(base: str) -> str | None:
    """The ref that ``base`` names in the Go repository; None for what is no matter of git's."""
    if base.startswith(_GIT):
        return base.removeprefix(_GIT)
    return base if base == TIP or _COMMIT.fullmatch(base) else None


def is_path(base: str) -> bool:
    """Whether ``base`` means a folder rather than a release or a ref."""
    if git_ref(base) is not None:
        return False
    try:
        return "/" in base or "\\" in base or base in {".", ".."} or (base != "" and Path(base).is_dir())
    except OSError:  # longer than any name
        return False


def _first_line(error: PipelineError) -> str:
    return error.what.split("\n", 1)[0]
