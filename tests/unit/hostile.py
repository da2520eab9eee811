"""A corpus of patches: hostile and broken ones, each with the finding that must refuse it, and benign ones.

It is a table and no folder of files, because much of it would not survive an editor, git or a mail.
"""

from __future__ import annotations

from pipeline.patch import lint

BODY = "@@ -1 +1 @@\n-a\n+b\n"
P = "src/runtime/p.go"
GOOD = f"diff --git a/{P} b/{P}\n--- a/{P}\n+++ b/{P}\n{BODY}"  # six lines
TEXT = "text\n"
MAIL = "From 0123 Mon Sep 17 00:00:00 2001\nFrom: A <a@b>\nSubject: [PATCH] runtime: fix x\n\n"


def check(name: str, content: bytes) -> tuple[str, ...]:
    """The paths that a patch touches, by the lint; PatchError with all that it refuses."""
    found = lint.examine(name, content)
    lint.refuse(found.findings)
    return found.files


def change(path: str, body: str = BODY) -> str:
    return f"--- a/{path}\n+++ b/{path}\n{body}"


def created(path: str, *header: str, text: str = "x") -> str:
    mode = header or ("new file mode 100644",)
    lines = (f"diff --git a/{path} b/{path}", *mode, "--- /dev/null", f"+++ b/{path}")
    return "\n".join(lines) + f"\n@@ -0,0 +1 @@\n+{text}\n"


def deleted(path: str, text: str = "a") -> str:
    head = f"diff --git a/{path} b/{path}\ndeleted file mode 100644\nindex 1111111..0000000\n"
    return head + f"--- a/{path}\n+++ /dev/null\n@@ -1 +0,0 @@\n-{text}\n"


