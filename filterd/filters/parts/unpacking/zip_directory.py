"""What a ZIP file's directory does not say: members, names and ways to pack that some readers miss.

A reader that goes by the directory at the end sees other members than one that goes through the
file, if somebody took care of that. Source: APPNOTE.TXT 4.3.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO

MEMBER_LIMIT = 20_000
"""Members that a directory may list to be compared with the file; more are over the limit of
members that are looked at anyway."""

USUAL_METHODS = frozenset({0, 1, 6, 8, 9, 12})
"""Ways to pack that virus scanners read as well (APPNOTE.TXT 4.4.5)."""

_BLOCK_SIZE = 64 << 10
_ENCRYPTED = 0x1
_UTF8 = 0x800
_STORED, _DEFLATED = 0, 8
_LOCAL = struct.Struct("<4s5H3I2H")
_LOCAL_MARK = b"PK\x03\x04"
_END_MARK = b"PK\x05\x06"
_END = struct.Struct("<4s4H")
_UNICODE_PATH = 0x7075
_ERRORS = (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, LookupError, struct.error)


@dataclass
class Hidden:
    """A member that the directory does not list. start, size: where it is packed; method:
    how."""

    name: str
    start: int
    size: int
    method: int
    is_encrypted: bool

    def content(self, archive: bytes, limit: int) -> bytes:
        """Its first `limit` octets, as far as they can be read."""
        if self.is_encrypted:
            return b""
        if self.method == _STORED:
            return archive[self.start : self.start + min(self.size, limit)]
        if self.method != _DEFLATED:
            return b""
        unpacking = zlib.decompressobj(-zlib.MAX_WBITS)
        blocks: list[bytes] = []
        position, left = self.start, limit
        try:
            # Block by block: how much of the archive belongs to the member only deflate knows.
            while left > 0 and position < len(archive) and not unpacking.eof:
                block = archive[position : position + _BLOCK_SIZE]
                while block and left > 0:
                    blocks.append(unpacking.decompress(block, left))
                    left -= len(blocks[-1])
                    block = unpacking.unconsumed_tail
                position += _BLOCK_SIZE
        except zlib.error:
            pass  # so far it was good
        return b"".join(blocks)


@dataclass
class Directory:
    """names: all that listed members are called besides what libarchive calls them. hidden: members
    that are not listed. encrypted: names of listed members that need a password. contradicts: True
    if local headers and directory differ. odd_methods: ways to pack that few readers know."""

    names: list[str] = field(default_factory=list)
    hidden: list[Hidden] = field(default_factory=list)
    encrypted: list[str] = field(default_factory=list)
    contradicts: bool = False
    odd_methods: set[int] = field(default_factory=set)


def look(content: bytes, limit: int) -> Directory:
    """Compare the directory with the file. limit: hidden members that are looked at."""
    found = Directory()
    end = content.rfind(_END_MARK)
    listed: list[zipfile.ZipInfo] = []
    if 0 <= end <= len(content) - _END.size and _END.unpack_from(content, end)[4] <= MEMBER_LIMIT:
        try:
            with zipfile.ZipFile(BytesIO(content)) as archive:
                listed = archive.infolist()
        except _ERRORS:
            pass
    spans = []
    for member in listed:
        found.names += _names(member)
        if member.flag_bits & _ENCRYPTED:
            found.encrypted.append(member.filename)
        if member.compress_type not in USUAL_METHODS:
            found.odd_methods.add(member.compress_type)
        local = _local(content, member.header_offset)
        if local is None:
            found.contradicts = True
            continue
        name, start = local[0], local[1]
        if name not in (member.orig_filename, member.filename):
            found.names.append(name)
            found.contradicts = True
        spans.append((member.header_offset, start + member.compress_size))
    found.hidden += _unlisted(content, sorted(spans), limit)
    found.contradicts |= bool(listed and found.hidden)
    return found


def _names(member: zipfile.ZipInfo) -> Iterator[str]:
    yield member.filename
    if member.orig_filename != member.filename:
        yield member.orig_filename
    extra, position = member.extra, 0
    while position + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, position)
        position += 4
        if kind == _UNICODE_PATH and size > 5:
            yield extra[position + 5 : position + size].decode("utf-8", "replace")
        position += size


def _local(content: bytes, position: int) -> tuple[str, int, int, int, int] | None:
    """Name, where the data begins, flags, method and packed size of a local header."""
    if position < 0 or position + _LOCAL.size > len(content):
        return None
    fields = _LOCAL.unpack_from(content, position)
    if fields[0] != _LOCAL_MARK:
        return None
    begin = position + _LOCAL.size
    raw = content[begin : begin + fields[9]]
    name = raw.decode("utf-8" if fields[2] & _UTF8 else "cp437", "replace")
    return name, begin + fields[9] + fields[10], fields[2], fields[3], fields[7]


def _unlisted(content: bytes, spans: list[tuple[int, int]], limit: int) -> Iterator[Hidden]:
    """Members outside of those that are listed."""
    position = count = at = 0
    while count < limit:
        position = content.find(_LOCAL_MARK, position)
        if position < 0:
            return
        while at < len(spans) and spans[at][1] <= position:
            at += 1
        if at < len(spans) and spans[at][0] <= position:
            position = spans[at][1]
            continue
        local = _local(content, position)
        if local is None:
            return
        name, start, flags, method, size = local
        position = max(start + size, position + 4) if size < len(content) else position + 4
        if name:
            count += 1
            yield Hidden(name, start, size, method, bool(flags & _ENCRYPTED))
