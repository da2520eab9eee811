"""One content-addressed cache for everything that is expensive to make.

An entry is a folder ``<root>/v1/<kind>/<key>/`` whose key is the sha256 over everything that can change
its content. It is made as: look up, take the key's lock, look up again, build in a temporary folder
beside it, sync, rename. A process that dies leaves only a temporary folder, which nothing trusts and
which the next holder of the lock removes.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import shutil
import stat
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import platformdirs

from pipeline.errors import HostError, UsageError

TAG_NAME = "CACHEDIR.TAG"
# The signature is fixed by the specification at bford.info/cachedir.
TAG_TEXT = "Signature: 8a477f597d28d172789f06886806bc55\n# gopatch cache; ./inv clean empties it.\n"
LAYOUT = "v1"
_MANIFEST = "entry.json"
# As many files are flushed to the disk one by one.
_FEW = 64


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a builder remembers, and the only files below its folder that have no other name (None: they are
    to be searched for). The rest are links to files that are on disk."""

    meta: Mapping[str, Any]
    files: Sequence[Path] | None


Build = Callable[[Path], Mapping[str, Any] | Made]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A finished entry. ``path`` is its folder; ``meta`` is what its builder recorded."""

    kind: str
    key: str
    path: Path
    meta: Mapping[str, Any]
    seconds: float
    reused: bool


def digest(value: Any) -> str:
    """The sha256 (hex) of ``value`` in canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """The sha256 (hex) of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def default_root() -> Path:
    """``$GOPATCH_CACHE``, or the platform's cache folder."""
    chosen = os.environ.get("GOPATCH_CACHE")
    return Path(chosen).absolute() if chosen else Path(platformdirs.user_cache_dir("gopatch"))


