"""Two builds of the tools are the same, or are said not to be."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.toolchain import identity, macho

TEXT = b"the code " * 100


def segment(name: bytes, vmsize: int, fileoff: int, filesize: int) -> bytes:
    sizes = struct.pack("<QQQQ", 0x1000, vmsize, fileoff, filesize)
    return struct.pack("<II", 0x19, 72) + name.ljust(16, b"\0") + sizes + bytes(16)


def executable(signature: bytes | None, *, text: bytes = TEXT) -> bytes:
    """A Mach-O file as linkers lay it out: header, load commands, contents, and the signature at the end."""
    linkedit = len(signature or b"") + 16
    commands = [segment(b"__TEXT", 0x4000, 0, len(text)), segment(b"__LINKEDIT", 0x1000, len(text), linkedit)]
    size = sum(map(len, commands)) + 16
    body = 32 + size
    offset = body + len(text)
    tail = (offset, len(signature)) if signature is not None else (0, 0)
    commands.append(struct.pack("<IIII", 0x1D, 16, *(tail if signature is not None else (offset, 0))))
    header = struct.pack("<IIIIIIII", 0xFEEDFACF, 0x0100000C, 0, 2, len(commands), size, 0, 0)
    return header + b"".join(commands) + text + (signature or b"")


def test_only_the_signature_may_differ() -> None:
    ours, theirs = executable(b"ad hoc" * 10), executable(b"Apple's, and longer" * 50)
    assert ours != theirs
    assert macho.unsigned(ours) == macho.unsigned(theirs)
    assert macho.unsigned(executable(b"")) == macho.unsigned(theirs)
    assert macho.unsigned(executable(b"x", text=TEXT + b"!")) != macho.unsigned(theirs)


def test_the_code_itself_is_compared() -> None:
    other = executable(b"same" * 10, text=TEXT.replace(b"code", b"c0de", 1))
    assert macho.unsigned(executable(b"same" * 10)) != macho.unsigned(other)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x7fELF" + bytes(100),
        struct.pack("<IIIIIIII", 0xFEEDFACF, 0, 0, 2, 1, 5000, 0, 0),
        struct.pack("<IIIIIIII", 0xFEEDFACF, 0, 0, 2, 3, 16, 0, 0) + bytes(16),
        struct.pack("<IIIIIIII", 0xFEEDFACF, 0, 0, 2, 1, 8, 0, 0) + struct.pack("<II", 0x1D, 8),
        struct.pack("<IIIIIIII", 0xFEEDFACF, 0, 0, 2, 1, 16, 0, 0) + struct.pack("<IIII", 0x1D, 16, 9999, 1),
    ],
)
def test_what_does_not_add_up_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"Mach-O|load command|signature"):
        macho.unsigned(data)


@given(st.binary(max_size=200))
def test_no_bytes_crash_it(tail: bytes) -> None:
    for head in (b"", struct.pack("<I", 0xFEEDFACF)):
        try:
            macho.unsigned(head + tail)
        except ValueError:
            continue


def files(folder: Path, **contents: bytes) -> dict[str, Path]:
    folder.mkdir()
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return {f"bin/{name}": folder / name for name in contents}


def test_every_file_of_either_side_is_accounted_for(tmp_path: Path) -> None:
    ours = files(
        tmp_path / "a",
        go=b"1",
        vet=b"2",
        only=b"3",
        mac=executable(b"x"),
        bad=b"\xcf\xfa\xed\xfe" + bytes(9),
    )
    theirs = files(
        tmp_path / "b",
        go=b"1",
        vet=b"!",
        mac=executable(b"yy"),
        bad=b"\xcf\xfa\xed\xfe" + bytes(8),
        new=b"4",
    )
    found = identity.compare(ours, theirs)
    assert {one.name: one.likeness for one in found} == {
        "bin/go": "same",
        "bin/vet": "differs",
        "bin/only": "missing",
        "bin/new": "missing",
        "bin/mac": "unsigned",
        "bin/bad": "differs",
    }
    assert not identity.proven(found)
    assert identity.proven(tuple(one for one in found if one.likeness in {"same", "unsigned"}))
    assert not identity.proven(())
