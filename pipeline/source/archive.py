"""A Go release as the Go team publishes it: an archive whose sha256 stands in the index of go.dev/dl."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import tree
from pipeline.errors import HostError, PipelineError, UsageError
from pipeline.golang import EXE, host_platform, read_version
from pipeline.proc import Shell
from pipeline.source import extract, releases
from pipeline.source.settings import Settings
from pipeline.store import Store, file_sha256
from pipeline.values import GoTree, Platform
from pipeline.web import download
from pipeline.web.address import join, shown
from pipeline.web.answers import Patience, Wanted

MAX_INDEX = 64 << 20
MAX_ARCHIVE = 1 << 30
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class _Listed:
    """What the index says of one archive."""

    name: str
    sha256: str
    size: int


class ArchiveRelease:
    """Release ``version`` (without the ``go`` prefix) for this host, from ``settings``' index and mirrors."""

    def __init__(self, version: str, settings: Settings, patience: Patience | None = None) -> None:
        self.version, self.settings, self.patience = version, settings, patience

    def check(self) -> None:
        """See ``Source.check``: only the index knows which releases there are."""

    def find(self, store: Store) -> Path | None:
        """See ``Source.find``."""
        entry = store.find("releases", self._inputs(host_platform()))
        return entry.path / "tree" if entry else None

    def fetch(self, store: Store, shell: Shell) -> tuple[GoTree, bool]:
        """The unpacked release. UsageError for an unknown release, HostError without a network or for an
        archive that is not what it should be; neither leaves anything in the store."""
        platform = host_platform()
        entry = store.fill(
            "releases",
            self._inputs(platform),
            lambda folder: self._build(store, platform, folder),
        )
        meta = entry.meta
        where = f"{meta['file']} (sha256 {meta['sha256']}) from {meta['from']}"
        return GoTree(
            root=entry.path / "tree",
            version=str(meta["version"]),
            digest=str(meta["digest"]),
            manifest=tree.load(entry.path / "manifest.json"),
            origin="; ".join([where, *meta["refused"]]),
            proof="the release as published: the archive's sha256 is that of the index "
            + shown(self.settings.index),
        ), entry.reused

    def _inputs(self, platform: Platform) -> dict[str, str]:
        return {"archive": self.version, "platform": str(platform), "index": self.settings.index}

    def _build(self, store: Store, platform: Platform, folder: Path) -> Mapping[str, Any]:
        listed = self._look_up(platform, folder / "index.json")
        # Outside the entry, which an interrupt removes: what has arrived is worth keeping.
        path = store.shared("partial") / f"{listed.sha256}-{listed.name}"
        with store.lock(f"partial-{listed.sha256}", listed.name):
            source, refused = self._download(listed, path)
            try:
                manifest, version = self._unpack(path, folder / "tree")
            except HostError:
                _forget(path)
                raise
            _forget(path)
        tree.save(manifest, folder / "manifest.json")
        return {
            "version": version,
            "digest": tree.digest(manifest),
            "files": len(manifest),
            "file": listed.name,
            "sha256": listed.sha256,
            "from": source,
            "refused": refused,
        }

    def _download(self, listed: _Listed, path: Path) -> tuple[str, list[str]]:
        """Have the archive at ``path``; the address that gave it, or the last piece of it, and why it is not
        from those before it."""
        noted = _noted(path)
        if path.is_file() and file_sha256(path) == listed.sha256:  # an interrupt came before it was unpacked
            return noted.read_text(encoding="utf-8") if noted.is_file() else "an earlier run", []
        refused: list[str] = []
        for mirror in self.settings.mirrors:
            address = join(mirror, listed.name)
            try:
                download.fetch(self._wanted(address, listed), path, self.patience)
            except (HostError, UsageError) as error:
                if len(self.settings.mirrors) == 1:
                    raise
                refused.append(f"not from {shown(mirror)}: {error.what}")
            else:
                noted.write_text(shown(address), encoding="utf-8")
                return shown(address), refused
        raise HostError(
            f"Go {self.version} could not be fetched from any of {len(self.settings.mirrors)} mirrors",
            meaning="\n  ".join(refused),
            hint="check the network and `sources:` in matrix.yml, or give --base a local Go tree",
        )

    def _wanted(self, address: str, listed: _Listed) -> Wanted:
        return Wanted(
            address=address,
            what=f"the archive {listed.name}",
            limit=min(listed.size, MAX_ARCHIVE),
            sha256=listed.sha256,
            size=listed.size,
            starts=b"PK" if listed.name.endswith(".zip") else b"\x1f\x8b",
        )

    def _look_up(self, platform: Platform, path: Path) -> _Listed:
        offered = _read_index(self.settings, path, self.patience)
        files = offered.get(self.version)
        if files is None:
            raise _unknown(self.version, list(offered), self.settings.index)
        with _as_index(self.settings.index):
            return self._listed(files, platform)

    def _listed(self, files: list[dict[str, Any]], platform: Platform) -> _Listed:
        found = _archives(files, platform)
        if len(found) != 1:
            raise UsageError(
                f"Go {self.version} is published {'for' if found else 'without an archive for'} {platform}"
                + (f" as {len(found)} archives" if found else ""),
                hint="choose another release, or give --base the path of a Go tree",
            )
        name, sha256, size = found[0]["filename"], found[0]["sha256"], found[0]["size"]
        kind = "zip" if platform.goos == "windows" else "tar.gz"
        expected = f"go{self.version}.{platform.goos}-{platform.goarch}.{kind}"
        if name != expected or not _SHA256.fullmatch(sha256) or not 0 < int(size) <= MAX_ARCHIVE:
            raise HostError(
                f"the index names {name!r:.80} where {expected} is expected, or gives it no sha256 and size",
                meaning="the index was altered, or its format changed",
                hint="nothing was fetched; check `sources:` in matrix.yml",
            )
        return _Listed(name=expected, sha256=sha256, size=int(size))

    def _unpack(self, archive: Path, root: Path) -> tuple[tree.Manifest, str]:
        called = archive.name.partition("-")[2]
        manifest = extract.extract(archive, root, called)
        version = read_version(root)
        if "src/runtime/proc.go" not in manifest or f"bin/go{EXE}" not in manifest:
            raise HostError(
                f"{called} holds no Go release (no src/runtime or no bin/go)",
                hint="nothing was kept; check `sources:` in matrix.yml",
            )
        if not releases.same(self.version, version):
            raise HostError(
                f"{called} holds Go {version or 'without a version'}, not {self.version}",
                hint="nothing was kept; check `sources:` in matrix.yml",
            )
        return manifest, version


