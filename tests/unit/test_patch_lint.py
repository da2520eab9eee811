"""What a patch may not contain: a table of hostile patches, each refused for its own reason."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import ExitCode, PatchError
from pipeline.patch import lint

BODY = "@@ -1 +1 @@\n-a\n+b\n"
P = "src/runtime/p.go"
GOOD = f"diff --git a/{P} b/{P}\n--- a/{P}\n+++ b/{P}\n{BODY}"


def change(path: str, body: str = BODY) -> str:
    return f"--- a/{path}\n+++ b/{path}\n{body}"


def created(path: str, *header: str, text: str = "x") -> str:
    lines = (f"diff --git a/{path} b/{path}", *header, "--- /dev/null", f"+++ b/{path}")
    return "\n".join(lines) + f"\n@@ -0,0 +1 @@\n+{text}\n"


HOSTILE = {
    "absolute": (change("src/x.go").replace("b/src", "/etc"), "leaves the tree"),
    "absolute in both": ("--- /etc/passwd\n+++ /etc/passwd\n" + BODY, "leaves the tree"),
    "two dots": (change("src/../../x"), "leaves the tree"),
    "two dots at the end": (change("src/runtime/.."), "leaves the tree"),
    "empty part": (change("src//x.go"), "leaves the tree"),
    "backslash": (change("src\\x.go"), "leaves the tree"),
    "drive letter": (change("C:/windows/x"), "leaves the tree"),
    "drive letter without a prefix": ("--- C:/x\n+++ C:/x\n" + BODY, "leaves the tree"),
    ".git": (change("src/.git/hooks/pre-commit"), "treats specially"),
    ".GIT": (change("src/.GIT/config"), "treats specially"),
    ".gitattributes": (change("src/.gitattributes"), "treats specially"),
    ".gitmodules": (change("src/.gitmodules"), "treats specially"),
    "a single dot": (change("src/./x.go"), "treats specially"),
    "outside src": (change("bin/go"), "outside Go's source"),
    "top level": (change("VERSION"), "outside Go's source"),
    "the folder itself": (change("src"), "outside Go's source"),
    # git apply -p1 cuts "src/" here and would write bin/go.
    "no prefix": ("--- /dev/null\n+++ src/bin/go\n@@ -0,0 +1 @@\n+x\n", "outside Go's source"),
    "new link": (created("src/l", "new file mode 120000"), "a symbolic link"),
    # git reads all of these as a link, too.
    "new link, two blanks": (created("src/l", "new file mode  120000"), "a symbolic link"),
    "new link, leading zero": (created("src/l", "new file mode 0120000"), "file mode 0120000"),
    "new link, trailing blank": (created("src/l", "new file mode 120000 "), "a symbolic link"),
    "new link, carriage return": (created("src/l", "new file mode 120000\r"), "a symbolic link"),
    "link by its index line": (created("src/l", "index 0000000..1111111 120000"), "a symbolic link"),
    "link by a strange index line": (created("src/l", "index ZZ..YY 120000"), "a symbolic link"),
    "submodule": (created("src/m", "new file mode 160000"), "a submodule"),
    "executable": (created("src/x.sh", "new file mode 100755"), "file mode 100755"),
    "mode change": (
        "diff --git a/src/x.go b/src/x.go\nold mode 100644\nnew mode 100755\n",
        "file mode 100755",
    ),
    "deleted executable": (created("src/x.sh", "deleted file mode 100755"), "file mode 100755"),
    "binary": (f"{GOOD}diff --git a/src/a.png b/src/a.png\nGIT binary patch\nliteral 0\n", "a binary file"),
    "binary notice": (f"{GOOD}Binary files a/src/a and b/src/a differ\n", "a binary file"),
    "NUL": (GOOD.replace("+b", "+\0"), "U+0000"),
    "escape": (GOOD.replace("+b", "+\x1b[2J"), "U+001B"),
    "carriage return inside a line": (GOOD.replace("+b", "+b\rc"), "U+000D"),
    "bidi in an added line": (GOOD.replace("+b", "+b // \u202e"), "U+202E"),
    "bidi in the message": (f"Subject: runtime: \u2066 x\n\n{GOOD}", "U+2066"),
    "bidi in a context line": (change("src/a.go", "@@ -1,2 +1 @@\n \u202a\n-b\n"), "U+202A"),
    "zero width": (GOOD.replace("+b", "+b\u200b"), "U+200B"),
    "byte order mark": ("\ufeff" + GOOD, "U+FEFF"),
    "tag character": (GOOD.replace("+b", "+b\U000e0041"), "U+E0041"),
    "soft hyphen": (GOOD.replace("+b", "+b\u00ad"), "U+00AD"),
    "quoted path": ('--- "a/src/\\303\\244.go"\n+++ "b/src/\\303\\244.go"\n' + BODY, "unusual characters"),
    "quoted path in the first line": (f'{GOOD}diff --git "a/src/x" "b/src/x"\n', "unusual characters"),
    # git cuts a date off such a name, so that another file is changed than the one named.
    "date after the path": (
        "--- a/src/a.go 2020-01-01 00:00:00\n+++ b/src/a.go 2020-01-01 00:00:00\n" + BODY,
        "unusual characters",
    ),
    "case collision": (change("src/a/Foo.go") + change("src/a/foo.go"), "differ only in case"),
    "rename into bin": (
        "diff --git a/src/a.go b/bin/a\nsimilarity index 100%\nrename from src/a.go\nrename to bin/a\n",
        "outside Go's source",
    ),
    "copy from outside": (
        "diff --git a/../x b/src/x\nsimilarity index 100%\ncopy from ../x\ncopy to src/x\n",
        "leaves the tree",
    ),
    "rename into .git": (
        "diff --git a/src/a b/src/.git/a\nrename from src/a\nrename to src/.git/a\n",
        "treats specially",
    ),
    "empty file outside": (
        f"{GOOD}diff --git a/bin/x b/bin/x\nnew file mode 100644\nindex 0000000..e69de29\n",
        "outside Go's source",
    ),
    "empty file outside, odd prefixes": (
        f"{GOOD}diff --git a/bin/x bbb/bin/x\nnew file mode 100644\nindex 0000000..e69de29\n",
        "outside Go's source",
    ),
    "empty file outside, tab between": (
        f"{GOOD}diff --git a/bin/x\tb/bin/x\nnew file mode 100644\nindex 0000000..e69de29\n",
        "outside Go's source",
    ),
    # For git this is no hunk, so that what follows is a header: it must not pass as a hunk's lines.
    "hunk header in other digits": (
        f"{GOOD}@@ -1,\u0669 +1,\u0669 @@\n" + created("src/l", "new file mode 120000"),
        "a symbolic link",
    ),
    "header after a hunk": (f"{GOOD}{change('../x')}", "leaves the tree"),
    "CR LF": (GOOD.replace("\n", "\r\n"), "CR LF"),
    "empty": ("", "not a patch"),
    "prose": ("Dear reviewers,\nplease apply.\n", "not a patch"),
    "only a message": ("Subject: x\n\nrename from src/a\n---\n 1 file changed\n", "not a patch"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_refuses(name: str) -> None:
    content, reason = HOSTILE[name]
    with pytest.raises(PatchError, match=r"0001\.patch:") as caught:
        lint.check("0001.patch", content.encode())
    assert reason in caught.value.what
    assert caught.value.exit_code is ExitCode.PATCH_FAILS


def test_refuses_what_is_not_utf8_and_says_where() -> None:
    with pytest.raises(PatchError, match=r"^x:6: refused: not UTF-8"):
        lint.check("x", GOOD.encode().replace(b"+b\n", b"+\xff\xfe\n"))


def test_a_refusal_names_the_line() -> None:
    with pytest.raises(PatchError, match=r"^x:6: "):
        lint.check("x", GOOD.replace("+b", "+\u202e").encode())


BENIGN = {
    "git": (GOOD, ("src/runtime/p.go",)),
    "plain": (change("src/runtime/p.go"), ("src/runtime/p.go",)),
    "with a date": (
        "--- a/src/a.go\t2020-01-01 00:00:00\n+++ b/src/a.go\t2020-01-01 00:00:00\n" + BODY,
        ("src/a.go",),
    ),
    "removed lines that look like headers": (
        change("src/a.go", "@@ -1,3 +1 @@\n--- /etc/passwd\n-new file mode 120000\n-x\n+++ /etc/shadow\n"),
        ("src/a.go",),
    ),
    "no newline at the end": (
        change(
            "src/a.go", "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file\n"
        ),
        ("src/a.go",),
    ),
    "empty context lines": (change("src/a.go", "@@ -1,3 +1,3 @@\n x\n\n-a\n+b\n"), ("src/a.go",)),
    "CR LF in a changed line": (
        change("src/testdata/a.txt", "@@ -1 +1 @@\n-a\r\n+b\r\n"),
        ("src/testdata/a.txt",),
    ),
    "new file": (created("src/a.go", "new file mode 100644", "index 0000000..1111111"), ("src/a.go",)),
    "new empty file": (
        "diff --git a/src/testdata/e b/src/testdata/e\nnew file mode 100644\nindex 0000000..e69de29\n",
        ("src/testdata/e",),
    ),
    "deleted file": (
        "diff --git a/src/a.go b/src/a.go\ndeleted file mode 100644\nindex 1111111..0000000\n"
        "--- a/src/a.go\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n",
        ("src/a.go",),
    ),
    "rename": (
        "diff --git a/src/a.go b/src/b.go\nsimilarity index 100%\nrename from src/a.go\nrename to src/b.go\n",
        ("src/a.go", "src/b.go"),
    ),
    "index with the plain mode": (
        GOOD.replace("--- a", "index 111..222 100644\n--- a"),
        ("src/runtime/p.go",),
    ),
    "a message that quotes test output": (
        f"Subject: runtime: fix\n\n--- FAIL: TestX (0.00s)\nrename from one name\nto the other\n\n{GOOD}",
        ("src/runtime/p.go",),
    ),
    "format-patch with a signature": (
        "From 0123 Mon Sep 17 00:00:00 2001\nFrom: Ä <a@b>\nSubject: [PATCH] x\n\n---\n"
        f" a | 2 +-\n\n{GOOD}-- \n2.39.5\n\n",
        ("src/runtime/p.go",),
    ),
    "letters and signs": (GOOD.replace("+b", "+\tüñ→±µ\t"), ("src/runtime/p.go",)),
    "two files": (GOOD + change("test/a.go"), ("src/runtime/p.go", "test/a.go")),
}


@pytest.mark.parametrize("name", BENIGN)
def test_passes(name: str) -> None:
    content, files = BENIGN[name]
    assert lint.check("0001.patch", content.encode()) == files


def test_a_count_of_thousands_of_digits_is_no_hunk() -> None:
    """Python refuses to read such a number: it must not end in a bug report."""
    assert lint.check("x", f"@@ -1,{'9' * 5000} +1 @@\n{GOOD}".encode()) == ("src/runtime/p.go",)


PIECES = st.sampled_from(
    [
        "diff --git a/src/a b/src/a\n",
        "diff --git ",
        "--- ",
        "+++ ",
        "--- a/src/x\n",
        "+++ b/src/x\n",
        "/dev/null",
        "@@ -1,2 +1,2 @@\n",
        "@@ -0,0 +1 @@",
        "\n",
        "+",
        "-",
        " ",
        "\\ No newline at end of file\n",
        "new file mode 100644\n",
        "rename from ",
        "index 1..2 100644\n",
        '"',
        "\t",
        "/",
        "..",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(PIECES, st.text(max_size=6)), max_size=30))
def test_any_text_gives_paths_below_the_tree_or_a_patch_error(parts: list[str]) -> None:
    try:
        files = lint.check("x", "".join(parts).encode("utf-8", "surrogatepass"))
    except PatchError:
        return
    assert files
    for path in files:
        assert path.split("/")[0] in {"src", "test", "api", "doc", "misc", "lib"}
        assert ".." not in path.split("/")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_a_patch_error_or_paths(data: bytes) -> None:
    with contextlib.suppress(PatchError):
        assert lint.check("x", data)
