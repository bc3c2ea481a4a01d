"""Outlook items (`.msg`): a compound file ([MS-CFB]) with storages in storages."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

SECTOR = 512
FREE, END, TABLE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD

Streams = Mapping[str, "bytes | Streams"]
"""Name → octets, or what a storage has."""


def wide(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


def item(
    header: str = "",
    body: str = "",
    html: bytes = b"",
    attachments: Sequence[Streams] = (),
    **properties: str,
) -> bytes:
    """An item. properties: number, after an `n`, → text."""
    return compound(streams(header, body, html, attachments, **properties))


def streams(
    header: str = "",
    body: str = "",
    html: bytes = b"",
    attachments: Sequence[Streams] = (),
    **properties: str,
) -> dict[str, bytes | Streams]:
    """What an item has."""
    texts = {"007D": header, "1000": body} | {n[1:]: text for n, text in properties.items()}
    found: dict[str, bytes | Streams] = {"__properties_version1.0": bytes(32)}
    found |= {f"__substg1.0_{number}001F": wide(text) for number, text in texts.items() if text}
    if html:
        found["__substg1.0_10130102"] = html
    for number, one in enumerate(attachments):
        found[f"__attach_version1.0_#{number:08X}"] = one
    return found


def attachment(name: str, content: bytes, kind: str = "") -> Streams:
    """A file."""
    found = {"__substg1.0_3707001F": wide(name), "__substg1.0_37010102": content}
    return found | ({"__substg1.0_370E001F": wide(kind)} if kind else {})


def embedded(inner: Streams) -> Streams:
    """A message as an attachment."""
    return {"__substg1.0_3701000D": inner}


@dataclass
class _Writer:
    chains: list[int] = field(default_factory=list)
    data: bytearray = field(default_factory=bytearray)
    mini: bytearray = field(default_factory=bytearray)
    mini_chains: list[int] = field(default_factory=list)
    entries: list[list[object]] = field(default_factory=list)

    def stream(self, octets: bytes) -> tuple[int, int]:
        """Where it begins, and its size; short ones are in the mini stream."""
        if not octets:
            return END, 0
        if len(octets) < 4096:
            first, count = len(self.mini_chains), -(-len(octets) // 64)
            self.mini += octets.ljust(count * 64, b"\0")
            self.mini_chains += [*range(first + 1, first + count), END]
            return first, len(octets)
        return self.sectors(octets), len(octets)

    def sectors(self, octets: bytes) -> int:
        first, count = len(self.chains), -(-len(octets) // SECTOR)
        self.data += octets.ljust(count * SECTOR, b"\0")
        self.chains += [*range(first + 1, first + count), END]
        return first

    def storage(self, own: Streams) -> int:
        """Entries of a storage, each the right neighbour of the one before; the first one."""
        numbers = []
        for name, value in own.items():
            number = len(self.entries)
            self.entries.append([])
            if isinstance(value, bytes):
                self.entries[number] = [name, 2, FREE, *self.stream(value)]
            else:
                self.entries[number] = [name, 1, self.storage(value), 0, 0]
            numbers.append(number)
        for one, after in zip(numbers, [*numbers[1:], FREE], strict=True):
            self.entries[one].append(after)
        return numbers[0] if numbers else FREE


def compound(own: Streams) -> bytes:
    """The file."""
    writer = _Writer()
    writer.entries.append([])
    child = writer.storage(own)
    mini = writer.sectors(bytes(writer.mini)) if writer.mini else END
    writer.entries[0] = ["Root Entry", 5, child, mini, len(writer.mini), FREE]
    directory = writer.sectors(b"".join(_entry(*one) for one in writer.entries))  # type: ignore[arg-type]
    count = -(-len(writer.mini_chains) * 4 // SECTOR)
    packed = struct.pack(f"<{len(writer.mini_chains)}I", *writer.mini_chains)
    mini_table = writer.sectors(packed.ljust(count * SECTOR, b"\xff")) if count else END
    first = len(writer.chains)
    tables = 1
    while (len(writer.chains) + tables) * 4 > tables * SECTOR:
        tables += 1
    assert tables <= 109, "as many as the header has room for"
    chains = [*writer.chains, *[TABLE] * tables]
    table = struct.pack(f"<{len(chains)}I", *chains).ljust(tables * SECTOR, b"\xff")
    places = [first + number for number in range(tables)]
    header = (
        bytes.fromhex("d0cf11e0a1b11ae1")
        + bytes(16)
        + struct.pack("<5H6x", 0x3E, 3, 0xFFFE, 9, 6)
        + struct.pack("<9I", 0, tables, directory, 0, 4096, mini_table, count, END, 0)
        + struct.pack("<109I", *places, *[FREE] * (109 - tables))
    )
    return header + bytes(writer.data) + table


def _entry(name: str, kind: int, child: int, start: int, size: int, right: int) -> bytes:
    raw = name.encode("utf-16-le") + b"\0\0"
    return (
        raw.ljust(64, b"\0")
        + struct.pack("<HBB", len(raw), kind, 1)
        + struct.pack("<3I", FREE, right, child)
        + bytes(36)
        + struct.pack("<IQ", start, size)
    )
