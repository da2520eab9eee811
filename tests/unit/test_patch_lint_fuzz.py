"""Made-up patches by the thousand: the lint never fails in another way than it says, and what it lets through
is for git what the lint says it is."""

from __future__ import annotations

import difflib
import functools
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import git, proc
from pipeline.patch import lint
from tests.unit.hostile import BENIGN, HOSTILE, as_bytes, check, preimages

ROOT = Path(__file__).resolve().parents[2]
LARGE = 20_000  # the corpus's own cases of size would take all the time
FOLDERS = ("src/runtime/", "src/net/http/", "test/", "src/cmd/go/testdata/")
# What a mutation puts in: words of git's grammar, ends of paths, signs that mean something to somebody.
WORDS = [
    *(
        word.encode()
        for word in ("diff --git ", "--- ", "+++ ", "@@ -1 +1 @@\n", "@@ -0,0 +1,2 @@\n", "@@@ -1 -1 +1 @@@")
    ),
    *(
        word.encode()
        for word in (
            "new file mode 120000\n",
            "old mode 100644\n",
            "new mode 100755\n",
            "index 0..1 120000\n",
        )
    ),
    *(
        word.encode()
        for word in (
            "rename old x\n",
            "rename to ../x\n",
            "copy from src/x\n",
            "GIT binary patch\n",
            "deleted file mode 100644\n",
        )
    ),
    *(
        word.encode()
        for word in ("/dev/null", "a/", "b/", "../", "/", "//", "\\", "C:", ".git", "GIT~1", "aux.go", "con")
    ),
    *(
        word.encode()
        for word in (
            " ",
            "\t",
            "\n",
            "\r\n",
            "\r",
            '"',
            "-",
            "+",
            "-- \n",
            "\\ No newline at end of file\n",
            "\n\n",
        )
    ),
    *(
        word.encode()
        for word in (
            "\t2020-01-01 00:00:00",
            " 2020-01-01 00:00:00",
            "\t1970-01-01 00:00:00 +0000",
            "\u202e",
            "\u200b",
            "ä",
        )
    ),
    *(
        word.encode()
        for word in (
            "Subject: =?utf-8?q?=00?=\n",
            "From 0 Mon\n",
            "Change-Id: I0\n",
            "=?utf-8?b?",
            "?=",
            "---\n",
            "diff --cc x\n",
        )
    ),
    b"\0",
    b"\xff",
    b"",
]


@functools.cache
def seeds() -> tuple[bytes, ...]:
    real = [path.read_bytes() for path in sorted((ROOT / "patches").glob("*/*.patch"))]
    hostile = [as_bytes(content) for content, _, _ in HOSTILE.values()]
    small = [content for content in hostile if len(content) < LARGE]
    made = [diff(random.Random(number)) for number in range(60)]
    # The benign more often: a mutation of what is refused anyway shows little.
    benign = [as_bytes(content) for content, _ in BENIGN.values()]
    return (*real, *small, *benign * 5, *made * 3)


def diff(rng: random.Random) -> bytes:
    """A diff as git writes it between two small trees."""
    out = []
    for name in rng.sample(["proc.go", "mheap.go", "x_test.go", "y.txt", "z_linux.go"], rng.randint(1, 3)):
        path = rng.choice(FOLDERS) + name
        before = [f"line {rng.randint(0, 30)}\n" for _ in range(rng.choice([0, 1, 5, 40]))]
        after = [line for line in before if rng.random() > 0.2]
        for _ in range(rng.randint(1, 4)):
            after.insert(
                rng.randint(0, len(after)), rng.choice(["-- x\n", "++ y\n", "\tz\n", "\n", "@@ -1 +1 @@\n"])
            )
        if rng.random() < 0.1:
            after = []
        if before == after:
            continue
        old, new = f"a/{path}" if before else "/dev/null", f"b/{path}" if after else "/dev/null"
        mode = "" if before and after else f"{'deleted' if before else 'new'} file mode 100644\n"
        hunks = difflib.unified_diff(before, after, old, new, n=rng.choice([0, 1, 3]))
        out.append(
            f"diff --git a/{path} b/{path}\n{mode}index 1234567..89abcde{' 100644' if not mode else ''}\n"
        )
        out += hunks
    return "".join(out).encode()


