"""Applying with real git: where a patch went, and why it did not."""

from __future__ import annotations

import difflib
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipeline import git, proc
from pipeline.errors import ExitCode, PatchError, PipelineError
from pipeline.patch import apply, lint
from pipeline.patch.account import RUNGS, Applied, HunkAccount
from pipeline.patch.apply import Outcome, apply_series
from pipeline.patch.blobs import ReleaseBlobs, blob_id
from pipeline.store import Store
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
        files=lint.examine(name, content).files if files is None else files,
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


def made(shell: proc.Shell, root: Path, patches: list[Patch], **options: Any) -> tuple[Applied, ...]:
    """Apply the series and write it into its tree."""
    outcome = apply_series(shell, root, patches, **options).require()
    apply.write(root, outcome.files)
    return outcome.applied


def test_exact(processes: None, root: Path, shell: proc.Shell) -> None:
    (done,) = made(shell, root, [patch(EXACT)])
    assert (done.rung, done.count, done.detail, done.ok) == ("exact", 1, "", True)
    assert (root / NAME).read_text() == CHANGED


def test_moved_by_some_lines(processes: None, root: Path, shell: proc.Shell) -> None:
    (root / NAME).write_text("new 1\nnew 2\n" + TEXT)
    (done,) = made(shell, root, [patch(EXACT)])
    assert done.rung == "offset"
    assert done.detail == f"{NAME} hunk 1: offset, line 20, 2 lines further down"
    assert (root / NAME).read_text() == "new 1\nnew 2\n" + CHANGED


def test_the_tree_is_only_read(processes: None, root: Path, shell: proc.Shell) -> None:
    outcome = apply_series(shell, root, [patch(EXACT)])
    assert outcome.files == {NAME: CHANGED.encode()}
    assert (root / NAME).read_text() == TEXT


def test_a_series_builds_on_itself(processes: None, root: Path, shell: proc.Shell) -> None:
    second = patch(EXACT.replace("-line 20", "-LINE 20").replace("+LINE 20", "+third"), "0002-y.patch")
    done = made(shell, root, [patch(EXACT), second])
    assert [one.rung for one in done] == ["exact", "exact"]
    assert "third" in (root / NAME).read_text()


def refused(shell: proc.Shell, root: Path, text: str, *, files: tuple[str, ...] | None = None) -> str:
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    with pytest.raises(PatchError) as caught:
        apply_series(shell, root, [patch(text, files=files)]).require()
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
        apply_series(shell, root, [patch(EXACT), patch(hunk(30, "no", "x"), "0002-y.patch")]).require()


def test_applies_below_somebodys_checkout(processes: None, root: Path, shell: proc.Shell) -> None:
    """Inside a repository, git apply silently skips what is outside its own folder."""
    subprocess.run(["git", "init", "-q", str(root.parent)], check=True, capture_output=True)
    made(shell, root, [patch(EXACT)])
    assert (root / NAME).read_text() == CHANGED


def test_applies_below_a_checkout_reached_by_a_link(
    processes: None, root: Path, shell: proc.Shell, tmp_path: Path
) -> None:
    subprocess.run(["git", "init", "-q", str(root.parent)], check=True, capture_output=True)
    link = tmp_path / "link"
    link.symlink_to(root.parent)
    made(shell, link / root.name, [patch(EXACT)])
    assert (root / NAME).read_text() == CHANGED


def test_a_hard_linked_tree_stays_as_it_was(processes: None, root: Path, shell: proc.Shell) -> None:
    source = root.parent / "release.go"
    removed = root / "src/runtime/gone.go"
    removed.write_text("x\n")
    os.link(removed, root.parent / "gone.go")
    os.link(root / NAME, source)
    gone = "diff --git a/src/runtime/gone.go b/src/runtime/gone.go\ndeleted file mode 100644\n"
    gone += "--- a/src/runtime/gone.go\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
    made(shell, root, [patch(EXACT + gone)])
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
    made(shell, root, [patch(hunk(20, "line 20", "LINE 20 \t"))])
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
    made(shell, root, [patch(f"--- a/{NAME}\n+++ b/{NAME}\n@@ -1,2 +1 @@\n--- a/src/other.go\n x\n")])
    assert (root / NAME).read_text() == "x\n"


