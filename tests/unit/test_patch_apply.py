"""Applying with real git: where a patch went, and why it did not."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pipeline import proc
from pipeline.errors import PatchError
from pipeline.patch import lint
from pipeline.patch.apply import apply_series
from pipeline.values import Patch

NAME = "src/runtime/proc.go"
LINES = [f"line {n}" for n in range(1, 41)]
TEXT = "\n".join(LINES) + "\n"
CHANGED = TEXT.replace("line 20\n", "LINE 20\n")


def patch(text: str, name: str = "0001-x.patch", *, files: tuple[str, ...] | None = None) -> Patch:
    content = text.encode()
    return Patch(
        name=name,
        subject="x",
        message="",
        sha256="",
        content=content,
        files=lint.check(name, content) if files is None else files,
    )


def hunk(at: int, old: str, new: str, *, path: str = NAME, header: bool = True) -> str:
    """One line changed, with the lines around it as in LINES."""
    around = [
        f" {LINES[at - 3]}",
        f" {LINES[at - 2]}",
        f"-{old}",
        f"+{new}",
        f" {LINES[at]}",
        f" {LINES[at + 1]}",
    ]
    head = f"--- a/{path}\n+++ b/{path}\n" if header else ""
    return head + f"@@ -{at - 2},5 +{at - 2},5 @@ func x()\n" + "\n".join(around) + "\n"


EXACT = hunk(20, "line 20", "LINE 20")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "a trée with blanks"
    (made / "src/runtime").mkdir(parents=True)
    (made / NAME).write_text(TEXT)
    return made


@pytest.fixture
def shell(tmp_path: Path) -> proc.Shell:
    return proc.Shell(logs=tmp_path / "logs", observe=lambda *_: None)


def test_exact(processes: None, root: Path, shell: proc.Shell) -> None:
    (done,) = apply_series(shell, root, [patch(EXACT)])
    assert (done.rung, done.hunks, done.detail) == ("exact", 1, "")
    assert (root / NAME).read_text() == CHANGED


def test_moved_by_some_lines(processes: None, root: Path, shell: proc.Shell) -> None:
    (root / NAME).write_text("new 1\nnew 2\n" + TEXT)
    (done,) = apply_series(shell, root, [patch(EXACT)])
    assert done.rung == "offset"
    assert done.detail == "hunk 1 at line 20 (offset 2)"
    assert (root / NAME).read_text() == "new 1\nnew 2\n" + CHANGED


def test_a_series_builds_on_itself(processes: None, root: Path, shell: proc.Shell) -> None:
    second = patch(EXACT.replace("-line 20", "-LINE 20").replace("+LINE 20", "+third"), "0002-y.patch")
    done = apply_series(shell, root, [patch(EXACT), second])
    assert [one.rung for one in done] == ["exact", "exact"]
    assert "third" in (root / NAME).read_text()


def refused(shell: proc.Shell, root: Path, text: str, *, files: tuple[str, ...] | None = None) -> str:
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    with pytest.raises(PatchError) as caught:
        apply_series(shell, root, [patch(text, files=files)])
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    return str(caught.value)


def test_a_conflict_names_file_line_and_hunk(processes: None, root: Path, shell: proc.Shell) -> None:
    text = hunk(5, "line 5", "five") + hunk(30, "another line", "thirty", header=False)
    said = refused(shell, root, text)
    assert f"{NAME}:28: hunk 2 conflicts: @@ -28,5 +28,5 @@ func x()" in said
    assert "0001-x.patch does not apply (patch 1 of the series)" in said


def test_a_conflict_in_the_second_file(processes: None, root: Path, shell: proc.Shell) -> None:
    other = "src/runtime/mheap.go"
    (root / other).write_text(TEXT)
    said = refused(shell, root, EXACT + hunk(10, "nothing of this", "x", path=other))
    assert f"{other}:8: hunk 1 conflicts" in said
    assert f"{NAME}:" not in said


def test_a_missing_file(processes: None, root: Path, shell: proc.Shell) -> None:
    said = refused(shell, root, hunk(20, "line 20", "x", path="src/runtime/none.go"))
    assert "src/runtime/none.go: no such file in this release" in said


def test_a_file_that_exists_already(processes: None, root: Path, shell: proc.Shell) -> None:
    said = refused(shell, root, f"--- /dev/null\n+++ b/{NAME}\n@@ -0,0 +1 @@\n+x\n")
    assert f"{NAME}: exists already" in said


def test_already_applied(processes: None, root: Path, shell: proc.Shell) -> None:
    (root / NAME).write_text(CHANGED)
    assert "is already applied" in refused(shell, root, EXACT)


def test_a_corrupt_patch(processes: None, root: Path, shell: proc.Shell) -> None:
    assert "corrupt patch at line" in refused(shell, root, EXACT.replace(",5 @@", ",9 @@"), files=(NAME,))


def test_the_whole_series_is_named_by_the_one_that_fails(
    processes: None, root: Path, shell: proc.Shell
) -> None:
    with pytest.raises(PatchError, match=r"0002-y\.patch does not apply \(patch 2 of the series\)"):
        apply_series(shell, root, [patch(EXACT), patch(hunk(30, "no", "x"), "0002-y.patch")])


def test_applies_below_somebodys_checkout(processes: None, root: Path, shell: proc.Shell) -> None:
    """Inside a repository, git apply silently skips what is outside its own folder."""
    subprocess.run(["git", "init", "-q", str(root.parent)], check=True, capture_output=True)
    apply_series(shell, root, [patch(EXACT)])
    assert (root / NAME).read_text() == CHANGED


def test_applies_below_a_checkout_reached_by_a_link(
    processes: None, root: Path, shell: proc.Shell, tmp_path: Path
) -> None:
    subprocess.run(["git", "init", "-q", str(root.parent)], check=True, capture_output=True)
    link = tmp_path / "link"
    link.symlink_to(root.parent)
    apply_series(shell, link / root.name, [patch(EXACT)])
    assert (root / NAME).read_text() == CHANGED


def test_a_hard_linked_tree_stays_as_it_was(processes: None, root: Path, shell: proc.Shell) -> None:
    source = root.parent / "release.go"
    removed = root / "src/runtime/gone.go"
    removed.write_text("x\n")
    os.link(removed, root.parent / "gone.go")
    os.link(root / NAME, source)
    gone = "diff --git a/src/runtime/gone.go b/src/runtime/gone.go\ndeleted file mode 100644\n"
    gone += "--- a/src/runtime/gone.go\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
    apply_series(shell, root, [patch(EXACT + gone)])
    assert source.read_text() == TEXT
    assert (root / NAME).read_text() == CHANGED
    assert not removed.exists()
    assert (root.parent / "gone.go").read_text() == "x\n"


def test_the_users_git_does_not_matter(
    processes: None, root: Path, shell: proc.Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / ".config/git").mkdir(parents=True)
    (home / ".gitconfig").write_text("[apply]\n\twhitespace = error-all\n[core]\n\tautocrlf = true\n")
    (home / ".config/git/attributes").write_text("* text eol=crlf\n")
    monkeypatch.setenv("HOME", str(home))
    for name, value in {
        "GIT_DIR": "/nonexistent",
        "GIT_WORK_TREE": "/nonexistent",
        "GIT_INDEX_FILE": "/nonexistent",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "apply.whitespace",
        "GIT_CONFIG_VALUE_0": "error-all",
        "GIT_PREFIX": "src/",
    }.items():
        monkeypatch.setenv(name, value)
    apply_series(shell, root, [patch(hunk(20, "line 20", "LINE 20 \t"))])
    assert (root / NAME).read_bytes() == TEXT.replace("line 20\n", "LINE 20 \t\n").encode()


def test_a_translated_git_is_understood(
    processes: None, root: Path, shell: proc.Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("LANGUAGE", "de")
    assert f"{NAME}:28: hunk 1 conflicts" in refused(shell, root, hunk(30, "no", "x"))


def test_removed_lines_that_look_like_headers(processes: None, root: Path, shell: proc.Shell) -> None:
    (root / NAME).write_text("-- a/src/other.go\nx\n")
    apply_series(shell, root, [patch(f"--- a/{NAME}\n+++ b/{NAME}\n@@ -1,2 +1 @@\n--- a/src/other.go\n x\n")])
    assert (root / NAME).read_text() == "x\n"


def test_a_context_line_cannot_blame_the_machine(processes: None, root: Path, shell: proc.Shell) -> None:
    text = (
        f"diff --git a/{NAME} b/{NAME}\n--- a/{NAME}\n+++ b/{NAME}\n@@ -1,2 +1,3 @@\n"
        " resource temporarily unavailable\n no space left on device\n+new\n"
    )
    with pytest.raises(PatchError, match="does not apply"):
        apply_series(shell, root, [patch(text)])
