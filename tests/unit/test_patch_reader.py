"""Reading patches: what is taken, what is refused, and that git reads the same."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from pipeline import git
from pipeline.errors import PatchError
from pipeline.patch import explain, ladder, reader
from pipeline.patch.account import RUNGS
from pipeline.patch.blobs import blob_id
from pipeline.patch.diff import FileChange, split

HEAD = "diff --git a/src/x.go b/src/x.go\nindex 0123456..789abcd 100644\n--- a/src/x.go\n+++ b/src/x.go\n"
PLAIN = "--- a/src/x.go\n+++ b/src/x.go\n"
BODY = "@@ -1,3 +1,4 @@ func x()\n one\n-two\n+2\n+2b\n three\n"
NO_NEWLINE = "\\ No newline at end of file\n"


def one(text: str) -> FileChange:
    (change,) = reader.parse("p.patch", text.encode())
    return change


def test_a_file_and_its_hunks() -> None:
    change = one("From: a\nSubject: b\n\n---\n src/x.go | 3 ++-\n\n" + HEAD + BODY + "-- \n2.39\n")
    assert (change.kind, change.old, change.new) == ("modify", "src/x.go", "src/x.go")
    assert (change.old_blob, change.new_blob) == ("0123456", "789abcd")
    (hunk,) = change.hunks
    assert (hunk.number, hunk.patch_line, hunk.old_start, hunk.new_start) == (1, 11, 1, 1)
    assert hunk.before == [b"one\n", b"two\n", b"three\n"]
    assert hunk.after == [b"one\n", b"2\n", b"2b\n", b"three\n"]
    assert (hunk.leading, hunk.trailing) == (1, 1)
    assert hunk.undo().before == hunk.after
    assert change.raw.decode() == HEAD + BODY


def test_the_end_of_a_file_without_a_newline() -> None:
    (hunk,) = one(HEAD + "@@ -1 +1,2 @@\n-one\n" + NO_NEWLINE + "+one\n+two\n" + NO_NEWLINE).hunks
    assert (hunk.before, hunk.after) == ([b"one"], [b"one\n", b"two"])


def test_kinds() -> None:
    made = "diff --git a/src/n b/src/n\nnew file mode 100644\n"
    gone = "diff --git a/src/n b/src/n\ndeleted file mode 100644\n"
    moved = "diff --git a/src/a b/src/b\nsimilarity index 100%\nrename from src/a\nrename to src/b\n"
    copied = moved.replace("rename", "copy")
    for text, kind, old, new in (
        (made, "create", "", "src/n"),
        (made + "--- /dev/null\n+++ b/src/n\n@@ -0,0 +1 @@\n+x\n", "create", "", "src/n"),
        ("--- /dev/null\n+++ b/src/n\n@@ -0,0 +1 @@\n+x\n", "create", "", "src/n"),
        (gone + "--- a/src/n\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n", "delete", "src/n", ""),
        (moved, "rename", "src/a", "src/b"),
        (copied, "copy", "src/a", "src/b"),
        (PLAIN + BODY, "modify", "src/x.go", "src/x.go"),
    ):
        change = one(text)
        assert (change.kind, change.old, change.new) == (kind, old, new), text


MOVED = "similarity index 100%\nrename from src/x.go\nrename to src/y.go\n"
CORRUPT = {
    "no patch": ("hello\n", "not a patch"),
    "too few lines": (HEAD + BODY.replace(",4 @@", ",9 @@"), "line 11: it ends within a hunk"),
    "too many lines": (HEAD + BODY.replace("-1,3", "-1,1"), "line 7: more lines"),
    "a line without a sign": (HEAD + BODY.replace(" three", "three"), "line 10: a line that is no part"),
    "cut within a line": (HEAD + BODY[:-1], "line 10: it ends within a hunk"),
    "a hunk alone": (BODY, "line 1: a hunk that belongs to no file"),
    "a header alone": ("diff --git a/src/x b/src/x\nindex 0123456..789abcd 100644\n", "no change"),
    "a hunk's header": (HEAD + BODY.replace("-1,3", "-1;3"), "line 5: a hunk's header"),
    "nothing changed": (HEAD + "@@ -1 +1 @@\n one\n", "line 5: a hunk that changes nothing"),
    "two names": (PLAIN.replace("b/src/x.go", "b/src/y.go") + BODY, "two names"),
    "other names": (HEAD.replace("+++ b/src/x.go", "+++ b/src/y.go") + BODY, "the names in the lines"),
    "a mode": ("diff --git a/src/x b/src/x\nold mode 100644\nnew mode 100755\n", "mode"),
    "an old form": ("diff --git a/src/x b/src/y\nrename old src/x\nrename new src/y\n", "long ago"),
    "two kinds": (
        "diff --git a/src/x b/src/x\nnew file mode 100644\ndeleted file mode 100644\n",
        "contradict",
    ),
    "twice": ("diff --git a/src/x b/src/x\nnew file mode 100644\nnew file mode 100644\n", "twice"),
    "a date for nothing": (PLAIN.replace("x.go\n+", "x.go\t1970-01-01 00:00:00\n+") + BODY, "a date"),
    "both null": ("--- /dev/null\n+++ /dev/null\n@@ -1 +1 @@\n-x\n+y\n", "/dev/null"),
    "a new file of old": ("--- /dev/null\n+++ b/src/x\n@@ -1 +1 @@\n-x\n+y\n", "depends on old"),
    "a file with an end, and more": (
        HEAD + "@@ -1 +1 @@\n-a\n+b\n" + NO_NEWLINE + "@@ -9 +9 @@\n-a\n+b\n",
        "below the end of the file",
    ),
    "an end within": (HEAD + "@@ -1,2 +1,2 @@\n-a\n" + NO_NEWLINE + "-b\n+c\n+d\n", "more lines"),
    "an end of another form": (HEAD + "@@ -1 +1 @@\n-a\n+b\n\\ end\n", "a mark for the end"),
    "parents": ("--- a/../x\n+++ b/../x\n" + BODY, "unusual characters"),
    "a quoted name": ('--- "a/src/x"\n+++ "b/src/x"\n' + BODY, "unusual characters"),
    "a mode that is none": ("diff --git a/src/x b/src/x\nnew file mode 0x1\n", "git would not write"),
    "moved and changed": (
        f"diff --git a/src/x.go b/src/y.go\n{MOVED}" + HEAD + BODY,
        "changed by two parts of the patch",
    ),
}


@pytest.mark.parametrize(("text", "said"), CORRUPT.values(), ids=CORRUPT.keys())
def test_what_cannot_be_read_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(PatchError) as caught:
        reader.parse("p.patch", text.encode())
    assert said in caught.value.what


class Tree:
    """A tree in memory."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    def read(self, path: str) -> bytes | None:
        return self.files.get(path)

    def blocked(self, path: str) -> bool:
        return path in self.files