def test_a_context_line_cannot_blame_the_machine(processes: None, root: Path, shell: proc.Shell) -> None:
    text = (
        f"diff --git a/{NAME} b/{NAME}\n--- a/{NAME}\n+++ b/{NAME}\n@@ -1,2 +1,3 @@\n"
        " resource temporarily unavailable\n no space left on device\n+new\n"
    )
    with pytest.raises(PatchError, match="does not apply"):
        apply_series(shell, root, [patch(text)]).require()


def unified(before: str, after: str, *, path: str = NAME, blob: str = "", lines: int = 3) -> str:
    """A patch in git's form, made by difflib; with ``blob``, it names that pre-image."""
    index = f"index {blob}..{blob_id(after.encode())[:10]} 100644\n" if blob else ""
    body = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{path}", f"b/{path}", n=lines
    )
    return f"diff --git a/{path} b/{path}\n{index}" + "".join(body)


def tried(shell: proc.Shell, root: Path, text: str, **options: Any) -> tuple[Outcome, Applied]:
    """One patch on the tree, and its account."""
    outcome = apply_series(shell, root, [patch(text)], **options)
    return outcome, outcome.applied[-1]


def rungs(applied: Applied) -> list[str]:
    return [hunk.rung for hunk in applied.hunks]


class TestWhitespace:
    @pytest.fixture
    def moved(self, root: Path) -> str:
        """The tree's context is indented where the patch's is not."""
        text = TEXT.replace("line 18\n", "line  18\n")
        (root / NAME).write_text(text)
        return text

    def test_is_found_and_not_let_pass(
        self, processes: None, root: Path, shell: proc.Shell, moved: str
    ) -> None:
        outcome, done = tried(shell, root, EXACT)
        assert (done.rung, rungs(done), done.ok) == ("whitespace", ["whitespace"], False)
        assert outcome.files == {}
        with pytest.raises(PatchError, match="--allow whitespace") as caught:
            outcome.require()
        assert "does not apply cleanly" in caught.value.what

    @pytest.mark.parametrize("other", ["fuzz", "3-way", "already-applied"])
    def test_no_other_rung_stands_for_it(
        self, processes: None, root: Path, shell: proc.Shell, moved: str, other: str
    ) -> None:
        _, done = tried(
            shell, root, hunk(20, "line 20", "LINE 20").replace("line 19", "line   19"), allowed={other}
        )
        assert not done.ok

    def test_allowed_it_keeps_the_trees_blanks(
        self, processes: None, root: Path, shell: proc.Shell, moved: str
    ) -> None:
        outcome, done = tried(shell, root, EXACT, allowed={"whitespace"})
        assert (done.rung, done.ok) == ("whitespace", True)
        assert outcome.files == {NAME: moved.replace("line 20\n", "LINE 20\n").encode()}


