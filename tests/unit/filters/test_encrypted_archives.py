"""Archives that need a password, for files or for names too, are told from broken ones."""

from __future__ import annotations

import struct
import zlib

import libarchive
import pytest

from filterd.filters.parts.unpacking import rar
from filterd.filters.parts.unpacking.unpack import Unpacker
from tests.hostile.tricks import archives


def vint(value: int) -> bytes:
    octets = bytearray()
    while True:
        octets.append(value & 0x7F | (0x80 if value > 0x7F else 0))
        value >>= 7
        if not value:
            return bytes(octets)


def block_5(kind: int, fields: bytes = b"", extra: bytes = b"", data: bytes = b"") -> bytes:
    """A RAR 5 block: checksum, size, type, flags, sizes of extra area and data, the rest."""
    head = vint(kind) + vint((1 if extra else 0) | (2 if data else 0))
    head += vint(len(extra)) if extra else b""
    head += vint(len(data)) if data else b""
    head += fields + extra
    sized = vint(len(head)) + head
    return struct.pack("<I", zlib.crc32(sized)) + sized + data


def file_5(
    name: str, content: bytes, *, is_encrypted: bool = False, has_time: bool = False
) -> bytes:
    raw = name.encode()
    fields = vint(4 | (2 if has_time else 0)) + vint(len(content)) + vint(0x20)
    fields += bytes(4) if has_time else b""
    fields += struct.pack("<I", zlib.crc32(content)) + vint(0) + vint(1) + vint(len(raw)) + raw
    record = vint(1) + vint(0) + vint(1) + b"\x0f" + bytes(16) + bytes(16)
    extra = vint(len(record)) + record if is_encrypted else b""
    return block_5(2, fields, extra, content)


def rar_5(*blocks: bytes) -> bytes:
    return b"Rar!\x1a\x07\1\0" + b"".join(blocks)


MAIN_5, END_5 = block_5(1, vint(0)), block_5(5, vint(0))
CRYPT_5 = block_5(4, vint(0) + vint(0) + b"\x0f" + bytes(16))


def block_4(kind: int, flags: int, rest: bytes) -> bytes:
    head = struct.pack("<BHH", kind, flags, 7 + len(rest)) + rest
    return struct.pack("<H", zlib.crc32(head) & 0xFFFF) + head


def rar_4(name: bytes, content: bytes, *, file_flags: int = 0, main_flags: int = 0) -> bytes:
    sizes = struct.pack("<2I", len(content), len(content))
    facts = struct.pack("<BIIBBHI", 2, zlib.crc32(content), 0x21_0000, 29, 0x30, len(name), 0x20)
    return (
        b"Rar!\x1a\x07\0"
        + block_4(0x73, main_flags, bytes(6))
        + block_4(0x74, 0x8000 | file_flags, sizes + facts + name)
        + content
        + block_4(0x7B, 0x4000, b"")
    )


def seven_zip(name: str, content: bytes, *, is_header_encrypted: bool = False) -> bytes:
    """A 7z file that is packed by AES (7zFormat.txt), with no key that anybody has."""

    def streams(size: int, position: int) -> bytes:
        coder = b"\x24\x06\xf1\x07\x01" + b"\2\x13\0"
        packed = b"\x06" + bytes([position, 1]) + b"\x09" + bytes([size]) + b"\0"
        folder = b"\x07\x0b\1\0\1" + coder + b"\x0c" + bytes([size]) + b"\0"
        checksums = b"\x08\x0a\1" + struct.pack("<I", zlib.crc32(content)) + b"\0"
        return packed + folder + (b"" if position else checksums) + b"\0"

    names = b"\0" + name.encode("utf-16-le") + b"\0\0"
    header = b"\1\x04" + streams(len(content), 0)
    header += b"\5\1\x11" + bytes([len(names)]) + names
    header += b"\x15\6\1\0" + struct.pack("<I", 0x81B48020) + b"\0\0"
    packed = content
    if is_header_encrypted:
        packed += header[:16].ljust(16, b"\0")
        header = b"\x17" + streams(16, len(content))
    start = struct.pack("<QQI", len(packed), len(header), zlib.crc32(header))
    return (
        b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(start)) + start + packed + header
    )


def locked_zip(name: str, content: bytes, encryption: str) -> bytes:
    packed = bytearray()

    def write(block: bytes) -> int:
        packed.extend(block)
        return len(block)

    options = f"encryption={encryption}"
    with libarchive.custom_writer(write, "zip", passphrase="x", options=options) as writer:
        writer.add_file_from_memory(name, len(content), content)
    return bytes(packed)


