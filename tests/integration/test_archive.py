"""What a wheel and an archive both hold is read alike: the same files, run bits and digest."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from pipeline import proc, tree
from pipeline.golang import host_platform
from pipeline.source.archive import ArchiveRelease
from pipeline.source.settings import Settings
from pipeline.store import Store
from tests.integration.harness import RELEASE
from tests.unit.goserver import GoServer

pytestmark = pytest.mark.go


def repack(root: Path, manifest: tree.Manifest, target: Path) -> None:
    """The wheel's tree as cmd/distpack packs one: below go/, 0644 or 0755, with folders. The Go team's own
    archive holds more (api, doc, test, LICENSE), so its digest is another."""
    with tarfile.open(target, "w:gz", compresslevel=1) as archive:
        folder = tarfile.TarInfo("go/src")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(folder)
        for name in sorted(manifest):
            info = tarfile.TarInfo(f"go/{name}")
            info.size = (root / name).stat().st_size
            info.mode = 0o755 if manifest[name].endswith(" x") else 0o644
            with (root / name).open("rb") as stream:
                archive.addfile(info, stream)


@pytest.mark.skipif(os.name == "nt", reason="the archive of Windows is a zip")
def test_an_archive_of_a_wheels_files_gives_the_wheels_digest(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    manifest = tree.load(release.parent / "manifest.json")
    host = host_platform()
    name = f"go{RELEASE}.{host.goos}-{host.goarch}.tar.gz"
    repack(release, manifest, tmp_path / name)
    server = GoServer()
    try:
        server.publish((tmp_path / name).read_bytes(), name, version=RELEASE)
        settings = Settings(index=f"{server.url}/dl/", mirrors=(f"{server.url}/dl/",))
        store = Store(tmp_path / "cache")
        store.prepare()
        shell = proc.Shell(logs=tmp_path / "logs", observe=lambda *_: None)
        found, _ = ArchiveRelease(RELEASE, settings).fetch(store, shell)
    finally:
        server.stop()
    assert found.manifest == manifest
    assert found.digest == tree.digest(manifest)
    assert found.manifest == tree.scan(found.root)
    assert found.version == RELEASE
