"""What a patch may not contain: every patch of the corpus is refused for its own reason; no benign one is."""

from __future__ import annotations

import contextlib
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import ExitCode, PatchError
from pipeline.patch import lint
from pipeline.patch.lint.findings import MAX_FINDINGS
from pipeline.values import Patch
from tests.unit.hostile import BENIGN, GOOD, HOSTILE, as_bytes, change, check, created, deleted


def errors(content: str | bytes) -> list[tuple[str, int]]:
    found = lint.examine("0001.patch", as_bytes(content)).findings
    return [(one.rule, one.line) for one in found if one.severity == "error"]


@pytest.mark.parametrize("name", HOSTILE)
def test_refuses(name: str) -> None:
    content, rule, line = HOSTILE[name]
    assert (rule, line) in errors(content)
    with pytest.raises(PatchError) as caught:
        check("0001.patch", as_bytes(content))
    assert f"0001.patch:{line}: error: {rule}: " in caught.value.what
    assert caught.value.exit_code is ExitCode.PATCH_FAILS
    # What is shown of it acts on no terminal.
    assert not lint.hidden(caught.value.what.replace("\n", ""))


@pytest.mark.parametrize("name", BENIGN)
def test_passes(name: str) -> None:
    content, files = BENIGN[name]
    assert check("0001.patch", content.encode()) == files


def test_everything_is_said_at_once_and_in_order() -> None:
    reordered = GOOD.replace("+b", "+\u202e")
    content = f"{reordered}{change('../x')}{created('src/l', 'new file mode 120000')}"
    assert errors(content) == [("character", 6), ("path-escape", 7), ("mode", 13)]


def test_a_file_is_complained_of_once() -> None:
    assert errors(created("bin/x", "new file mode 100644")) == [("path-outside", 1)]


def test_a_flood_of_findings_is_cut_and_still_refused() -> None:
    found = lint.examine("x", GOOD.encode() + b"\0\n" * 1000).findings
    assert len(found) == MAX_FINDINGS + 1
    assert (found[-1].rule, found[-1].severity) == ("too-many", "error")
    assert "901" in found[-1].message


def test_every_control_and_format_character_is_hidden() -> None:
    for code in range(0x110000):
        char = chr(code)
        if unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp"} and char not in "\t\n":
            assert lint.hidden(f"a{char}b") == char
    assert lint.hidden("\tplain → ü ± µ") == ""


def patch(content: str, name: str = "0001.patch") -> Patch:
    data = content.encode()
    files = check(name, data)
    return Patch(name=name, subject="", message="", sha256="", content=data, files=files)


BASE = ("src/runtime/proc.go", "src/net/net.go", "src/runtime/testdata/a")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("src/runtime/Proc.go", "src/runtime/Proc.go and src/runtime/proc.go differ only in case"),
        ("src/Runtime/new.go", "src/Runtime and src/runtime differ only in case"),
        ("src/runtime", "src/runtime is a folder and cannot be a file"),
        ("src/net/net.go/x.go", "src/net/net.go is a file and cannot be a folder"),
    ],
)
def test_collides_with_a_file_of_the_tree(path: str, said: str) -> None:
    (found,) = lint.against(
        BASE, [patch(GOOD), patch(change("src/net/other.go") + created(path), "0002.patch")]
    )
    assert (found.file, found.line, found.rule, found.message) == ("0002.patch", 6, "path-collision", said)


def test_what_a_series_does_to_the_tree_counts() -> None:
    gone = patch(deleted("src/runtime/proc.go"))
    other = patch(created("src/runtime/PROC.go"), "0002.patch")
    assert not lint.against(BASE, [gone, other])
    assert lint.against(BASE, [other])
    made = patch(created("src/x/a.go"))
    assert lint.against(BASE, [made, patch(created("src/x/A.go"), "0002.patch")])
    assert not lint.against(BASE, [made, patch(change("src/x/a.go"), "0002.patch")])


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
        files = check("x", "".join(parts).encode("utf-8", "surrogatepass"))
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
        assert check("x", data)


@pytest.mark.parametrize("path", ["src/errors/..\\..\\x.go", 'src/errors/"x".go'])
def test_a_name_that_is_refused_is_one_name(path: str) -> None:
    found = lint.examine("x", change(path).encode()).findings
    assert {one.rule for one in found if one.severity == "error"} <= {"path-escape", "path-characters"}
    quoted = change(path).replace(f"a/{path}", f'"a/{path}"').replace(f"b/{path}", f'"b/{path}"')
    assert not [one for one in lint.examine("x", quoted.encode()).findings if "several" in one.message]