class Store:
    """The cache at ``root``; made on first use."""

    def __init__(self, root: Path, waiting: Callable[[str], None] = lambda _: None) -> None:
        self.root = root
        self._waiting = waiting

    @property
    def area(self) -> Path:
        """The folder of this layout's entries."""
        return self.root / LAYOUT

    def prepare(self) -> None:
        """Make the cache folder and mark it as ours; HostError when it cannot be written."""
        tag = self.root / TAG_NAME
        try:
            # List before reading the tag: another process may be making this very cache.
            found = {child.name for child in self.root.iterdir()} if self.root.is_dir() else set()
            if found - {TAG_NAME} and not is_cache(self.root):
                raise UsageError(
                    f"{self.root} is not empty and not a gopatch cache (no {TAG_NAME} of ours)",
                    hint="point GOPATCH_CACHE to a new or empty folder",
                )
            self.root.mkdir(parents=True, exist_ok=True)
            if not is_cache(self.root):
                tag.write_text(TAG_TEXT, encoding="utf-8")
            self.area.mkdir(exist_ok=True)
        except OSError as error:
            raise HostError(
                f"the cache {self.root} cannot be written: {error.strerror}",
                hint="set GOPATCH_CACHE to a folder you can write to",
            ) from error

    def shared(self, *parts: str) -> Path:
        """A folder that a tool keeps consistent by itself (a Go build cache), not an entry."""
        path = self.area.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def lookup(self, kind: str, key: str) -> Entry | None:
        """The finished entry, marked as used now, or None."""
        path = self.area / kind / key
        manifest = path / _MANIFEST
        try:
            data = json.loads(manifest.read_text(encoding="utf-8"))
            meta, seconds = dict(data["meta"]), float(data["seconds"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        with contextlib.suppress(OSError):
            os.utime(manifest)
        return Entry(kind=kind, key=key, path=path, meta=meta, seconds=seconds, reused=True)

    def known(self, kind: str, inputs: Mapping[str, Any]) -> bool:
        """Whether the entry for ``inputs`` is there."""
        return self.find(kind, inputs) is not None

    def find(self, kind: str, inputs: Mapping[str, Any]) -> Entry | None:
        """The finished entry for ``inputs``, or None."""
        return self.lookup(kind, _key(kind, inputs))

    def fill(self, kind: str, inputs: Mapping[str, Any], build: Build) -> Entry:
        """The entry for ``inputs``, built by ``build(folder)`` unless it is there already.

        ``build`` gets an empty folder and returns what to remember (JSON values); as ``Made`` where the files
        to flush need not be searched for. Two processes that want the same entry build it once. Whatever
        ``build`` raises leaves nothing behind.
        """
        key = _key(kind, inputs)
        if found := self.lookup(kind, key):
            return found
        home = self.area / kind
        home.mkdir(parents=True, exist_ok=True)
        with self.lock(f"{kind}-{key}", f"{kind} {key[:12]}"):
            if found := self.lookup(kind, key):
                return found
            for stale in home.glob(f".tmp-{key}-*"):
                remove_tree(stale)
            if (home / key).exists():  # a folder without a manifest is never trusted
                remove_tree(home / key)
            return self._build(kind, key, inputs, build, home / f".tmp-{key}-{uuid.uuid4().hex[:8]}")

    def _build(self, kind: str, key: str, inputs: Mapping[str, Any], build: Build, scratch: Path) -> Entry:
        started = time.monotonic()
        scratch.mkdir()
        try:
            built = build(scratch)
            made = built if isinstance(built, Made) else Made(meta=built, files=None)
            meta = dict(made.meta)
            seconds = round(time.monotonic() - started, 3)
            manifest = {"kind": kind, "key": key, "inputs": dict(inputs), "meta": meta, "seconds": seconds}
            (scratch / _MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
            _sync(scratch, made.files)
            final = scratch.parent / key
            scratch.rename(final)
        except BaseException:
            remove_tree(scratch)
            raise
        return Entry(kind=kind, key=key, path=final, meta=meta, seconds=seconds, reused=False)

    def discard(self, kind: str, key: str) -> None:
        """Remove an entry that turned out to be wrong; the next ``fill`` builds it again."""
        path = self.area / kind / key
        with self.lock(f"{kind}-{key}", f"{kind} {key[:12]}"):
            if path.exists():
                # Renamed first: a removal that is killed half-way must not leave an entry that looks whole.
                doomed = path.with_name(f".tmp-{key}-{uuid.uuid4().hex[:8]}")
                path.rename(doomed)
                remove_tree(doomed)

    @contextlib.contextmanager
    def lock(self, name: str, what: str) -> Iterator[None]:
        """Hold the named lock across processes; says so when it has to wait. The system frees it
        when its holder dies."""
        folder = self.area / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / f"{name}.lock")
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            self._waiting(f"waiting for another run that holds {what}")
            lock.acquire(poll_interval=0.2)
        try:
            yield
        finally:
            lock.release()


def _key(kind: str, inputs: Mapping[str, Any]) -> str:
    return digest({"kind": kind, "layout": LAYOUT, "inputs": inputs})


def _sync(folder: Path, known: Sequence[Path] | None = None) -> None:
    """Have the entry on disk before it gets its name: a few files one by one, thousands by one call, which
    also waits for whatever else is being written, such as Go's build cache.

    A file that has another name is on disk already: who links one sees to that. ``known`` are those that
    have none, beside the entry's own manifest.
    """
    own = _own_files(folder) if known is None else iter([*known, folder / _MANIFEST])
    files = list(itertools.islice(own, _FEW + 1))
    if len(files) > _FEW and hasattr(os, "sync"):
        os.sync()
        return
    for path in files:
        flush(path)
    if os.name != "nt":  # whose folders cannot be opened
        for path in {folder, *(path.parent for path in files)}:
            flush(path)


def _own_files(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _own_files(Path(entry.path))
            elif entry.is_file() and (os.name == "nt" or entry.stat(follow_symlinks=False).st_nlink == 1):
                yield Path(entry.path)


def flush(path: Path) -> None:
    """Have a file's bytes on disk, or a folder's names."""
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_tree(path: Path) -> None:
    """Remove a folder, also one with read-only files, without following links."""

    def retry(function: Callable[..., Any], name: str, _: BaseException) -> None:
        with contextlib.suppress(OSError):
            Path(name).parent.chmod(stat.S_IRWXU)
            Path(name).chmod(stat.S_IRWXU)
            function(name)

    if path.is_symlink() or path.is_file():
        path.unlink()
        return
    # `onerror` is deprecated from 3.12 on and `onexc` unknown before it.
    if sys.version_info >= (3, 12):
        shutil.rmtree(path, onexc=retry)
    else:
        shutil.rmtree(path, onerror=lambda function, name, info: retry(function, name, info[1]))


def is_cache(path: Path) -> bool:
    """Whether ``path`` carries our cache tag. The signature alone is every tool's: Cargo's ``target`` has
    it too."""
    try:
        text = (path / TAG_NAME).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return text.startswith(TAG_TEXT.split("\n", 1)[0]) and "gopatch" in text


def _usage_order(area: Path) -> list[tuple[float, Path]]:
    found = [(m.stat().st_mtime, m.parent) for m in area.glob(f"*/*/{_MANIFEST}")]
    return sorted(found, key=lambda pair: pair[0])


def clean(root: Path, *, older_than_days: float | None) -> tuple[list[Path], int]:
    """Remove entries (all, or those not used for ``older_than_days``) and what dead runs left.

    Returns the removed paths and the bytes they held. Refuses (UsageError) a folder that is not
    marked as our cache, so a mistyped path cannot lose anything.
    """
    if not root.exists():
        return [], 0
    if root.is_symlink() or not is_cache(root):
        raise UsageError(
            f"{root} is not a gopatch cache: it has no {TAG_NAME} of ours",
            hint="nothing was removed; check GOPATCH_CACHE",
        )
    area = root / LAYOUT
    if older_than_days is None:
        victims = [child for child in root.iterdir() if child.name != TAG_NAME]
    else:
        limit = time.time() - older_than_days * 86400
        victims = [path for used, path in _usage_order(area) if used < limit]
        victims += [path for path in area.glob("*/.tmp-*") if path.stat().st_mtime < time.time() - 86400]
    size = sum(_size(path) for path in victims)
    for victim in victims:
        # Renamed first: a removal that is killed half-way must not leave an entry that looks whole.
        doomed = victim.with_name(f".tmp-removed-{uuid.uuid4().hex[:8]}")
        victim.rename(doomed)
        remove_tree(doomed)
    return victims, size


def _size(path: Path) -> int:
    """Bytes on disk, a file with several hard links counted by its share."""
    if path.is_file():
        return path.stat().st_size
    total = 0.0
    for folder, _, files in os.walk(path):
        for name in files:
            with contextlib.suppress(OSError):
                info = os.lstat(Path(folder) / name)
                total += info.st_size / max(info.st_nlink, 1)
    return int(total)
