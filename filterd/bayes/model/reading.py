"""Readers: what makes of a message's octets what a classifier needs, in this process or in others.

A reader may have `pack` and `unpack`, which make what it read small for the way between processes:
features are some thousand numbers of eight octets each, and half of that is always zero.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np

from filterd.bayes.model.leaks import is_leak
from filterd.bayes.model.text import text_of
from filterd.bayes.model.tokens import Features, Hasher, Words
from filterd.message import Message

KEY_LENGTH = 16  # octets of a message's key

_NAME_LIMIT = 64  # characters of a field's name that is remembered; longer ones are not real fields

Packed = tuple[Any, ...]
"""Features on their way: octets and numbers."""


@lru_cache(maxsize=4)
def hasher_of(salt: bytes) -> Hasher:
    """The hasher of a salt, made once a process."""
    return Hasher(salt)


def message_key(message: Message) -> bytes:
    """The name of a message's content: the same whatever the mailbox noted on it since, on
    whichever way it came, and with either kind of line end.

    The MTA puts its Received field on top of what a filter saw, so a person who moves a message in
    the mailbox could otherwise not correct what autolearn taught of it.
    """
    pieces = []
    for field in message.header_fields:
        name = _name_in_key(field.name) if len(field.name) <= _NAME_LIMIT else field.name.lower()
        if name:
            pieces.append(b"%b:%b\n" % (name.encode("ascii"), field.raw_value.strip()))
    pieces.append(bytes(message.data[message.body_start :]))
    octets = b"".join(pieces).replace(b"\r\n", b"\n").rstrip(b"\n")
    return hashlib.blake2b(octets, digest_size=KEY_LENGTH).digest()


@lru_cache(maxsize=4096)
def _name_in_key(name: str) -> str:
    """A header field's name in lower case, "" for one that is not part of the content."""
    name = name.lower()
    return "" if name == "received" or is_leak(name) else name


@dataclass(frozen=True, slots=True)
class LessonReader:
    """Makes key and features of messages: what teaching needs."""

    salt: bytes

    def __call__(self, data: bytes) -> tuple[bytes, Features]:
        message = Message(data)
        return message_key(message), hasher_of(self.salt).features(message)

    def pack(self, seen: tuple[bytes, Features]) -> tuple[bytes, Packed]:
        """What was read, smaller, for the way to another process."""
        return seen[0], packed(seen[1])

    def unpack(self, seen: tuple[bytes, Packed]) -> tuple[bytes, Features]:
        """The inverse of `pack`."""
        return seen[0], unpacked(seen[1])


@dataclass(frozen=True, slots=True)
class FeatureReader:
    """Makes features of messages under one salt or two: what scoring needs."""

    salt: bytes
    starters_salt: bytes | None = None

    def __call__(self, data: bytes) -> tuple[Features, Features | None]:
        text = text_of(Message(data))
        theirs = hasher_of(self.starters_salt).features_of(text) if self.starters_salt else None
        return hasher_of(self.salt).features_of(text), theirs

    def pack(self, seen: tuple[Features, Features | None]) -> tuple[Packed, Packed | None]:
        """What was read, smaller, for the way to another process."""
        return packed(seen[0]), None if seen[1] is None else packed(seen[1])

    def unpack(self, seen: tuple[Packed, Packed | None]) -> tuple[Features, Features | None]:
        """The inverse of `pack`."""
        return unpacked(seen[0]), None if seen[1] is None else unpacked(seen[1])


_FIELDS = tuple(field.name for field in fields(Features) if field.name != "source")
_EMPTY = np.empty(0, np.intp)


def packed(features: Features) -> Packed:
    """Features for the way to another process. The words' text stays behind: only who explains a
    score needs it."""
    values = [getattr(features, name) for name in _FIELDS]
    arrays = [value for value in values if isinstance(value, np.ndarray)]
    shape = tuple(len(v) if isinstance(v, np.ndarray) else -1 for v in values)
    plain = tuple(v for v in values if not isinstance(v, np.ndarray))
    octets = np.concatenate(arrays).astype(np.uint32).tobytes()
    return octets, shape, plain, features.total_words


def unpacked(packed: Packed) -> Features:
    """Features as they were, but for the words' text."""
    octets, shape, plain, total_words = packed
    numbers = np.frombuffer(octets, np.uint32).astype(np.intp)
    others = iter(plain)
    values: dict[str, Any] = {}
    at = 0
    for name, length in zip(_FIELDS, shape, strict=True):
        if length < 0:
            values[name] = next(others)
        else:
            values[name] = numbers[at : at + length]
            at += length
    nowhere = np.broadcast_to(np.intp(0), total_words)
    return Features(**values, source=Words(_EMPTY, _EMPTY, nowhere, nowhere, nowhere, b""))
