"""Pages of Berkeley DB files (5.3 and near ones): metadata, items, values on overflow pages.

Files come from makemap and may be damaged, or be written while they are read. Berkeley's own
library trusts them; here every number is checked before it is used, no page is visited twice in one
chain, and reads are plain `pread`, so that a file which shrinks cannot kill the process.

Layout as of Berkeley DB 5.3 `db_page.h`, in short:

    metadata  8 page number, 12 magic, 16 version, 20 page size, 24 encryption, 25 type, 26 flags,
              32 last page, 48 flags; hash: 72 highest bucket, 76 high mask, 80 low mask,
              92 hash of a known key, 96 spares[32]; btree: 88 root
    page      8 page number, 12 previous, 16 next, 20 entries (u16), 22 end of free space (u16),
              24 level, 25 type, 26 offsets of the items (u16 each)
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

HASH_MAGIC, BTREE_MAGIC = 0x061561, 0x053162
HASH_VERSIONS, BTREE_VERSIONS = range(7, 11), range(8, 11)
"""Versions with this layout; 5.3 writes hash 9 and btree 9."""

HASH_META, BTREE_META = 8, 9
HASH_UNSORTED, INTERNAL, INTERNAL_RECNO, LEAF, LEAF_RECNO = 2, 3, 4, 5, 6
OVERFLOW, LEAF_DUPLICATES, HASH_SORTED = 7, 12, 13
"""Types of pages."""

HEADER = 26
"""Octets before the offsets of a page."""

VALUE_LIMIT = 1 << 20
"""Octets of one key or value; sendmail's own lines have 2,047."""

NO_PAGE = 0
"""Ends a chain; page 0 is the metadata."""


class DamagedDatabaseError(Exception):
    """A file that is not what it says. The text says where."""


class NotADatabaseError(DamagedDatabaseError):
    """Not a Berkeley DB file of the kind, or one of a form that is not read."""


@dataclass(frozen=True, slots=True)
class MetaPage:
    """The metadata page. order: `<` or `>`. spares: for a hash, where each doubling begins."""

    order: str
    is_hash: bool
    page_size: int
    last_page: int
    root: int = 0
    max_bucket: int = 0
    high_mask: int = 0
    low_mask: int = 0
    spares: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class BdbPage:
    """A page, its header read. offsets: where the items begin."""

    number: int
    data: bytes
    next: int
    level: int
    type: int
    offsets: tuple[int, ...]


def read_meta(descriptor: int, *, is_hash: bool) -> MetaPage:
    """Read the metadata of a file. Raises NotADatabaseError, OSError."""
    raw = os.pread(descriptor, 512, 0)
    if len(raw) < 512:
        raise NotADatabaseError("is too short for a database")
    wanted = HASH_MAGIC if is_hash else BTREE_MAGIC
    order = next((one for one in "<>" if struct.unpack_from(one + "I", raw, 12)[0] == wanted), "")
    if not order:
        raise NotADatabaseError(f"is not a {'hash' if is_hash else 'btree'} database")
    version, page_size, encryption, type, meta_flags = struct.unpack_from(order + "IIBBB", raw, 16)
    last_page, flags = (struct.unpack_from(order + "I", raw, at)[0] for at in (32, 48))
    # As Berkeley DB sees it before anything else: a copy that was cut off, or has something behind.
    if os.fstat(descriptor).st_size % (page_size or 1):
        raise NotADatabaseError(f"is not a whole number of pages of {page_size} octets")
    if version not in (HASH_VERSIONS if is_hash else BTREE_VERSIONS):
        raise NotADatabaseError(f"has version {version}")
    if not 512 <= page_size <= 65536 or page_size & (page_size - 1):
        raise NotADatabaseError(f"has pages of {page_size} octets")
    # 0x01: checksums, which are on each page; 0x02 or 0x20: several databases in a file.
    if type != (HASH_META if is_hash else BTREE_META) or encryption or meta_flags & 1:
        raise NotADatabaseError("is encrypted or has checksums")
    if flags & (0x02 if is_hash else 0xBE):
        raise NotADatabaseError("has several databases in it, or compressed ones or records")
    if is_hash:
        return _hash_meta(raw, order, page_size, last_page)
    (root,) = struct.unpack_from(order + "I", raw, 88)
    return MetaPage(order, False, page_size, last_page, root)