# Content, and the rule and line of the finding.
HOSTILE: dict[str, tuple[str | bytes, str, int]] = {
    # Paths that leave the tree.
    "absolute": (change("src/x.go").replace("b/src", "/etc"), "path-escape", 2),
    "absolute in both": ("--- /etc/passwd\n+++ /etc/passwd\n" + BODY, "path-escape", 1),
    "absolute below a prefix": (created("/etc/canary", "new file mode 100644"), "path-escape", 1),
    "two dots": (change("src/../../x"), "path-escape", 1),
    "two dots first": (created("../canary", "new file mode 100644"), "path-escape", 1),
    "two dots at the end": (change("src/runtime/.."), "path-escape", 1),
    "empty part": (change("src//x.go"), "path-escape", 1),
    "backslash": (change("src\\x.go"), "path-escape", 1),
    "backslashes and dots": (created("src\\..\\..\\canary", "new file mode 100644"), "path-escape", 1),
    "drive letter": (change("C:/windows/x"), "path-escape", 1),
    "drive letter without a prefix": ("--- C:/x\n+++ C:/x\n" + BODY, "path-escape", 1),
    "escape after a hunk": (f"{GOOD}{change('../x')}", "path-escape", 7),
    "a single dot": (change("src/./x.go"), "path-special", 1),
    # Paths outside of what a patch is for. git apply -p1 cuts the first folder, whatever it is.
    "outside src": (change("bin/go"), "path-outside", 1),
    "top level": (change("VERSION"), "path-outside", 1),
    "the folder itself": (change("src"), "path-outside", 1),
    "no prefix": ("--- /dev/null\n+++ src/bin/go\n@@ -0,0 +1 @@\n+x\n", "path-outside", 2),
    "no folder at all": ("--- x.go\n+++ x.go\n" + BODY, "path-prefix", 1),
    "dots as the prefix": ("--- ../src/x.go\n+++ ../src/x.go\n" + BODY, "path-prefix", 1),
    "empty file outside": (f"{GOOD}{created('bin/x', 'new file mode 100644')[:60]}\n", "path-outside", 7),
    "empty file outside, odd prefixes": (
        f"{GOOD}diff --git a/bin/x bbb/bin/x\nnew file mode 100644\nindex 0000000..e69de29\n",
        "path-outside",
        7,
    ),
    "empty file outside, tab between": (
        f"{GOOD}diff --git a/bin/x\tb/bin/x\nnew file mode 100644\nindex 0000000..e69de29\n",
        "path-characters",
        7,
    ),
    "a long path": (change("src/" + "a/" * 100 + "x.go"), "path-length", 1),
    # git's own names, also as other systems spell them.
    ".git": (change("src/.git/hooks/pre-commit"), "path-special", 1),
    ".GIT": (change("src/.GIT/config"), "path-special", 1),
    ".gitattributes": (change("src/.gitattributes"), "path-special", 1),
    ".GitModules": (change("src/.GitModules"), "path-special", 1),
    ".git as HFS+ sees it": (change("src/.g\u200cit/config"), "path-special", 1),
    ".git as NTFS sees it, short": (change("src/GIT~1/config"), "path-special", 1),
    ".gitmodules as NTFS sees it, short": (change("src/gi7eba~1"), "path-special", 1),
    ".git as NTFS sees it, dots": (change("src/.git.../config"), "path-special", 1),
    ".git as NTFS sees it, stream": (change("src/.git::$INDEX_ALLOCATION/x"), "path-special", 1),
    # Names that mean something else elsewhere.
    "con": (change("src/con"), "path-reserved", 1),
    "aux.go": (change("src/runtime/aux.go"), "path-reserved", 1),
    "LPT1 as a folder": (change("src/LPT1/x.go"), "path-reserved", 1),
    "dot at the end": (change("src/x./y.go"), "path-reserved", 1),
    "blank at the end": (change("src/x.go "), "path-characters", 1),
    "stream": (change("src/x.go:y"), "path-characters", 1),
    "option": (change("src/-rf"), "path-characters", 1),
    "letters beyond ASCII": (change("src/ä.go"), "path-characters", 1),
    "control character": (change("src/\x1b[2J.go"), "path-characters", 1),
    "quoted": ('--- "a/src/\\303\\244.go"\n+++ "b/src/\\303\\244.go"\n' + BODY, "path-characters", 1),
    "quoted in the first line": (f'{GOOD}diff --git "a/src/x" "b/src/x"\n', "path-characters", 7),
    # git cuts a date off such a name, so that another file is changed than the one named.
    "date after the path": (
        "--- a/src/a.go 2020-01-01 00:00:00\n+++ b/src/a.go 2020-01-01 00:00:00\n" + BODY,
        "path-characters",
        1,
    ),
    # … and here it counts "x" to the name.
    "tab in the path, date after it": (
        "--- a/src/a.go\tx\t2020-01-01 00:00:00\n+++ b/src/a.go\tx\t2020-01-01 00:00:00\n" + BODY,
        "path-characters",
        1,
    ),
    # Two names for one file.
    "case": (change("src/a/Foo.go") + change("src/a/foo.go"), "path-collision", 6),
    "case of a folder": (change("src/A/x.go") + change("src/a/y.go"), "path-collision", 6),
    "a file and a folder": (created("src/x") + created("src/x/y.go"), "path-collision", 7),
    "a folder and a file": (created("src/x/y.go") + created("src/x"), "path-collision", 7),
    "the same file twice": (GOOD + GOOD, "repeated-file", 7),
    # Modes, links, submodules, binaries. git reads all of these spellings.
    "new link": (created("src/l", "new file mode 120000", text="../canary"), "mode", 2),
    "a link and a file behind it": (
        created("src/l", "new file mode 120000", text="..") + created("src/l/canary", "new file mode 100644"),
        "mode",
        2,
    ),
    "new link, two blanks": (created("src/l", "new file mode  120000"), "mode", 2),
    "new link, leading zero": (created("src/l", "new file mode 0120000"), "mode", 2),
    "new link, trailing blank": (created("src/l", "new file mode 120000 "), "mode", 2),
    "new link, carriage return": (created("src/l", "new file mode 120000\r"), "mode", 2),
    "link by its index line": (created("src/l", "index 0000000..1111111 120000"), "mode", 2),
    "link by a strange index line": (created("src/l", "index ZZ..YY 120000"), "mode", 2),
    "submodule": (created("src/m", "new file mode 160000", text=f"Subproject commit {'1' * 40}"), "mode", 2),
    "new program": (created("src/x.sh", "new file mode 100755"), "mode", 2),
    "new program by its index line": (
        created("src/x.sh", "new file mode 100644", "index 0..1 100755"),
        "mode",
        3,
    ),
    "mode change": (f"diff --git a/{P} b/{P}\nold mode 100644\nnew mode 100755\n", "mode", 3),
    # What may be run so far, may not then.
    "mode change to the plain one": (GOOD.replace("---", "new mode 100644\n---", 1), "mode", 2),
    "deleted program": (created("src/x.sh", "deleted file mode 100755"), "mode", 2),
    "mode in other digits": (created("src/l", "new file mode 1\u06662000"), "mode", 2),
    "binary": (f"diff --git a/{P} b/{P}\nGIT binary patch\nliteral 0\n", "binary", 2),
    "binary notice": (f"{GOOD}Binary files a/src/a and b/src/a differ\n", "binary", 7),
    "binary notice, short": (f"diff --git a/{P} b/{P}\nFiles a/{P} and b/{P} differ\n", "binary", 2),
    "NUL": (GOOD.replace("+b", "+\0"), "binary", 6),
    "not UTF-8": (GOOD.encode().replace(b"+b\n", b"+\xff\xfe\n"), "encoding", 6),
    # Renames and copies show no content. git knows the old spelling, too.
    "rename": (
        "diff --git a/src/a.go b/src/b.go\nsimilarity index 100%\nrename from src/a.go\nrename to src/b.go\n",
        "rename",
        3,
    ),
    "rename behind a rewrite": (
        "diff --git a/src/a b/src/b\ndissimilarity index 90%\nrename from src/a\nrename to src/b\n",
        "rename",
        3,
    ),
    "two files behind a rewrite": (
        GOOD.replace("---", "dissimilarity index 90%\n---", 1).replace("b/src", "b/src/x", 1),
        "header",
        1,
    ),
    "rename, old spelling": (
        f"diff --git a/{P} b/{P}\nrename old {P}\nrename new ../canary\n",
        "rename",
        2,
    ),
    "copy from outside": (f"diff --git a/{P} b/{P}\ncopy from ../x\ncopy to {P}\n", "rename", 2),
    # Characters.
    "escape": (GOOD.replace("+b", "+\x1b[2J"), "character", 6),
    "carriage return inside a line": (GOOD.replace("+b", "+b\rc"), "character", 6),
    "bidi in an added line": (GOOD.replace("+b", "+b // \u202e"), "character", 6),
    "bidi in the message": (f"Subject: runtime: x\n\na \u2066 b\n\n{GOOD}", "character", 3),
    "bidi in the subject": (f"Subject: runtime: \u2066 x\n\n{GOOD}", "character", 1),
    "bidi in the encoded subject": (
        f"From: a\nSubject: =?utf-8?q?runtime:_x=E2=80=AEy?=\n\n{GOOD}",
        "character",
        2,
    ),
    "escape in the encoded subject": (f"Subject: =?utf-8?b?cnVudGltZTogGzJK?=\n\n{GOOD}", "character", 1),
    "line feed in the encoded subject": (f"Subject: =?utf-8?q?a=0Ab?=\n\n{GOOD}", "character", 1),
    "bidi in a context line": (change("src/a.go", "@@ -1,2 +1 @@\n \u202a\n-b\n"), "character", 4),
    "bidi in a section heading": (GOOD.replace(" @@\n", " @@ \u202e\n"), "character", 4),
    "zero width": (GOOD.replace("+b", "+b\u200b"), "character", 6),
    "byte order mark": ("\ufeff" + GOOD, "character", 1),
    "tag character": (GOOD.replace("+b", "+b\U000e0041"), "character", 6),
    "variation selector": (GOOD.replace("+b", "+b\U000e0101"), "character", 6),
    "soft hyphen": (GOOD.replace("+b", "+b\u00ad"), "character", 6),
    "invisible letter": (GOOD.replace("+b", "+var \u3164 = 1"), "character", 6),
    "line separator": (GOOD.replace("+b", "+// a\u2028b"), "character", 6),
    # Hunks that are not what they say.
    "a hunk of other digits hides a header": (
        f"{GOOD}@@ -1,\u0669 +1,\u0669 @@\n" + created("src/l", "new file mode 120000"),
        "hunk",
        7,
    ),
    "a hunk hides a header": (f"@@ -1,9 +1,9 @@\n{change('../canary')}", "hunk", 1),
    "a count of many digits": (f"@@ -1,{'9' * 5000} +1 @@\n{GOOD}", "hunk", 1),
    "a hunk after a gap": (f"{GOOD}\n{BODY}", "hunk", 8),
    "truncated": (GOOD.replace("-1 +1", "-1,3 +1,3") + " c\n", "truncated", 7),
    "truncated in a line": (GOOD[:-1], "truncated", 6),
    "truncated in a header": (f"{GOOD}diff --git a/src/x b/src/x", "truncated", 7),
    "counts too small": (GOOD + "+c\n", "hunk", 7),
    "counts too small, removed": (GOOD + "-c\n", "hunk", 7),
    "counts too large": (GOOD.replace("-1 +1", "-1,2 +1,2") + GOOD, "hunk", 7),
    "more removed than said": (change("src/a.go", "@@ -1 +1,2 @@\n-a\n-b\n+c\n+d\n"), "hunk", 5),
    "changes nothing": (change("src/a.go", "@@ -1 +1 @@\n a\n"), "hunk", 3),
    "no lines": (change("src/a.go", "@@ -1,0 +1,0 @@\n"), "hunk", 3),
    # Headers that disagree.
    "another file below": (GOOD.replace(f"+++ b/{P}", "+++ b/src/other.go"), "header", 1),
    "another file above": (
        GOOD.replace(f"diff --git a/{P} b/{P}", "diff --git a/src/o b/src/o"),
        "header",
        1,
    ),
    "two files in the first line": (GOOD.replace(f" b/{P}", " b/src/other.go", 1), "header", 1),
    "the shorter name": (f"--- a/{P}\n+++ b/{P}.orig\n{BODY}", "header", 1),
    "removed and made": ("--- /dev/null\n+++ /dev/null\n" + BODY, "header", 1),
    # git reads the file dev/null of the tree here.
    "dev/null as a file": (
        f"diff --git a/{P} b/{P}\n--- /dev/null\n+++ b/{P}\n@@ -0,0 +1 @@\n+x\n",
        "header",
        1,
    ),
    "dev/null as a file, removed": (
        f"diff --git a/{P} b/{P}\n--- a/{P}\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n",
        "header",
        1,
    ),
    "a mode below the name": (
        f"diff --git a/{P} b/{P}\n--- /dev/null\nnew file mode 100644\n+++ b/{P}\n@@ -0,0 +1 @@\n+x\n",
        "header",
        3,
    ),
    "new and yet old": (GOOD.replace("---", "new file mode 100644\n---", 1), "header", 1),
    "new with old lines": (created("src/x").replace("-0,0", "-1") + "-y\n", "header", 1),
    "a header twice": (GOOD.replace("+++", f"--- a/{P}\n+++", 1), "header", 3),
    "half a header": (GOOD.replace(f"+++ b/{P}\n", ""), "header", 1),
    "no change": (f"diff --git a/{P} b/{P}\nindex 11111..22222 100644\n", "header", 1),
    "a header after the patch": (f"{GOOD}\nnew file mode 120000\n", "header", 8),
    "an index line of its own kind": (GOOD.replace("---", "index 1...2\n---", 1), "header", 2),
    "a header in the message": (f"{MAIL}see\n{change('../canary')}\n---\n\n{GOOD}", "path-escape", 6),
    "combined": (
        f"diff --cc {P}\nindex 1,2..3\n--- a/{P}\n+++ b/{P}\n@@@ -1 -1 +1 @@@\n++b\n",
        "combined",
        1,
    ),
    "combined hunk": (GOOD + "@@@ -1,1 -1,1 +1,1 @@@\n++b\n", "combined", 7),
    # Sizes, and what is no patch.
    "CR LF": (GOOD.replace("\n", "\r\n"), "crlf", 1),
    "CR LF in the message": (MAIL.replace("\n", "\r\n") + GOOD, "crlf", 1),
    "a long line": (GOOD.replace("+b", "+" + "b" * 70_000), "size", 6),
    "many files": ("".join(change(f"src/x/{n}.go") for n in range(2_001)), "size", 10_001),
    "many hunks": (change("src/x.go", BODY * 20_001), "size", 60_003),
    "many bytes": (b"x" * (9 << 20), "size", 1),
    "a long message": (f"{MAIL}{TEXT * 40_000}\n{GOOD}", "size", 1),
    "an encoded mail": (f"From: a\nContent-Transfer-Encoding: base64\n\n{GOOD}", "mail-encoding", 2),
    "a mail in parts": (f"From: a\nContent-Type: multipart/mixed; boundary=x\n\n{GOOD}", "mail-encoding", 2),
    "empty": ("", "no-change", 1),
    "prose": ("Dear reviewers,\nplease apply.\n", "no-change", 1),
    "only a message": ("Subject: x\n\nrename from src/a\n---\n 1 file changed\n", "no-change", 1),
}

