"""What the headers of a RAR archive say: where it ends, and what of it needs a password.

libarchive tells an encrypted archive from a damaged one for some of the versions only. Sources:
technote.txt of UnRAR 4 and of RAR 5.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

MARK = b"Rar!\x1a\x07"

HEADERS_LIMIT = 20_000
"""Headers of one archive that are looked at; more files are over the limit of members."""

_MARK_4, _MARK_5 = MARK + b"\0", MARK + b"\1\0"

_BLOCK_4 = struct.Struct("<HBHH")  # checksum, type, flags, size
_MAIN_4, _FILE_4, _SERVICE_4, _END_4 = 0x73, 0x74, 0x7A, 0x7B
_HEADERS_ENCRYPTED_4 = 0x0080
_FILE_ENCRYPTED_4, _LARGE_4, _HAS_DATA_4 = 0x0004, 0x0100, 0x8000
_NAME_SIZE_AT, _NAME_AT = 26, 32

_FILE_5, _SERVICE_5, _ENCRYPTION_5, _END_5 = 2, 3, 4, 5
_HAS_EXTRA_5, _HAS_DATA_5 = 0x1, 0x2
_HAS_TIME, _HAS_CHECKSUM = 0x2, 0x4
_FILE_ENCRYPTION_RECORD = 1
_VINT_SIZE = 10


@dataclass
class Headers:
    """end: offset behind the archive, as far as its headers go; 0 if the first is none. is_whole:
    its last header was found. count: headers that were looked at. headers_encrypted: not even names
    can be read. encrypted: names of the files that need a password."""

    end: int = 0
    is_whole: bool = False
    count: int = 0
    headers_encrypted: bool = False
    encrypted: list[str] = field(default_factory=list)


def look(content: bytes, start: int = 0, limit: int = HEADERS_LIMIT) -> Headers:
    """Go through the headers of the archive that begins at `start`, one in any case. Never raises.

    limit: headers.
    """
    found = Headers()
    try:
        if content.startswith(_MARK_5, start):
            _look_5(content, start + len(_MARK_5), found, limit)
        elif content.startswith(_MARK_4, start):
            _look_4(content, start + len(_MARK_4), found, limit)
    except (struct.error, IndexError, ValueError):
        pass  # it breaks off
    return found


def _look_4(content: bytes, position: int, found: Headers, limit: int) -> None:
    while found.count < max(limit, 1):
        found.count += 1
        checksum, kind, flags, size = _BLOCK_4.unpack_from(content, position)
        header = content[position : position + size]
        if size < _BLOCK_4.size or len(header) < size:
            return
        if not found.end and (kind != _MAIN_4 or zlib.crc32(header[2:13]) & 0xFFFF != checksum):
            return
        data = 0
        if flags & _HAS_DATA_4 or kind in (_FILE_4, _SERVICE_4):
            (data,) = struct.unpack_from("<I", header, _BLOCK_4.size)
        if kind == _MAIN_4 and flags & _HEADERS_ENCRYPTED_4:
            found.headers_encrypted = True
            found.end = len(content)
            return
        if kind == _FILE_4:
            name_at = _NAME_AT
            if flags & _LARGE_4:
                data += int.from_bytes(header[_NAME_AT : _NAME_AT + 4], "little") << 32
                name_at += 8
            if flags & _FILE_ENCRYPTED_4:
                (length,) = struct.unpack_from("<H", header, _NAME_SIZE_AT)
                name = header[name_at : name_at + length].partition(b"\0")[0]
                found.encrypted.append(name.decode("utf-8", "replace"))
        position = min(position + size + data, len(content))
        found.end = position
        if kind == _END_4:
            found.is_whole = True
            return


def _look_5(content: bytes, position: int, found: Headers, limit: int) -> None:
    while found.count < max(limit, 1):
        found.count += 1
        (checksum,) = struct.unpack_from("<I", content, position)
        size, at = _vint(content, position + 4)
        stop = at + size
        if not size or stop > len(content):
            return
        if zlib.crc32(content[position + 4 : stop]) != checksum and not found.end:
            return
        kind, at = _vint(content, at)
        flags, at = _vint(content, at)
        extra = data = 0
        if flags & _HAS_EXTRA_5:
            extra, at = _vint(content, at)
        if flags & _HAS_DATA_5:
            data, at = _vint(content, at)
        if kind == _ENCRYPTION_5:
            found.headers_encrypted = True
            found.end = len(content)
            return
        if kind == _FILE_5 and _has_encryption_record(content[max(stop - extra, at) : stop]):
            found.encrypted.append(_name_5(content, at))
        position = min(stop + data, len(content))
        found.end = position
        if kind == _END_5:
            found.is_whole = True
            return


def _has_encryption_record(extra: bytes) -> bool:
    at = 0
    while at < len(extra):
        size, begin = _vint(extra, at)
        kind, _ = _vint(extra, begin)
        if kind == _FILE_ENCRYPTION_RECORD:
            return True
        at = begin + max(size, 1)
    return False


def _name_5(content: bytes, at: int) -> str:
    flags, at = _vint(content, at)
    for _unpacked_size_and_attributes in range(2):
        _, at = _vint(content, at)
    at += 4 * bool(flags & _HAS_TIME) + 4 * bool(flags & _HAS_CHECKSUM)
    for _compression_and_host in range(2):
        _, at = _vint(content, at)
    length, at = _vint(content, at)
    return content[at : at + length].decode("utf-8", "replace")


def _vint(octets: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits an octet, the lowest first, and where it ends. Raises IndexError and
    ValueError."""
    value = 0
    for shift in range(_VINT_SIZE):
        octet = octets[at + shift]
        value |= (octet & 0x7F) << (7 * shift)
        if octet < 0x80:
            return value, at + shift + 1
    raise ValueError("a number of too many octets")
