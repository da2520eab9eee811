"""The ladder on real changes: the differences between Go releases, on those releases and on others."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import git, proc, tree
from pipeline.errors import ExitCode
from pipeline.patch import reader
from pipeline.patch.account import ALLOWABLE, CLEAN, Applied
from pipeline.patch.apply import apply_series
from pipeline.patch.blobs import ReleaseBlobs
from pipeline.source.wheel import WheelRelease
from pipeline.store import Store
from pipeline.values import GoTree, Patch
from tests.integration import forked
from tests.integration.harness import ROOT, command, environment, make_series, quick, validate

pytestmark = pytest.mark.go
# 1.27.3 differs from 1.27.2 only in crypto/x509.
ROOMS = ("src/runtime/", "src/net/", "src/crypto/")
PAIRS = [("1.27.2", "1.27.3"), ("1.26.6", "1.27.0")]
Trees = Callable[[str], GoTree]


@pytest.fixture(scope="module")
def store(cache: Path) -> Store:
    made = Store(cache)
    made.prepare()
    return made


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> proc.Shell:
    return proc.Shell(logs=tmp_path_factory.mktemp("logs"), observe=lambda *_: None)


@pytest.fixture(scope="module")
def trees(store: Store, shell: proc.Shell) -> Trees:
    found: dict[str, GoTree] = {}

    def get(version: str) -> GoTree:
        if version not in found:
            found[version], _ = WheelRelease(version).fetch(store, shell)
        return found[version]

    return get


def patch(content: bytes) -> Patch:
    files = tuple(dict.fromkeys(change.path for change in reader.parse("x.patch", content)))
    return Patch(name="x.patch", subject="", message="", sha256="", content=content, files=files)


def differences(old: GoTree, new: GoTree, room: Path) -> list[bytes]:
    """What changed below ROOMS, by git, a part for each file; binary files are left out."""
    room.mkdir(exist_ok=True)
    for name, one in (("a", old), ("b", new)):
        if not (room / name).exists():
            tree.clone(one.root, room / name, [path for path in one.manifest if path.startswith(ROOMS)])
    done = subprocess.run(
        ["git", "diff", "--no-index", "--no-renames", "--src-prefix=", "--dst-prefix=", "a/src", "b/src"],
        cwd=room,
        env=git.env(room.parent),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    parts = re.split(rb"^(?=diff --git )", done.stdout, flags=re.MULTILINE)[1:]
    return [part for part in parts if b"\nBinary files " not in part]


def checked(root: Path, content: bytes, *options: str) -> bool:
    """Whether git by itself says that it applies."""
    done = subprocess.run(
        ["git", "apply", "-p1", "--check", *options, "-"],
        input=content,
        cwd=root,
        env=git.env(root.parent),
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_exact_on_the_older_and_already_applied_on_the_newer(
    trees: Trees, shell: proc.Shell, tmp_path: Path, old: str, new: str
) -> None:
    before, after = trees(old), trees(new)
    whole = patch(b"".join(differences(before, after, tmp_path / "diff")))
    outcome = apply_series(shell, before.root, [whole]).require()
    (done,) = outcome.applied
    assert {hunk.rung for hunk in done.hunks} == {"exact"}
    for path, content in outcome.files.items():
        place = after.root / path
        assert content == (place.read_bytes() if place.is_file() else None), path
    outcome = apply_series(shell, after.root, [whole], allowed={"already-applied"})
    (again,) = outcome.applied
    assert (again.rung, again.skipped, outcome.files) == ("already-applied", True, {})
    print(f"{old} → {new}: {len(whole.files)} files, {done.count} hunks")  # noqa: T201 - for people who read the test's output


@pytest.mark.parametrize(
    ("old", "new", "on"),
    [("1.27.2", "1.27.3", "1.26.6"), ("1.27.2", "1.27.3", "1.27.0"), ("1.26.6", "1.27.0", "1.27.3")],
)
def test_in_between_every_file_is_classified_as_git_would(
    store: Store, trees: Trees, shell: proc.Shell, tmp_path: Path, old: str, new: str, on: str
) -> None:
    root = trees(on).root
    counts: Counter[str] = Counter()
    hunks: Counter[str] = Counter()
    parts = differences(trees(old), trees(new), tmp_path / "diff")
    for content in parts:
        outcome = apply_series(
            shell, root, [patch(content)], allowed=set(ALLOWABLE), blobs=ReleaseBlobs(store)
        )
        (done,) = outcome.applied
        counts[done.rung] += 1
        hunks.update(hunk.rung for hunk in done.hunks)
        judge(root, content, done)
    print(f"{old} → {new} on {on}: {len(parts)} files {dict(counts)}; hunks {dict(hunks)}")  # noqa: T201 - for people who read the test's output
    assert sum(counts.values()) == len(parts) > 0


def judge(root: Path, content: bytes, done: Applied) -> None:
    """What git alone says of the same patch on the same tree."""
    (change,) = reader.parse("x.patch", content)
    where = f"{change.path}: {done.rung}, {done.detail}"
    if done.rung in CLEAN:
        assert checked(root, content), where
    elif checked(root, content):  # git would put in a second time what is there
        assert done.skipped, where
    if done.skipped:
        assert checked(root, content, "--reverse"), where
    if done.rung in {"whitespace", "fuzz"}:
        assert checked(root, content, "--ignore-whitespace", "-C1"), where
    if done.rung == "missing-file":
        assert change.kind != "create", where
        assert not (root / change.old).exists(), where
    if done.rung == "file-exists":
        assert change.kind == "create", where
        assert (root / change.new).exists(), where
    if done.rung == "conflict":
        assert not checked(root, content, "--reverse"), where


def applied(cache: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return forked.run(command("patch-apply", *words), cwd=ROOT, env=environment(cache), timeout=600)


def test_the_command(cache: Path, trees: Trees, tmp_path: Path) -> None:
    parts = differences(trees("1.27.2"), trees("1.27.3"), tmp_path / "diff")
    series = make_series(tmp_path / "fix", [b"".join(parts).decode()], base=">=1.26")
    done = applied(cache, f"--series={series}", "--base=1.27.2", f"--out={tmp_path / 'go'}", "--json")
    assert done.returncode == ExitCode.PASS, done.stderr
    found = json.loads(done.stdout)
    assert found["ok"]
    assert {hunk["rung"] for hunk in found["patches"][0]["account"]} == {"exact"}
    patched, released = tree.scan(tmp_path / "go"), trees("1.27.3").manifest
    assert {path: patched[path] for path in patched if path.startswith(ROOMS)} == {
        path: released[path] for path in released if path.startswith(ROOMS)
    }
    assert tree.scan(trees("1.27.2").root) == trees("1.27.2").manifest  # the store's own is as it was
    done = applied(cache, f"--series={series}", "--base=1.27.3")
    assert done.returncode == ExitCode.PATCH_FAILS
    assert "0001-change.patch  already-applied" in done.stdout
    done = applied(cache, f"--series={series}", "--base=1.27.3", "--allow=already-applied")
    assert done.returncode == ExitCode.PASS
    assert "0001-change.patch  already-applied, skipped" in done.stdout
    done = applied(cache, f"--series={series}", "--base=1.27.3", "--allow=fuz")
    assert done.returncode == ExitCode.USAGE
    assert "did you mean fuzz?" in done.stderr


def test_a_run_that_ends_at_apply_has_the_account(cache: Path, release: Path, tmp_path: Path) -> None:
    text = "--- a/src/{0}\n+++ b/src/{0}\n@@ -1,3 +1,3 @@\n {1}\n-{2}\n+x\n {3}\n"
    name = "container/ring/ring.go"
    first, second, third = (release / "src" / name).read_text().splitlines()[:3]
    series = make_series(tmp_path / "bad", [text.format(name, first, f"{second} not", third)])
    done = validate(cache, tmp_path / "run", *quick(series), "--allow=3-way,fuzz")
    assert done.code == ExitCode.PATCH_FAILS, done.err
    (found,) = done.report["patches"]
    assert (found["rung"], found["allowed"]) == ("conflict", [])
    assert [row["rung"] for row in found["account"]] == ["conflict"]
    assert f"- {second} not" in found["account"][0]["beside"]
    assert "**conflict**" in done.summary
    assert "--allow=fuzz,3-way" in done.summary