BENIGN: dict[str, tuple[str, tuple[str, ...]]] = {
    "git": (GOOD, (P,)),
    "plain": (change(P), (P,)),
    "with a date": (
        "--- a/src/a.go\t2020-01-01 00:00:00\n+++ b/src/a.go\t2020-01-01 00:00:00.123456789 +0100\n" + BODY,
        ("src/a.go",),
    ),
    "other folders as prefixes": (
        "--- go1.27.3.orig/src/a.go\n+++ go/src/a.go\n" + BODY,
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
    "no newline before another file": (
        change("src/a.go", BODY + "\\ No newline at end of file\n") + change("src/b.go"),
        ("src/a.go", "src/b.go"),
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
    "deleted file": (deleted("src/a.go"), ("src/a.go",)),
    "deleted and new": (deleted("src/a.go") + created("src/b.go"), ("src/a.go", "src/b.go")),
    "a script that may be run already": (
        "diff --git a/src/make.bash b/src/make.bash\nindex 11111..22222 100755\n" + change("src/make.bash"),
        ("src/make.bash",),
    ),
    "index with the plain mode": (GOOD.replace("--- a", "index 11111..22222 100644\n--- a"), (P,)),
    "a rewrite": (GOOD.replace("--- a", "dissimilarity index 90%\nindex 11111..22222\n--- a"), (P,)),
    "a message that quotes test output": (
        f"Subject: runtime: fix\n\n--- FAIL: TestX (0.00s)\nrename from one name\nindex a..b of c\n"
        f"to the other\n\n{GOOD}",
        (P,),
    ),
    "a message that quotes a diff": (
        MAIL + "".join(f"\t{line}\n" for line in change("../x").splitlines()) + f"---\n a | 2 +-\n\n{GOOD}",
        (P,),
    ),
    "format-patch with a signature": (
        "From 0123 Mon Sep 17 00:00:00 2001\nFrom: Ä <a@b>\nSubject: [PATCH] x\n"
        "Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n\n---\n"
        f" a | 2 +-\n\n{GOOD}-- \n2.39.5\n\n",
        (P,),
    ),
    "letters and signs": (GOOD.replace("+b", "+\tüñ→±µ\t"), (P,)),
    "two files": (GOOD + change("test/a.go"), (P, "test/a.go")),
    "two hunks": (change(P, "@@ -1,2 +1,2 @@\n-a\n+b\n c\n@@ -9,2 +9,2 @@\n-d\n+e\n f\n"), (P,)),
    "escaped module path": (
        change("src/cmd/go/testdata/mod/!burnt!sushi_v1.0+x.txt"),
        ("src/cmd/go/testdata/mod/!burnt!sushi_v1.0+x.txt",),
    ),
}


def as_bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


def preimages(content: bytes) -> dict[str, bytes]:
    """Files that the hunks of a well-formed patch fit, by a reading of its own."""
    files: dict[str, bytes] = {}
    name, old, new = "", 0, 0
    lines = content.split(b"\n")
    for line, below in zip(lines, [*lines[1:], b""], strict=True):
        if old or new:
            if line[:1] != b"\\":
                old -= line[:1] in (b"-", b" ", b"")
                new -= line[:1] in (b"+", b" ", b"")
            elif name and old == 0:
                files[name] = files[name].removesuffix(b"\n")
            if line[:1] in (b"-", b" ", b"") and name:
                files[name] += line[1:] + b"\n"
        elif line.startswith(b"--- ") and below.startswith(b"+++ "):
            name = line[4:].split(b"\t")[0].partition(b"/")[2].decode() if b"/dev/null" not in line else ""
            if name:
                files[name] = b""
        elif line.startswith(b"@@ -"):
            ranges = [part[1:].split(b",") for part in line.split(b" ")[1:3]]
            old, new = (int(part[1]) if len(part) == 2 else 1 for part in ranges)
            if name:
                files[name] += b"~\n" * min(1000, int(ranges[0][0]) - 1 - files[name].count(b"\n"))
    return files
