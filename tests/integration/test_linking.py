"""The programs of rounds, by a real linker."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest

from pipeline.toolchain import linking, programs, stamp, testbin
from pipeline.toolchain.build import Builder
from pipeline.toolchain.programs import Origin
from pipeline.toolchain.stamp import Stamp

pytestmark = pytest.mark.go

SEED = 1234567
MARK = Stamp(commit="", series="5" * 64, tree="7" * 64)
# The headers, which say where the sections are, and with them which there are.
HEADERS = 4096


def loaded(program: Path) -> list[tuple[int, bytes]]:
    """The address and content of each segment of a 64-bit ELF program that is loaded."""
    data = program.read_bytes()
    (start,) = struct.unpack_from("<Q", data, 0x20)
    size, count = struct.unpack_from("<HH", data, 0x36)
    found = []
    for number in range(count):
        kind, offset, address, length = struct.unpack_from("<I4xQQ8xQ", data, start + number * size)
        if kind == 1:
            begin = max(offset, HEADERS)
            found.append((address, data[begin : offset + length]))
    return found


def test_without_dwarf_the_same_is_loaded(builder: Builder, tmp_path: Path) -> None:
    base = builder.base
    go = builder.go(base.root, base.digest)
    binary = testbin.compile_one(builder, go, base, "base", "container/ring", base.digest)
    origin = Origin(builder=builder, go=go, tree=base, side="base", tools=base.digest)
    kit = programs.kit(origin, binary)
    made = {}
    for name, flags in {"whole": [f"-randlayout={SEED}"], "other": [f"-randlayout={SEED + 1}"]}.items():
        made[name] = tmp_path / name / "program"
        made[name].parent.mkdir()
        text = stamp.directive(kit.settings or "", MARK)
        origin.linker.run(name, kit, made[name], text=text, flags=flags)
    made["round"] = tmp_path / "round" / "program"
    made["round"].parent.mkdir()
    linking.link(origin.linker, "round", kit, MARK, made["round"], seed=SEED)

    assert len(loaded(made["round"])) >= 3
    assert loaded(made["round"]) == loaded(made["whole"]) != loaded(made["other"])
    assert made["round"].stat().st_size < made["whole"].stat().st_size
    assert stamp.find(made["round"].read_bytes()) == MARK
    listed = subprocess.run([made["round"], "-test.list=."], capture_output=True, text=True, check=True)
    assert "TestCornerCases" in listed.stdout.split()
