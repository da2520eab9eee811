"""Nothing of the corpus reaches anything but its own tree, by the way that a run takes; and what git alone
would have let through."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline import git, proc, tree
from pipeline.errors import NothingToDoError, PatchError
from pipeline.flow import stages
from pipeline.ledger import Ledger
from pipeline.patch import series
from pipeline.records import LintFinding, PatchApplied
from pipeline.store import Store
from pipeline.toolchain import trees
from pipeline.values import GoTree
from tests.unit.hostile import BENIGN, HOSTILE, P, as_bytes, created, preimages

pytestmark = pytest.mark.usefixtures("processes")
FILES = {P: "a\n", "src/a.go": "a\n", "src/b.go": "a\n", "VERSION": "go1.27.3\n", "bin/go": "tool\n"}
Snapshot = dict[str, tuple[int, str]]


class Place:
    """A folder with a base tree, a store and a series in it, and canaries where a patch may want to write."""

    def __init__(self, root: Path, files: Mapping[str, bytes] | None = None) -> None:
        self.root = root
        self.base = root / "release"
        self.series = root / "patches" / "x"
        self.series.mkdir(parents=True)
        self.files = {name: text.encode() for name, text in FILES.items()} if files is None else files
        self.base.mkdir()
        for name, text in self.files.items():
            path = self.base / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text)
        for canary in (root / "canary", root / "release/canary", root / "patches/canary", root / "x"):
            canary.write_text("untouched\n")
        (self.series / "series.yml").write_text(
            'series: x\nsubject: "runtime: y"\nbase: ">=1.27"\npatches: [0001.patch]\n'
        )
        self.store = Store(root / "cache")
        self.store.prepare()
        self.shell = proc.Shell(logs=root / "logs", observe=lambda *_: None)

    def apply(self, content: bytes) -> trees.PatchedTree:
        (self.series / "0001.patch").write_bytes(content)
        found = series.load(self.series)
        return trees.patched(self.store, self.shell, self.tree(), found)

    def tree(self) -> GoTree:
        manifest = {name: tree.entry(self.base / name) for name in self.files}
        return GoTree(root=self.base, version="1.27.3", digest=tree.digest(manifest), manifest=manifest)

    def snapshot(self) -> Snapshot:
        """Everything but what a run may write: its store's own entries and its logs."""
        found = {}
        for folder, folders, files in os.walk(self.root):
            for name in [*folders, *files]:
                path = Path(folder) / name
                short = path.relative_to(self.root).as_posix()
                if short.split("/")[0] in {"cache", "logs"} or short == "patches/x/0001.patch":
                    continue
                content = (
                    str(path.readlink())
                    if path.is_symlink()
                    else path.read_bytes().hex()
                    if path.is_file()
                    else ""
                )
                found[short] = (stat.S_IFMT(path.lstat().st_mode) | path.lstat().st_mode & 0o777, content)
        return found

    def trees(self) -> list[str]:
        """The trees that the store holds, finished or not."""
        return [path.as_posix() for path in (self.root / "cache").rglob("tree")]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_patch_changes_nothing_at_all(tmp_path: Path, name: str) -> None:
    place = Place(tmp_path / "place")
    before, outside = place.snapshot(), sorted(tmp_path.iterdir())
    with pytest.raises(PatchError):
        place.apply(as_bytes(HOSTILE[name][0]))
    assert place.snapshot() == before
    assert sorted(tmp_path.iterdir()) == outside
    assert place.trees() == []


@pytest.mark.parametrize("name", BENIGN)
def test_a_benign_patch_changes_its_own_tree_only(tmp_path: Path, name: str) -> None:
    content, files = BENIGN[name]
    place = Place(tmp_path / "place", preimages(content.encode()))
    before, outside = place.snapshot(), sorted(tmp_path.iterdir())
    assert place.apply(content.encode()).changed == tuple(sorted(files))
    assert place.trees()
    assert place.snapshot() == before
    assert sorted(tmp_path.iterdir()) == outside


def test_what_collides_with_the_release_is_refused_before_a_tree_is_made(tmp_path: Path) -> None:
    place = Place(tmp_path / "place")
    for path in ("src/Runtime/x.go", "src/A.go", "src/a.go/x.go", "src/runtime"):
        with pytest.raises(PatchError, match=r"0001\.patch:1: error: path-collision: "):
            place.apply(created(path).encode())
    assert place.trees() == []


