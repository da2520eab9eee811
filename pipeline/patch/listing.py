"""What ``go list`` of a release says: its platforms, who imports whom, what each platform compiles."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import parallel, proc
from pipeline.errors import HostError, PatchError
from pipeline.golang import LIST_TIMEOUT, Go
from pipeline.store import Store, digest
from pipeline.values import Platform

# Every list of files that `go list` knows for a package, compiled or embedded, tests apart. Invalid are those
# that it cannot read, such as one with a build line that does not parse: they fail the package.
_INVALID = "InvalidGoFiles"
_CODE = ("GoFiles", "CgoFiles", "CFiles", "CXXFiles", "HFiles", "FFiles", "SFiles", "SysoFiles", "EmbedFiles")
_TESTS = ("TestGoFiles", "XTestGoFiles", "TestEmbedFiles", "XTestEmbedFiles")
_FIELDS = ("ImportPath", *_CODE, _INVALID, *_TESTS)
# What can be a package: any other folder is none for Go, and its name could be a pattern or a flag.
_PACKAGE = re.compile(r"[A-Za-z0-9][\w.~+-]*(/[A-Za-z0-9][\w.~+-]*)*", re.ASCII)
_PATTERNS = {"all", "cmd", "std", "tool", "work"}


@dataclass(frozen=True, kw_only=True)
class Release:
    """A release's platforms, each with the build tags that it sets by itself there (GOEXPERIMENT and the
    architecture's features), and by GOOS the packages that import a package directly: those of the standard
    library, for the host's GOOS those of the commands too."""

    tags: Mapping[Platform, tuple[str, ...]]
    importers: Mapping[str, Mapping[str, tuple[str, ...]]]

    @property
    def platforms(self) -> tuple[Platform, ...]:
        """Every GOOS/GOARCH that the release supports."""
        return tuple(self.tags)

    def importing(self, packages: Sequence[str], goos: str) -> tuple[str, ...]:
        """The packages of the standard library that import one of ``packages`` directly on a GOOS."""
        importers = self.importers.get(goos, {})
        found = {name for package in packages for name in importers.get(package, ())}
        return tuple(sorted(name for name in found - set(packages) if not name.startswith("cmd/")))

    def dependents(self, packages: Sequence[str], goos: str) -> tuple[str, ...]:
        """Every package of the standard library, on the host of the commands too, that is built from one of
        ``packages``."""
        importers = self.importers.get(goos, {})
        found: set[str] = set()
        left = list(packages)
        while left:
            new = set(importers.get(left.pop(), ())) - found
            found |= new
            left += new
        return tuple(sorted(found - set(packages)))


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The files of one package that a platform compiles, below GOROOT. ``tested`` is that it has tests."""

    code: frozenset[str]
    tests: frozenset[str]
    tested: bool


Listings = Mapping[Platform, Mapping[str, Listing]]


@dataclass(frozen=True, kw_only=True)
class Asker:
    """Who asks: a place to run and to remember, and how many processes at once. ``release`` is the digest of
    the release whose go command answers."""

    store: Store
    shell: proc.Shell
    release: str
    jobs: int


def is_package(path: str) -> bool:
    """Whether an import path can be given to the go command and means one package."""
    return bool(_PACKAGE.fullmatch(path)) and path not in _PATTERNS


def is_module_file(path: str) -> bool:
    """Whether a path below GOROOT belongs to what describes a module of the release's: it can fail every
    package, and none lists it."""
    parts = path.split("/")  # of each of 12,000 files
    if parts[0] != "src" or "testdata" in parts:
        return False
    return parts[-1] in ("go.mod", "go.sum") or parts[-2:] == ["vendor", "modules.txt"]


def of_release(asker: Asker, go: Go, host: Platform) -> Release:
    """What a release supports, and who imports whom, of each GOOS on one architecture. Asked once: about a
    second of processor time for the platforms, and a third of one for each GOOS."""

    def build(_: Path) -> Mapping[str, Any]:
        platforms = go.platforms(asker.shell)
        tags = parallel.run(asker.jobs, lambda one: _tags(asker.shell, go, one), platforms)
        places = _one_each(platforms, host)
        importers = parallel.run(asker.jobs, lambda one: _importers(asker.shell, go, one, host), places)
        return {
            "tags": dict(zip(map(str, platforms), tags, strict=True)),
            "importers": dict(zip((one.goos for one in places), importers, strict=True)),
        }

    inputs = {
        "release": asker.release,
        "host": str(host),
        "importers": "each GOOS, and the runtime of programs",
    }
    entry = asker.store.fill("platforms", inputs, build)
    return Release(
        tags={_platform(text): tuple(tags) for text, tags in entry.meta["tags"].items()},
        importers={
            goos: {name: tuple(found) for name, found in importers.items()}
            for goos, importers in entry.meta["importers"].items()
        },
    )


def _one_each(platforms: Sequence[Platform], host: Platform) -> list[Platform]:
    """One platform of each GOOS, on the host's architecture where it has that."""
    found: dict[str, Platform] = {}
    for one in platforms:
        if one.goos not in found or one.goarch == host.goarch:
            found[one.goos] = one
    return list(found.values())


