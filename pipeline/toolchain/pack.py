"""A toolchain packed as the official archives are: ``go/…`` in a tar.gz, or a zip for Windows. Test binaries
in the same form, below a folder of their own.

The same tree gives the same bytes: names sorted, owner 0, modes 644 and 755, and every time that of the
release, from its VERSION file.
"""

from __future__ import annotations

import datetime as dt
import gzip
import re
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.golang import spelled
from pipeline.toolchain import recipes
from pipeline.values import GoTree, Platform

# What an archive is besides the files that it is made of: one of another form is not the same.
FORM = 2
LICENSE, _OWN_COPY = "LICENSE", "go-license.txt"
# Zip files cannot tell of an earlier time.
_EPOCH = dt.datetime(1980, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, kw_only=True)
class Member:
    """One file of the archive: its path there, where its bytes are, whether it is run."""

    name: str
    path: Path
    executable: bool


def archive_name(version: str, target: Platform) -> str:
    """``go1.27.3-my-series.darwin-arm64.tar.gz``: the tree's digest, which the version carries at its end,
    is left to ``go version``."""
    return _named(_short(version), target)


def tests_name(version: str, target: Platform) -> str:
    """``go1.27.3-my-series-tests.darwin-arm64.tar.gz``."""
    return _named(f"{_short(version)}-tests", target)


def stem(version: str) -> str:
    """A version as one word, for names of files: without the date that development versions have behind."""
    return next(word for word in spelled(version).split() if word.startswith("go"))


def _short(version: str) -> str:
    return re.sub(r"\.[0-9a-f]{8}$", "", stem(version))


def _named(stem: str, target: Platform) -> str:
    kind = "zip" if target.goos == "windows" else "tar.gz"
    return f"{stem}.{target.goos}-{target.goarch}.{kind}"


def members(tree: GoTree, host: Platform, built: Mapping[str, Path]) -> Iterator[Member]:
    """The files of ``tree`` without the tools of ``host``, and those ``built`` (by their path below GOROOT)
    in their place; in the order of the names."""
    own = recipes.tool_files(tree.root, host)
    found = {
        name: Member(name=f"go/{name}", path=tree.root / name, executable=value.endswith(" x"))
        for name, value in tree.manifest.items()
        if name not in own
    }
    found |= {name: Member(name=f"go/{name}", path=path, executable=True) for name, path in built.items()}
    # Whoever passes Go on passes its license on, and a wheel's tree has none.
    found.setdefault(LICENSE, license_of("go"))
    return (found[name] for name in sorted(found))


def license_of(folder: str) -> Member:
    """Go's license, as a file of an archive's folder."""
    return Member(name=f"{folder}/{LICENSE}", path=Path(__file__).with_name(_OWN_COPY), executable=False)


def released(root: Path) -> dt.datetime:
    """The time in a tree's VERSION file; 1980 where there is none."""
    text = (root / "VERSION").read_text(encoding="utf-8")
    found = re.search(r"^time (\S+)$", text, re.MULTILINE)
    return max(dt.datetime.fromisoformat(found.group(1)), _EPOCH) if found else _EPOCH


def write(archive: Path, files: Iterable[Member], when: dt.datetime) -> None:
    """Write the archive; its kind is by its name."""
    if archive.suffix == ".zip":
        _write_zip(archive, files, when)
    else:
        _write_tar(archive, files, when)


def _write_tar(archive: Path, files: Iterable[Member], when: dt.datetime) -> None:
    with (
        archive.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as target,
    ):
        seen: set[str] = set()
        for member in files:
            # The official archives name their folders as well (go.dev/issue/61862).
            for folder in reversed(PurePosixPath(member.name).parents[:-1]):
                if str(folder) not in seen:
                    seen.add(str(folder))
                    entry = tarfile.TarInfo(str(folder))
                    entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, 0o755, int(when.timestamp())
                    target.addfile(entry)
            info = tarfile.TarInfo(member.name)
            info.size = member.path.stat().st_size
            info.mode = 0o755 if member.executable else 0o644
            info.mtime = int(when.timestamp())
            with member.path.open("rb") as source:
                target.addfile(info, source)


def _write_zip(archive: Path, files: Iterable[Member], when: dt.datetime) -> None:
    date_time = when.astimezone(dt.UTC).timetuple()[:6]
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as target:
        for member in files:
            info = zipfile.ZipInfo(member.name, date_time)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3  # the same on every host: Unix, which has modes
            info.external_attr = (0o100755 if member.executable else 0o100644) << 16
            target.writestr(info, member.path.read_bytes())
