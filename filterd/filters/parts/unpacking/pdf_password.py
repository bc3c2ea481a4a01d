"""Encrypted PDF files that open without a password: they only say what may be done with them.

Owners of documents forbid printing or changes so; every reader opens such a file with the empty
user password. The key that this gives decrypts what else could not be looked into. Sources:
ISO 32000-1 §7.6 (revisions 2 to 4), Adobe Supplement to ISO 32000 extension level 3 (revision 5),
ISO 32000-2 §7.6 (revision 6).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

DICTIONARY_SIZE = 8192
"""Octets of an encryption dictionary that are looked at; real ones have some hundreds."""

ROUND_LIMIT = 512
"""Rounds of revision 6 before it is given up; ISO 32000-2 has 64 and then some, rarely 100."""

_PAD = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")  # §7.6.3.3

_ENCRYPT = re.compile(rb"/Encrypt\s*+(?:(\d{1,9})\s++(\d{1,5})\s++R\b|(<<))")
_STANDARD = re.compile(rb"/Filter\s*+/Standard\b")
_ID = re.compile(rb"/ID\s*+\[\s*+(?:<([0-9A-Fa-f\s]*+)>|(\((?:[^()\\]++|\\.)*+\)))", re.DOTALL)
_METADATA = re.compile(rb"/EncryptMetadata\s++false\b")
_METHOD = re.compile(rb"/CFM\s*+/(V2|AESV2|AESV3|None)\b")
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|(\r\n|.))", re.DOTALL)
_LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


@dataclass(frozen=True, slots=True)
class Key:
    """What decrypts the streams. method: RC4 (`V2`), AES of 128 or 256 bits (`AESV2`, `AESV3`)."""

    octets: bytes
    method: str

    def decrypted(self, data: bytes, number: int, generation: int) -> bytes:
        """A stream's octets (§7.6.2, algorithm 1 and 1.A). Nothing raises; what cannot be, is
        empty."""
        if self.method == "AESV3":
            return _aes(self.octets, data)
        seed = self.octets + number.to_bytes(4, "little")[:3] + generation.to_bytes(4, "little")[:2]
        if self.method == "AESV2":
            return _aes(_md5(seed + b"sAlT")[: min(len(self.octets) + 5, 16)], data)
        return _rc4(_md5(seed)[: min(len(self.octets) + 5, 16)], data)


def key(content: bytes) -> Key | None:
    """The key that the empty user password gives; None where it does not open the document, or
    nothing here knows how it is encrypted."""
    dictionary = _dictionary(content)
    if not dictionary or not _STANDARD.search(dictionary):
        return None
    revision, version = _number(dictionary, b"R"), _number(dictionary, b"V")
    owner, user = _string(dictionary, b"O"), _string(dictionary, b"U")
    if revision in (5, 6):
        return _key_of_256_bits(revision, user, _string(dictionary, b"UE"))
    if revision not in (2, 3, 4) or len(user) < 16:
        return None
    size = 5 if revision == 2 else (_number(dictionary, b"Length") or 40) // 8
    method = "V2"
    if version == 4:
        found = _METHOD.search(dictionary)
        method, size = (found[1].decode() if found else "V2"), 16
    if not 5 <= size <= 16:
        return None
    id = _first_id(content)
    permissions = (_number(dictionary, b"P") & 0xFFFFFFFF).to_bytes(4, "little")
    seed = _PAD + owner[:32] + permissions + id
    if revision == 4 and _METADATA.search(dictionary):
        seed += b"\xff\xff\xff\xff"
    octets = _md5(seed)
    if revision > 2:
        for _ in range(50):
            octets = _md5(octets[:size])
    octets = octets[:size]
    return Key(octets, method) if _opens(octets, revision, user, id) else None


def _opens(octets: bytes, revision: int, user: bytes, id: bytes) -> bool:
    """Algorithm 6: whether that key is the one of the document."""
    if revision == 2:
        return _rc4(octets, _PAD) == user[:32]
    check = _rc4(octets, _md5(_PAD + id))
    for number in range(1, 20):
        check = _rc4(bytes(octet ^ number for octet in octets), check)
    return check == user[:16]


def _key_of_256_bits(revision: int, user: bytes, wrapped: bytes) -> Key | None:
    """Algorithm 2.A: a hash, and two salts of eight octets each."""
    if len(user) < 48 or len(wrapped) < 32:
        return None
    check, key_salt = user[32:40], user[40:48]
    if _hash(revision, check) != user[:32]:
        return None
    cipher = Cipher(AES(_hash(revision, key_salt)), CBC(bytes(16))).decryptor()
    return Key(cipher.update(wrapped[:32]), "AESV3")


def _hash(revision: int, salt: bytes) -> bytes:
    """Algorithm 2.B, of the empty password."""
    block = hashlib.sha256(salt).digest()
    if revision == 5:
        return block
    for number in range(ROUND_LIMIT):
        cipher = Cipher(AES(block[:16]), CBC(block[16:32])).encryptor()
        mixed = cipher.update(block * 64)
        which = sum(mixed[:16]) % 3
        block = (hashlib.sha256, hashlib.sha384, hashlib.sha512)[which](mixed).digest()
        if number >= 63 and mixed[-1] <= number - 32:
            break
    return block[:32]


def _dictionary(content: bytes) -> bytes:
    """The encryption dictionary: the last that a trailer names."""
    found = b""
    for match in _ENCRYPT.finditer(content):
        if match[3]:
            found = content[match.end() : match.end() + DICTIONARY_SIZE]
            continue
        head = re.compile(rb"(?<!\d)%b\s++%b\s++obj\b" % (match[1], match[2])).search(content)
        if head:
            found = content[head.end() : head.end() + DICTIONARY_SIZE].partition(b"endobj")[0]
    return found


def _number(dictionary: bytes, name: bytes) -> int:
    match = re.search(rb"/%b\s++(-?\d{1,10})" % name, dictionary)
    return int(match[1]) if match else 0


def _string(dictionary: bytes, name: bytes) -> bytes:
    match = re.search(
        rb"/%b\s*+(?:<([0-9A-Fa-f\s]*+)>|(\((?:[^()\\]++|\\.)*+\)))" % name, dictionary, re.DOTALL
    )
    return _value(match) if match else b""


def _first_id(content: bytes) -> bytes:
    match = _ID.search(content)
    return _value(match) if match else b""


def _value(match: re.Match[bytes]) -> bytes:
    """The octets of a string, in hexadecimal or as it is (§7.3.4)."""
    if match[1] is not None:
        digits = b"".join(match[1].split())
        return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode("ascii"))
    return _ESCAPE.sub(_unescaped, match[2][1:-1])


def _unescaped(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return bytes([int(match[1], 8) & 0xFF])
    if match[2] in (b"\n", b"\r", b"\r\n"):
        return b""
    return _LETTERS.get(match[2], match[2])


def _md5(octets: bytes) -> bytes:
    return hashlib.md5(octets, usedforsecurity=False).digest()


def _rc4(octets: bytes, data: bytes) -> bytes:
    # The cipher repeats its key, and the library knows some lengths only.
    for times in range(1, 5):
        if len(octets) * times * 8 in ARC4.key_sizes:
            return Cipher(ARC4(octets * times), None).encryptor().update(data)
    return b""


def _aes(octets: bytes, data: bytes) -> bytes:
    """Less the vector in front and the padding behind."""
    whole = len(data) - len(data) % 16
    if whole < 32 or len(octets) not in (16, 32):
        return b""
    plain = Cipher(AES(octets), CBC(data[:16])).decryptor().update(data[16:whole])
    return plain[: -plain[-1]] if 1 <= plain[-1] <= 16 else plain