def _hash_meta(raw: bytes, order: str, page_size: int, last_page: int) -> MetaPage:
    max_bucket, high, low = struct.unpack_from(order + "III", raw, 72)
    if struct.unpack_from(order + "I", raw, 92)[0] != hash_of(b"%$sniglet^&\0"):
        raise NotADatabaseError("was made with another hash function")
    # Masks are one less than powers of two, high twice low; else a key has no bucket.
    if high & (high + 1) or low != high >> 1 or not low <= max_bucket <= high:
        raise NotADatabaseError("has no sound table of buckets")
    if max_bucket > last_page:
        raise NotADatabaseError(f"has {max_bucket + 1} buckets, but {last_page + 1} pages")
    spares = struct.unpack_from(order + "32I", raw, 96)
    return MetaPage(order, True, page_size, last_page, 0, max_bucket, high, low, spares)


def hash_of(key: bytes) -> int:
    """The hash function of Berkeley DB (Fowler, Noll, Vo; 32 bits, from 0)."""
    value = 0
    for one in key:
        value = (value * 16777619 & 0xFFFFFFFF) ^ one
    return value


class Pages:
    """The pages of an open file. Raises DamagedError and OSError."""

    def __init__(self, descriptor: int, meta: MetaPage) -> None:
        self._descriptor = descriptor
        self.meta = meta
        self._long = struct.Struct(meta.order + "I")

    def raw(self, number: int) -> bytes:
        """The octets of a page, of which only a hash's last ones may be missing."""
        size = self.meta.page_size
        if not 0 < number <= max(self.meta.last_page, self.meta.max_bucket + 1):
            raise DamagedDatabaseError(f"page {number} of {self.meta.last_page + 1}")
        return os.pread(self._descriptor, size, number * size)

    def page(self, number: int, types: tuple[int, ...]) -> BdbPage:
        """A page of one of these types."""
        return self._checked(number, self.raw(number), types)

    def bucket(self, number: int, types: tuple[int, ...]) -> Iterator[BdbPage]:
        """The pages of a hash's bucket, of which the first may never have been written."""
        raw = self.raw(number)
        if raw.strip(b"\0"):
            first = self._checked(number, raw, types)
            yield first
            yield from self.chain(first.next, types)

    def _checked(self, number: int, raw: bytes, types: tuple[int, ...]) -> BdbPage:
        size = self.meta.page_size
        if len(raw) < size:
            raise DamagedDatabaseError(f"page {number} is cut off")
        own, _previous, next, entries, _free, level, type = struct.unpack_from(
            self.meta.order + "IIIHHBB", raw, 8
        )
        if own != number or type not in types:
            raise DamagedDatabaseError(f"page {number} says that it is page {own} of type {type}")
        if type == OVERFLOW:
            return BdbPage(number, raw, next, level, type, ())
        if HEADER + 2 * entries > size:
            raise DamagedDatabaseError(f"page {number} has {entries} entries")
        offsets = struct.unpack_from(f"{self.meta.order}{entries}H", raw, HEADER)
        floor = HEADER + 2 * entries
        if any(not floor <= offset < size for offset in offsets):
            raise DamagedDatabaseError(f"page {number} has an item outside of itself")
        return BdbPage(number, raw, next, level, type, offsets)

    def chain(self, number: int, types: tuple[int, ...]) -> Iterator[BdbPage]:
        """A page and those that follow it."""
        seen: set[int] = set()
        while number != NO_PAGE:
            if number in seen:
                raise DamagedDatabaseError(f"page {number} follows itself")
            seen.add(number)
            page = self.page(number, types)
            yield page
            number = page.next

    def long(self, data: bytes, at: int) -> int:
        """The number of 32 bits at a place."""
        if at + 4 > len(data):
            raise DamagedDatabaseError("an item is cut off")
        return int(self._long.unpack_from(data, at)[0])

    def overflow(self, number: int, length: int) -> bytes:
        """A value that has pages of its own."""
        if length > VALUE_LIMIT:
            raise DamagedDatabaseError(f"a value of {length} octets, at most {VALUE_LIMIT}")
        out = bytearray()
        for page in self.chain(number, (OVERFLOW,)):
            (count,) = struct.unpack_from(self.meta.order + "H", page.data, 22)
            out += page.data[HEADER : HEADER + count]
            if len(out) >= length:
                return bytes(out[:length])
        raise DamagedDatabaseError(f"a value on page {number} is cut off")
