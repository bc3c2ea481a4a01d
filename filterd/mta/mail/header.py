"""The header section of a message, which filters may change.

A field's value is everything after the colon, lines joined by a bare LF. `sendmail.header` and
`postfix.header` have the lists of the two MTAs.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

# RFC 5322 §2.2; blanks before the colon are obsolete and every MTA takes them.
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:")

RETURN_PATH = b"Return-Path:"


@dataclass(slots=True)
class Field:
    """One field. value: None if it is deleted, or an own field that is not used. own: the MTA's
    field. given: an own field whose value a filter has set, so that it counts as one of the
    message."""

    name: bytes
    value: bytes | None
    own: bool = False
    given: bool = False

    @property
    def counts(self) -> bool:
        """Whether filters see it and count it."""
        return self.given or not self.own

    @property
    def key(self) -> bytes:
        """The name in lower case, for comparisons."""
        return self.name.lower()

    def encode(self) -> bytes:
        """The field with LF line ends, `b""` if it has no value."""
        if self.value is None:
            return b""
        return self.name + b":" + self.value.replace(b"\r\n", b"\n") + b"\n"


def split_message(
    data: bytes, *, eats_from: bool = False
) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """The header fields (name, value after the colon) and the body of a message with LF line ends.

    eats_from: drop an mbox separator at the beginning, as sendmail does (eatfrom in `collect.c`).
    The header section ends with an empty line, or before a line that is not a field. NULs in it are
    dropped, as sendmail drops them.
    """
    fields: list[tuple[bytes, bytes]] = []
    position, size = 0, len(data)
    if eats_from and data.startswith(b"From "):
        position = data.find(b"\n") + 1 or size
    while position < size:
        if data[position] == 0x0A:
            return fields, data[position + 1 :]
        match = _FIELD.match(data, position)
        if match is None:
            break
        end = _end_of_field(data, position)
        fields.append((match[1], data[match.end() : end].replace(b"\0", b"")))
        position = end + 1
    return fields, data[position:]


def _end_of_field(data: bytes, start: int) -> int:
    """Offset of the LF that ends the field at `start`, or the end of the data."""
    end = data.find(b"\n", start)
    while end >= 0 and data[end + 1 : end + 2] in (b" ", b"\t"):
        end = data.find(b"\n", end + 1)
    return len(data) if end < 0 else end


def take_return_path(message: bytes) -> tuple[bytes | None, bytes]:
    """The Return-Path that a filter gave a queued message, and the message without it.

    None: no filter has changed it, the mailer writes its own. `b""`: a filter has deleted it.
    """
    if not message.startswith(RETURN_PATH):
        return None, message
    end = _end_of_field(message, 0) + 1
    field = message[:end]
    return (b"" if field == RETURN_PATH + b"\n" else field), message[end:]


class HeaderSection(ABC):
    """The fields of one message, and the edits of filters.

    Names and values of edits are as on the wire. verbatim: HDR_LEADSPC was negotiated, values
    include the leading blank.
    """

    _shift: int
    """How many of the first fields always stay above an inserted one."""

    def __init__(self, own: list[Field], message: list[tuple[bytes, bytes]]) -> None:
        self._fields = own + [Field(name, value) for name, value in message]

    def for_filter(self, *, verbatim: bool) -> Iterator[tuple[bytes, bytes]]:
        """Name and value of each field of the message, as a filter gets them: without one leading
        blank, unless verbatim."""
        for field in self._fields:
            if field.counts and field.value is not None:
                yield field.name, field.value if verbatim else field.value.removeprefix(b" ")

    def get(self, name: bytes) -> bytes | None:
        """The value of the first field of that name that has one, stripped."""
        key = name.lower()
        for field in self._fields:
            if field.key == key and field.value is not None:
                return field.value.strip()
        return None

    def count(self, name: bytes) -> int:
        """How many fields of that name the message has, without the MTA's own."""
        key = name.lower()
        return sum(f.key == key and f.value is not None and not f.own for f in self._fields)

    def set_own(self, name: bytes, value: bytes) -> None:
        """Set the value of the MTA's own field of that name (with the leading blank)."""
        for field in self._fields:
            if field.own and field.key == name.lower():
                field.value = value

    def encode(self) -> bytes:
        """The header section with LF line ends, without the empty line."""
        return b"".join(field.encode() for field in self._fields)

    def add(self, name: bytes, value: bytes, *, verbatim: bool) -> None:
        """ADDHEADER."""
        if name:
            self._add(*self._stored(name, value, verbatim))

    def insert(self, index: int, name: bytes, value: bytes, *, verbatim: bool) -> None:
        """INSHEADER: after `index` fields, the MTA's own counted."""
        if name:
            position = min(index + self._shift, len(self._fields))
            self._fields.insert(position, Field(*self._stored(name, value, verbatim)))

    def change(self, index: int, name: bytes, value: bytes, *, verbatim: bool) -> None:
        """CHGHEADER: the index-th field of that name, from 1; an empty value deletes."""
        if name:
            name, stored = self._stored(name, value, verbatim)
            self._change(max(index, 1), name, stored if value else None)

    def _stored(self, name: bytes, value: bytes, verbatim: bool) -> tuple[bytes, bytes]:
        """Name and value of a filter's field as they are stored."""
        return name, value if verbatim else b" " + value

    @abstractmethod
    def _add(self, name: bytes, value: bytes) -> None: ...

    @abstractmethod
    def _change(self, index: int, name: bytes, value: bytes | None) -> None: ...

    def _before_first(self, name: bytes, value: bytes) -> None:
        """Put a field before the first of its name, at the end if there is none."""
        key = name.lower()
        position = next(
            (i for i, field in enumerate(self._fields) if field.key == key), len(self._fields)
        )
        self._fields.insert(position, Field(name, value))


def folded(value: bytes, blank: bytes) -> bytes:
    """A value whose line breaks cannot start a new field: `blank` is put after each."""
    first, *others = value.split(b"\n")
    indented = (line if line[:1] in (b" ", b"\t") else blank + line for line in others)
    return b"\n".join([first, *indented])
