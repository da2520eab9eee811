"""A Go release as the Go team publishes it: an archive whose sha256 stands in the index of go.dev/dl."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
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

    def fetch(self, store: Store, shell: Shell) -> tuple[GoTree, bool]:
        """The unpacked release. UsageError for an unknown release, HostError without a network or for an
        archive that is not what it should be; neither leaves anything in the store."""
        platform = host_platform()
        entry = store.fill(
            "releases",
            {"archive": self.version, "platform": str(platform), "index": self.settings.index},
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
            proof=f"the archive's sha256 is that of the index {shown(self.settings.index)}",
        ), entry.reused

    def _build(self, store: Store, platform: Platform, folder: Path) -> Mapping[str, Any]:
        listed = self._look_up(platform, folder / "index.json")
        # Outside the entry, which an interrupt removes: what has arrived is worth keeping.
        path = store.shared("partial") / f"{listed.sha256}-{listed.name}"
        with store.lock(f"partial-{listed.sha256}", listed.name):
            address, refused = self._download(listed, path)
            try:
                manifest, version = self._unpack(path, folder / "tree")
            except HostError:
                path.unlink()
                raise
            path.unlink()
        tree.save(manifest, folder / "manifest.json")
        return {
            "version": version,
            "digest": tree.digest(manifest),
            "files": len(manifest),
            "file": listed.name,
            "sha256": listed.sha256,
            "from": shown(address),
            "refused": refused,
        }

    def _download(self, listed: _Listed, path: Path) -> tuple[str, list[str]]:
        """Have the archive at ``path``; the address it is from, and why it is not from those before it."""
        if path.is_file() and file_sha256(path) == listed.sha256:  # an interrupt came before it was unpacked
            return join(self.settings.mirrors[0], listed.name), []
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
                return address, refused
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
        index = self.settings.index
        wanted = Wanted(address=index, what="the index of Go's releases", limit=MAX_INDEX)
        download.fetch(wanted, path, self.patience)
        try:
            offered = {str(one["version"]).removeprefix("go"): one["files"] for one in _read(path)}
            files = offered.get(self.version)
            if files is None:
                raise _unknown(self.version, list(offered), index)
            return self._listed(files, platform)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise HostError(
                f"{shown(index)} is not the index of Go's releases: {error!r:.100}",
                meaning="something else answers there, or its format changed",
                hint="check `sources:` in matrix.yml",
            ) from error
        finally:
            path.unlink()

    def _listed(self, files: list[dict[str, Any]], platform: Platform) -> _Listed:
        found = [
            one
            for one in files
            if (one["os"], one["arch"], one["kind"]) == (platform.goos, platform.goarch, "archive")
        ]
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


def _read(path: Path) -> list[dict[str, Any]]:
    data = json.loads(path.read_bytes())
    if not isinstance(data, list):
        raise TypeError("no list")
    return data


def _unknown(version: str, offered: list[str], index: str) -> PipelineError:
    return UsageError(
        f"Go {version} is not among the releases of {shown(index)}",
        meaning=f"nearest: {', '.join(releases.nearest(version, offered))}",
        hint="give one of these to --base, or the path of a Go tree",
    )