class TestFuzz:
    @pytest.fixture
    def moved(self, root: Path) -> str:
        text = TEXT.replace("line 18\n", "another line\n")
        (root / NAME).write_text(text)
        return text

    def test_is_found_and_not_let_pass(
        self, processes: None, root: Path, shell: proc.Shell, moved: str
    ) -> None:
        outcome, done = tried(shell, root, EXACT, allowed={"whitespace", "3-way", "already-applied"})
        assert (done.rung, done.ok, outcome.files) == ("fuzz", False, {})
        (one,) = done.hunks
        assert (one.line, one.fuzz, one.offset) == (19, 2, 0)
        assert one.note == "context cut to 1 above and 1 below"

    def test_allowed(self, processes: None, root: Path, shell: proc.Shell, moved: str) -> None:
        outcome, done = tried(shell, root, EXACT, allowed={"fuzz"})
        assert (done.rung, done.ok) == ("fuzz", True)
        assert outcome.files == {NAME: moved.replace("line 20\n", "LINE 20\n").encode()}

    def test_one_line_of_context_must_hold_on_each_side(
        self, processes: None, root: Path, shell: proc.Shell
    ) -> None:
        (root / NAME).write_text(TEXT.replace("line 19\n", "another line\n"))
        _, done = tried(shell, root, EXACT, allowed={"fuzz"})
        assert (done.rung, done.ok) == ("conflict", False)

    def test_blanks_and_fuzz_together_need_both(
        self, processes: None, root: Path, shell: proc.Shell, moved: str
    ) -> None:
        (root / NAME).write_text(moved.replace("line 21\n", "line  21\n"))
        assert not tried(shell, root, EXACT, allowed={"fuzz"})[1].ok
        outcome, done = tried(shell, root, EXACT)
        assert done.rung == "fuzz"
        with pytest.raises(PatchError, match="--allow whitespace,fuzz"):
            outcome.require()
        assert tried(shell, root, EXACT, allowed={"fuzz", "whitespace"})[1].ok

    def test_what_the_file_holds_is_not_put_in_again(
        self, processes: None, root: Path, shell: proc.Shell
    ) -> None:
        """The change is there already; with less context it would fit a second time, elsewhere."""
        (root / NAME).write_text(CHANGED + "x\nline 19\nline 20\nline 21\ny\n")
        _, done = tried(shell, root, EXACT, allowed={"fuzz", "whitespace"})
        assert rungs(done) == ["already-applied"]

    def test_more_than_one_place_is_said(self, processes: None, root: Path, shell: proc.Shell) -> None:
        block = "".join(f"line {n}\n" for n in range(18, 23))
        (root / NAME).write_text("".join(["x\n"] * 30 + [block, "x\n" * 9, block, "x\n" * 50]))
        _, done = tried(shell, root, EXACT)
        assert done.rung == "offset"
        assert "2 places match; git takes the nearest" in done.detail


class TestThreeWay:
    """The line that the patch changes moved into other surroundings, which git alone cannot know."""

    BEFORE = TEXT

    @pytest.fixture
    def blobs(self, tmp_path: Path) -> ReleaseBlobs:
        store = Store(tmp_path / "cache")
        held = store.area / "releases/one/tree" / NAME
        held.parent.mkdir(parents=True)
        held.write_text(self.BEFORE)
        return ReleaseBlobs(store)

    @property
    def text(self) -> str:
        after = self.BEFORE.replace("line 25\n", "LINE 25\n").replace("line 20\n", "line 20\nnew\n")
        return unified(self.BEFORE, after, blob=blob_id(self.BEFORE.encode())[:10])

    @property
    def ours(self) -> str:
        return self.BEFORE.replace("line 22\n", "ours 22\n").replace("line 18\n", "ours 18\n")

    def test_is_found_and_not_let_pass(
        self, processes: None, root: Path, shell: proc.Shell, blobs: ReleaseBlobs
    ) -> None:
        (root / NAME).write_text(self.ours)
        outcome, done = tried(shell, root, self.text, blobs=blobs)
        assert (done.rung, done.ok, outcome.files) == ("3-way", False, {})

    def test_allowed(self, processes: None, root: Path, shell: proc.Shell, blobs: ReleaseBlobs) -> None:
        (root / NAME).write_text(self.ours)
        outcome, done = tried(shell, root, self.text, blobs=blobs, allowed={"3-way"})
        assert (rungs(done), done.ok) == (["3-way"], True)
        expected = self.ours.replace("line 25\n", "LINE 25\n").replace("line 20\n", "line 20\nnew\n")
        assert outcome.files == {NAME: expected.encode()}

    def test_not_without_the_pre_image(self, processes: None, root: Path, shell: proc.Shell) -> None:
        (root / NAME).write_text(self.ours)
        _, done = tried(shell, root, self.text, allowed={"3-way"})
        assert (done.rung, done.ok) == ("conflict", False)

    def test_not_when_both_changed_the_same_line(
        self, processes: None, root: Path, shell: proc.Shell, blobs: ReleaseBlobs
    ) -> None:
        (root / NAME).write_text(self.ours.replace("line 25\n", "ours 25\n"))
        outcome, done = tried(shell, root, self.text, blobs=blobs, allowed={"3-way", "fuzz"})
        assert (done.rung, done.ok, outcome.files) == ("conflict", False, {})

    def test_what_both_made_alike_merges(
        self, processes: None, root: Path, shell: proc.Shell, blobs: ReleaseBlobs
    ) -> None:
        """One of two hunks is in the tree already: nothing but a merge can tell."""
        text = unified(
            self.BEFORE,
            self.BEFORE.replace("line 5\n", "five\n").replace("line 30\n", "thirty\n"),
            blob=blob_id(self.BEFORE.encode())[:10],
        )
        half = self.BEFORE.replace("line 5\n", "five\n")
        (root / NAME).write_text(half)
        _, done = tried(shell, root, text)
        assert rungs(done) == ["already-applied", "exact"]
        outcome, done = tried(shell, root, text, blobs=blobs, allowed={"3-way"})
        assert (rungs(done), done.ok) == (["3-way", "3-way"], True)
        assert outcome.files == {NAME: half.replace("line 30\n", "thirty\n").encode()}

    def test_a_blob_of_another_file_is_none(self, blobs: ReleaseBlobs) -> None:
        blob = blob_id(self.BEFORE.encode())
        assert blobs.find(NAME, blob[:10]) == self.BEFORE.encode()
        assert blobs.find(NAME, "0" * 10) is None
        assert blobs.find("src/runtime/other.go", blob[:10]) is None
        assert blobs.find(NAME, blob[:6]) is None

    def test_ids_are_gits(self, processes: None, tmp_path: Path) -> None:
        (tmp_path / "x").write_bytes(b"a\r\n\0b")
        said = subprocess.run(
            ["git", "hash-object", "--no-filters", "x"],
            cwd=tmp_path,
            capture_output=True,
            check=True,
            text=True,
        )
        assert said.stdout.strip() == blob_id(b"a\r\n\0b")


