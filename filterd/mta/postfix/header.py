"""The header section as Postfix 3.7 keeps it: its own Received, then the fields of the message.

A deleted field is gone and counts no more. Source: `cleanup_milter.c`.
"""

from __future__ import annotations

from filterd.mta.mail.header import Field, HeaderSection, folded


class PostfixHeader(HeaderSection):
    """Postfix's list: its Received, then the message's fields."""

    def __init__(self, message: list[tuple[bytes, bytes]]) -> None:
        super().__init__([Field(b"Received", None, own=True)], message)

    _shift = 0

    def _stored(self, name: bytes, value: bytes, verbatim: bool) -> tuple[bytes, bytes]:
        name, value = super()._stored(name, value, verbatim)
        # Postfix keeps fields as text, so that a colon in a name ends the name.
        before, _, rest = (name + b":" + folded(value, b"\t")).partition(b":")
        return before, rest

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
