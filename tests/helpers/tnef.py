"""TNEF streams ([MS-OXTNEF] §2.1), attribute by attribute."""

from __future__ import annotations

import struct

from filterd.filters.parts.unpacking.tnef import SIGNATURE

RENDER_DATA, TITLE, DATA, PROPERTIES = 0x00069002, 0x00018010, 0x0006800F, 0x00069005


def attribute(identifier: int, value: bytes, level: int = 2) -> bytes:
    """One attribute with its checksum. level: 1 of the message, 2 of an attachment."""
    return (
        struct.pack("<BII", level, identifier, len(value))
        + value
        + struct.pack("<H", sum(value) & 0xFFFF)
    )


def tnef(*attributes: bytes) -> bytes:
    """A stream of these attributes."""
    return struct.pack("<IH", SIGNATURE, 1) + b"".join(attributes)