def strong_zip(name: str, content: bytes) -> bytes:
    """PKWARE's own way (APPNOTE.TXT 7): bits 0 and 6, and a header of its own before the data."""
    packed = bytearray(archives.by_hand(name.encode(), name.encode(), content))
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        struct.pack_into("<H", packed, packed.index(mark) + at, 0x41)
    return bytes(packed)


SECRET = bytes(range(64))
ENCRYPTED: dict[str, tuple[str, bytes]] = {
    "RAR 5, a file": ("a.rar", rar_5(MAIN_5, file_5("a.txt", SECRET, is_encrypted=True), END_5)),
    "RAR 5, a file with its time": (
        "a.rar",
        rar_5(MAIN_5, file_5("a.txt", SECRET, is_encrypted=True, has_time=True), END_5),
    ),
    "RAR 5, one file of two": (
        "a.rar",
        rar_5(MAIN_5, file_5("a.txt", b"hello"), file_5("b", SECRET, is_encrypted=True), END_5),
    ),
    "RAR 5, names too": ("a.rar", rar_5(CRYPT_5, SECRET)),
    "RAR 5 behind a program's stub": (
        "a.dat",
        b"MZ" + bytes(600) + rar_5(MAIN_5, file_5("a.txt", SECRET, is_encrypted=True), END_5),
    ),
    "RAR 4, a file": ("a.rar", rar_4(b"a.txt", SECRET, file_flags=4)),
    "RAR 4, names too": ("a.rar", rar_4(b"a.txt", SECRET, file_flags=4, main_flags=0x80)),
    "7z, a file": ("a.7z", seven_zip("a.txt", SECRET)),
    "7z, names too": ("a.7z", seven_zip("a.txt", SECRET, is_header_encrypted=True)),
    "ZIP": ("a.zip", locked_zip("a.txt", SECRET, "traditional")),
    "ZIP, AES of 128 bits": ("a.zip", locked_zip("a.txt", SECRET, "aes128")),
    "ZIP, AES of 256 bits": ("a.zip", locked_zip("a.txt", SECRET, "aes256")),
    "ZIP, strongly encrypted": ("a.zip", strong_zip("a.txt", SECRET)),
    "ZIP, cut before its directory": (
        "a.zip",
        locked_zip("a.txt", SECRET, "traditional").partition(b"PK\1\2")[0],
    ),
}


def found(name: str, content: bytes) -> tuple[set[str], list[str]]:
    unpacker = Unpacker()
    paths = [file.shown_path for file in unpacker.files((name,), content)]
    return {symbol for symbol, _ in unpacker.findings}, paths


@pytest.mark.parametrize("archive", ENCRYPTED)
def test_what_needs_a_password_is_said_to(archive: str) -> None:
    assert "ARCHIVE_ENCRYPTED" in found(*ENCRYPTED[archive])[0]


def test_names_are_judged_as_long_as_they_can_be_read() -> None:
    packed = rar_5(MAIN_5, file_5("run.exe", SECRET, is_encrypted=True), END_5)
    assert found("a.rar", packed) == ({"ARCHIVE_ENCRYPTED"}, ["a.rar", "a.rar/run.exe"])
    assert found("a.rar", rar_4(b"run.exe", SECRET, file_flags=4))[1] == ["a.rar", "a.rar/run.exe"]


def test_what_needs_none_is_not() -> None:
    for plain in (rar_5(MAIN_5, file_5("a.txt", b"hello"), END_5), rar_4(b"a.txt", b"hello")):
        assert found("a.rar", plain) == (set(), ["a.rar", "a.rar/a.txt"])
    cut = rar_5(MAIN_5, file_5("a.txt", b"hello" * 99))[:-200]
    assert found("a.rar", cut)[0] == {"ARCHIVE_DAMAGED"}


def test_where_an_archive_ends_is_told_by_its_headers() -> None:
    for packed in (rar_5(MAIN_5, file_5("a.txt", b"hello"), END_5), rar_4(b"a.txt", b"hello")):
        headers = rar.look(b"stub" + packed + b"more", 4)
        assert (headers.end, headers.is_whole) == (4 + len(packed), True)
        for size in range(len(packed)):
            assert rar.look(packed[:size]).end <= size
        assert rar.look(packed, 0, 1).count == 1
