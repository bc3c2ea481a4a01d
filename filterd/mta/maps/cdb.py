"""Constant databases: read and written whole.

Source: D. J. Bernstein, "cdb", https://cr.yp.to/cdb/cdb.txt. Files have numbers of 32 bits, so at
most 4 GiB.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator

from filterd.mta.maps.bdb_pages import VALUE_LIMIT, DamagedDatabaseError, NotADatabaseError

_PAIR = struct.Struct("<II")
_HEADER = 2048
"""Octets of the 256 pairs (position, slots) at the beginning."""


def hash_of(key: bytes) -> int:
    """cdb's hash function."""
    value = 5381
    for one in key:
        value = ((value << 5) + value & 0xFFFFFFFF) ^ one
    return value


class Cdb:
    """An open file. Raises DamagedError and OSError; the descriptor stays the caller's."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size
        header = os.pread(descriptor, _HEADER, 0)
        if len(header) < _HEADER:
            raise NotADatabaseError("is too short for a cdb file")
        self._tables = list(_PAIR.iter_unpack(header))
        for position, slots in self._tables:
            if slots and not _HEADER <= position <= self._size - 8 * slots:
                raise NotADatabaseError("is not a cdb file, or cut off")

    def get(self, key: bytes) -> bytes | None:
        """The first value of a key, None for none."""
        value = hash_of(key)
        position, slots = self._tables[value & 255]
        for index in range(slots):
            slot = (value >> 8) + index
            found, record = self._pair(position + 8 * (slot % slots))
            if not record:
                return None
            if found == value:
                one, data = self._record(record)[:2]
                if one == key:
                    return data
        return None

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All entries, in the order in which they were written."""
        end = min((position for position, slots in self._tables if slots), default=self._size)
        at = _HEADER
        while at < end:
            key, value, at = self._record(at)
            yield key, value

    def _pair(self, at: int) -> tuple[int, int]:
        data = os.pread(self._descriptor, 8, at)
        if len(data) < 8:
            raise DamagedDatabaseError(f"is cut off at octet {at}")
        first, second = _PAIR.unpack(data)
        return first, second

    def _record(self, at: int) -> tuple[bytes, bytes, int]:
        """Key, value, and where the next record begins."""
        key, value = self._pair(at)
        end = at + 8 + key + value
        if end > self._size or key > VALUE_LIMIT or value > VALUE_LIMIT:
            raise DamagedDatabaseError(f"has a record of {key + value} octets at octet {at}")
        data = os.pread(self._descriptor, key + value, at + 8)
        if len(data) < key + value:
            raise DamagedDatabaseError(f"is cut off at octet {at}")
        return data[:key], data[key:], end


def cdb_file(items: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A whole file. Raises OverflowError above 4 GiB."""
    out = bytearray(_HEADER)
    tables: list[list[tuple[int, int]]] = [[] for _ in range(256)]
    for key, value in items:
        number = hash_of(key)
        tables[number & 255].append((number, len(out)))
        out += _PAIR.pack(len(key), len(value)) + key + value
    header = bytearray()
    for table in tables:
        # Half of the slots stay empty, so that a search for what is not there ends soon.
        slots: list[tuple[int, int]] = [(0, 0)] * (2 * len(table))
        for number, position in table:
            at = (number >> 8) % len(slots)
            while slots[at][1]:
                at = (at + 1) % len(slots)
            slots[at] = number, position
        header += _PAIR.pack(len(out), len(slots))
        out += b"".join(_PAIR.pack(*slot) for slot in slots)
        if len(out) > 0xFFFFFFFF:
            raise OverflowError("more than 4 GiB")
    out[:_HEADER] = header
    return bytes(out)
