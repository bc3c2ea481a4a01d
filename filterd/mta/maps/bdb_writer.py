"""Write Berkeley DB files, hash and btree, that Berkeley DB 5.3 (and so sendmail) reads.

All entries are known when a file is written, so it is laid out at once: a hash gets its buckets
before the entries go in, a btree its leaves from the left and then the levels above. The package
`berkeleydb` would do it, too, but it is built from source with the headers of a library that
distributions are dropping, and makemap has to work without it. Layout: `bdb_pages`.
"""

from __future__ import annotations

import itertools
import os
import struct
from collections.abc import Iterable, Sequence

from filterd.mta.maps.bdb_pages import (
    BTREE_MAGIC,
    BTREE_META,
    HASH_MAGIC,
    HASH_META,
    HASH_SORTED,
    HASH_UNSORTED,
    HEADER,
    INTERNAL,
    INTERNAL_RECNO,
    LEAF,
    LEAF_RECNO,
    OVERFLOW,
    hash_of,
)

PAGE_SIZE = 4096
"""Octets of a page, as Berkeley DB has them on file systems with such blocks."""

HASH_BIG = PAGE_SIZE // 4
"""Octets from which on an item of a hash has pages of its own, Berkeley's ISBIG."""

TREE_BIG = 1000
"""The same for a btree: at least two keys with their values must fit on a page."""

FILL = 0.6
"""How full buckets are on average, so that few need a second page."""

_META = struct.Struct("<8xIIIIBBBxIIIIII20s")

Entries = dict[bytes, list[bytes]]
"""Values by key, in the order in which they came; several only where duplicates are allowed."""


