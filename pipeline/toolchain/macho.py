"""Mach-O executables without their code signature, so that two builds can be compared.

Apple's signature is made with a key after linking; Go's own linker leaves an ad-hoc one. Layout from
<mach-o/loader.h>; 64-bit little-endian only, which is all that Go makes.
"""

from __future__ import annotations

import struct

_MAGIC_64 = 0xFEEDFACF
_HEADER = 32
_SEGMENT_64, _CODE_SIGNATURE = 0x19, 0x1D
_LINKEDIT = b"__LINKEDIT".ljust(16, b"\0")


def is_macho(data: bytes) -> bool:
    """Whether ``data`` begins as a 64-bit Mach-O file does."""
    return len(data) >= _HEADER and struct.unpack_from("<I", data)[0] == _MAGIC_64


def unsigned(data: bytes) -> bytes:
    """The file up to its signature, with every field that tells of one set to zero.

    Data without a signature comes back with those fields zeroed as well. ValueError for a file whose load
    commands do not add up.
    """
    if not is_macho(data):
        raise ValueError("not a 64-bit Mach-O file")
    commands, size = struct.unpack_from("<II", data, 16)
    if _HEADER + size > len(data):
        raise ValueError("its load commands go beyond its end")
    kept = bytearray(data)
    end, at = len(data), _HEADER
    for _ in range(commands):
        kind, length = _command(data, at, _HEADER + size)
        if kind == _CODE_SIGNATURE:
            end = struct.unpack_from("<I", data, at + 8)[0]
            kept[at + 8 : at + 16] = bytes(8)
        elif kind == _SEGMENT_64 and data[at + 8 : at + 24] == _LINKEDIT:
            # vmsize, and filesize after fileoff: both grow with the signature.
            kept[at + 32 : at + 40] = bytes(8)
            kept[at + 48 : at + 56] = bytes(8)
        at += length
    if end > len(data):
        raise ValueError("its signature begins beyond its end")
    return bytes(kept[:end])


def _command(data: bytes, at: int, limit: int) -> tuple[int, int]:
    if at + 8 > limit:
        raise ValueError("its load commands end early")
    kind, length = struct.unpack_from("<II", data, at)
    least = {_CODE_SIGNATURE: 16, _SEGMENT_64: 72}.get(kind, 8)
    if length < least or at + length > limit:
        raise ValueError("a load command is too short or goes beyond the others")
    return kind, length
