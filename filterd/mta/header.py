"""The header section while filters change it, counted and ordered as sendmail or Postfix does.

A field's value is everything after the colon, lines joined by a bare LF. sendmail keeps one list:
first its own fields (the H lines of sendmail.cf, most of them without a value), then those of the
message; a deleted field stays in the list without a value and still counts. Postfix has its own
Received and then the fields of the message; a deleted field is gone.
Sources: sendmail 8.17 `milter.c` (milter_addheader and its neighbours), `headers.c` (addheader,
insheader); Postfix 3.7 `cleanup_milter.c`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

# RFC 5322 §2.2; blanks before the colon are obsolete and every MTA takes them.
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:")

SENDMAIL_OWN = (
    b"Return-Path", b"Received", b"Resent-Date", b"Date", b"Resent-From", b"From", b"Full-Name",
    b"Resent-Message-Id", b"Message-Id",
)  # fmt: skip
"""The H lines of a stock sendmail.cf, in order; insertion positions count them."""

_TRACE = frozenset({b"received", b"via", b"mail-from"})
"""Fields that sendmail never takes for "the header of that name" (H_TRACE in `conf.c`)."""

_TAKEN_OUT = frozenset({b"bcc", b"return-path"})
"""Fields of the message that do not leave sendmail (H_BCC, H_ACHECK in `conf.c`)."""

_FORCED = frozenset({b"received", b"return-path"})
"""Own fields that stay although the message brings one of that name (H_FORCE in `conf.c`)."""


_RETURN_PATH = b"Return-Path:"
_UNCHANGED = b"\0"
"""A value that no filter can give."""


INDEX_LIMIT = 0x7FFFFFFF
"""The largest place that a filter can name."""


@dataclass(slots=True)
class Field:
    """One field. value: None for deleted, or an own field not wanted. own: the MTA's; given: and a
    filter has put its value there, so that it counts among the message's."""

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
    The header section ends with an empty line, or before a line that is no field. NULs in it are
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

    None: no filter has changed it, the mailer writes its own. `b""`: one has deleted it.
    """
    if not message.startswith(_RETURN_PATH):
        return None, message
    end = _end_of_field(message, 0) + 1
    field = message[:end]
    return (b"" if field == _RETURN_PATH + b"\n" else field), message[end:]


class Header(ABC):
    """The fields of one message and what filters may do to them.

    Names and values come from a filter as they are on the wire. verbatim: HDR_LEADSPC is in force,
    values come with their leading blank.
    """

    _shift: int
    """How many fields are always above an inserted one."""

    def __init__(self, own: list[Field], message: list[tuple[bytes, bytes]]) -> None:
        self._fields = own + [Field(name, value) for name, value in message]

    def for_filter(self, *, verbatim: bool) -> Iterator[tuple[bytes, bytes]]:
        """Name and value of each field of the message, as a filter gets them: without exactly one
        leading space unless it wants them verbatim."""
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
        """How many fields of that name the message brought, the MTA's own not among them."""
        key = name.lower()
        return sum(f.key == key and f.value is not None and not f.own for f in self._fields)

    def set_own(self, name: bytes, value: bytes) -> None:
        """Give the MTA's own field of that name its value (with its leading blank)."""
        for field in self._fields:
            if field.own and field.key == name.lower():
                field.value = value

    def encode(self) -> bytes:
        """The header section with LF line ends, without the empty line."""
        return b"".join(field.encode() for field in self._fields)

    def add(self, name: bytes, value: bytes, *, verbatim: bool) -> None:
        """ADDHEADER."""
        if name:
            self._add(name, self._value(value, verbatim))

    def insert(self, index: int, name: bytes, value: bytes, *, verbatim: bool) -> None:
        """INSHEADER: after `index` fields, the MTA's own counted."""
        if name:
            # sendmail's index is signed: what is beyond its range is below zero, and so on top.
            index = 0 if index > INDEX_LIMIT else index
            position = min(index + self._shift, len(self._fields))
            self._fields.insert(position, Field(name, self._value(value, verbatim)))

    def change(self, index: int, name: bytes, value: bytes, *, verbatim: bool) -> None:
        """CHGHEADER: the index-th field of that name, from 1; an empty value deletes."""
        if name:
            self._change(max(index, 1), name, self._value(value, verbatim) if value else None)

    def _value(self, value: bytes, verbatim: bool) -> bytes:
        """A filter's value as it is stored."""
        return value if verbatim else b" " + value

    @abstractmethod
    def _add(self, name: bytes, value: bytes) -> None: ...

    @abstractmethod
    def _change(self, index: int, name: bytes, value: bytes | None) -> None: ...

    def _before_first(self, name: bytes, value: bytes) -> None:
        """Put a field before the first of its name, at the end where there is none."""
        key = name.lower()
        position = next(
            (i for i, field in enumerate(self._fields) if field.key == key), len(self._fields)
        )
        self._fields.insert(position, Field(name, value))


