"""Read Berkeley DB files, hash and btree: look a key up, or go through all entries.

Duplicates of a key, as `makemap -d` makes them, are found in their order; a lookup takes the first.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress

from filterd.mta.maps.bdb_pages import (
    HASH_SORTED,
    HASH_UNSORTED,
    INTERNAL,
    INTERNAL_RECNO,
    LEAF,
    LEAF_DUPLICATES,
    LEAF_RECNO,
    BdbPage,
    DamagedDatabaseError,
    Pages,
    hash_of,
    read_meta,
)

_TREE = (INTERNAL, LEAF)
_DUPLICATES = (INTERNAL, INTERNAL_RECNO, LEAF_DUPLICATES, LEAF_RECNO)
_HASH = (HASH_UNSORTED, HASH_SORTED)

_PLAIN, _DUPLICATE_LIST, _OFF_PAGE, _OFF_PAGE_DUPLICATES = 1, 2, 3, 4
"""Items of hash pages."""

_KEYDATA, _DUPLICATE_TREE, _OVERFLOW_ITEM, _DELETED = 1, 2, 3, 0x80
"""Items of btree pages."""


class BdbDatabase:
    """An open file. Raises DamagedError and OSError; the descriptor stays the caller's."""

    def __init__(self, descriptor: int, *, is_hash: bool) -> None:
        self._pages = Pages(descriptor, read_meta(descriptor, is_hash=is_hash))

    def get(self, key: bytes) -> bytes | None:
        """The first value of a key, None for none."""
        found = self._in_hash(key) if self._pages.meta.is_hash else self._in_tree(key)
        return next(found, None)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All entries, in the order in which Berkeley DB goes through them."""
        meta = self._pages.meta
        if not meta.is_hash:
            for page in self._leaves(meta.root, _TREE):
                yield from self._leaf_items(page)
            return
        for bucket in range(meta.max_bucket + 1):
            for page in self._bucket(bucket):
                for index in range(0, len(page.offsets) - 1, 2):
                    key = self._hash_key(page, index)
                    for value in self._hash_values(page, index + 1):
                        yield key, value

    # Hash

    def _bucket(self, bucket: int) -> Iterator[BdbPage]:
        first = bucket + self._pages.meta.spares[(bucket).bit_length()]
        return self._pages.bucket(first, _HASH)

    def _in_hash(self, key: bytes) -> Iterator[bytes]:
        meta, value = self._pages.meta, hash_of(key)
        bucket = value & meta.high_mask
        if bucket > meta.max_bucket:
            bucket = value & meta.low_mask
        for page in self._bucket(bucket):
            for index in range(0, len(page.offsets) - 1, 2):
                if self._hash_key(page, index) == key:
                    yield from self._hash_values(page, index + 1)
                    return

    def _hash_item(self, page: BdbPage, index: int) -> bytes:
        """An item with its type octet; items lie one below the other."""
        start = page.offsets[index]
        end = page.offsets[index - 1] if index else len(page.data)
        if end <= start:
            raise DamagedDatabaseError(f"page {page.number}: item {index} has no room")
        return page.data[start:end]

    def _hash_key(self, page: BdbPage, index: int) -> bytes:
        item = self._hash_item(page, index)
        if item[0] == _PLAIN:
            return item[1:]
        if item[0] == _OFF_PAGE:
            return self._pages.overflow(self._pages.long(item, 4), self._pages.long(item, 8))
        raise DamagedDatabaseError(f"page {page.number}: a key of type {item[0]}")

    def _hash_values(self, page: BdbPage, index: int) -> Iterator[bytes]:
        item = self._hash_item(page, index)
        if item[0] == _PLAIN:
            yield item[1:]
        elif item[0] == _OFF_PAGE:
            yield self._pages.overflow(self._pages.long(item, 4), self._pages.long(item, 8))
        elif item[0] == _OFF_PAGE_DUPLICATES:
            yield from self._duplicates(self._pages.long(item, 4))
        elif item[0] == _DUPLICATE_LIST:
            # Each has its length before and behind it.
            at = 1
            with suppress(struct.error):
                while at < len(item):
                    (size,) = struct.unpack_from(self._pages.meta.order + "H", item, at)
                    if at + 4 + size > len(item):
                        raise DamagedDatabaseError(f"page {page.number}: a duplicate is cut off")
                    yield item[at + 2 : at + 2 + size]
                    at += 4 + size
        else:
            raise DamagedDatabaseError(f"page {page.number}: a value of type {item[0]}")

    # Btree

    def _in_tree(self, key: bytes) -> Iterator[bytes]:
        number, level = self._pages.meta.root, 256
        while True:
            page = self._pages.page(number, _TREE)
            if page.level >= level:
                raise DamagedDatabaseError(f"page {number} is not below the one above it")
            level = page.level
            if page.type == LEAF:
                break
            number = self._child(page, key)
        low, high = 0, len(page.offsets) // 2
        while low < high:
            middle = (low + high) // 2
            if self._tree_key(page, 2 * middle) < key:
                low = middle + 1
            else:
                high = middle
        for index in range(2 * low, len(page.offsets) - 1, 2):
            if self._tree_key(page, index) != key:
                return
            yield from self._leaf_values(page, index + 1)

    def _child(self, page: BdbPage, key: bytes) -> int:
        """The page below, of an internal page; its first key stands for all that are smaller."""
        if not page.offsets:
            raise DamagedDatabaseError(f"page {page.number} has nothing below it")
        low, high = 1, len(page.offsets)
        while low < high:
            middle = (low + high) // 2
            if self._internal_key(page, page.offsets[middle]) <= key:
                low = middle + 1
            else:
                high = middle
        return self._pages.long(page.data, page.offsets[low - 1] + 4)

    def _internal_key(self, page: BdbPage, at: int) -> bytes:
        data = page.data
        if at + 12 > len(data):
            raise DamagedDatabaseError(f"page {page.number}: an item is cut off")
        size, type = struct.unpack_from(self._pages.meta.order + "HB", data, at)
        if type & ~_DELETED == _OVERFLOW_ITEM:
            return self._pages.overflow(
                self._pages.long(data, at + 16), self._pages.long(data, at + 20)
            )
        return data[at + 12 : at + 12 + size]

    def _tree_key(self, page: BdbPage, index: int) -> bytes:
        return self._plain_item(page, page.offsets[index])

    def _plain_item(self, page: BdbPage, at: int) -> bytes:
        data = page.data
        if at + 3 > len(data):
            raise DamagedDatabaseError(f"page {page.number}: an item is cut off")
        size, type = struct.unpack_from(self._pages.meta.order + "HB", data, at)
        type &= ~_DELETED
        if type == _OVERFLOW_ITEM:
            return self._pages.overflow(
                self._pages.long(data, at + 4), self._pages.long(data, at + 8)
            )
        if type != _KEYDATA or at + 3 + size > len(data):
            raise DamagedDatabaseError(f"page {page.number}: an item of type {type}, {size} octets")
        return data[at + 3 : at + 3 + size]

    def _leaf_values(self, page: BdbPage, index: int) -> Iterator[bytes]:
        at = page.offsets[index]
        type = page.data[at + 2] if at + 2 < len(page.data) else 0
        if type & _DELETED:
            return
        if type == _DUPLICATE_TREE:
            yield from self._duplicates(self._pages.long(page.data, at + 4))
        else:
            yield self._plain_item(page, at)

    def _leaf_items(self, page: BdbPage) -> Iterator[tuple[bytes, bytes]]:
        for index in range(0, len(page.offsets) - 1, 2):
            key = self._tree_key(page, index)
            for value in self._leaf_values(page, index + 1):
                yield key, value

    def _duplicates(self, root: int) -> Iterator[bytes]:
        """The values of one key that have a tree of their own."""
        for page in self._leaves(root, _DUPLICATES):
            for offset in page.offsets:
                if not page.data[min(offset + 2, len(page.data) - 1)] & _DELETED:
                    yield self._plain_item(page, offset)

    def _leaves(self, root: int, types: tuple[int, ...]) -> Iterator[BdbPage]:
        """The leaves of a tree from the left, which are a chain."""
        number, level = root, 256
        while True:
            page = self._pages.page(number, types)
            if page.level >= level:
                raise DamagedDatabaseError(f"page {number} is not below the one above it")
            level = page.level
            if page.type not in (INTERNAL, INTERNAL_RECNO):
                break
            if not page.offsets:
                raise DamagedDatabaseError(f"page {number} has nothing below it")
            # A recno item is the page and a count.
            first = page.offsets[0] + (4 if page.type == INTERNAL else 0)
            number = self._pages.long(page.data, first)
        yield from self._pages.chain(number, types)
