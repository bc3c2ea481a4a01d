"""What S/MIME mail holds that is not encrypted: a message, in a CMS structure that signs it, has
its digest, compresses it, or has it as it is.

Signatures are not verified: this is about what a reader will show. Source: RFC 5652 §3, §4, §5.1,
§5.2, §7; RFC 3274 §1.1; RFC 7468 §8 for the letters around it; X.690 §8 for the lengths, which may
be indefinite, or longer than they need be.
"""

from __future__ import annotations

import re
import zlib
from typing import NamedTuple

from filterd.message.decoding import decode_base64

SIZE_LIMIT = 64 << 20
"""Octets that a compressed message may unfold to."""

_DATA = bytes.fromhex("2a864886f70d010701")
_SIGNED = bytes.fromhex("2a864886f70d010702")
_DIGESTED = bytes.fromhex("2a864886f70d010705")
_COMPRESSED = bytes.fromhex("2a864886f70d0109100109")

_SEQUENCE, _CONTEXT_0, _OBJECT = 0x30, 0xA0, 0x06
_OCTETS, _OCTETS_IN_PIECES = 0x04, 0x24
_END = b"\0\0"

_DEPTH_LIMIT = 16
_LONG_FORM, _INDEFINITE = 0x80, -1

_PEM = re.compile(rb"-----BEGIN (?:PKCS7|CMS)-----([A-Za-z0-9+/=\s]*+)-----END")
_PEM_WINDOW = 4096
"""Octets on top in which the letters may begin."""


class Content(NamedTuple):
    """octets: the message. is_whole: it ends there, and not at `SIZE_LIMIT`."""

    octets: bytes
    is_whole: bool = True


def content(data: bytes) -> Content | None:
    """The message in it, or None: encrypted, a signature alone, broken, or something else."""
    begin = data.find(b"-----BEGIN", 0, _PEM_WINDOW)
    if begin >= 0 and (letters := _PEM.match(data, begin)):
        data = decode_base64(letters[1])
    try:
        at = _enter(data, 0, _SEQUENCE)
        kind, at = _object(data, at)
        at = _enter(data, at, _CONTEXT_0)
        if kind == _DATA:
            return Content(_octets(data, at))
        if kind not in (_SIGNED, _DIGESTED, _COMPRESSED):
            return None
        at = _enter(data, at, _SEQUENCE)
        at = _behind(data, at)  # the version
        at = _behind(data, at)  # the algorithms
        at = _enter(data, at, _SEQUENCE)
        at = _enter(data, _behind(data, at), _CONTEXT_0)
        found = _octets(data, at)
        if kind != _COMPRESSED:
            return Content(found)
        unfolding = zlib.decompressobj()
        return Content(unfolding.decompress(found, SIZE_LIMIT), not unfolding.unconsumed_tail)
    except (IndexError, ValueError, zlib.error):
        return None


def _head(data: bytes, at: int) -> tuple[int, int, int]:
    """Tag, length and where the value begins."""
    tag, length = data[at], data[at + 1]
    if length < _LONG_FORM:
        return tag, length, at + 2
    if length == _LONG_FORM:
        return tag, _INDEFINITE, at + 2
    start = at + 2 + (length & 0x7F)
    return tag, int.from_bytes(data[at + 2 : start], "big"), start


def _enter(data: bytes, at: int, wanted: int) -> int:
    tag, _length, start = _head(data, at)
    if tag != wanted:
        raise ValueError("another structure")
    return start


def _object(data: bytes, at: int) -> tuple[bytes, int]:
    """An object identifier, and where it ends."""
    start = _enter(data, at, _OBJECT)
    end = _behind(data, at)
    return data[start:end], end


def _behind(data: bytes, at: int, depth: int = 0) -> int:
    """Where the value ends that begins at `at`."""
    _tag, length, start = _head(data, at)
    if length != _INDEFINITE:
        return start + length
    if depth >= _DEPTH_LIMIT:
        raise ValueError("nested too deep")
    while data[start : start + 2] != _END:
        start = _behind(data, start, depth + 1)
    return start + 2


def _octets(data: bytes, at: int) -> bytes:
    """An OCTET STRING, which may stand there in pieces, and these in pieces (X.690 §8.7.3)."""
    pieces: list[bytes] = []
    _collect(data, at, pieces, 0)
    return b"".join(pieces)


def _collect(data: bytes, at: int, pieces: list[bytes], depth: int) -> int:
    """Add the octets of one string; return where it ends."""
    tag, length, start = _head(data, at)
    if tag == _OCTETS and length != _INDEFINITE:
        pieces.append(data[start : start + length])
        return start + length
    if tag != _OCTETS_IN_PIECES or depth >= _DEPTH_LIMIT:
        raise ValueError("no octets")
    end = len(data) if length == _INDEFINITE else start + length
    while start < end and data[start : start + 2] != _END:
        start = _collect(data, start, pieces, depth + 1)
    return start + 2 if length == _INDEFINITE else end