class OneBlob:
    """Holds one version of everything."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def find(self, path: str, blob: str) -> bytes | None:
        return self.content


BASE = b"".join(b"line %d\n" % n for n in range(30)) + b"}\n\n}\n  x\n\tx\n}\n\nlast"
TREE = Tree({"src/x.go": BASE, "src/y.go": b"one\ntwo\nthree\n", "src/e.go": b""})
SEEDS = [
    HEAD + BODY,
    PLAIN + BODY,
    HEAD
    + "@@ -4,5 +4,5 @@\n line 4\n line 5\n-line 6\n+six\n line 7\n line 8\n"
    + "@@ -30,3 +30,4 @@\n }\n \n+y\n }\n",
    HEAD + "@@ -36,2 +36,2 @@\n \n-last\n" + NO_NEWLINE + "+end\n" + NO_NEWLINE,
    "--- a/src/y.go\n+++ b/src/y.go\n@@ -1,3 +1,2 @@\n one\n-two\n three\n" + HEAD + BODY,
    "diff --git a/src/n b/src/n\nnew file mode 100644\nindex 0000000..587be6b\n"
    "--- /dev/null\n+++ b/src/n\n@@ -0,0 +1 @@\n+x\n",
    "--- a/src/y.go\n+++ /dev/null\n@@ -1,3 +0,0 @@\n-one\n-two\n-three\n",
    "diff --git a/src/y.go b/src/z.go\nrename from src/y.go\nrename to src/z.go\n"
    "--- a/src/y.go\n+++ b/src/z.go\n@@ -1,3 +1,3 @@\n one\n-two\n+zwei\n three\n",
    "From: x\nSubject: y\n\n---\n x | 1 +\n\n" + HEAD + BODY + "-- \n2.39.5\n",
]
PIECES = [
    *(line for seed in SEEDS for line in split(seed.encode())),
    *split(BASE),
    b"@@ -0,0 +1 @@\n",
    b"@@ -1,999999999 +999999999,1 @@\n",
    b"@@ -999999999 +0,0 @@\n",
    b"+\n",
    b"\n",
    b" \n",
    b"\\\n",
    b"+\xff\xfe\n",
    b"+x\r\n",
]


def mutated(rng: random.Random) -> bytes:
    """A seed with a few lines lost, doubled, swapped, brought in, or bytes changed in them."""
    lines = split(rng.choice(SEEDS).encode())
    for _ in range(rng.choice((0, 1, 1, 2, 3, 8))):
        at = rng.randrange(len(lines) + 1)
        kind = rng.randrange(6)
        if kind == 0:
            lines.insert(at, rng.choice(PIECES))
        elif kind == 1:
            lines[at : at + 1] = [rng.choice(PIECES)]
        elif kind == 2:
            del lines[at : at + rng.randrange(1, 4)]
        elif kind == 3:
            lines[at:at] = lines[at : at + rng.randrange(1, 12)]
        elif at < len(lines):
            line = bytearray(lines[at])
            place = rng.randrange(len(line) or 1)
            line[place : place + 1] = rng.choice(
                (b"", b"0", b"9", b" ", b"\t", b"-", b"+", b"\\", b"/", b"\n")
            )
            lines[at] = bytes(line)
    return b"".join(lines)


def look(content: bytes) -> bool:
    """Read and place it; whether it could be read. Anything but PatchError is the fuzzer's find."""
    try:
        changes = reader.parse("p.patch", content)
    except PatchError:
        return False
    assert b"".join(change.raw for change in changes) in content or len(changes) > 1
    for merged in (None, b"merged\n"):
        accounts = ladder.climb(changes, TREE, set(RUNGS), OneBlob(BASE), lambda *_, result=merged: result)
        assert [path for one in accounts for path in {c.path for c in one.changes}] == list(
            dict.fromkeys(change.path for change in changes)
        )
        for account in accounts:
            assert sum(1 for hunk in account.hunks if hunk.number) == sum(
                len(change.hunks) for change in account.changes
            )
            assert account.rung == max((hunk.rung for hunk in account.hunks), key=RUNGS.index)
            assert account.holds == (account.rung in RUNGS[:5])
            assert all(explain.place(hunk) for hunk in account.hunks)
    return True