class TestAlreadyApplied:
    def test_allowed_it_is_left_out(self, processes: None, root: Path, shell: proc.Shell) -> None:
        (root / NAME).write_text(CHANGED)
        second = patch(hunk(30, "line 30", "thirty"), "0002-y.patch")
        outcome = apply_series(shell, root, [patch(EXACT), second], allowed={"already-applied"})
        assert [(one.rung, one.ok, one.skipped) for one in outcome.applied] == [
            ("already-applied", True, True),
            ("exact", True, False),
        ]
        assert outcome.files == {NAME: CHANGED.replace("line 30\n", "thirty\n").encode()}

    def test_in_part_it_does_not_pass(self, processes: None, root: Path, shell: proc.Shell) -> None:
        (root / NAME).write_text(CHANGED)
        text = EXACT + hunk(30, "line 30", "thirty", header=False)
        outcome, done = tried(shell, root, text, allowed=set(RUNGS))
        assert rungs(done) == ["already-applied", "exact"]
        assert (done.ok, outcome.files) == (False, {})

    def test_a_file_made_and_a_file_removed(self, processes: None, root: Path, shell: proc.Shell) -> None:
        (root / "src/runtime/new.go").write_text("x\n")
        text = "--- /dev/null\n+++ b/src/runtime/new.go\n@@ -0,0 +1 @@\n+x\n"
        text += "--- a/src/runtime/gone.go\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
        assert rungs(tried(shell, root, text)[1]) == ["already-applied", "already-applied"]

    def test_a_file_that_is_empty_is_not_gone(self, processes: None, root: Path, shell: proc.Shell) -> None:
        (root / "src/runtime/gone.go").write_bytes(b"")
        text = "--- a/src/runtime/gone.go\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
        outcome, done = tried(shell, root, text, allowed={"already-applied"})
        assert (rungs(done), done.ok, outcome.files) == (["conflict"], False, {})

    def test_what_would_fit_a_second_time_is_not_put_in_twice(
        self, processes: None, root: Path, shell: proc.Shell
    ) -> None:
        """A new function between two that begin and end alike: git applies it again, below itself."""
        before = "a\n" + "".join(["}\n\nfunc {\n", "\tx\n"] * 3)
        after = before.replace("}\n\nfunc {\n\tx\n", "}\n\nfunc {\n\tx\n}\n\nfunc {\n\ty\n", 1)
        (root / NAME).write_text(after)
        text = unified(before, after, lines=2)
        checks = [
            subprocess.run(
                ["git", "apply", "--check", *way, "-"],
                input=text.encode(),
                cwd=root,
                check=False,
                env=git.env(root.parent),
            ).returncode
            for way in ([], ["--reverse"])
        ]
        assert checks == [0, 0]
        assert tried(shell, root, text)[1].rung == "already-applied"

    def test_the_twin_in_the_series_is_named(self, processes: None, root: Path, shell: proc.Shell) -> None:
        text = unified(TEXT, CHANGED)
        twin = patch(text.replace("@@ -17,7 +17,7 @@", "@@ -19,7 +19,7 @@"), "0002-y.patch")
        outcome = apply_series(shell, root, [patch(text), twin])
        assert outcome.applied[-1].rung == "already-applied"
        with pytest.raises(PatchError, match=r"0001-x\.patch of this series is the same change"):
            outcome.require()