def test_a_link_of_the_release_is_not_written_through(tmp_path: Path) -> None:
    place = Place(tmp_path / "place")
    (place.base / "src/a.go").unlink()
    (place.base / "src/a.go").symlink_to(place.base / "src/b.go")
    before = place.snapshot()
    with pytest.raises(PatchError, match="no such file in this release"):
        place.apply(BENIGN["index with the plain mode"][0].replace(P, "src/a.go").encode())
    assert place.snapshot() == before
    assert place.trees() == []


def test_an_index_line_makes_nothing_runnable_and_nothing_plain(tmp_path: Path) -> None:
    for mode, other in ((0o644, "100755"), (0o755, "100644")):
        place = Place(tmp_path / other)
        (place.base / P).chmod(mode)
        content = BENIGN["index with the plain mode"][0].replace("100644", other)
        patched = place.apply(content.encode())
        assert stat.S_IMODE((patched.tree.root / P).stat().st_mode) == mode


# What the lint is for: git alone makes the link, the program and the rename.
@pytest.mark.parametrize(
    "name",
    [
        "new link",
        "new link, leading zero",
        "new program",
        "mode change",
        "rename",
        "mode change to the plain one",
    ],
)
def test_git_alone_would_have_taken_it(tmp_path: Path, name: str) -> None:
    place = Place(tmp_path / "place")
    shutil.rmtree(place.base / "bin")
    if name == "rename":
        (place.base / "src/b.go").unlink()
    if name == "mode change to the plain one":
        (place.base / P).chmod(0o755)
    before = place.snapshot()
    shell = proc.Shell(logs=tmp_path / "logs", observe=lambda *_: None)
    content = as_bytes(HOSTILE[name][0])
    assert git.run(shell, "apply", ["apply", "-p1", "-"], cwd=place.base, stdin=content).ok
    assert place.snapshot() != before


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("no prefix", "bin/go"),
        ("tab in the path, date after it", "src/a.go\tx"),
        ("the shorter name", P),
        ("rename, old spelling", "../canary"),
        ("dev/null as a file, removed", "dev/null"),
        ("a header in the message", "../canary"),
        (".GIT", "src/.GIT/config"),
        ("aux.go", "src/runtime/aux.go"),
    ],
)
def test_git_reads_another_name_than_a_reviewer(tmp_path: Path, name: str, file: str) -> None:
    done = subprocess.run(
        ["git", "apply", "--numstat", "-z", "-p1", "-"],
        input=as_bytes(HOSTILE[name][0]),
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert f"{file}\0".encode() in done.stdout, done


def test_a_run_records_what_the_lint_advises(tmp_path: Path) -> None:
    content, _ = BENIGN["format-patch with a signature"]
    place = Place(tmp_path / "place", preimages(content.encode()))
    (place.series / "0001.patch").write_bytes(content.encode())
    ledger = Ledger(tmp_path / "ledger.jsonl")
    context: Any = SimpleNamespace(
        plan=SimpleNamespace(series=series.load(place.series), allowed=()),
        store=place.store,
        shell=place.shell,
        ledger=ledger,
        stage=lambda _: contextlib.nullcontext(),
    )
    stages.apply(context, place.tree())
    found = [
        record for record in Ledger(tmp_path / "ledger.jsonl").records if isinstance(record, LintFinding)
    ]
    assert [(one.file, one.line, one.severity, one.rule) for one in found] == [
        ("0001.patch", 3, "advice", "subject-package"),
        ("0001.patch", 7, "advice", "body-missing"),
        ("0001.patch", 7, "advice", "issue-missing"),
    ]


def test_a_series_that_is_there_already_is_nothing_to_do(tmp_path: Path) -> None:
    content = BENIGN["format-patch with a signature"][0].encode()
    place = Place(tmp_path / "place", preimages(content))
    (place.series / "0001.patch").write_bytes(content)
    ledger = Ledger(tmp_path / "ledger.jsonl")
    context: Any = SimpleNamespace(
        plan=SimpleNamespace(series=series.load(place.series), allowed=("already-applied",)),
        store=place.store,
        shell=place.shell,
        ledger=ledger,
        stage=lambda _: contextlib.nullcontext(),
    )
    patched = stages.apply(context, place.tree())
    with pytest.raises(NothingToDoError, match="holds every patch of it already"):
        stages.apply(context, patched.tree)
    applied = [one for one in ledger.records if isinstance(one, PatchApplied)]
    assert [one.skipped for one in applied] == [False, True]