def fuzz(seed: int, count: int) -> int:
    rng = random.Random(seed)
    return sum(look(mutated(rng)) for _ in range(count))


def test_mutated_patches_are_read_or_refused() -> None:
    assert fuzz(1, 2_000) > 200  # else the mutations are too wild to get anywhere


@pytest.mark.fuzz
def test_a_hundred_thousand_mutated_patches_are_read_or_refused() -> None:
    assert fuzz(2, 100_000) > 10_000


def test_hostile_sizes_take_no_longer_than_their_lines() -> None:
    """Thousands of lines that are all the same, and a hunk of thousands that nearly fits everywhere."""
    same = b"x\n" * 20_000
    rows = " x\n" * 10_000 + "-y\n+z\n" + " x\n" * 10_000
    changes = reader.parse("p", (PLAIN + f"@@ -1,20001 +1,20001 @@\n{rows}").encode())
    (account,) = ladder.climb(changes, Tree({"src/x.go": same}), (), OneBlob(same), lambda *_: None)
    assert account.rung == "conflict"


@pytest.mark.parametrize("many", [150, pytest.param(4_000, marks=pytest.mark.fuzz)])
def test_what_is_read_git_reads_alike(processes: None, tmp_path: Path, many: int) -> None:
    """Paths and counts of lines, by git's own reader, for whatever the mutations leave readable."""
    rng = random.Random(3)
    seen = 0
    while seen < many:
        content = mutated(rng)
        try:
            changes = reader.parse("p.patch", content)
        except PatchError:
            continue
        seen += 1
        done = subprocess.run(
            ["git", "apply", "--numstat", "-z", "-p1", "-"],
            input=content,
            cwd=tmp_path,
            env=git.env(tmp_path.parent),
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, (content, done.stderr)
        rows = [f"{_count(change, '+')}\t{_count(change, '-')}\t{change.path}".encode() for change in changes]
        assert done.stdout.split(b"\0")[:-1] == rows, content


def _count(change: FileChange, sign: str) -> int:
    return sum(1 for hunk in change.hunks for row in hunk.rows if row[0] == sign)


def test_blob_ids_of_nothing() -> None:
    assert blob_id(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
