"""What a series reaches: which packages change, and on which platforms the changed files are compiled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pipeline import proc
from pipeline.golang import Go
from pipeline.values import Cell, Platform

# Every list of files that `go list` knows for a package, compiled or embedded, tests apart.
_CODE = ("GoFiles", "CgoFiles", "CFiles", "CXXFiles", "HFiles", "FFiles", "SFiles", "SysoFiles", "EmbedFiles")
_TESTS = ("TestGoFiles", "XTestGoFiles", "TestEmbedFiles", "XTestEmbedFiles")


@dataclass(frozen=True, kw_only=True)
class Reach:
    """On one platform: changed packages whose own code changes there, and the changed files compiled.

    ``test_packages`` are those of which only test files change there, and ``tested`` those of both that
    have tests of their own on this platform.
    """

    platform: Platform
    packages: tuple[str, ...]
    test_packages: tuple[str, ...]
    tested: tuple[str, ...]
    files: tuple[str, ...]

    @property
    def reached(self) -> bool:
        """Whether any code that is not a test differs on this platform."""
        return bool(self.packages)


def is_test_file(path: str) -> bool:
    """Whether a path below GOROOT only matters to tests."""
    pure = PurePosixPath(path)
    return pure.name.endswith("_test.go") or "testdata" in pure.parts


def changed_packages(files: Iterable[str]) -> list[str]:
    """Import paths of the folders below src/ that hold changed files; testdata counts for its owner."""
    found: set[str] = set()
    for name in files:
        parts = PurePosixPath(name).parts
        if parts[0] != "src" or len(parts) < 3:
            continue
        folder = parts[1:-1]
        if "testdata" in folder:
            folder = folder[: folder.index("testdata")]
        if folder:
            found.add("/".join(folder))
    return sorted(found)


def of_cell(shell: proc.Shell, cell: Cell, before: Go, after: Go, changed: Sequence[str]) -> Reach:
    """Ask both trees which of the changed files they compile on the cell's platform.

    Both, because a file that the series removes is only in the first.
    """
    packages = changed_packages(changed)
    code: dict[str, set[str]] = {}
    tests: dict[str, set[str]] = {}
    tested: set[str] = set()
    changed_set = set(changed)
    for go, role in ((before, "base"), (after, "patched")):
        if not packages:
            break
        rows = go.list(
            shell,
            f"list-{cell.id}-{role}",
            [f"./{package}" for package in packages],
            target=cell.platform,
            fields=("ImportPath", "Dir", *_CODE, *_TESTS),
        )
        for row in rows:
            package = str(row["ImportPath"])
            if go is after and (row.get("TestGoFiles") or row.get("XTestGoFiles")):
                tested.add(package)
            for kinds, into in ((_CODE, code), (_TESTS, tests)):
                names = {f"src/{package}/{file}" for kind in kinds for file in row.get(kind) or ()}
                if hit := names & changed_set:
                    into.setdefault(package, set()).update(hit)
    files = {name for group in (code, tests) for names in group.values() for name in names}
    return Reach(
        platform=cell.platform,
        packages=tuple(sorted(code)),
        test_packages=tuple(sorted(set(tests) - set(code))),
        tested=tuple(sorted(tested & (set(code) | set(tests)))),
        files=tuple(sorted(files)),
    )