def mutated(rng: random.Random) -> bytes:
    """A seed with one to four small changes: words put in, bytes replaced, lines dropped, doubled, moved."""
    data = rng.choice(seeds())
    for _ in range(rng.choice([0, 1, 1, 1, 2, 4])):
        at = rng.randint(0, len(data))
        kind = rng.randint(0, 6)
        if kind == 0:
            data = data[:at] + rng.choice(WORDS) + data[at:]
        elif kind == 1:
            data = data[:at] + bytes([rng.randint(0, 255)]) + data[at + 1 :]
        elif kind == 2:
            data = data[:at]
        elif kind == 3:
            word = rng.choice(WORDS)
            data = data[:at] + word + data[at + len(word) :]
        else:
            lines = data.splitlines(keepends=True) or [b""]
            one, two = rng.randrange(len(lines)), rng.randrange(len(lines))
            if kind == 4:
                lines[one] = rng.choice(WORDS) + (b"" if rng.random() < 0.5 else lines[one])
            elif kind == 5:
                lines.insert(two, lines[one])
            else:
                del lines[one]
            data = b"".join(lines)
    return data


def inputs(count: int, seed: int) -> Iterator[bytes]:
    rng = random.Random(seed)
    return (mutated(rng) for _ in range(count))


def lint_all(count: int, seed: int) -> tuple[int, float]:
    """How many were accepted, and the processor seconds of the lint alone."""
    accepted, spent = 0, 0.0
    for content in inputs(count, seed):
        begun = time.process_time()
        found = lint.examine("0001.patch", content)
        spent += time.process_time() - begun
        errors = [one for one in found.findings if one.severity == "error"]
        accepted += not errors
        assert errors or found.files
        end = content.count(b"\n") + 1
        for one in found.findings:
            assert 1 <= one.line <= end, (one, content)
            assert not lint.hidden(one.message), (one, content)
    return accepted, spent


def test_two_thousand_inputs() -> None:
    accepted, _ = lint_all(2_000, seed=1)
    assert 200 < accepted < 1_800


@pytest.mark.fuzz
def test_a_hundred_thousand_inputs_in_a_minute() -> None:
    accepted, spent = lint_all(100_000, seed=2)
    assert 10_000 < accepted < 90_000
    assert spent < 60


def listed(shell: proc.Shell, root: Path, content: bytes, number: int) -> set[str] | None:
    """The paths that git itself reads in the patch; None where it refuses."""
    done = git.run(
        shell,
        f"stat-{number}",
        ["apply", "--numstat", "-z", "-p1", "-"],
        cwd=root,
        stdin=content,
        merge=False,
    )
    if not done.ok:
        return None
    return {row.split("\t", 2)[2] for row in done.stdout.split("\0") if row}


def same_as_git(tmp_path: Path, count: int, seed: int) -> tuple[int, int]:
    """Hand what the lint accepts to git: how many it read, and how many it applied."""
    shell = proc.Shell(logs=tmp_path / "logs", observe=lambda *_: None)
    root = tmp_path / "place" / "tree"
    read = applied = 0
    for number, content in enumerate(accepted_inputs(seed, count)):
        files = set(check("0001.patch", content))
        found = listed(shell, tmp_path, content, number)
        if found is None:
            continue
        read += 1
        assert found == files, content
        old = preimages(content)
        for name, text in old.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(text)
        before = contents(root.parent)
        done = git.run(shell, f"apply-{number}", ["apply", "-p1", "-"], cwd=root, stdin=content)
        after = contents(root.parent)
        changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
        assert changed <= {f"tree/{name}" for name in files}, content
        assert done.ok or not changed, content
        applied += done.ok
        for path in sorted(root.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
    return read, applied


def accepted_inputs(seed: int, count: int) -> Iterator[bytes]:
    rng, left = random.Random(seed), count
    while left:
        content = mutated(rng)
        if not any(one.severity == "error" for one in lint.examine("x", content).findings):
            left -= 1
            yield content


def contents(root: Path) -> dict[str, bytes | str]:
    found: dict[str, bytes | str] = {}
    for path in root.rglob("*"):
        short = path.relative_to(root).as_posix()
        if path.is_symlink():
            found[short] = str(path.readlink())
        elif path.is_file():
            found[short] = path.read_bytes() + bytes([path.stat().st_mode >> 6 & 7])
    return found


def test_git_sees_the_same_files(processes: None, tmp_path: Path) -> None:
    (tmp_path / "place" / "tree").mkdir(parents=True)
    read, applied = same_as_git(tmp_path, 60, seed=3)
    assert read > 50
    assert applied > 20


@pytest.mark.fuzz
def test_git_sees_the_same_files_in_1500_patches(processes: None, tmp_path: Path) -> None:
    (tmp_path / "place" / "tree").mkdir(parents=True)
    read, applied = same_as_git(tmp_path, 1_500, seed=4)
    assert read > 1_300
    assert applied > 500


@pytest.mark.parametrize("name", BENIGN)
def test_the_corpus_is_read_as_git_reads_it(processes: None, tmp_path: Path, name: str) -> None:
    content, files = BENIGN[name]
    done = subprocess.run(
        ["git", "apply", "--numstat", "-z", "-p1", "-"],
        input=content.encode(),
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert {row.split(b"\t", 2)[2].decode() for row in done.stdout.split(b"\0") if row} == set(files)
