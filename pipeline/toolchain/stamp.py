"""What a test binary says of itself: which series and tree it is from, in Go's own build information.

``debug.ReadBuildInfo`` reads it in the process, ``go version -m`` from the file.
"""

from __future__ import annotations

from dataclasses import dataclass

# What Go's linker puts around the text: src/cmd/go/internal/modload, ModInfoData.
_BEGIN = bytes.fromhex("3077af0c9274080241e1c107e6d618e6")
_END = bytes.fromhex("f932433186182072008242104116d8f2")
PREFIX = "gopatch."


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """``commit`` of this project ('' where it is not known), ``series`` and ``tree`` as sha256. The texts of
    both sides are of one length: what a program holds is part of what it measures."""

    commit: str
    series: str
    tree: str

    def settings(self) -> str:
        """The lines that build information gets."""
        values = {"commit": self.commit or "unknown", "series": self.series, "tree": self.tree}
        return "".join(f"build\t{PREFIX}{key}={value}\n" for key, value in values.items())


def directive(text: str, stamp: Stamp | None) -> str:
    """The line of the linker's configuration that gives a program this build information, with the stamp."""
    data = _BEGIN + (text + (stamp.settings() if stamp else "")).encode() + _END
    return f"modinfo {_quoted(data)}"


def text_of(line: str) -> str:
    """The build information in a ``modinfo`` line as the go command writes it; ValueError for another."""
    quoted = line.removeprefix("modinfo ").strip()
    if not (line.startswith("modinfo ") and quoted.startswith('"') and quoted.endswith('"')):
        raise ValueError("not a modinfo line")
    data = _unquoted(quoted[1:-1])
    if not (data.startswith(_BEGIN) and data.endswith(_END)):
        raise ValueError("build information without Go's marks")
    return data[len(_BEGIN) : -len(_END)].decode("utf-8")


def find(data: bytes) -> Stamp | None:
    """The stamp in a program's bytes; None where there is none that is whole."""
    begin = data.find(_BEGIN)
    while begin >= 0:
        end = data.find(_END, begin, begin + (1 << 16))
        if end >= 0 and (found := _parsed(data[begin + len(_BEGIN) : end])):
            return found
        begin = data.find(_BEGIN, begin + 1)
    return None


def _parsed(text: bytes) -> Stamp | None:
    head = f"build\t{PREFIX}".encode()
    lines = [line.removeprefix(head) for line in text.split(b"\n") if line.startswith(head)]
    values = dict(line.decode("ascii", "replace").split("=", 1) for line in lines if b"=" in line)
    try:
        commit = values["commit"]
        return Stamp(
            commit="" if commit == "unknown" else commit, series=values["series"], tree=values["tree"]
        )
    except KeyError:
        return None


def _quoted(data: bytes) -> str:
    """As strconv.Unquote reads it: every byte that is not plain as an escape of its own."""
    plain = bytes(range(0x20, 0x7F)).translate(None, b'"\\')
    return '"' + "".join(chr(one) if one in plain else f"\\x{one:02x}" for one in data) + '"'


_ESCAPES = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92, '"': 34}


def _unquoted(text: str) -> bytes:
    """strconv.Quote, undone."""
    found = bytearray()
    at = 0
    while at < len(text):
        one = text[at]
        if one != "\\":
            found += one.encode()
            at += 1
            continue
        kind = text[at + 1 : at + 2]
        if kind in _ESCAPES:
            found.append(_ESCAPES[kind])
            at += 2
            continue
        digits = {"x": 2, "u": 4, "U": 8}.get(kind)
        if digits is None:
            raise ValueError(f"an escape that Go does not write: \\{kind}")
        value = int(text[at + 2 : at + 2 + digits], 16)
        found += bytes([value]) if kind == "x" else chr(value).encode()
        at += 2 + digits
    return bytes(found)
