"""The header section as sendmail 8.17 keeps it.

One list: first its own fields (the H lines of sendmail.cf, most of them without a value), then
those of the message; a deleted field stays in the list without a value and still counts.
Source: `milter.c` (milter_addheader and its neighbours), `headers.c` (addheader, insheader).
"""

from __future__ import annotations

from filterd.mta.mail.header import RETURN_PATH, Field, HeaderSection, folded

SENDMAIL_OWN = (
    b"Return-Path",
    b"Received",
    b"Resent-Date",
    b"Date",
    b"Resent-From",
    b"From",
    b"Full-Name",
    b"Resent-Message-Id",
    b"Message-Id",
)
"""The H lines of a stock sendmail.cf, in order; insertion positions count them."""

INDEX_LIMIT = 0x7FFFFFFF
"""The largest index that a filter can name."""

_TRACE = frozenset({b"received", b"via", b"mail-from"})
"""Fields that sendmail never takes for "the header of that name" (H_TRACE in `conf.c`)."""

_TAKEN_OUT = frozenset({b"return-path"})
"""Fields of the message that do not leave sendmail (H_ACHECK in `conf.c`)."""

_BLIND = frozenset({b"bcc", b"resent-bcc"})
"""Fields that leave sendmail without their value, or not at all (H_BCC in `conf.c`)."""

_RECIPIENTS = frozenset({b"to", b"cc", b"apparently-to"})
"""A message with one of these needs no Bcc (EF_DELETE_BCC in `collect.c`)."""

_FORCED = frozenset({b"received", b"return-path"})
"""Own fields that are kept although the message has one of that name (H_FORCE in `conf.c`)."""


_UNCHANGED = b"\0"
"""A value that no filter can set."""


def _written(value: bytes) -> bytes:
    return folded(value.replace(b"\r\n", b"\n"), b" ")


class SendmailHeader(HeaderSection):
    """sendmail's list. defaults: values of own fields that the message may lack, by name.

    warning: value of X-Authentication-Warning. Values that filters set are folded only when the
    message is written; later filters see them as they were set.
    """

    def __init__(
        self,
        message: list[tuple[bytes, bytes]],
        defaults: dict[bytes, bytes],
        warning: bytes | None = None,
    ) -> None:
        brought = {name.lower() for name, _ in message}
        blind = set(_BLIND)
        if not any(name.startswith(b"resent-") for name in brought):
            blind.remove(b"resent-bcc")
            # RFC 5322 §3.6.6: resent fields come together or not at all.
            brought |= {name.lower() for name in SENDMAIL_OWN if name.startswith(b"Resent-")}
        self._emptied = blind if brought.isdisjoint(_RECIPIENTS) else set()
        own = [
            Field(
                name,
                None if name.lower() in brought - _FORCED else defaults.get(name),
                own=True,
            )
            for name in SENDMAIL_OWN
        ]
        # The mailer writes it, unless a filter has changed it.
        own[0].value = _UNCHANGED
        if warning is not None:
            own.append(Field(b"X-Authentication-Warning", warning, own=True))
        super().__init__(own, message)

    # sendmail counts from its Received field: Return-Path stays on top.
    _shift = 1

    def insert(self, index: int, name: bytes, value: bytes, *, verbatim: bool) -> None:
        # The index is signed: larger ones are negative, and so the top.
        super().insert(0 if index > INDEX_LIMIT else index, name, value, verbatim=verbatim)

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
        # The index is signed: larger ones are negative, and so the first.
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
        """Without what sendmail removes on delivery: the value of Bcc, and Return-Path, which a
        local mailer writes again; see `take_return_path`."""
        written = bytearray()
        for field in self._fields:
            if field.own and field.key == b"return-path":
                if field.value != _UNCHANGED:
                    written[:0] = RETURN_PATH + _written(field.value or b"") + b"\n"
            elif field.value is not None and field.key in _BLIND:
                written += field.name + b":\n" if field.key in self._emptied else b""
            elif field.value is not None and (field.own or field.key not in _TAKEN_OUT):
                written += field.name + b":" + _written(field.value) + b"\n"
        return bytes(written)
