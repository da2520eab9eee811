"""Which GOOS/GOARCH pairs there are: of a release by its own list, else of all that this project knows."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import Mistake, suggest
from pipeline.plan.file import MatrixFile
from pipeline.source import base as source_room
from pipeline.values import Platform

# What `go tool dist list` prints from; cmd/dist leaves out those that are marked as broken.
LIST = "src/internal/platform/zosarch.go"
_PORT = re.compile(r'^\t\{"([a-z0-9]+)", "([a-z0-9]+)"\},$', re.MULTILINE)
_BROKEN = re.compile(r'^\t\{"([a-z0-9]+)", "([a-z0-9]+)"\}: +\{[^}]*Broken: true', re.MULTILINE)

# Every pair that `go tool dist list` of any of these releases prints.
FIRST, LAST = "1.21", "1.27"
_KNOWN = {
    "aix": "ppc64",
    "android": "386 amd64 arm arm64",
    "darwin": "amd64 arm64",
    "dragonfly": "amd64",
    "freebsd": "386 amd64 arm arm64 riscv64",
    "illumos": "amd64",
    "ios": "amd64 arm64",
    "js": "wasm",
    "linux": "386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x",
    "netbsd": "386 amd64 arm arm64",
    "openbsd": "386 amd64 arm arm64 ppc64 riscv64",
    "plan9": "386 amd64 arm",
    "solaris": "amd64",
    "wasip1": "wasm",
    "windows": "386 amd64 arm arm64",
}
KNOWN = frozenset(
    Platform(goos=goos, goarch=goarch) for goos, found in _KNOWN.items() for goarch in found.split()
)


@dataclass(frozen=True, kw_only=True)
class Ports:
    """A list of platforms: ``name`` is what to call it, ``final`` that what is not in it does not exist, as
    far as the base goes."""

    platforms: Collection[Platform]
    name: str
    final: bool


def of_tree(root: Path, base: str) -> Ports | None:
    """The list of a Go tree; None for one that has none in this form (before Go 1.21)."""
    try:
        text = (root / LIST).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    listed, _, about = text.partition("var distInfo")
    broken = set(_BROKEN.findall(about))
    pairs = [pair for pair in _PORT.findall(listed) if pair not in broken]
    if not pairs:
        return None
    platforms = [Platform(goos=goos, goarch=goarch) for goos, goarch in pairs]
    called = f"Go {base}" if source_room.release(base) else base
    return Ports(platforms=platforms, name=f"{called}'s own list", final=True)


def known(base: str) -> Ports:
    """The list for a base whose tree is not at hand. It is final for the releases that it was made from."""
    minor = re.match(r"1\.(\d+)", source_room.release(base))
    first, last = (int(one.partition(".")[2]) for one in (FIRST, LAST))
    return Ports(
        platforms=KNOWN,
        name=f"all that Go {FIRST} to {LAST} have between them",
        final=minor is not None and first <= int(minor[1]) <= last,
    )


def impossible(file: MatrixFile, ports: Ports) -> Iterator[Mistake]:
    """The platforms of matrix.yml that a list lacks."""
    pairs = [str(one) for one in ports.platforms]
    systems = {one.goos for one in ports.platforms}
    for name, entry in file.platforms.items():
        if entry.platform in ports.platforms:
            continue
        key = "goarch" if entry.goos in systems else "goos"
        text = f"{entry.platform} is not in {ports.name}; {suggest(str(entry.platform), pairs)}"
        yield Mistake(("platforms", name, key), text)
