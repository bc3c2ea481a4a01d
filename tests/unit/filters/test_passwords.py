"""Words tried as passwords: a word counts only if the content's checksum is right with it.

ZIP's traditional encryption checks a password by one octet (APPNOTE.TXT 6.1.6), so one wrong word
in 256 passes. The archives here are made so that a given wrong word does.
"""

from __future__ import annotations

import io
import itertools
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import libarchive
import pytest

from filterd.filters.parts.unpacking import archive, archive_reader

pytestmark = pytest.mark.slow

_TABLE = [zlib.crc32(bytes([n]), 0xFFFFFFFF) ^ 0xFFFFFFFF for n in range(256)]


class Cipher:
    """The traditional encryption of ZIP (APPNOTE.TXT 6.1)."""

    def __init__(self, word: str) -> None:
        self.keys = 0x12345678, 0x23456789, 0x34567890
        for octet in word.encode():
            self._update(octet)

    def _update(self, octet: int) -> None:
        a, b, c = self.keys
        a = (a >> 8) ^ _TABLE[(a ^ octet) & 0xFF]
        b = ((b + (a & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        c = (c >> 8) ^ _TABLE[(c ^ (b >> 24)) & 0xFF]
        self.keys = a, b, c

    def _octet(self) -> int:
        mixed = (self.keys[2] | 2) & 0xFFFF
        return (mixed * (mixed ^ 1) >> 8) & 0xFF

    def encrypt(self, plain: bytes) -> bytes:
        out = bytearray()
        for octet in plain:
            out.append(octet ^ self._octet())
            self._update(octet)
        return bytes(out)

    def decrypt(self, octets: bytes) -> bytes:
        out = bytearray()
        for octet in octets:
            out.append(octet ^ self._octet())
            self._update(out[-1])
        return bytes(out)


@dataclass(frozen=True)
class Member:
    """decoy: a wrong word that passes the check."""

    name: str
    content: bytes
    word: str
    decoy: str = ""
    deflated: bool = True


def encrypted(member: Member, packed: bytes, crc: int) -> bytes:
    """Header and content as they stand in the archive."""
    check = crc >> 24
    for salt in itertools.count():
        head = struct.pack("<QHB", salt, 0, 0) + bytes([check])
        sealed = Cipher(member.word).encrypt(head)
        if not member.decoy or Cipher(member.decoy).decrypt(sealed)[-1] == check:
            return Cipher(member.word).encrypt(head + packed)
    raise AssertionError


def zipped(members: Sequence[Member]) -> bytes:
    out, listing = io.BytesIO(), b""
    for one in members:
        crc = zlib.crc32(one.content)
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = deflate.compress(one.content) + deflate.flush() if one.deflated else one.content
        octets, name = encrypted(one, packed, crc), one.name.encode()
        method = 8 if one.deflated else 0
        fields = struct.pack(
            "<HHHHHIIIHH", 20, 1, method, 0, 33, crc, len(octets), len(one.content), len(name), 0
        )
        listing += b"PK\1\2" + struct.pack("<H", 20) + fields
        listing += struct.pack("<HHHII", 0, 0, 0, 0, out.tell()) + name
        out.write(b"PK\3\4" + fields + name + octets)
    place, count = out.tell(), len(members)
    end = struct.pack("<HHHHIIH", 0, 0, count, count, len(listing), place, 0)
    return out.getvalue() + listing + b"PK\5\6" + end


def read(content: bytes, words: Sequence[str]) -> dict[str, bytes | str]:
    """The content of each member, or the name of the exception."""
    found: dict[str, bytes | str] = {}
    for entry in archive.entries(content, "zip", words):
        try:
            found[entry.name] = b"".join(entry.blocks())
        except (archive.EncryptedError, archive.DamagedError) as error:
            found[entry.name] = type(error).__name__
    return found


TEXT = b"the content of a member, " * 40


@pytest.mark.parametrize("deflated", [True, False], ids=["deflated", "stored"])
def test_a_wrong_word_that_passes_the_check_is_not_taken(deflated: bool) -> None:
    content = zipped([Member("a.txt", TEXT, "right1", "wrong", deflated)])
    assert read(content, ["right1"]) == {"a.txt": TEXT}
    assert read(content, ["wrong", "right1"]) == {"a.txt": TEXT}
    assert read(content, ["other", "wrong", "more", "right1", "wrong"]) == {"a.txt": TEXT}


@pytest.mark.parametrize("deflated", [True, False], ids=["deflated", "stored"])
def test_what_no_word_opens_is_encrypted_and_has_no_content(deflated: bool) -> None:
    content = zipped([Member("a.txt", TEXT, "right1", "wrong", deflated)])
    blocks = []
    for entry in archive.entries(content, "zip", ["wrong", "other"]):
        with pytest.raises(archive.EncryptedError):
            blocks += list(entry.blocks())
    assert blocks == []


def test_every_member_may_have_another_word() -> None:
    members = [
        Member("a", TEXT, "one", "two"),
        Member("b", b"b" + TEXT, "two", "three"),
        Member("c", b"c" + TEXT, "unknown", "one"),
        Member("d", b"d" + TEXT, "one", "three"),
    ]
    found = read(zipped(members), ["three", "two", "one"])
    expected = {one.name: one.content for one in members} | {"c": "EncryptedError"}
    assert found == expected


def test_members_without_encryption_stand_beside_encrypted_ones() -> None:
    packed = io.BytesIO(zipped([Member("a", TEXT, "one", "two")]))
    with zipfile.ZipFile(packed, "a") as more:
        more.writestr("plain", b"p" + TEXT)
    assert read(packed.getvalue(), ["two", "one"]) == {"a": TEXT, "plain": b"p" + TEXT}


@pytest.mark.parametrize("encryption", ["aes128", "aes256", "traditional"])
def test_encryptions(encryption: str) -> None:
    packed = bytearray()

    def write(block: bytes) -> int:
        packed.extend(block)
        return len(block)

    options = f"encryption={encryption}"
    with libarchive.custom_writer(write, "zip", passphrase="right1", options=options) as writer:
        for name in ("a", "b"):
            writer.add_file_from_memory(name, len(TEXT), TEXT)
    assert read(bytes(packed), [*map(str, range(20)), "right1"]) == {"a": TEXT, "b": TEXT}
    assert read(bytes(packed), ["wrong"]) == dict.fromkeys("ab", "EncryptedError")


def test_a_large_member_is_not_held_back_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_reader, "CHECKED_LIMIT", 1000)
    large = bytes(range(256)) * 2000
    content = zipped([Member("a", large, "one"), Member("b", TEXT, "two", "one")])
    found = read(content, ["two", "one"])
    assert found == {"a": large, "b": TEXT}


def test_a_large_member_with_a_wrong_word_is_never_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_reader, "CHECKED_LIMIT", 100)
    content = zipped([Member("a", bytes(200_000), "one", "two", deflated=False)])
    assert read(content, ["two", "one"]) == {"a": "DamagedError"}


def test_words_are_tried_for_a_limited_time(monkeypatch: pytest.MonkeyPatch) -> None:
    content = zipped([Member("a", TEXT, "one")])
    monkeypatch.setattr(archive_reader, "TRYING_SECONDS", -1.0)
    assert read(content, ["one"]) == {"a": "EncryptedError"}
