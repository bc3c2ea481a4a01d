"""Windows Installer files (packages, patches, transforms) among the compound files.

Told by the class id of the root storage, which Windows goes by, or by the tables that only they
have. Sources: MS-CFB §2.2, §2.6.1; for the names of tables the streams that Windows Installer
writes: two letters of 64 in one UTF-16 unit from U+3800 on, one from U+4800 on, U+4840 before all.
"""

from __future__ import annotations

import struct
from string import ascii_lowercase, ascii_uppercase, digits

_CLASS_IDS = frozenset(
    bytes.fromhex(f"{first}100c0000000000c000000000000046") for first in ("82", "84", "86")
)
"""{000C1082-...}: transform, {000C1084-...}: package, {000C1086-...}: patch."""

_SECTOR_SHIFT, _FIRST_DIRECTORY_SECTOR = 30, 48
_CLASS_ID_IN_ENTRY = 80
_LETTERS = digits + ascii_uppercase + ascii_lowercase + "._"


def is_installer(content: bytes) -> bool:
    """True for a compound file that Windows Installer takes. content: all of it."""
    return _class_id(content) in _CLASS_IDS or any(table in content for table in _TABLES)


def _class_id(content: bytes) -> bytes:
    """The root storage's, which is the first entry of the directory."""
    try:
        (shift,) = struct.unpack_from("<H", content, _SECTOR_SHIFT)
        (sector,) = struct.unpack_from("<I", content, _FIRST_DIRECTORY_SECTOR)
    except struct.error:
        return b""
    if shift not in (9, 12):
        return b""
    at = ((sector + 1) << shift) + _CLASS_ID_IN_ENTRY
    return content[at : at + 16]


def stream_name(table: str) -> bytes:
    """What the stream of a table is called, as the compound file has it (UTF-16)."""
    units = [0x4840]
    for at in range(0, len(table), 2):
        first, *second = (_LETTERS.index(letter) for letter in table[at : at + 2])
        units.append(0x3800 + first + (second[0] << 6) if second else 0x4800 + first)
    return struct.pack(f"<{len(units)}H", *units)


_TABLES = (stream_name("_StringPool"), stream_name("_StringData"))
