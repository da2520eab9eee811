"""Kits: what the go command says of linking, and what is believed of it. Real linking is in integration."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import proc
from pipeline.errors import HostError
from pipeline.golang import Go
from pipeline.toolchain import linking, stamp
from pipeline.toolchain.linking import Linker
from pipeline.toolchain.stamp import Stamp
from pipeline.values import Platform

LINUX = Platform(goos="linux", goarch="amd64")
MARK = Stamp(commit="abc123", series="5" * 64, tree="7" * 64)
# As go1.27 prints it, shortened: 16 bytes, the text, 16 bytes.
LINE = (
    'modinfo "0w\\xaf\\f\\x92t\\b\\x02A\\xe1\\xc1\\a\\xe6\\xd6\\x18\\xe6path\\truntime.test\\n'
    'build\\t-compiler=gc\\n\\xf92C1\\x86\\x18 r\\x00\\x82B\\x10A\\x16\\xd8\\xf2"'
)


def test_go_s_own_line_is_understood_and_written_back() -> None:
    text = stamp.text_of(LINE)
    assert text == "path\truntime.test\nbuild\t-compiler=gc\n"
    assert stamp.text_of(stamp.directive(text, None)) == text
    assert stamp.text_of(stamp.directive(text, MARK)) == (
        f"{text}build\tgopatch.commit=abc123\nbuild\tgopatch.series={'5' * 64}\n"
        f"build\tgopatch.tree={'7' * 64}\n"
    )


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back(text: str) -> None:
    assert stamp.text_of(stamp.directive(text, None)) == text


@pytest.mark.parametrize(
    "line", ["modinfo x", 'modinfo "abc"', "packagefile a=b", 'modinfo "\\q"', 'modinfo "']
)
def test_another_line_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        stamp.text_of(line)


def test_a_stamp_is_read_from_a_program(tmp_path: Path) -> None:
    program = tmp_path / "p"
    begin, end = stamp._BEGIN, stamp._END
    # The marks alone are in every program that reads build information.
    program.write_bytes(b"x" + begin + b"y" + end + begin + b"\n" + MARK.settings().encode() + end)
    assert stamp.find(program.read_bytes()) == MARK
    program.write_bytes(b"x" + begin + MARK.settings().encode())
    assert stamp.find(program.read_bytes()) is None
    program.write_bytes(b"x" + begin + b"build\tgopatch.commit=1\n" + end)
    assert stamp.find(program.read_bytes()) is None


def test_both_sides_texts_are_of_one_length() -> None:
    other = Stamp(commit="abc123", series="5" * 64, tree="8" * 64)
    assert len(other.settings()) == len(MARK.settings())


ID = "actionactionactionac/mainmainmainmainmain/depsdepsdepsdepsdeps/actionactionactionac"
FINAL = "actionactionactionac/mainmainmainmainmain/depsdepsdepsdepsdeps/hashhashhashhashhash"


def test_only_the_hash_in_the_build_id_may_differ() -> None:
    ours, theirs = f"a {ID} b {ID} c".encode(), f"a {FINAL} b {FINAL} c".encode()
    assert linking.same_but_for_build_id(ours, theirs, ID)
    assert not linking.same_but_for_build_id(ours, theirs.replace(b" b ", b" X "), ID)
    assert not linking.same_but_for_build_id(ours, theirs + b"d", ID)
    assert not linking.same_but_for_build_id(ours, theirs.replace(b"mainmain", b"mainmalm"), ID)


def macho(signature: bytes, code: bytes) -> bytes:
    """A Mach-O file of a header, one command that tells of a signature, code, and the signature."""
    command = struct.pack("<IIII", 0x1D, 16, 32 + 16 + len(code), len(signature))
    return struct.pack("<IIIIIIII", 0xFEEDFACF, 0, 0, 2, 1, 16, 0, 0) + command + code + signature


def test_on_macos_the_signature_may_differ_too() -> None:
    ours, theirs = macho(b"11", ID.encode()), macho(b"22", FINAL.encode())
    assert linking.same_but_for_build_id(ours, theirs, ID)
    assert not linking.same_but_for_build_id(ours, macho(b"22", FINAL.replace("deps", "reps").encode()), ID)


class Fixture:
    """A linker that is a shell script, and a go command's words about linking with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        tools = folder / "go dir/pkg/tool/linux_amd64"
        tools.mkdir(parents=True)
        self.link = tools / "link"
        # Writes its own build ID and input: enough for the comparison.
        self.link.write_text(
            '#!/bin/sh\nprintf "%s " "$@" | sed "s/.*-buildid=\\([^ ]*\\) .*/\\1/" > "$2"\ncat "$7" >> "$2"\n'
        )
        self.link.chmod(0o755)
        self.archive = folder / "cache-d"
        self.archive.write_text("archive")
        self.compiled = folder / "runtime.test"
        self.compiled.write_text(FINAL + "archive")
        go = Go(root=folder / "go dir", cache=folder / "c", work=folder / "w")
        shell = proc.Shell(logs=folder / "logs", observe=lambda _n, _r: None)
        self.linker = Linker(shell=shell, go=go, host=LINUX)
        self.kit = folder / "kit"
        self.kit.mkdir()

    def said(self, *, line: str = LINE, archive: str = "") -> str:
        used = archive or str(self.archive)
        return (
            "mkdir -p $WORK/b001/\n"
            "cat >/tmp/x/b001/importcfg.link << 'EOF' # internal\n"
            f"packagefile runtime={used}\n{line}\nEOF\ncd .\n"
            f"GOROOT='' \"{self.link}\" -o $WORK/b001/r.test -importcfg $WORK/b001/importcfg.link "
            f"-buildmode=exe -buildid={ID} {used}\n"
        )


def test_a_kit_is_what_the_go_command_says(tmp_path: Path, processes: None) -> None:
    found = Fixture(tmp_path)
    about = linking.captured(found.said(), found.compiled, found.linker, found.kit)
    kit = linking.read(about, found.kit)
    assert kit.flags == ("-buildmode=exe", f"-buildid={ID}")
    assert kit.environment == {"GOROOT": ""}
    assert kit.settings == "path\truntime.test\nbuild\t-compiler=gc\n"
    assert (found.kit / kit.archives["runtime"]).read_text() == "archive"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"archive": "$WORK/b001/_pkg_.a"}, "gone from Go's build cache"),
        ({"archive": "/nowhere/x-d"}, "gone from Go's build cache"),
    ],
)
def test_an_archive_that_is_gone(
    change: dict[str, str], message: str, tmp_path: Path, processes: None
) -> None:
    found = Fixture(tmp_path)
    with pytest.raises(HostError, match=message):
        linking.captured(found.said(**change), found.compiled, found.linker, found.kit)


def test_a_go_command_that_says_nothing(tmp_path: Path, processes: None) -> None:
    found = Fixture(tmp_path)
    with pytest.raises(HostError, match="did not say how it links"):
        linking.captured("ok\n", found.compiled, found.linker, found.kit)


def test_other_bits_are_not_believed(tmp_path: Path, processes: None) -> None:
    found = Fixture(tmp_path)
    found.compiled.write_text(FINAL + "another program")
    with pytest.raises(HostError, match="another program than the go command made"):
        linking.captured(found.said(), found.compiled, found.linker, found.kit)