def _importers(shell: proc.Shell, go: Go, platform: Platform, host: Platform) -> dict[str, list[str]]:
    patterns = ["std", "cmd"] if platform == host else ["std"]
    rows = go.list(
        shell,
        f"list-all-{platform.goos}",
        patterns,
        target=platform,
        fields=("ImportPath", "Name", "Imports"),
        deps=True,
    )
    importers: dict[str, set[str]] = {}
    for row in rows:
        # A program is linked with the runtime, whether or not it imports anything.
        linked = ["runtime"] if row.get("Name") == "main" else []
        for name in (*(row.get("Imports") or ()), *linked):
            importers.setdefault(_unmarked(name), set()).add(_unmarked(row["ImportPath"]))
    return {name: sorted(found) for name, found in importers.items()}


def _unmarked(path: str) -> str:
    """An import path without the program for whose profile the package is built: ``fmt [cmd/compile]``."""
    return path.partition(" ")[0]


def of_tree(
    asker: Asker,
    go: Go,
    manifest: Mapping[str, str],
    packages: Sequence[str],
    platforms: Sequence[Platform],
    *,
    baseline: Go | None = None,
) -> Listings:
    """The files of ``packages`` in the tree of ``go`` on every platform. Trees that hold the same files there
    share the answer. Without what a package imports this takes 30 ms of processor time a platform.

    PatchError where the tree of ``baseline`` can be listed and this one cannot, else HostError.
    """
    wanted = [name for name in packages if is_package(name)]
    if not wanted:
        return {platform: {} for platform in platforms}

    def build(_: Path) -> Mapping[str, Any]:
        rows = parallel.run(
            asker.jobs, lambda one: _judged(asker.shell, go, baseline, wanted, one), platforms
        )
        return {"files": dict(zip(map(str, platforms), rows, strict=True))}

    inputs = {
        "release": asker.release,
        "fields": list(_FIELDS),
        "platforms": [str(one) for one in platforms],
        "packages": {name: _content(manifest, name) for name in wanted},
        "modules": {name: entry for name, entry in sorted(manifest.items()) if is_module_file(name)},
    }
    files = asker.store.fill("listings", inputs, build).meta["files"]
    return {
        platform: {
            package: Listing(
                code=frozenset(row["code"]), tests=frozenset(row["tests"]), tested=bool(row["tested"])
            )
            for package, row in files[str(platform)].items()
        }
        for platform in platforms
    }


def _content(manifest: Mapping[str, str], package: str) -> str:
    # With what is below it: a package may embed that.
    below = f"src/{package}/"
    return digest(sorted((name, entry) for name, entry in manifest.items() if name.startswith(below)))


def _platform(text: str) -> Platform:
    goos, goarch = text.split("/")
    return Platform(goos=goos, goarch=goarch)


def _tags(shell: proc.Shell, go: Go, platform: Platform) -> list[str]:
    result = shell.run(
        "list-tags",
        go.command("list", "-find", "-f", '{{join context.ToolTags " "}}', "errors"),
        env=go.env(platform),
        cwd=go.root / "src",
        timeout=LIST_TIMEOUT,
        merge=False,
    )
    if not result.ok:
        raise HostError(f"go list failed for {platform}:\n{result.tail}", hint=f"the log is {result.log}")
    return result.stdout.split()


def _judged(
    shell: proc.Shell, go: Go, baseline: Go | None, packages: Sequence[str], platform: Platform
) -> dict[str, Any]:
    try:
        return _rows(shell, go, packages, platform)
    except HostError as error:
        if baseline is None:
            raise
        # Not what is remembered of it: only an answer of now tells the patch from a machine in trouble.
        _rows(shell, baseline, packages, platform)
        raise PatchError(
            error.what,
            meaning="the baseline's packages can be listed: the patch is at fault",
            hint=error.hint,
        ) from error


def _rows(shell: proc.Shell, go: Go, packages: Sequence[str], platform: Platform) -> dict[str, Any]:
    rows = go.list(
        shell,
        f"list-{platform.goos}-{platform.goarch}",
        packages,
        target=platform,
        fields=_FIELDS,
        find=True,
    )

    def names(row: Mapping[str, Any], kinds: Sequence[str], *, tests: bool) -> list[str]:
        found = {name for kind in kinds for name in row.get(kind) or ()}
        found |= {name for name in row.get(_INVALID) or () if name.endswith("_test.go") == tests}
        return sorted(f"src/{row['ImportPath']}/{name}" for name in found)

    return {
        str(row["ImportPath"]): {
            "code": names(row, _CODE, tests=False),
            "tests": names(row, _TESTS, tests=True),
            "tested": bool(row.get("TestGoFiles") or row.get("XTestGoFiles")),
        }
        for row in rows
    }
