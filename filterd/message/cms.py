"""What S/MIME mail holds that is signed opaquely or compressed: a message, in a CMS structure.

Signatures are not verified: this is about what a reader will show. Source: RFC 5652 §3, §5.1, §5.2;
RFC 3274 §1.1; X.690 §8 for the lengths, which may be indefinite.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

SIZE_LIMIT = 64 << 20
"""Octets that a compressed message may unfold to."""

_SIGNED = bytes.fromhex("06092a864886f70d010702")
_COMPRESSED = bytes.fromhex("060b2a864886f70d0109100109")

_SEQUENCE, _CONTEXT_0 = 0x30, 0xA0
_OCTETS, _OCTETS_IN_PIECES = 0x04, 0x24
_END = b"\0\0"

_DEPTH_LIMIT = 16
_LONG_FORM, _INDEFINITE = 0x80, -1


class Content(NamedTuple):
    """octets: the message. is_whole: it ends there, and not at `SIZE_LIMIT`."""

    octets: bytes
    is_whole: bool = True


def content(data: bytes) -> Content | None:
    """The message in it, or None: encrypted, a signature alone, broken, or something else."""
    try:
        at = _enter(data, 0, _SEQUENCE)
        is_signed = data.startswith(_SIGNED, at)
        if not is_signed and not data.startswith(_COMPRESSED, at):
            return None
        at = _enter(data, _behind(data, at), _CONTEXT_0)
        at = _enter(data, at, _SEQUENCE)
        at = _behind(data, at)  # the version
        at = _behind(data, at)  # the algorithms
        at = _enter(data, at, _SEQUENCE)
        at = _enter(data, _behind(data, at), _CONTEXT_0)
        found = _octets(data, at)
        if is_signed:
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
    """An OCTET STRING, which may stand there in pieces (X.690 §8.7.3)."""
    tag, length, start = _head(data, at)
    if tag == _OCTETS and length != _INDEFINITE:
        return data[start : start + length]
    if tag != _OCTETS_IN_PIECES:
        raise ValueError("no octets")
    end = len(data) if length == _INDEFINITE else start + length
    pieces = []
    while start < end and data[start : start + 2] != _END:
        tag, length, begin = _head(data, start)
        if tag != _OCTETS or length == _INDEFINITE:
            raise ValueError("nested constructed strings")
        pieces.append(data[begin : begin + length])
        start = begin + length
    return b"".join(pieces)