class TestConflict:
    def test_shows_both_sides(self, processes: None, root: Path, shell: proc.Shell) -> None:
        (root / NAME).write_text("new\n" + TEXT.replace("line 20\n", "mine \x1b[31m\n"))
        _, done = tried(shell, root, EXACT, allowed={"fuzz", "whitespace"})
        (one,) = done.hunks
        assert (one.rung, one.line) == ("conflict", 19)
        assert one.beside == (
            "  line 18",
            "  line 19",
            "- line 20",
            "+ mine \\u001b[31m",
            "  line 21",
            "  line 22",
        )

    def test_nothing_alike(self, processes: None, root: Path, shell: proc.Shell) -> None:
        (root / NAME).write_text("x\n" * 40)
        _, done = tried(shell, root, EXACT)
        assert done.hunks == (
            HunkAccount(
                file=NAME,
                number=1,
                title="@@ -18,5 +18,5 @@ func x()",
                rung="conflict",
                line=18,
                note="nothing like it in the file",
            ),
        )

    def test_a_patch_without_context(self, processes: None, root: Path, shell: proc.Shell) -> None:
        """git would put the line at the end of the file, and call that applied."""
        outcome, done = tried(shell, root, unified(TEXT, TEXT.replace("line 9\n", "line 9\nnew\n"), lines=0))
        assert (done.rung, outcome.files) == ("conflict", {})
        assert "make the patch with three lines" in done.hunks[0].note

    def test_lines_are_never_joined(self, processes: None, root: Path, shell: proc.Shell) -> None:
        """git would end this file with "line 40more": it does not look at the missing newline."""
        (root / NAME).write_text(TEXT.removesuffix("\n"))
        outcome, done = tried(shell, root, unified(TEXT, TEXT + "more\n"), allowed={"whitespace"})
        assert (done.rung, outcome.files) == ("conflict", {})

    def test_a_deleted_file_that_holds_more(self, processes: None, root: Path, shell: proc.Shell) -> None:
        gone = "src/runtime/gone.go"
        (root / gone).write_text("x\ny\n")
        text = f"diff --git a/{gone} b/{gone}\ndeleted file mode 100644\n--- a/{gone}\n+++ /dev/null\n"
        outcome, done = tried(shell, root, text + "@@ -1 +0,0 @@\n-x\n", allowed={"fuzz"})
        assert (done.rung, outcome.files) == ("conflict", {})

    def test_a_failing_patch_takes_the_series_with_it(
        self, processes: None, root: Path, shell: proc.Shell
    ) -> None:
        outcome = apply_series(shell, root, [patch(EXACT), patch(hunk(30, "no", "x"), "0002-y.patch")])
        assert [one.rung for one in outcome.applied] == ["exact", "conflict"]
        assert outcome.files == {}


def test_files_and_hunks_each_by_a_rung_of_their_own(processes: None, root: Path, shell: proc.Shell) -> None:
    other, third = "src/runtime/mheap.go", "src/runtime/none.go"
    (root / other).write_text("new\n" + TEXT.replace("line 28\n", "another line\n"))
    text = EXACT
    text += hunk(10, "line 10", "ten", path=other) + hunk(30, "line 30", "thirty", path=other, header=False)
    outcome, done = tried(shell, root, text, allowed={"fuzz"})
    assert [(one.file, one.rung) for one in done.hunks] == [
        (NAME, "exact"),
        (other, "offset"),
        (other, "fuzz"),
    ]
    assert outcome.files[NAME] == CHANGED.encode()
    _, done = tried(shell, root, text + hunk(5, "line 5", "x", path=third), allowed={"fuzz"})
    assert (done.rung, done.ok) == ("missing-file", False)


