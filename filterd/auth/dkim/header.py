"""Header fields as they are signed.

Source: RFC 6376 §3.4.1, §3.4.2 (canonical forms), §5.4.2 (which field a name in h= means).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from enum import StrEnum

from filterd.message import Message
from filterd.message.lazy import lazy

_BLANKS = re.compile(rb"[ \t]++")
_BARE_LINE_END = re.compile(rb"(?<!\r)\n")


class Canonicalization(StrEnum):
    """What may change on the way without breaking a signature."""

    SIMPLE = "simple"
    RELAXED = "relaxed"


def canonical_field(
    name: str, value: bytes, canonicalization: Canonicalization, *, spelled: bytes = b""
) -> bytes:
    """One field, without the line end.

    value: all after the colon, folded with CRLF or LF, without the line end. spelled: name and
    colon as they came, where blanks stand between them.
    """
    if canonicalization is Canonicalization.RELAXED:
        unfolded = value.replace(b"\r\n", b"").replace(b"\n", b"")
        return name.lower().encode("ascii") + b":" + _BLANKS.sub(b" ", unfolded).strip(b" \t")
    return (spelled or name.encode("ascii") + b":") + with_line_ends(value)


def with_line_ends(octets: bytes) -> bytes:
    """The octets with CRLF where a bare LF ends a line, as stored mail has it."""
    if octets.count(b"\n") == octets.count(b"\r\n"):
        return octets
    return _BARE_LINE_END.sub(b"\r\n", octets)


class CanonicalHeader:
    """The fields of one message, top first; canonical forms are made once for all signatures.

    fields: name and raw value (all after the colon, without the line end), as `HeaderField` has
    them. spelled: for each, name and colon as they came; without it nothing stands between them.
    """

    def __init__(
        self, fields: Iterable[tuple[str, bytes]], spelled: Sequence[bytes] | None = None
    ) -> None:
        self._fields = tuple(fields)
        self._spelled = spelled
        self._canonical: dict[tuple[int, Canonicalization], bytes] = {}

    @classmethod
    def of(cls, message: Message) -> CanonicalHeader:
        """Those of a message as it came."""
        data = message.data
        spelled = []
        for field in message.header_fields:
            colon = data.find(b":", field.start, field.end)
            spelled.append(data[field.start : colon + 1])
        return cls(((field.name, field.raw_value) for field in message.header_fields), spelled)

    def __len__(self) -> int:
        return len(self._fields)

    @lazy
    def _places(self) -> dict[str, list[int]]:
        places: dict[str, list[int]] = {}
        for index, (name, _value) in enumerate(self._fields):
            places.setdefault(name.lower(), []).append(index)
        return places

    def places(self, name: str) -> Sequence[int]:
        """Where the fields of a name are, counted from the top and from 0."""
        return self._places.get(name.lower(), ())

    def name(self, index: int) -> str:
        """The name of a field as it came."""
        return self._fields[index][0]

    def value(self, index: int) -> bytes:
        """The raw value of a field."""
        return self._fields[index][1]

    def spelled(self, index: int) -> bytes:
        """Name and colon of a field as they came."""
        if self._spelled is not None:
            return self._spelled[index]
        return self._fields[index][0].encode("ascii") + b":"

    def canonical(self, index: int, canonicalization: Canonicalization) -> bytes:
        """The canonical form of one field, without the line end."""
        key = index, canonicalization
        found = self._canonical.get(key)
        if found is None:
            name, value = self._fields[index]
            found = canonical_field(name, value, canonicalization, spelled=self.spelled(index))
            self._canonical[key] = found
        return found

    def chosen(self, names: Iterable[str], but: int | None = None) -> list[int]:
        """The fields that a list of names means: of each name the lowest first, and nothing where
        none is left. names: in lower case. but: the signature's own field, which is never meant."""
        left: dict[str, list[int]] = {}
        chosen = []
        for name in names:
            if name not in left:
                left[name] = [index for index in self.places(name) if index != but]
            if left[name]:
                chosen.append(left[name].pop())
        return chosen

    def digest(
        self,
        names: Iterable[str],
        canonicalization: Canonicalization,
        signature: bytes,
        but: int | None = None,
    ) -> bytes:
        """The SHA-256 of what is signed: the fields that the names mean, and the signature's own.

        signature: its field in canonical form with an empty b=, without the line end.
        """
        hasher = hashlib.sha256()
        for index in self.chosen(names, but):
            hasher.update(self.canonical(index, canonicalization))
            hasher.update(b"\r\n")
        hasher.update(signature)
        return hasher.digest()
