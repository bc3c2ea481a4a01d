"""Compressed files with something behind their end, where libarchive gives up and others do not.

Unpackers take what comes first and pass over, or warn of, what follows; libarchive returns nothing
at all of a small file then. Sources: the .xz file format 1.2 §2; RFC 8878 §3.1.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator

_ZSTD = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = range(0x184D2A50, 0x184D2A60)
_DICTIONARY_SIZES = (0, 1, 2, 4)
_CONTENT_SIZES = (0, 2, 4, 8)
_REPEATED = 1  # a block of one octet that is repeated


def of_xz(content: bytes, block_size: int, memory: int) -> Iterator[bytes]:
    """What the streams of an xz file unpack to, block by block. Raises lzma.LZMAError; memory:
    octets that unpacking may take."""
    rest = content
    while rest:
        unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=memory)
        while not unpacker.eof:
            if unpacker.needs_input and not rest:
                raise lzma.LZMAError("the file breaks off")
            yield unpacker.decompress(rest, block_size)
            rest = b""
        rest = unpacker.unused_data.lstrip(b"\0")
        if not rest.startswith(content[:6]):
            return


def end_of_zstd(content: bytes) -> int:
    """Where the last frame of a Zstandard file ends; the whole size where frames break off."""
    position = 0
    while True:
        if content.startswith(_ZSTD, position):
            end = _end_of_frame(content, position + len(_ZSTD))
        elif int.from_bytes(content[position : position + 4], "little") in _SKIPPABLE:
            end = position + 8 + int.from_bytes(content[position + 4 : position + 8], "little")
        else:
            return position
        if end > len(content):
            return len(content)
        position = end


def _end_of_frame(content: bytes, at: int) -> int:
    descriptor = int.from_bytes(content[at : at + 1], "little")
    is_single = bool(descriptor & 0x20)
    size = _CONTENT_SIZES[descriptor >> 6] or int(is_single)
    at += 1 + (not is_single) + _DICTIONARY_SIZES[descriptor & 3] + size
    is_last = False
    while not is_last:
        if at + 3 > len(content):
            return len(content) + 1
        head = int.from_bytes(content[at : at + 3], "little")
        is_last = bool(head & 1)
        at += 3 + (1 if head >> 1 & 3 == _REPEATED else head >> 3)
    return at + 4 * bool(descriptor & 4)
