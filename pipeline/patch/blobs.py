"""Pre-images for a three-way merge, by the abbreviated ids of a patch's ``index`` lines."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from pipeline.store import Store

# git's own shortest abbreviation.
SHORTEST = 7


class Blobs(Protocol):
    """A place that may hold a version of a file."""

    def find(self, path: str, blob: str) -> bytes | None:
        """The bytes of ``path`` in the version whose git blob id begins with ``blob``, or None."""
        ...


class NoBlobs:
    """Nothing to merge with."""

    def find(self, path: str, blob: str) -> bytes | None:
        """See ``Blobs.find``."""
        return None


class ReleaseBlobs:
    """The same path in every tree of the store: releases, and whatever was given as ``--base`` once."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, path: str, blob: str) -> bytes | None:
        """See ``Blobs.find``. None for an abbreviation too short to mean one version."""
        if len(blob) < SHORTEST:
            return None
        found = {content for content in self._versions(path) if blob_id(content).startswith(blob)}
        return found.pop() if len(found) == 1 else None

    def _versions(self, path: str) -> Iterator[bytes]:
        for tree in sorted((self._store.area / "releases").glob("*/tree")):
            candidate = tree / path
            if Path(candidate).is_file():
                yield candidate.read_bytes()


def blob_id(content: bytes) -> str:
    """The id (sha1, hex) that git gives a file of these bytes."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