class _Pages:
    """The pages of a file that is being made; page 0 comes last."""

    def __init__(self) -> None:
        self.pages: list[bytes] = [b""]

    def reserve(self, count: int) -> int:
        """Numbers for pages whose content follows; the first of them."""
        first = len(self.pages)
        self.pages += [b""] * count
        return first

    def put(self, number: int, page: bytes) -> None:
        assert len(page) == PAGE_SIZE
        self.pages[number] = page

    def overflow(self, value: bytes) -> int:
        """Pages for a long value; the first of them."""
        room = PAGE_SIZE - HEADER
        count = max(1, -(-len(value) // room))
        first = self.reserve(count)
        for index in range(count):
            part = value[index * room : (index + 1) * room]
            page = _header(
                first + index,
                first + index - 1 if index else 0,
                first + index + 1 if index + 1 < count else 0,
                1,  # references to it
                len(part),
                0,
                OVERFLOW,
            )
            self.put(first + index, (page + part).ljust(PAGE_SIZE, b"\0"))
        return first

    def bytes(self, meta: bytes) -> bytes:
        self.pages[0] = meta.ljust(PAGE_SIZE, b"\0")
        return b"".join(self.pages)


def _header(
    number: int, previous: int, next: int, entries: int, free: int, level: int, type: int
) -> bytes:
    return struct.pack("<8xIIIHHBB", number, previous, next, entries, free, level, type)


class _Layout:
    """Items of one page: offsets from the front, the items themselves from the end."""

    def __init__(self) -> None:
        self.offsets: list[int] = []
        self._items: list[bytes] = []
        self._free = PAGE_SIZE

    def fits(self, *items: bytes) -> bool:
        need = sum(map(len, items)) + 2 * len(items)
        return HEADER + 2 * len(self.offsets) + need <= self._free

    def add(self, item: bytes) -> None:
        self._free -= len(item)
        self._items.append(item)
        self.offsets.append(self._free)

    def again(self, index: int) -> None:
        """The same item once more: a key of several values."""
        self.offsets.append(self.offsets[index])

    def page(self, number: int, previous: int, next: int, level: int, type: int) -> bytes:
        count = len(self.offsets)
        head = _header(number, previous, next, count, self._free, level, type)
        head += struct.pack(f"<{count}H", *self.offsets)
        return head.ljust(self._free, b"\0") + b"".join(reversed(self._items))


def hash_file(entries: Entries, *, duplicates: bool = False) -> bytes:
    """A whole hash database."""
    pages = _Pages()
    items = {
        key: (_hash_item(pages, key), _hash_value(pages, values))
        for key, values in ((key, entries[key]) for key in entries)
    }
    # Overflow pages were made first, and buckets must be pages in a row: they follow.
    total = sum(len(key) + len(value) + 4 for key, value in items.values())
    count = 2
    while count * (PAGE_SIZE - HEADER) * FILL < total:
        count *= 2
    first = pages.reserve(count)
    buckets: list[list[bytes]] = [[] for _ in range(count)]
    for key in items:
        buckets[hash_of(key) & (count - 1)].append(key)
    for bucket, keys in enumerate(buckets):
        _put_bucket(pages, first + bucket, [items[key] for key in sorted(keys, key=_hash_order)])
    spares = [first] * (count.bit_length()) + [0] * (32 - count.bit_length())
    meta = _meta(HASH_MAGIC, HASH_META, len(pages.pages) - 1, 0x01 if duplicates else 0)
    meta += struct.pack(
        "<6I32I",
        count - 1,
        count - 1,
        count // 2 - 1,
        0,
        sum(map(len, entries.values())),
        hash_of(b"%$sniglet^&\0"),
        *spares,
    )
    return pages.bytes(meta)


def _hash_order(key: bytes) -> tuple[int, ...]:
    """How Berkeley DB sorts a page of a hash, where it searches by halves: like octets, but a key
    stands behind those that are longer and begin like it."""
    return (*key, 256)


def _put_bucket(pages: _Pages, number: int, items: Sequence[tuple[bytes, bytes]]) -> None:
    layouts = [_Layout()]
    for key, value in items:
        if not layouts[-1].fits(key, value):
            layouts.append(_Layout())
        layouts[-1].add(key)
        layouts[-1].add(value)
    more = pages.reserve(len(layouts) - 1) if len(layouts) > 1 else 0
    numbers = [0, number, *range(more, more + len(layouts) - 1), 0]
    for layout, (previous, own, next) in zip(
        layouts, zip(numbers, numbers[1:], numbers[2:], strict=False), strict=True
    ):
        # Only what is on the page itself is sorted as Berkeley DB expects.
        is_sorted = all(key.startswith(b"\1") for key, _ in items)
        type = HASH_SORTED if is_sorted else HASH_UNSORTED
        pages.put(own, layout.page(own, previous, next, 0, type))


def _hash_item(pages: _Pages, data: bytes) -> bytes:
    if len(data) <= HASH_BIG:
        return b"\1" + data
    return struct.pack("<B3xII", 3, pages.overflow(data), len(data))


def _hash_value(pages: _Pages, values: list[bytes]) -> bytes:
    if len(values) == 1:
        return _hash_item(pages, values[0])
    inline = b"\2" + b"".join(
        struct.pack("<H", len(one)) + one + struct.pack("<H", len(one)) for one in values
    )
    if len(inline) <= HASH_BIG:
        return inline
    return struct.pack("<B3xI", 4, _duplicate_tree(pages, values))


def btree_file(entries: Entries, *, duplicates: bool = False) -> bytes:
    """A whole btree database. Its root is page 1."""
    pages = _Pages()
    pages.reserve(1)
    leaves: list[tuple[bytes, _Layout]] = []
    for key in sorted(entries):
        stored, values = _tree_item(pages, key), _tree_values(pages, entries[key])
        if not leaves or not leaves[-1][1].fits(stored, *values, *[b""] * (len(values) - 1)):
            leaves.append((key, _Layout()))
        layout = leaves[-1][1]
        start = len(layout.offsets)
        for index, value in enumerate(values):
            if index:
                layout.again(start)
            else:
                layout.add(stored)
            layout.add(value)
    row = leaves or [(b"", _Layout())]
    type, level = LEAF, 1
    while len(row) > 1:
        first = pages.reserve(len(row))
        _put_row(pages, first, [layout for _, layout in row], level, type)
        row = _level_above(pages, [(key, first + index) for index, (key, _) in enumerate(row)])
        type, level = INTERNAL, level + 1
    _put_row(pages, 1, [row[0][1]], level, type)
    meta = _meta(BTREE_MAGIC, BTREE_META, len(pages.pages) - 1, 0x01 if duplicates else 0)
    meta += struct.pack("<5I", 0, 2, 0, ord(" "), 1)
    return pages.bytes(meta)


def _put_row(pages: _Pages, first: int, layouts: Sequence[_Layout], level: int, type: int) -> None:
    """The pages of one level; leaves are a chain."""
    last = first + len(layouts) - 1
    for own, layout in enumerate(layouts, first):
        previous = own - 1 if level == 1 and own > first else 0
        next = own + 1 if level == 1 and own < last else 0
        pages.put(own, layout.page(own, previous, next, level, type))


def _level_above(pages: _Pages, below: Sequence[tuple[bytes, int]]) -> list[tuple[bytes, _Layout]]:
    row: list[tuple[bytes, _Layout]] = []
    for key, number in below:
        size = 24 if len(key) > TREE_BIG else 12 + len(key) + -len(key) % 4
        if not row or not row[-1][1].fits(bytes(size)):
            row.append((key, _Layout()))
            # The first key of a page is never looked at.
            row[-1][1].add(_internal_item(pages, b"", number))
        else:
            row[-1][1].add(_internal_item(pages, key, number))
    return row


def _internal_item(pages: _Pages, key: bytes, number: int) -> bytes:
    type = 1
    if len(key) > TREE_BIG:
        key = struct.pack("<2xBxII", 3, pages.overflow(key), len(key))
        type = 3
    return _aligned(struct.pack("<HBxII", len(key), type, number, 0) + key)


def _aligned(item: bytes) -> bytes:
    return item + b"\0" * (-len(item) % 4)


def _tree_item(pages: _Pages, data: bytes) -> bytes:
    if len(data) <= TREE_BIG:
        return _aligned(struct.pack("<HB", len(data), 1) + data)
    return struct.pack("<2xBxII", 3, pages.overflow(data), len(data))


def _tree_values(pages: _Pages, values: list[bytes]) -> list[bytes]:
    """The items of a key: its values, or one that points to a tree of them."""
    items = [_tree_item(pages, one) for one in values]
    if len(items) == 1 or sum(map(len, items)) + 4 * len(items) <= PAGE_SIZE // 4:
        return items
    return [struct.pack("<2xBxII", 2, _duplicate_tree(pages, values), 0)]


def _duplicate_tree(pages: _Pages, values: Iterable[bytes]) -> int:
    """A tree of records for the many values of one key; its root."""
    row: list[tuple[_Layout, int]] = []
    for value in values:
        _add_records(row, _tree_item(pages, value), 1)
    for level in itertools.count(1):
        first = pages.reserve(len(row))
        type = LEAF_RECNO if level == 1 else INTERNAL_RECNO
        if level == 1:
            _put_row(pages, first, [layout for layout, _ in row], level, type)
        else:
            # The number of its records stands in the place of the page before it.
            for own, (layout, records) in enumerate(row, first):
                pages.put(own, layout.page(own, records, 0, level, type))
        if len(row) == 1:
            return first
        above: list[tuple[_Layout, int]] = []
        for own, (_, records) in enumerate(row, first):
            _add_records(above, struct.pack("<II", own, records), records)
        row = above
    raise AssertionError


def _add_records(row: list[tuple[_Layout, int]], item: bytes, records: int) -> None:
    if not row or not row[-1][0].fits(item):
        row.append((_Layout(), 0))
    layout, before = row[-1]
    layout.add(item)
    row[-1] = layout, before + records


def _meta(magic: int, type: int, last: int, flags: int) -> bytes:
    unique = os.urandom(20)
    return _META.pack(0, magic, 9, PAGE_SIZE, 0, type, 0, 0, last, 0, 0, 0, flags, unique)