def _noted(archive: Path) -> Path:
    """Where the address is noted that a downloaded archive is from: it may be unpacked by a later run."""
    return archive.with_name(f"{archive.name}.from")


def _forget(archive: Path) -> None:
    archive.unlink()
    _noted(archive).unlink(missing_ok=True)


def offered(settings: Settings, path: Path, patience: Patience | None = None) -> list[str]:
    """The releases of ``settings``' index that have an archive for this host; ``path`` is where the index is
    put meanwhile. HostError when it cannot be reached or is no such index."""
    platform = host_platform()
    listed = _read_index(settings, path, patience)
    with _as_index(settings.index):
        return [version for version, files in listed.items() if _archives(files, platform)]


def _read_index(
    settings: Settings, path: Path, patience: Patience | None = None
) -> dict[str, list[dict[str, Any]]]:
    """Every release of the index, without the ``go`` prefix, with what is said of its files."""
    wanted = Wanted(address=settings.index, what="the index of Go's releases", limit=MAX_INDEX)
    download.fetch(wanted, path, patience)
    try:
        with _as_index(settings.index):
            data = json.loads(path.read_bytes())
            if not isinstance(data, list):
                raise TypeError("no list")
            return {str(one["version"]).removeprefix("go"): list(one["files"]) for one in data}
    finally:
        path.unlink()


def _archives(files: list[dict[str, Any]], platform: Platform) -> list[dict[str, Any]]:
    wanted = (platform.goos, platform.goarch, "archive")
    return [one for one in files if (one["os"], one["arch"], one["kind"]) == wanted]


@contextlib.contextmanager
def _as_index(index: str) -> Iterator[None]:
    """What does not have the shape of the index is the fault of who gave it."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise HostError(
            f"{shown(index)} is not the index of Go's releases: {error!r:.100}",
            meaning="something else answers there, or its format changed",
            hint="check `sources:` in matrix.yml",
        ) from error


def _unknown(version: str, offered: list[str], index: str) -> PipelineError:
    return UsageError(
        f"Go {version} is not among the releases of {shown(index)}",
        meaning=f"nearest: {', '.join(releases.nearest(version, offered))}",
        hint="give one of these to --base, or the path of a Go tree",
    )
