"""The protocol of an input, and the choice of one for what the user gave."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.errors import UsageError
from pipeline.inputs.clone import Clone
from pipeline.inputs.folder import Folder
from pipeline.inputs.gerrit import GerritChange
from pipeline.inputs.github import PullRequest
from pipeline.inputs.stream import STDIN, PatchFile, Stdin, is_file
from pipeline.source.settings import Settings
from pipeline.values import Provenance, Series


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The options that name a series; None for those that were not given. ``commits`` is ``--range``, and
    ``kept`` what standard input gave to the run that is resumed."""

    series: str | None = None
    from_git: str | None = None
    commits: str | None = None
    gerrit: str | None = None
    github: str | None = None
    kept: bytes | None = None


class Input(Protocol):
    """One form in which a series can be given."""

    def read(self, version: str) -> tuple[Series, Provenance]:
        """The series, and where it is from. ``version`` is the base's, '' where it has no number: a series
        folder may have variants. UsageError for what is not there or not understood, PatchError for a patch
        that is refused, NothingToDoError for a range of no commits, HostError for what cannot be reached."""
        ...


def choose(asked: Asked, *, default: str, patches: Path, settings: Settings) -> Input:
    """The input that the options name; without any, the series ``default``. ``patches`` is the folder of the
    project's own series. UsageError for options that exclude each other."""
    options = {
        "--series": asked.series,
        "--from-git": asked.from_git,
        "--gerrit": asked.gerrit,
        "--github": asked.github,
    }
    _check(options, asked)
    if asked.from_git is not None:
        return Clone(Path(asked.from_git), asked.commits or "")
    if asked.gerrit is not None:
        return GerritChange(asked.gerrit, settings.gerrit)
    if asked.github is not None:
        return PullRequest(asked.github, settings.github)
    series = asked.series if asked.series is not None else default
    if series == STDIN:
        return Stdin(asked.kept)
    return PatchFile(Path(series)) if is_file(series) else Folder(series, patches)


def _check(options: dict[str, str | None], asked: Asked) -> None:
    for option, value in {**options, "--range": asked.commits}.items():
        if value == "":
            raise UsageError(
                f"{option} is empty",
                meaning="a variable that is not set, perhaps",
                hint="give it a value, or leave it out",
            )
    given = [option for option, value in options.items() if value is not None]
    if len(given) > 1:
        raise UsageError(
            f"{' and '.join(given)} exclude each other",
            hint="each names a series: give the one that is meant",
        )
    if asked.commits is not None and asked.from_git is None:
        raise UsageError(
            "--range is for --from-git, which is not given", hint="give --from-git PATH --range A..B"
        )
    if asked.from_git is not None and asked.commits is None:
        raise UsageError(
            "--from-git needs --range: which commits?",
            hint="--range origin/master..HEAD for a branch, --range HEAD for its last commit",
        )