def _folded(value: bytes, blank: bytes) -> bytes:
    """A value whose line breaks can start no field of their own: `blank` is put behind them."""
    first, *others = value.split(b"\n")
    indented = (line if line[:1] in (b" ", b"\t") else blank + line for line in others)
    return b"\n".join([first, *indented])


def _written(value: bytes) -> bytes:
    return _folded(value.replace(b"\r\n", b"\n"), b" ")


class SendmailHeader(Header):
    """sendmail's list. defaults: values of own fields that the message may go without, by name.

    warning: value of X-Authentication-Warning. Values that filters set are folded only when the
    message is written; the filters behind see them as they were given.
    """

    def __init__(
        self,
        message: list[tuple[bytes, bytes]],
        defaults: dict[bytes, bytes],
        warning: bytes | None = None,
    ) -> None:
        brought = {name.lower() for name, _ in message}
        if not any(name.startswith(b"resent-") for name in brought):
            # RFC 5322 §3.6.6: resent fields come together or not at all.
            brought |= {name.lower() for name in SENDMAIL_OWN if name.startswith(b"Resent-")}
        own = [
            Field(
                name,
                None if name.lower() in brought - _FORCED else defaults.get(name),
                own=True,
            )
            for name in SENDMAIL_OWN
        ]
        # Each mailer writes it for itself, unless a filter has changed it.
        own[0].value = _UNCHANGED
        if warning is not None:
            own.append(Field(b"X-Authentication-Warning", warning, own=True))
        super().__init__(own, message)

    # sendmail counts from its Received: Return-Path stays on top whatever comes.
    _shift = 1

    def _add(self, name: bytes, value: bytes) -> None:
        key = name.lower()
        for field in self._fields:
            if (
                field.key == key
                and not field.counts
                and key not in _TRACE
                and field.value is not None
            ):
                field.value, field.given = value, True
                return
        self._before_first(name, value)

    def _change(self, index: int, name: bytes, value: bytes | None) -> None:
        key = name.lower()
        # The index is signed: what is beyond its range is below one, and so the first.
        index = 1 if index > INDEX_LIMIT else index
        own = None
        for field in self._fields:
            if field.key != key:
                continue
            if not field.counts:
                own = field if key not in _TRACE else None
                continue
            index -= 1
            if index == 0:
                field.value = value
                return
        if own is not None and own.value is not None:
            own.value, own.given = value, True
        elif value is not None:
            self._before_first(name, value)

    def encode(self) -> bytes:
        """Without the fields that sendmail takes out on delivery, whoever put them in: Bcc, and
        Return-Path, which a local mailer writes anew; see `take_return_path`."""
        written = bytearray()
        for field in self._fields:
            if field.own and field.key == b"return-path":
                if field.value != _UNCHANGED:
                    written[:0] = _RETURN_PATH + _written(field.value or b"") + b"\n"
            elif field.value is not None and (field.own or field.key not in _TAKEN_OUT):
                written += field.name + b":" + _written(field.value) + b"\n"
        return bytes(written)


class PostfixHeader(Header):
    """Postfix's list: its Received, then the message's fields."""

    def __init__(self, message: list[tuple[bytes, bytes]]) -> None:
        super().__init__([Field(b"Received", None, own=True)], message)

    _shift = 0

    def _value(self, value: bytes, verbatim: bool) -> bytes:
        return _folded(super()._value(value, verbatim), b"\t")

    def add(self, name: bytes, value: bytes, *, verbatim: bool) -> None:
        super().add(*_split_name(name, value), verbatim=verbatim)

    def insert(self, index: int, name: bytes, value: bytes, *, verbatim: bool) -> None:
        super().insert(index, *_split_name(name, value), verbatim=verbatim)

    def change(self, index: int, name: bytes, value: bytes, *, verbatim: bool) -> None:
        super().change(index, *_split_name(name, value), verbatim=verbatim)

    def _add(self, name: bytes, value: bytes) -> None:
        self._fields.append(Field(name, value))

    def _change(self, index: int, name: bytes, value: bytes | None) -> None:
        key = name.lower()
        for position, field in enumerate(self._fields):
            if field.key != key or field.own:
                continue
            index -= 1
            if index == 0:
                if value is None:
                    del self._fields[position]
                else:
                    field.name, field.value = name, value
                return
        if value is not None:
            self._fields.append(Field(name, value))


def _split_name(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """Postfix keeps fields as text, so that a colon in a name ends the name."""
    before, colon, rest = name.partition(b":")
    return (before, rest + b": " + value) if colon else (name, value)