def test_a_rename_with_a_change(processes: None, root: Path, shell: proc.Shell) -> None:
    new = "src/runtime/new.go"
    text = (
        f"diff --git a/{NAME} b/{new}\nsimilarity index 97%\nrename from {NAME}\nrename to {new}\n"
        f"--- a/{NAME}\n+++ b/{new}\n" + hunk(20, "line 20", "LINE 20", header=False)
    )
    outcome, done = tried(shell, root, text)
    assert (done.rung, outcome.files) == ("exact", {NAME: None, new: CHANGED.encode()})
    apply.write(root, outcome.files)
    assert rungs(tried(shell, root, text)[1]) == ["already-applied"]


def test_each_file_by_a_way_of_its_own(
    processes: None, root: Path, shell: proc.Shell, tmp_path: Path
) -> None:
    """One patch: a file merged, one by blanks, one copied as it was and changed, one made."""
    names = [f"src/runtime/{name}.go" for name in ("merged", "blanks", "copied", "made")]
    after = TEXT.replace("line 25\n", "LINE 25\n").replace("line 20\n", "line 20\nnew\n")
    ours = TEXT.replace("line 22\n", "ours 22\n").replace("line 18\n", "ours 18\n")
    blank = TEXT.replace("line 18\n", "line  18\n")
    (root / names[0]).write_text(ours)
    (root / names[1]).write_text(blank)
    store = Store(tmp_path / "cache")
    held = store.area / "releases/one/tree" / names[0]
    held.parent.mkdir(parents=True)
    held.write_text(TEXT)
    text = unified(TEXT, after, path=names[0], blob=blob_id(TEXT.encode())[:10])
    text += unified(TEXT, CHANGED, path=names[1])
    text += f"diff --git a/{NAME} b/{names[2]}\ncopy from {NAME}\ncopy to {names[2]}\n"
    text += unified(TEXT, after)
    text += f"diff --git a/{names[3]} b/{names[3]}\nnew file mode 100644\n"
    outcome, done = tried(shell, root, text, allowed={"3-way", "whitespace"}, blobs=ReleaseBlobs(store))
    assert {hunk.file: hunk.rung for hunk in done.hunks} == {
        names[0]: "3-way",
        names[1]: "whitespace",
        names[2]: "exact",
        NAME: "exact",
        names[3]: "exact",
    }
    assert outcome.files == {
        names[0]: ours.replace("line 25\n", "LINE 25\n").replace("line 20\n", "line 20\nnew\n").encode(),
        names[1]: blank.replace("line 20\n", "LINE 20\n").encode(),
        names[2]: TEXT.encode(),
        NAME: after.encode(),
        names[3]: b"",
    }


def test_where_git_differs_neither_is_believed(
    processes: None, root: Path, shell: proc.Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.patch.place import Image, Placement

    def put(self: Image, found: Placement) -> None:
        self.lines[found.at + 1 : found.at + 1 + found.removed] = found.inserted

    monkeypatch.setattr(Image, "put", put)
    with pytest.raises(PipelineError, match="do not agree where it goes") as caught:
        apply_series(shell, root, [patch(EXACT)])
    assert caught.value.exit_code is ExitCode.BUG
    assert (root / NAME).read_text() == TEXT


def test_a_trees_links_are_not_followed(
    processes: None, root: Path, shell: proc.Shell, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "proc.go").write_text(TEXT)
    (root / "src/link").symlink_to(outside)
    _, done = tried(shell, root, hunk(20, "line 20", "LINE 20", path="src/link/proc.go"))
    assert done.rung == "missing-file"
    _, done = tried(shell, root, "--- /dev/null\n+++ b/src/link/new.go\n@@ -0,0 +1 @@\n+x\n")
    assert done.rung == "file-exists"
    assert sorted(path.name for path in outside.iterdir()) == ["proc.go"]


def test_attributes_in_the_tree_do_not_matter(processes: None, root: Path, shell: proc.Shell) -> None:
    (root / ".gitattributes").write_text("* text eol=crlf\n")
    made(shell, root, [patch(EXACT)])
    assert (root / NAME).read_bytes() == CHANGED.encode()
